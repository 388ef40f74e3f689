// Mutual TLS: clients with a certificate.
#include "memory_pair.hpp"
#include "temporary_file.hpp"

#include <moqlite/ngtcp2/tls.hpp>

namespace moqlite::test::mutual_tls_test {

namespace {

using ngtcp2::client_authentication;
using ngtcp2::identity;
using ngtcp2::tls;
using ngtcp2::trust;

identity made_for(std::string name, ngtcp2::key_kind kind = ngtcp2::key_kind::p256) {
    std::string why;
    return ngtcp2::generate_identity({.names = {std::move(name)}, .kind = kind}, why).value();
}
std::string fingerprint(const identity& of) {
    std::string why;
    return ngtcp2::fingerprint(of, why).value();
}
std::optional<tls> server_asking(client_authentication clients, std::string& why) {
    return tls::server({.alpn = {"moq-lite-05"}, .who = test_identity(), .clients = std::move(clients)}, why);
}
tls client_with(std::optional<identity> who) {
    std::string why;
    return tls::client({.whom = trust::fingerprint(fingerprint(test_identity())), .who = std::move(who)}, why).value();
}

/// A server that asks, and a client that may answer.
struct scene : memory_pair {
    explicit scene(client_authentication clients, std::optional<identity> who = {})
        : memory_pair{options_with_log(), asking(std::move(clients))} {
        connect(client_with(std::move(who)));
        run_for(1s);
    }
    [[nodiscard]] bool is_accepted() const { return !server.handlers.empty(); }
    [[nodiscard]] std::string seen() const { return server.handlers.at(0)->connection.tls().peer_fingerprint; }
    /// The client's reason for its end, and the server's log.
    [[nodiscard]] std::string reason() const {
        REQUIRE(client.failures.empty()); // TLS 1.3: a client is done before its certificate is judged.
        return client.ends.at(0)->value().reason;
    }

    std::vector<std::string> lines;

private:
    static tls asking(client_authentication clients) {
        std::string why;
        auto made = server_asking(std::move(clients), why);
        INFO(why);
        return made.value();
    }
    pair_options options_with_log() {
        pair_options o;
        o.server.log = [this](link::log_level, std::string_view line) { lines.emplace_back(line); };
        return o;
    }
};

bool contains(const std::string& text, std::string_view part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("any self-signed client certificate is accepted, and its fingerprint reported") {
    for (const auto kind : {ngtcp2::key_kind::p256, ngtcp2::key_kind::ed25519}) {
        const auto peer = made_for("peer", kind);
        const scene s{{trust::any_certificate()}, peer};
        REQUIRE(s.is_accepted());
        CHECK(s.seen() == fingerprint(peer));
        CHECK(s.server.handlers[0]->connection.tls().peer_certificate.size() > 100);
        CHECK_FALSE(s.client.ends[0]->has_value());
    }
}

TEST_CASE("a client without the required certificate is refused, and told so") {
    const scene s{{trust::any_certificate()}};
    CHECK_FALSE(s.is_accepted());
    CHECK(contains(s.reason(), "certificate required"));
}

TEST_CASE("where a certificate is optional a client may have none") {
    const scene without{{.whom = trust::any_certificate(), .required = false}};
    REQUIRE(without.is_accepted());
    CHECK(without.seen().empty());
    const auto peer = made_for("peer");
    const scene with{{.whom = trust::any_certificate(), .required = false}, peer};
    REQUIRE(with.is_accepted());
    CHECK(with.seen() == fingerprint(peer));
}

TEST_CASE("with a CA file only certificates of that CA are accepted") {
    const auto known = made_for("known"), stranger = made_for("stranger");
    const temporary_file roots{known.chain}; // A self-signed certificate is its own root.
    for (const bool required : {true, false}) {
        const scene good{{trust::ca_file(roots.name), required}, known};
        REQUIRE(good.is_accepted());
        CHECK(good.seen() == fingerprint(known));
        const scene bad{{trust::ca_file(roots.name), required}, stranger};
        CHECK_FALSE(bad.is_accepted());
        REQUIRE_FALSE(bad.lines.empty());
        CHECK(contains(bad.lines.back(), "certificate verify failed: self-signed certificate"));
    }
}

TEST_CASE("one client may be named by its fingerprint") {
    const auto known = made_for("known");
    const scene good{{trust::fingerprint(fingerprint(known))}, known};
    CHECK(good.is_accepted());
    const scene bad{{trust::fingerprint(fingerprint(known))}, made_for("known")};
    CHECK_FALSE(bad.is_accepted());
}

TEST_CASE("a client with a certificate connects to a server that does not ask for one") {
    memory_pair pair;
    pair.connect(client_with(made_for("peer")));
    REQUIRE(pair.run([&] { return !pair.server.handlers.empty(); }));
    CHECK(pair.server.handlers[0]->connection.tls().peer_fingerprint.empty());
}

TEST_CASE("two peers know each other by their fingerprints alone") {
    const auto one = made_for("one"), other = made_for("other");
    std::string why;
    memory_pair pair{
        {}, tls::server(
                {.alpn = {"moq-lite-05"}, .who = one, .clients = client_authentication{trust::any_certificate()}}, why)
                .value()};
    pair.connect(tls::client({.whom = trust::any_certificate(), .who = other}, why).value());
    REQUIRE(pair.run([&] { return !pair.server.handlers.empty(); }));
    CHECK(pair.server.handlers[0]->connection.tls().peer_fingerprint == fingerprint(other));
    CHECK(pair.client.handlers[0]->connection.tls().peer_fingerprint == fingerprint(one));
}

TEST_CASE("options of mutual TLS that cannot be used are refused with the reason") {
    std::string why;
    CHECK_FALSE(server_asking({trust::ca_file("/does/not/exist")}, why));
    CHECK(contains(why, "/does/not/exist"));
    CHECK_FALSE(server_asking({trust::fingerprint("12")}, why));
    CHECK(contains(why, "64 hex digits"));
    CHECK_FALSE(server_asking({trust::insecure()}, why));
    CHECK(contains(why, "any_certificate()"));
    CHECK_FALSE(
        tls::client({.whom = trust::insecure(), .who = identity{test_identity().chain, made_for("x").key}}, why));
    CHECK(contains(why, "not the certificate's"));
}

} // namespace moqlite::test::mutual_tls_test
