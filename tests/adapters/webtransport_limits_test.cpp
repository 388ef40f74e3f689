// Long and heavy use by honest peers reaches none of nghttp3's limits: ignored frames, small and empty
// DATA frames, priorities, and requests on a long-lived connection.
#include "raw_http3.hpp"

#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::webtransport_limits_test {

namespace {

std::string repeated(const std::string& what, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += what;
    return out;
}

} // namespace

TEST_CASE("ignored frames and streams end nothing, however many arrive", "[webtransport][limits]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto id = client.session();
    constexpr int many = 5000;
    const std::string grease = frame(0x21, "") + frame(0x21 + 0x1f, "grease");
    SECTION("on the control stream") { client.more(stream_id{2}, repeated(grease, many)); }
    SECTION("on the stream of the session") { client.more(id, repeated(grease, many)); }
    SECTION("without payload") { client.more(id, repeated(data_frame(""), many)); }
    SECTION("of one byte each") {
        client.more(id, data_frame(varint(0x17) + varint(many)) + repeated(data_frame("x"), many));
    }
    SECTION("for priorities") { client.more(stream_id{2}, repeated(frame(0xf0700, varint(0) + "u=1"), many)); }
    SECTION("as unidirectional streams of an unknown type") {
        for (int i = 0; i < many / 10; ++i) client.open(direction::uni, varint(0x21) + "grease", true);
    }
    pair.run_for(1s);
    REQUIRE_FALSE(client.is_over());
    CHECK_FALSE(pair.server.ends.at(0)->has_value());
    const auto stream = client.open(direction::uni, varint(0x54) + varint(0) + "hello", true);
    CHECK(pair.run([&] { return pair.server.handlers.at(0)->received[stream].fin; }, 5s));
}

TEST_CASE("a header of 12 kB, such as a long token, is accepted", "[webtransport][limits]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    CHECK(client.ask(connect("/room?jwt=" + std::string(12'000, 'x')), false) == 200);
}

TEST_CASE(
    "streams of a session do not count in nghttp3, however many there are", "[webtransport][limits][ngtcp2-1.24]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    client.session();
    auto* server = pair.server.handlers.at(0);
    std::size_t opened = 0;
    while (opened < 5000) {
        client.upper->in_pump([&](link::connection& c) {
            while (opened < 5000) {
                const auto next = c.open(direction::uni);
                if (!next) break;
                client.upper->sent[*next].bytes = varint(0x54) + varint(0) + "x";
                if (opened % 3 == 0) c.reset(*next, app_error{0x52e4a40fa8db});
                ++opened;
            }
        });
        pair.run_for(50ms);
        REQUIRE_FALSE(client.is_over());
    }
    CHECK(pair.run([&] { return server->received.size() > 3000; }, 5s));
    CHECK_FALSE(pair.server.ends.at(0)->has_value());
}

} // namespace moqlite::test::webtransport_limits_test
