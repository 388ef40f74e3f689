// Hostile clients that conform to HTTP/3.
#include "raw_http3.hpp"

#include <array>
#include <moqlite/webtransport/capsule.hpp>

namespace moqlite::test::webtransport_review_test {

namespace {

constexpr std::uint64_t session_gone = 0x170d7b68;

std::string stream_of(direction kind, std::uint64_t session, const std::string& payload) {
    return varint(kind == direction::uni ? 0x54 : 0x41) + varint(session) + payload;
}

} // namespace

TEST_CASE(
    "a peer that cuts off streams as if the session were over, and does not end it, has lost it", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    client.session();
    const auto how = pair.server.ends.at(0);
    const auto begun = pair.now;
    for (int i = 0; i < 200 && !how->has_value(); ++i)
        client.reset(client.open(direction::uni, stream_of(direction::uni, 0, "a part")), session_gone);
    REQUIRE(how->has_value());
    CHECK_FALSE((*how)->application);
    CHECK(pair.now - begun > 2s); // The end may be in flight.
    CHECK(pair.now - begun < 5s);
    // Streams after the first did not reach the handler, which would not get their end.
    CHECK(pair.server_counts->rejected_streams > 10);
    REQUIRE(pair.run([&] { return pair.is_over(); }));
}

TEST_CASE("of the refused requests of one connection few are logged", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    for (int i = 0; i < 50; ++i) CHECK(client.ask(get()) == 404);
    CHECK(pair.server_counts->refused_requests == 50);
    CHECK_FALSE(pair.server_log.empty());
    CHECK(pair.server_log.size() <= 10);
}

TEST_CASE("a stream that is stopped before its prefix arrives is stopped for its handler, too",
    "[webtransport][ngtcp2-1.24]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    client.session();
    auto* server = pair.server.handlers.at(0);
    const auto bytes = stream_of(direction::bidi, 0, "question");
    std::optional<stream_id> id;
    client.upper->in_pump([&](link::connection& c) {
        id = c.open(direction::bidi);
        const byte_view first = as_bytes(bytes).first(1);
        static_cast<void>(c.write({*id, {&first, 1}, first.size(), false}));
        c.flush();
        c.stop(*id, app_error{static_cast<std::uint64_t>(webtransport::to_http3_code(app_error{5}))});
    });
    pair.run_for(100ms);
    REQUIRE(id);
    client.upper->in_pump([&](link::connection& c) {
        const byte_view rest = as_bytes(bytes).subspan(1);
        static_cast<void>(c.write({*id, {&rest, 1}, rest.size(), true}));
    });
    REQUIRE(pair.run([&] { return server->received.contains(*id); }, 5s));
    pair.run_for(100ms);
    CHECK(server->sent[*id].stopped == app_error{5});
}

TEST_CASE("a peer's close reason cannot control a terminal", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto id = client.session();
    std::vector<std::byte> close;
    webtransport::write_close(app_error{3}, "a\x1b[2J\r\nb\xc2\x9b\x32Jc\xc3\xa9", close);
    client.more(id, data_frame(as_text(close)), true);
    REQUIRE(pair.server.ends.at(0)->has_value());
    CHECK((**pair.server.ends.at(0)).reason == "a?[2J??b??2Jc\xc3\xa9");
}

TEST_CASE("sessions end while many lent bytes are in flight", "[webtransport]") {
    pair_options options;
    options.drop = [n = 0](std::string&) mutable { return ++n % 5 == 0; };
    webtransport_pair pair{options};
    for (int i = 0; i < 12; ++i) {
        const auto [client, server] = pair.session();
        const auto ends = std::array{pair.client.ends.back(), pair.server.ends.back()};
        for (auto* who : {client, server})
            for (int k = 0; k < 4; ++k) who->send(k % 2 == 0 ? direction::uni : direction::bidi, noise(300'000));
        pair.run_for(i * 20ms);
        auto* who = i % 2 == 0 ? client : server;
        if (i % 3 == 0)
            who->in_pump([](link::connection& c) { c.close(app_error{7}, "enough"); });
        else
            who->connection.close(app_error{7}, "enough");
        REQUIRE(pair.run([&] { return ends[0]->has_value() && ends[1]->has_value() && pair.is_over(); }));
        CHECK((*ends[0])->code == 7);
        CHECK((*ends[1])->code == 7);
    }
}

} // namespace moqlite::test::webtransport_review_test
