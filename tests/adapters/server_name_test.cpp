// A server's certificate by the name that a client asks for.
#include "memory_pair.hpp"

#include <map>
#include <moqlite/ngtcp2/tls.hpp>
#include <stdexcept>

namespace moqlite::test::server_name_test {

namespace {

using ngtcp2::identity;
using ngtcp2::tls;
using ngtcp2::tls_server_options;
using ngtcp2::trust;

identity made_for(std::string name) {
    std::string why;
    return ngtcp2::generate_identity({.names = {std::move(name)}}, why).value();
}
std::string fingerprint(const identity& of) {
    std::string why;
    return ngtcp2::fingerprint(of, why).value();
}
tls server(tls_server_options o) {
    o.alpn = {"moq-lite-05"};
    std::string why;
    auto made = tls::server(std::move(o), why);
    INFO(why);
    return made.value();
}

/// The certificates of a server by name.
struct names {
    std::map<std::string, identity, std::less<>> all{
        {"a.example", made_for("a.example")}, {"b.example", made_for("b.example")}};
    std::vector<std::string> asked;

    [[nodiscard]] ngtcp2::certificate_by_name chooser() {
        return [this](std::string_view name) -> std::optional<tls> {
            asked.emplace_back(name);
            const auto found = all.find(name);
            if (found == all.end()) return std::nullopt;
            return server_tls(found->second);
        };
    }
};

/// The alert in the words of either TLS library.
bool is_unrecognized_name(const std::string& reason) {
    INFO(reason);
    return reason.find("unrecognized name") != std::string::npos ||
           reason.find("name sent was not recognized") != std::string::npos;
}

/// The fingerprint that a client sees, or its error.
std::string seen(memory_pair& pair, const std::string& name) {
    pair.client.handlers.clear();
    pair.client.failures.clear();
    pair.connect(client_tls(trust::insecure()), name);
    REQUIRE(pair.run([&] { return !pair.client.handlers.empty() || !pair.client.failures.empty(); }));
    return pair.client.failures.empty() ? pair.client.handlers[0]->connection.tls().peer_fingerprint
                                        : pair.client.failures[0];
}

} // namespace

TEST_CASE("each name gets its certificate, and an unknown name the default one") {
    names known;
    memory_pair pair{{}, server({.who = test_identity(), .by_name = known.chooser()})};
    CHECK(seen(pair, "a.example") == fingerprint(known.all.at("a.example")));
    CHECK(seen(pair, "B.Example") == fingerprint(known.all.at("b.example")));
    CHECK(seen(pair, "c.example") == fingerprint(test_identity()));
    CHECK(seen(pair, "127.0.0.1") == fingerprint(test_identity()));
    CHECK(known.asked == std::vector<std::string>{"a.example", "b.example", "c.example", ""});
}

TEST_CASE("without a default certificate an unknown name is refused, and the client told why") {
    names known;
    memory_pair pair{{}, server({.by_name = known.chooser()})};
    CHECK(seen(pair, "a.example") == fingerprint(known.all.at("a.example")));
    for (const auto* name : {"c.example", "127.0.0.1"}) CHECK(is_unrecognized_name(seen(pair, name)));
    CHECK(pair.server.handlers.size() == 1);
}

TEST_CASE("a certificate chosen by name is verified by its name") {
    names known;
    memory_pair pair{{}, server({.by_name = known.chooser()})};
    pair.connect(client_tls(trust::fingerprint(fingerprint(known.all.at("b.example")))), "b.example");
    REQUIRE(pair.run([&] { return !pair.server.handlers.empty(); }));
    CHECK(pair.server.handlers[0]->connection.tls().server_name == "b.example");
}

TEST_CASE("a certificate is replaced under its name, and the next client gets the new one") {
    names known;
    memory_pair pair{{}, server({.by_name = known.chooser()})};
    const auto before = seen(pair, "a.example");
    known.all.at("a.example") = made_for("a.example");
    const auto after = seen(pair, "a.example");
    CHECK(after != before);
    CHECK(after == fingerprint(known.all.at("a.example")));
}

TEST_CASE("an exception while choosing a certificate ends that handshake, and no other") {
    std::vector<std::string> lines;
    pair_options o;
    o.server.log = [&](link::log_level, std::string_view line) { lines.emplace_back(line); };
    bool broken = true;
    memory_pair pair{o, server({.who = test_identity(), .by_name = [&](std::string_view) -> std::optional<tls> {
                                    if (broken) throw std::runtime_error{"no such shelf"};
                                    return std::nullopt;
                                }})};
    CHECK(seen(pair, "a.example").find("nternal error") != std::string::npos);
    pair.run_for(1s);
    REQUIRE_FALSE(lines.empty());
    INFO(lines.back());
    CHECK(lines.back().find("no such shelf") != std::string::npos);
    broken = false;
    CHECK(seen(pair, "a.example") == fingerprint(test_identity()));
}

TEST_CASE("the rules of a server do not change with the certificate that was chosen") {
    // What is chosen by name supports another protocol, and does not ask for the client's certificate.
    std::string why;
    const auto inner = tls::server(made_for("a.example"), {"other"}, why).value();
    memory_pair pair{{}, server({.who = test_identity(),
                             .by_name = [&](std::string_view) { return std::optional{inner}; },
                             .clients = ngtcp2::client_authentication{trust::any_certificate()}})};
    CHECK(seen(pair, "a.example") != fingerprint(test_identity())); // The client's handshake is complete first.
    pair.run_for(1s);
    CHECK(pair.server.handlers.empty());
    REQUIRE(pair.client.ends.at(0)->has_value());
    INFO(pair.client.ends[0]->value().reason);
    CHECK(pair.client.ends[0]->value().reason.find("certificate required") != std::string::npos);
}

TEST_CASE("a server without any certificate cannot be made") {
    std::string why;
    CHECK_FALSE(tls::server(tls_server_options{.alpn = {"moq-lite-05"}}, why));
    CHECK(why == "a server needs a certificate, or a function that chooses one");
}

} // namespace moqlite::test::server_name_test
