// Renewal of a server's certificate.
#include "memory_pair.hpp"
#include "temporary_file.hpp"

#include <algorithm>
#include <moqlite/ngtcp2/certificate_store.hpp>

namespace moqlite::test::certificate_store_test {

using ngtcp2::certificate_store;
using ngtcp2::trust;
using enum ngtcp2::certificate_store::outcome;

namespace {

using std::chrono::days;
using std::chrono::hours;

constexpr ngtcp2::wall_time start{std::chrono::sys_days{std::chrono::year{2030} / 1 / 1}};

ngtcp2::identity make(const std::string& name = "localhost") {
    std::string why;
    return ngtcp2::generate_identity({.names = {name}, .now = start}, why).value();
}

certificate_store generating() {
    auto made = certificate_store::generating({"localhost", "127.0.0.1"}, {"moq-lite-05"});
    std::string why;
    REQUIRE(made.load(start, why) == renewed);
    return made;
}

/// Two files, and a server that reads them.
struct pair_of_files {
    explicit pair_of_files(const ngtcp2::identity& who) : chain{who.chain}, key{who.key} {
        REQUIRE(store.load(start, why) == renewed);
    }
    void write(const ngtcp2::identity& who) const {
        chain.write(who.chain);
        key.write(who.key);
    }
    certificate_store::outcome refresh() { return store.refresh(start, why); }

    temporary_file chain, key;
    certificate_store store = certificate_store::reading(chain.name, key.name, {"moq-lite-05"});
    std::string why;
};

} // namespace

TEST_CASE("a generated certificate is replaced three days before it expires, and its hash is listed until then") {
    auto store = generating();
    std::string why;
    const auto first = store.current();
    CHECK(first.good.from == start - hours{1});
    CHECK(first.good.until == start + days{13});
    CHECK(store.fingerprints(start) == std::vector{first.fingerprint});

    CHECK(store.refresh(start + days{10} - 1s, why) == same);
    CHECK(store.refresh(start + days{10}, why) == renewed);
    const auto second = store.current();
    CHECK(second.good.until == start + days{23});
    CHECK(store.fingerprints(start + days{13} - 1s) == std::vector{second.fingerprint, first.fingerprint});
    CHECK(store.fingerprints(start + days{13}) == std::vector{second.fingerprint});
    CHECK(store.refresh(start + days{10} + 1s, why) == same);
}

TEST_CASE("at every hour of a year the certificate is valid, for less than 14 days") {
    auto store = generating();
    std::string why;
    unsigned made = 1;
    for (auto now = start; now < start + days{365}; now += hours{1}) {
        made += store.refresh(now, why) == renewed ? 1 : 0;
        const auto& good = store.current().good;
        REQUIRE(good.from < now);
        REQUIRE(now + days{3} <= good.until + hours{1});
        REQUIRE(good.until - good.from < days{14});
    }
    CHECK(made == 37);
}

TEST_CASE("a clock that was wrong when the certificate was made is no reason to keep it") {
    auto store = generating();
    std::string why;
    CHECK(store.refresh(start + days{4000}, why) == renewed);
    CHECK(store.refresh(start - days{30}, why) == renewed);
    CHECK(store.current().good.until == start - days{17});
}

TEST_CASE("files are reloaded when both have changed") {
    const auto first = make(), second = make();
    pair_of_files files{first};
    CHECK(files.refresh() == same);
    files.chain.write(second.chain); // The key follows between two checks.
    CHECK(files.refresh() == same);
    files.key.write(second.key);
    CHECK(files.refresh() == same);
    CHECK(files.store.current().who == first);
    CHECK(files.refresh() == renewed);
    CHECK(files.store.current().who == second);
    CHECK(files.store.fingerprints(start).size() == 2);
    CHECK(files.refresh() == same);
}

TEST_CASE("a pair that does not match is reported once, and the previous one stays") {
    const auto first = make(), second = make();
    pair_of_files files{first};
    files.chain.write(second.chain);
    CHECK(files.refresh() == same);
    CHECK(files.refresh() == failed);
    CHECK(files.why.starts_with("the private key is not the certificate's"));
    CHECK(files.refresh() == same);
    CHECK(files.store.current().who == first);

    SECTION("until a manual reload") { CHECK(files.store.load(start, files.why) == failed); }
    SECTION("and again when it was mended meanwhile") {
        files.write(first);
        CHECK(files.refresh() == same);
        files.chain.write("nothing");
        CHECK(files.refresh() == same);
        CHECK(files.refresh() == failed);
    }
    SECTION("until it fits") {
        files.write(second);
        CHECK(files.refresh() == same);
        CHECK(files.refresh() == renewed);
    }
}

TEST_CASE("files that are missing for a while are reported once") {
    const auto first = make();
    pair_of_files files{first};
    std::remove(files.key.name.c_str());
    CHECK(files.refresh() == failed);
    CHECK(files.why == "cannot read " + files.key.name);
    CHECK(files.refresh() == same);
    files.write(first);
    CHECK(files.refresh() == same);
    CHECK(files.store.current().who == first);
}

TEST_CASE("a manual reload does not wait for the files to settle") {
    pair_of_files files{make()};
    const auto second = make();
    files.write(second);
    CHECK(files.store.load(start, files.why) == renewed);
    CHECK(files.store.current().who == second);
    CHECK(files.store.load(start, files.why) == same);
}

TEST_CASE("a server's new certificate is for new connections, and does not disturb existing ones") {
    std::string why;
    const auto second = make();
    memory_pair pair;
    pair.connected();
    const auto before = client_tls(trust::fingerprint(ngtcp2::fingerprint(test_identity(), why).value()));
    const auto after = client_tls(trust::fingerprint(ngtcp2::fingerprint(second, why).value()));
    pair.connect(before);
    pair.run_for(6ms); // The server is in the middle of its answer.
    REQUIRE(pair.server.endpoint.connections() == 2);
    pair.server.endpoint.renew(server_tls(second));

    REQUIRE(pair.run([&] { return pair.client.handlers.size() == 2; }));
    CHECK(pair.client.failures.empty());
    pair.connect(after);
    REQUIRE(pair.run([&] { return pair.client.handlers.size() == 3; }));
    pair.connect(before);
    REQUIRE(pair.run([&] { return pair.client.failures.size() == 1; }));
    pair.run_for(20s);
    CHECK(pair.server.endpoint.connections() == 3); // Keep-alive continues.
}

TEST_CASE("a refusing server does not accept again because of a new certificate") {
    memory_pair pair;
    pair.server.endpoint.refuse();
    pair.server.endpoint.renew(server_tls(make()));
    pair.connect();
    pair.run_for(2s);
    CHECK(pair.client.handlers.empty());
}

TEST_CASE("a store's certificates ask clients for theirs") {
    std::string why;
    auto store = ngtcp2::certificate_store::generating({"localhost"}, {"moq-lite-05"});
    store.options({.clients = ngtcp2::client_authentication{ngtcp2::trust::any_certificate()}});
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    REQUIRE(store.load(now, why) == ngtcp2::certificate_store::outcome::renewed);
    memory_pair pair{{}, store.current().configuration};
    pair.connect(ngtcp2::tls::client({.whom = ngtcp2::trust::insecure(), .who = test_identity()}, why).value());
    REQUIRE(pair.run([&] { return !pair.server.handlers.empty(); }));
    CHECK(pair.server.handlers[0]->connection.tls().peer_fingerprint == ngtcp2::fingerprint(test_identity(), why));
}

} // namespace moqlite::test::certificate_store_test
