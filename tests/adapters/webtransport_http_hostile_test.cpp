// Hostile clients of a server's HTTP function: each has bounded cost, and disturbs no other.
#include "raw_http3.hpp"

#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::webtransport_http_hostile_test {

using nghttp3::http_request;
using nghttp3::http_response;

namespace {

constexpr std::uint64_t request_cancelled = 0x10c, excessive_load = 0x107;

/// Answers with `size` bytes.
struct server_of : webtransport_pair {
    explicit server_of(std::size_t size, nghttp3::http_limits bounds = {}, pair_options o = {})
        : webtransport_pair{std::move(o)} {
        serve_http(
            [this, size](const http_request&) {
                ++calls;
                return http_response{.status = 200, .body = std::string(size, 'x')};
            },
            bounds);
    }
    int calls = 0;
};

/// Opens `count` requests in one pump, as far as the server grants streams.
std::vector<stream_id> flood(
    webtransport_pair& pair, raw_http3& client, const std::string& bytes, int count, bool fin) {
    std::vector<stream_id> out;
    client.upper->in_pump([&](link::connection& c) {
        for (int i = 0; i < count; ++i) {
            const auto id = c.open(direction::bidi);
            if (!id) return;
            client.upper->sent[*id].bytes = bytes;
            client.upper->sent[*id].fin = fin;
            out.push_back(*id);
        }
    });
    pair.run_for(100ms);
    return out;
}

void check_still_works(webtransport_pair& pair, recorder* friendly, recorder* server) {
    friendly->send(direction::uni, "still here");
    REQUIRE(pair.run([&] { return !server->received.empty(); }, 1s));
}

} // namespace

TEST_CASE("a body of more than 64 KiB is refused with 413", "[webtransport][http]") {
    server_of pair{1};
    raw_http3 client{pair};
    const auto id = client.open(direction::bidi, headers(get("POST")) + data_frame(noise(64 * 1024)) + data_frame("x"));
    CHECK(client.answer(id) == 413);
    CHECK(pair.calls == 0);
    CHECK(pair.server_counts->refused_requests == 1);
    CHECK_FALSE(client.is_over());
    CHECK(client.ask(get()) == 200);
}

TEST_CASE("bodies that wait share 256 KiB, the others get 503", "[webtransport][http]") {
    server_of pair{1};
    raw_http3 client{pair};
    const auto ids =
        flood(pair, client, headers(get("POST")) + data_frame(noise(60'000)), 10, false); // None of them ends.
    pair.run_for(3s);
    int refused = 0;
    for (const auto id : ids) refused += client.status(id) == 503 ? 1 : 0;
    CHECK(refused == 6);
    for (const auto id : ids)
        if (client.status(id) == 0) client.more(id, "", true);
    pair.run_for(1s);
    CHECK(pair.calls == 4);
}

TEST_CASE("a request that is not sent in ten seconds gets 408", "[webtransport][http]") {
    server_of pair{1};
    raw_http3 client{pair};
    const bool with_session = GENERATE(false, true);
    if (with_session) client.session();
    const auto id = client.open(direction::bidi, headers(get("POST")));
    const auto begun = pair.now;
    while (client.status(id) == 0 && pair.now - begun < 20s) {
        client.more(id, data_frame("x")); // However steadily.
        pair.run_for(500ms);
    }
    CHECK(client.status(id) == 408);
    CHECK(pair.now - begun > 9s);
    CHECK(pair.now - begun < 12s);
    CHECK(pair.calls == 0);
    CHECK(client.is_over() == false);
}

TEST_CASE("a response that is not taken in ten seconds is cut off", "[webtransport][http][ngtcp2-1.24]") {
    pair_options o;
    o.client.stream_window = 1024;
    server_of pair{60'000, {}, std::move(o)};
    raw_http3 client{pair};
    client.upper->give_credit = false;
    const auto ids = flood(pair, client, headers(get()), 1, true);
    const auto begun = pair.now;
    pair.run([&] { return client.is_over() || client.received(ids[0]).reset.has_value(); }, 20s);
    CHECK(client.reset_code(ids[0]) == request_cancelled);
    CHECK(pair.now - begun > 9s);
    CHECK(pair.now - begun < 11s);
    CHECK(pair.server_counts->cut_off_responses == 1);
    client.upper->give_credit = true;
    CHECK(client.ask(get()) == 200);
}

TEST_CASE("responses that nobody reads hold 256 KiB, other requests wait for room", "[webtransport][http]") {
    pair_options o;
    o.client.stream_window = 1024;
    server_of pair{60'000, {}, std::move(o)};
    const auto [friendly, server] = pair.session();
    raw_http3 client{pair};
    client.upper->give_credit = false;
    const auto ids = flood(pair, client, headers(get()), 20, true);
    CHECK(pair.calls == 4);
    pair.run_for(8s);
    CHECK(pair.calls == 4);
    pair.run_for(4s); // The first ones are cut off.
    CHECK(pair.calls == 8);
    check_still_works(pair, friendly, server);
    pair.run_for(60s);
    CHECK(pair.calls <= 12); // The rest got 503.
    CHECK(pair.server_counts->refused_requests >= 8);
}

TEST_CASE("a client that reads slowly gets all of its response", "[webtransport][http]") {
    pair_options o;
    o.client.stream_window = 4096;
    server_of pair{60'000, {}, std::move(o)};
    raw_http3 client{pair};
    const auto id = client.open(direction::bidi, headers(get()), true);
    REQUIRE(pair.run([&] { return client.received(id).fin; }, 5s));
    CHECK(client.received(id).bytes.size() > 60'000);
}

TEST_CASE("a body that contradicts its content-length is never given to the application", "[webtransport][http]") {
    server_of pair{1};
    const auto [friendly, server] = pair.session();
    raw_http3 client{pair};
    auto header = get("POST");
    header.emplace_back("content-length", GENERATE("5", "0", "-1", "x", "99999999999999999999"));
    const auto id = client.open(direction::bidi, headers(header) + data_frame("body"), true);
    pair.run_for(1s);
    CHECK((client.is_over() || client.received(id).reset || client.status(id) >= 400));
    CHECK(pair.calls == 0);
    check_still_works(pair, friendly, server);
}

TEST_CASE("a request that is reset is forgotten, before and after its answer", "[webtransport][http]") {
    server_of pair{60'000};
    raw_http3 client{pair};
    for (int i = 0; i < 300; ++i) {
        const auto ids = flood(pair, client, headers(get("POST")) + data_frame("x"), 1, i % 2 == 0);
        REQUIRE(ids.size() == 1);
        if (i % 2 == 0)
            client.upper->in_pump([&](link::connection& c) { c.stop(ids[0], app_error{request_cancelled}); });
        else
            client.reset(ids[0], request_cancelled);
        pair.run_for(50ms);
        REQUIRE_FALSE(client.is_over());
    }
    CHECK(client.ask(get()) == 200);
}

TEST_CASE("a request whose answer is not wanted is forgotten", "[webtransport][http]") {
    server_of pair{60'000};
    raw_http3 client{pair};
    for (int i = 0; i < 100; ++i) {
        const auto id = client.open(direction::bidi, headers(get("POST")) + data_frame("x"));
        client.upper->in_pump([&](link::connection& c) { c.stop(id, app_error{request_cancelled}); });
        pair.run_for(50ms);
        client.more(id, "", true);
        REQUIRE_FALSE(client.is_over());
    }
    CHECK(pair.calls == 0); // The stream is over before there is anything to answer.
    CHECK(client.ask(get()) == 200);
}

TEST_CASE("a malformed Origin and a path that is not UTF-8 are not the application's", "[webtransport][http]") {
    server_of pair{1};
    raw_http3 client{pair};
    auto header = get();
    header.emplace_back("origin", "http://evil.example\x01");
    CHECK(client.ask(header) == 403);
    CHECK(client.ask(get("GET", "/\xff")) == 400);
    CHECK(pair.calls == 0);
}

TEST_CASE("a flood of requests that are refused ends the connection", "[webtransport][http]") {
    server_of pair{1};
    const auto [friendly, server] = pair.session();
    raw_http3 client{pair};
    for (int i = 0; i < 200 && !client.is_over(); ++i) flood(pair, client, headers(get("GET", "/\xff")), 10, true);
    CHECK(client.code() == excessive_load);
    CHECK(pair.calls == 0);
    CHECK(pair.server_counts->refused_requests <= 150);
    check_still_works(pair, friendly, server);
}

TEST_CASE("a flood of requests that are answered holds up nobody", "[webtransport][http]") {
    server_of pair{10'000};
    const auto [friendly, server] = pair.session();
    raw_http3 client{pair};
    for (int i = 0; i < 50 && !client.is_over(); ++i) flood(pair, client, headers(get()), 20, true);
    check_still_works(pair, friendly, server);
    CHECK(pair.calls > 900);
}

} // namespace moqlite::test::webtransport_http_hostile_test
