// The code and reason with which one end closes a session reach the other, in both directions, on lossy paths, too, and
// whenever it is.
#include "webtransport_pair.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <memory>

namespace moqlite::test::webtransport_close_code_test {

namespace {

using end = std::shared_ptr<std::optional<link::closed>>;

/// Both ends of a session, one of which closes.
struct closing_pair : webtransport_pair {
    explicit closing_pair(bool by_server, pair_options o = {}) : webtransport_pair{std::move(o)} {
        const auto both = session();
        from = by_server ? both.second : both.first;
        to = by_server ? both.first : both.second;
        ours = by_server ? server.ends[0] : client.ends[0];
        theirs = by_server ? client.ends[0] : server.ends[0];
    }
    bool are_over() const { return ours->has_value() && theirs->has_value(); }
    recorder* from = nullptr;
    recorder* to = nullptr;
    end ours, theirs;
};

/// `reason` empty: any.
void check(const end& how, std::uint64_t code, bool by_peer, const std::string& reason) {
    REQUIRE(how->has_value());
    CHECK((*how)->application);
    CHECK((*how)->code == code);
    CHECK((*how)->by_peer == by_peer);
    if (!reason.empty()) CHECK((*how)->reason == reason);
}

} // namespace

TEST_CASE("a close is reported with code and reason on a path that loses and reorders", "[webtransport][close]") {
    const bool by_server = GENERATE(false, true);
    const auto seed = GENERATE(range(0u, 20u));
    auto dice = std::make_shared<std::mt19937>(seed);
    bool closing = false;
    pair_options o;
    o.drop = [&, dice](std::string&) { return closing && (*dice)() % 8 == 0; };
    o.delay = [&, dice] { return closing ? duration{1ms * (1 + (*dice)() % 40)} : duration{5ms}; };
    closing_pair pair{by_server, std::move(o)};
    pair.from->send(direction::uni, noise(100'000));
    pair.to->send(direction::bidi, noise(100'000));
    pair.run_for(10ms);
    closing = true;
    pair.from->connection.close(app_error{4242}, "see you later");
    REQUIRE(pair.run([&] { return pair.are_over(); }, 30s));
    check(pair.ours, 4242, false, "see you later");
    check(pair.theirs, 4242, true, "see you later");
}

TEST_CASE("a CLOSE that is lost for half a second is in the end of QUIC", "[webtransport][close]") {
    const bool by_server = GENERATE(false, true);
    bool cut = false;
    pair_options o;
    o.drop = [&](std::string&) { return cut; };
    closing_pair pair{by_server, std::move(o)};
    const auto begun = pair.now;
    cut = true;
    pair.from->connection.close(app_error{7}, "bye");
    pair.run_until(begun + 490ms);
    CHECK_FALSE(pair.theirs->has_value());
    cut = false;
    REQUIRE(pair.run([&] { return pair.are_over(); }, 1s));
    check(pair.theirs, 7, true, "bye");
    CHECK(pair.client_counts->failed_connections + pair.server_counts->failed_connections == 0);
}

TEST_CASE("a session that is closed as soon as it is made reports code and reason", "[webtransport][close]") {
    const bool by_server = GENERATE(false, true);
    webtransport_pair pair;
    const auto closing = [](link::accept_function made) {
        return [made = std::move(made)](link::connection& c, time_point now) {
            auto out = made(c, now);
            c.close(app_error{9}, "not you");
            return out;
        };
    };
    auto accept = pair.server.accept();
    if (by_server) accept = closing(std::move(accept));
    pair.serve([&](const nghttp3::request& r) { return accept_with(r, accept); });
    if (by_server)
        pair.ask();
    else
        pair.ask_with(closing(pair.client.accept()));
    REQUIRE(pair.run([&] { return pair.client.ends.size() == 1 && pair.client.ends[0]->has_value(); }));
    REQUIRE(pair.run([&] { return pair.server.ends.size() == 1 && pair.server.ends[0]->has_value(); }));
    check(pair.client.ends[0], 9, by_server, "not you");
    check(pair.server.ends[0], 9, !by_server, "not you");
    CHECK(pair.client.failures.empty());
    REQUIRE(pair.run([&] { return pair.is_over(); }));
}

TEST_CASE("a close from within a handler's pump or input reports code and reason", "[webtransport][close]") {
    const bool by_server = GENERATE(false, true);
    const int where = GENERATE(0, 1, 2);
    closing_pair pair{by_server};
    const auto leave = [&](link::connection& c) { c.close(app_error{11}, "enough"); };
    pair.from->send(direction::uni, noise(500'000));
    if (where == 0) pair.from->in_pump(leave);
    if (where == 1) pair.from->at_end_of_pump(leave);
    if (where == 2) {
        pair.from->on_received = [&](stream_id) { leave(pair.from->connection); };
        pair.to->send(direction::uni, "now");
    }
    REQUIRE(pair.run([&] { return pair.are_over(); }, 1s));
    check(pair.ours, 11, false, "enough");
    check(pair.theirs, 11, true, "enough");
}

TEST_CASE("ends that close at once each report their own code", "[webtransport][close]") {
    closing_pair pair{true};
    pair.from->connection.close(app_error{1}, "server");
    pair.to->connection.close(app_error{2}, "client");
    REQUIRE(pair.run([&] { return pair.are_over(); }));
    check(pair.ours, 1, false, "server");
    check(pair.theirs, 2, false, "client");
    const auto begun = pair.now;
    REQUIRE(pair.run([&] { return pair.is_over(); }));
    CHECK(pair.now - begun < 100ms);
}

TEST_CASE("only the first of several closes counts", "[webtransport][close]") {
    closing_pair pair{GENERATE(false, true)};
    pair.from->connection.close(app_error{1}, "first");
    pair.from->connection.close(app_error{2}, "second");
    REQUIRE(pair.run([&] { return pair.are_over(); }));
    check(pair.ours, 1, false, "first");
    check(pair.theirs, 1, true, "first");
}

TEST_CASE("what a CLOSE cannot carry is cut", "[webtransport][close]") {
    closing_pair pair{GENERATE(false, true)};
    SECTION("a code of more than 32 bits") {
        pair.from->connection.close(app_error{std::uint64_t{1} << 32}, "large");
        REQUIRE(pair.run([&] { return pair.are_over(); }));
        check(pair.theirs, 0xffffffff, true, "large");
    }
    SECTION("a reason of more than 1024 bytes, at a character") {
        pair.from->connection.close(app_error{1}, std::string(1023, 'x') + "\xc3\xbc");
        REQUIRE(pair.run([&] { return pair.are_over(); }));
        check(pair.theirs, 1, true, std::string(1023, 'x'));
    }
    SECTION("a reason that is not UTF-8, from there on") {
        pair.from->connection.close(app_error{1}, "good \xff bad");
        REQUIRE(pair.run([&] { return pair.are_over(); }));
        check(pair.theirs, 1, true, "good ");
    }
    SECTION("no reason") {
        pair.from->connection.close(app_error{1}, "");
        REQUIRE(pair.run([&] { return pair.are_over(); }));
        check(pair.theirs, 1, true, "");
    }
    CHECK(pair.client_counts->failed_connections + pair.server_counts->failed_connections == 0);
}

} // namespace moqlite::test::webtransport_close_code_test
