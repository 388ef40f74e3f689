// Trust: who is accepted, who is not, and the error.
#include "memory_pair.hpp"
#include "temporary_file.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <moqlite/ngtcp2/tls.hpp>

namespace moqlite::test::tls_test {

using ngtcp2::trust;

namespace {

ngtcp2::identity make(std::vector<std::string> names) {
    std::string why;
    auto made = ngtcp2::generate_identity({.names = std::move(names)}, why);
    INFO(why);
    return made.value();
}

/// "" if the handshake succeeds, else the client's error.
std::string outcome(const trust& whom, const std::string& name, const ngtcp2::identity& who = test_identity(),
    std::vector<std::string> alpn = {"moq-lite-05"}) {
    memory_pair pair{{}, server_tls(who)};
    pair.connect(client_tls(whom), name, std::move(alpn));
    REQUIRE(pair.run([&] { return !pair.client.handlers.empty() || !pair.client.failures.empty(); }));
    pair.run_for(2s);
    CHECK(pair.server.handlers.empty() == !pair.client.failures.empty());
    return pair.client.failures.empty() ? "" : pair.client.failures[0];
}

bool contains(const std::string& text, const std::string& part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("no certificate is made for an invalid name") {
    std::string why;
    for (const std::string name : {"", "two words", "a,DNS:b"}) {
        CHECK_FALSE(ngtcp2::generate_identity({.names = {"localhost", name}}, why));
        CHECK(contains(why, "neither an IP address nor a DNS name"));
    }
    CHECK_FALSE(ngtcp2::generate_identity({}, why));
    CHECK(contains(why, "1 to 100 names"));
    CHECK_FALSE(ngtcp2::generate_identity({.names = std::vector<std::string>(101, "a")}, why));
}

TEST_CASE("an Ed25519 identity works as well") {
    std::string why;
    const auto made = ngtcp2::generate_identity({.names = {"localhost"}, .kind = ngtcp2::key_kind::ed25519}, why);
    REQUIRE(made);
    CHECK(outcome(trust::insecure(), "localhost", *made).empty());
}

TEST_CASE("a fingerprint is 64 lowercase hex digits, and is accepted in every usual form") {
    std::string why;
    const auto hex = ngtcp2::fingerprint(test_identity(), why).value();
    CHECK(hex.size() == 64);
    CHECK(hex.find_first_not_of("0123456789abcdef") == std::string::npos);
    CHECK(outcome(trust::fingerprint(hex), "not.the.name").empty());
    std::string colons;
    for (std::size_t i = 0; i < 64; i += 2) {
        if (i != 0) colons += ':';
        for (const char c : hex.substr(i, 2)) colons += static_cast<char>(std::toupper(c));
    }
    CHECK(outcome(trust::fingerprint(colons), "localhost").empty());
}

TEST_CASE("a wrong fingerprint is refused with an error that names both") {
    const std::string other(64, 'a');
    const auto why = outcome(trust::fingerprint(other), "localhost");
    CHECK(contains(why, "certificate verify failed"));
    CHECK(contains(why, other));
}

TEST_CASE("an invalid fingerprint is refused before anything is sent") {
    std::string why;
    CHECK_FALSE(ngtcp2::tls::client(trust::fingerprint("abc"), why));
    CHECK(contains(why, "64 hex digits"));
}

TEST_CASE("the system's roots do not trust a self-signed certificate") {
    CHECK(contains(outcome(trust::system_roots(), "localhost"), "certificate verify failed: self-signed certificate"));
}

TEST_CASE("a CA file makes its certificate good for its name only") {
    const temporary_file ca{test_identity().chain};
    CHECK(outcome(trust::ca_file(ca.name), "localhost").empty());
    const auto why = outcome(trust::ca_file(ca.name), "other.example");
    CHECK(contains(why, "certificate verify failed: hostname mismatch"));
    CHECK(contains(why, "other.example"));
}

TEST_CASE("an IP address is verified as one") {
    const auto who = make({"192.0.2.7"});
    const temporary_file ca{who.chain};
    CHECK(outcome(trust::ca_file(ca.name), "192.0.2.7", who).empty());
    CHECK(contains(outcome(trust::ca_file(ca.name), "192.0.2.8", who), "IP address mismatch"));
    CHECK(contains(outcome(trust::ca_file(ca.name), "localhost", who), "hostname mismatch"));
}

TEST_CASE("a certificate for several names is good for each of them, and for no other") {
    const auto who = make({"relay.example", "*.local.example", "127.0.0.1", "::1"});
    const temporary_file ca{who.chain};
    for (const std::string name : {"relay.example", "a.local.example", "127.0.0.1", "::1"}) {
        CAPTURE(name);
        CHECK(outcome(trust::ca_file(ca.name), name, who).empty());
    }
    CHECK(contains(outcome(trust::ca_file(ca.name), "127.0.0.2", who), "IP address mismatch"));
    CHECK(contains(outcome(trust::ca_file(ca.name), "other.example", who), "hostname mismatch"));
}

TEST_CASE("another CA does not trust the certificate") {
    const temporary_file ca{make({"localhost"}).chain};
    CHECK(contains(outcome(trust::ca_file(ca.name), "localhost"), "certificate verify failed: "));
}

TEST_CASE("unreadable files and keys that do not match are reported in one line") {
    std::string why;
    CHECK_FALSE(ngtcp2::load_identity("/nowhere/chain.pem", "/nowhere/key.pem", why));
    CHECK(contains(why, "cannot read /nowhere/chain.pem"));
    CHECK_FALSE(ngtcp2::tls::client(trust::ca_file("/nowhere/ca.pem"), why));
    CHECK(contains(why, "/nowhere/ca.pem"));
    CHECK_FALSE(ngtcp2::tls::server({test_identity().chain, make({"x"}).key}, {"a"}, why));
    CHECK(contains(why, "not the certificate's"));
    CHECK_FALSE(ngtcp2::tls::server({"nothing", "nothing"}, {"a"}, why));
    CHECK_FALSE(ngtcp2::tls::server(test_identity(), {}, why));
    CHECK(contains(why, "ALPN"));
}

TEST_CASE("an encrypted private key is refused with its file's name, without a prompt for a pass phrase") {
    // The two forms in use; only the first lines are read.
    const std::string forms[] = {
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGj\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMIGj\n"
        "-----END EC PRIVATE KEY-----\n",
    };
    const auto& form = forms[GENERATE(0, 1)];
    const temporary_file chain{test_identity().chain}, key{form};
    std::string why;
    CHECK_FALSE(ngtcp2::load_identity(chain.name, key.name, why));
    CHECK(why == key.name + " is encrypted, which is not supported");
    CHECK_FALSE(ngtcp2::tls::server({test_identity().chain, form}, {"a"}, why));
    CHECK(why == "the private key is encrypted, which is not supported");
}

TEST_CASE("an identity read from files is the one that was written") {
    const temporary_file chain{test_identity().chain}, key{test_identity().key};
    std::string why;
    const auto read = ngtcp2::load_identity(chain.name, key.name, why);
    REQUIRE(read);
    CHECK(outcome(trust::insecure(), "localhost", *read).empty());
}

TEST_CASE("without a common ALPN both ends report it") {
    std::vector<std::string> lines;
    pair_options options;
    options.server.log = [&](link::log_level, std::string_view line) { lines.emplace_back(line); };
    memory_pair pair{std::move(options)};
    pair.connect(client_tls(), "localhost", {"h3", "hq"});
    REQUIRE(pair.run([&] { return !pair.client.failures.empty(); }));
    CHECK(pair.client.failures[0].starts_with("no common ALPN: the peer supports none of h3, hq"));
    pair.run_for(1s);
    CHECK(pair.server.handlers.empty());
    REQUIRE(lines.size() == 1);
    CHECK(contains(lines[0], "no common ALPN"));
}

} // namespace moqlite::test::tls_test
