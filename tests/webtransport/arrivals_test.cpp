#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstddef>
#include <hex.hpp>
#include <moqlite/webtransport/arrivals.hpp>
#include <string>
#include <vector>

namespace moqlite::test::arrivals_test {

using namespace moqlite::webtransport;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{1000s};
constexpr stream_id session{0};
constexpr stream_id other{4};
constexpr fate delivered{};
constexpr fate waits{fate::kind::wait, violation::none};

constexpr fate refused(violation why) { return {fate::kind::refuse, why}; }

/// The next stream that has finished waiting, as a line of text.
std::string stream(arrivals& a, time_point now = start) {
    const auto s = a.poll_stream(now);
    if (!s) return "none";
    auto out = std::to_string(number(s->stream.id)) + " " + to_hex(s->stream.bytes);
    if (s->stream.fin) out += " fin";
    if (s->stream.closed) out += " closed";
    if (s->refused != violation::none) out += " " + std::string{to_string(s->refused)};
    return out;
}

std::string gram(arrivals& a, time_point now = start) {
    const auto d = a.poll_datagram(now);
    return d ? to_hex(*d) : "none";
}

fate begin(
    arrivals& a, std::uint64_t id, stream_id of, std::string_view payload, bool fin = false, time_point now = start) {
    return a.stream_begun(stream_id{id}, of, hex(payload), fin, now);
}

} // namespace

TEST_CASE("streams and datagrams of the session are delivered, and none of another", "[webtransport]") {
    arrivals a;
    a.session_established(session);
    CHECK(begin(a, 2, session, "01") == delivered);
    CHECK(begin(a, 6, other, "01") == refused(violation::session_gone));
    CHECK(a.datagram_received({session, hex("aa")}, start) == delivered);
    CHECK(a.datagram_received({other, hex("aa")}, start) == refused(violation::session_gone));
    CHECK(stream(a) == "none");
    CHECK(gram(a) == "none");
    CHECK_FALSE(a.deadline());
}

TEST_CASE("once the session has ended nothing belongs to it", "[webtransport]") {
    arrivals a;
    CHECK(begin(a, 2, session, "01") == waits);
    a.session_ended();
    CHECK(stream(a) == "2 01 session_gone");
    CHECK(begin(a, 6, session, "01") == refused(violation::session_gone));
    CHECK(a.datagram_received({session, hex("aa")}, start) == refused(violation::session_gone));
    CHECK(stream(a) == "none");
}

TEST_CASE("streams that arrived before the session belong to it once it is established", "[webtransport]") {
    arrivals a;
    CHECK(begin(a, 6, session, "01") == waits);
    CHECK(begin(a, 2, session, "02", true) == waits);
    CHECK(begin(a, 10, other, "") == waits);
    CHECK(a.stream_received(stream_id{6}, hex("0304"), false) == violation::none);
    CHECK(a.stream_received(stream_id{6}, {}, true) == violation::none);
    CHECK(stream(a) == "none");

    a.session_established(session);
    CHECK(stream(a) == "6 010304 fin");
    CHECK(stream(a) == "2 02 fin");
    // No other session will follow.
    CHECK(stream(a) == "10  session_gone");
    CHECK(stream(a) == "none");
    CHECK_FALSE(a.deadline());
}

TEST_CASE("streams of a rejected request are refused, waiting and later ones", "[webtransport]") {
    arrivals a;
    CHECK(begin(a, 2, session, "01") == waits);
    CHECK(begin(a, 6, other, "02") == waits);
    CHECK(a.datagram_received({session, hex("aa")}, start) == waits);
    a.session_rejected(session);
    CHECK(stream(a) == "2 01 session_rejected");
    CHECK(stream(a) == "none");
    CHECK(gram(a) == "none");
    CHECK(begin(a, 10, session, "03") == refused(violation::session_gone));
    // The client may repeat the request.
    a.session_established(other);
    CHECK(stream(a) == "6 02");
    CHECK(begin(a, 14, other, "04") == delivered);
}

TEST_CASE("of many rejected requests the last sixteen are remembered", "[webtransport]") {
    arrivals a;
    for (std::uint64_t n = 0; n < 10'000; ++n) a.session_rejected(stream_id{4 * n});
    CHECK(begin(a, 2, stream_id{4 * 9'999}, "") == refused(violation::session_gone));
    CHECK(begin(a, 2, stream_id{4 * 9'984}, "") == refused(violation::session_gone));
    CHECK(begin(a, 2, stream_id{4 * 9'983}, "") == waits);
}

TEST_CASE("of 10 000 streams that arrive before a session sixteen wait, the others are refused", "[webtransport]") {
    arrivals a;
    for (std::uint64_t n = 0; n < 16; ++n) CHECK(begin(a, n * 4 + 2, session, "00") == waits);
    for (std::uint64_t n = 16; n < 10'000; ++n)
        REQUIRE(begin(a, n * 4 + 2, session, "00") == refused(violation::too_many_early_streams));
    // The seventeenth is not kept: its further bytes are ignored.
    CHECK(a.stream_received(stream_id{16 * 4 + 2}, hex("01"), false) == violation::none);
    a.stream_reset(stream_id{2});
    CHECK(begin(a, 70'002, session, "") == waits);
    a.session_established(session);
    for (int n = 0; n < 16; ++n) CHECK(stream(a) != "none");
    CHECK(stream(a) == "none");
}

TEST_CASE(
    "a stream whose session does not exist within five seconds is refused, a datagram dropped", "[webtransport]") {
    arrivals a;
    CHECK_FALSE(a.deadline());
    CHECK(a.datagram_received({session, hex("aa")}, start) == waits);
    CHECK(begin(a, 2, session, "01", false, start + 1s) == waits);
    CHECK(begin(a, 6, session, "02", false, start + 2s) == waits);
    CHECK(a.deadline() == start + 5s);

    CHECK(gram(a, start + 5s) == "none");
    CHECK(a.deadline() == start + 6s);
    CHECK(stream(a, start + 6s - 1ns) == "none");
    // More bytes do not extend the wait.
    CHECK(a.stream_received(stream_id{2}, hex("03"), false) == violation::none);
    CHECK(stream(a, start + 6s) == "2 0103 early_stream_timeout");
    CHECK(stream(a, start + 6s) == "none");
    CHECK(a.deadline() == start + 7s);
    CHECK(stream(a, start + 60s) == "6 02 early_stream_timeout");
    CHECK_FALSE(a.deadline());
}

TEST_CASE("datagrams wait for their session, and those of no session are dropped", "[webtransport]") {
    arrivals a;
    CHECK(a.datagram_received({session, hex("01")}, start) == waits);
    CHECK(a.datagram_received({other, hex("02")}, start) == waits);
    CHECK(a.datagram_received({session, hex("03")}, start) == waits);
    CHECK(gram(a) == "none");
    for (int n = 3; n < 32; ++n) CHECK(a.datagram_received({other, {}}, start) == waits);
    CHECK(a.datagram_received({session, hex("04")}, start) == refused(violation::too_many_early_datagrams));
    a.session_established(session);
    CHECK(gram(a) == "01");
    CHECK(gram(a) == "03");
    CHECK(gram(a) == "none");
    CHECK_FALSE(a.deadline());
}

TEST_CASE("a stream that waits goes on, is cut off, stopped and closed", "[webtransport]") {
    arrivals a;
    for (const std::uint64_t id : {0x10u, 0x14u, 0x18u}) CHECK(begin(a, id, session, "01") == waits);
    CHECK(a.stream_received(stream_id{0x10}, hex("02"), true) == violation::none);
    a.stream_reset(stream_id{0x14});
    a.stream_stopped(stream_id{0x18}, app_error{7});
    a.stream_closed(stream_id{0x10});
    CHECK(a.stream_received(stream_id{0x18}, std::vector<std::byte>(64 * 1024), false) ==
          violation::early_stream_too_long);
    CHECK(begin(a, 0x1c, session, "03") == waits);
    a.stream_stopped(stream_id{0x1c}, app_error{7});
    a.session_established(session);
    CHECK(stream(a) == "16 0102 fin closed");
    const auto last = a.poll_stream(start);
    REQUIRE(last);
    CHECK(last->stream.stopped == app_error{7});
    CHECK(stream(a) == "none");
}

} // namespace moqlite::test::arrivals_test
