#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstddef>
#include <hex.hpp>
#include <moqlite/webtransport/arrivals.hpp>
#include <string>
#include <vector>

using namespace moqlite;
using namespace moqlite::webtransport;
using namespace std::chrono_literals;
using moqlite::test::hex;
using moqlite::test::to_hex;

namespace {

constexpr time_point start{1000s};
constexpr stream_id session{0};
constexpr stream_id other{4};
constexpr fate delivered{};
constexpr fate waits{fate::kind::wait, violation::none};

constexpr fate refused(violation why) { return {fate::kind::refuse, why}; }

/// The next stream that need not wait any longer, as a line of text.
std::string stream(arrivals& a, time_point now = start) {
    const auto s = a.poll_stream(now);
    if (!s) return "none";
    auto out = std::to_string(number(s->id)) + " " + to_hex(s->bytes);
    if (s->fin) out += " fin";
    if (s->stopped) out += " stopped " + std::to_string(static_cast<std::uint64_t>(*s->stopped));
    if (s->closed) out += " closed";
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

TEST_CASE("what belongs to the session is delivered, and nothing of another", "[webtransport]") {
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

TEST_CASE("streams wait for their session, and come in the order in which they began", "[webtransport]") {
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
    // There will be no other session.
    CHECK(stream(a) == "10  session_gone");
    CHECK(stream(a) == "none");
    CHECK_FALSE(a.deadline());
}

TEST_CASE("what happens to a stream while it waits is not forgotten", "[webtransport]") {
    arrivals a;
    CHECK(begin(a, 0x10, session, "01", true) == waits);
    CHECK(begin(a, 0x12, session, "02", true) == waits);
    a.stream_stopped(stream_id{0x10}, app_error{7});
    a.stream_closed(stream_id{0x12});
    a.stream_stopped(stream_id{0x20}, app_error{7});
    a.stream_closed(stream_id{0x20});
    a.session_established(session);
    CHECK(stream(a) == "16 01 fin stopped 7");
    CHECK(stream(a) == "18 02 fin closed");
}

TEST_CASE("streams whose request is rejected are refused, those that wait and those that come", "[webtransport]") {
    arrivals a;
    CHECK(begin(a, 2, session, "01") == waits);
    CHECK(begin(a, 6, other, "02") == waits);
    CHECK(a.datagram_received({session, hex("aa")}, start) == waits);
    a.session_rejected(session);
    CHECK(stream(a) == "2 01 session_rejected");
    CHECK(stream(a) == "none");
    CHECK(gram(a) == "none");
    CHECK(begin(a, 10, session, "03") == refused(violation::session_gone));
    // The client may ask again.
    a.session_established(other);
    CHECK(stream(a) == "6 02");
    CHECK(begin(a, 14, other, "04") == delivered);
}

TEST_CASE("of many requests that came to nothing the last sixteen are remembered", "[webtransport]") {
    arrivals a;
    for (std::uint64_t n = 0; n < 10'000; ++n) a.session_rejected(stream_id{4 * n});
    CHECK(begin(a, 2, stream_id{4 * 9'999}, "") == refused(violation::session_gone));
    CHECK(begin(a, 2, stream_id{4 * 9'984}, "") == refused(violation::session_gone));
    CHECK(begin(a, 2, stream_id{4 * 9'983}, "") == waits);
}

TEST_CASE("sixteen streams may wait, and no more", "[webtransport]") {
    arrivals a;
    for (std::uint64_t n = 0; n < 16; ++n) CHECK(begin(a, n * 4 + 2, session, "00") == waits);
    for (std::uint64_t n = 16; n < 10'000; ++n)
        REQUIRE(begin(a, n * 4 + 2, session, "00") == refused(violation::too_many_early_streams));
    // The seventeenth is not kept: more of it comes to nothing.
    CHECK(a.stream_received(stream_id{16 * 4 + 2}, hex("01"), false) == violation::none);
    a.stream_reset(stream_id{2});
    CHECK(begin(a, 70'002, session, "") == waits);
    a.session_established(session);
    for (int n = 0; n < 16; ++n) CHECK(stream(a) != "none");
    CHECK(stream(a) == "none");
}

TEST_CASE("64 KiB of a stream may wait, and no more", "[webtransport]") {
    arrivals a;
    const std::vector<std::byte> most(64 * 1024);
    CHECK(a.stream_begun(stream_id{2}, session, most, false, start) == waits);
    CHECK(a.stream_received(stream_id{2}, {}, true) == violation::none);
    CHECK(a.stream_begun(stream_id{6}, session, most, false, start) == waits);
    CHECK(a.stream_received(stream_id{6}, hex("00"), false) == violation::early_stream_too_long);
    const std::vector<std::byte> too_much(64 * 1024 + 1);
    CHECK(a.stream_begun(stream_id{10}, session, too_much, false, start) == refused(violation::early_stream_too_long));

    a.session_established(session);
    const auto kept = a.poll_stream(start);
    REQUIRE(kept);
    CHECK(kept->id == stream_id{2});
    CHECK(kept->bytes == most);
    CHECK(stream(a) == "none");
}

TEST_CASE("a stream that its peer cuts off while it waits is never seen", "[webtransport]") {
    arrivals a;
    CHECK(begin(a, 2, session, "01") == waits);
    CHECK(begin(a, 6, session, "02") == waits);
    a.stream_reset(stream_id{2});
    a.stream_reset(stream_id{98});
    a.session_established(session);
    CHECK(stream(a) == "6 02");
    CHECK(stream(a) == "none");
}

TEST_CASE("nothing waits for longer than five seconds", "[webtransport]") {
    arrivals a;
    CHECK_FALSE(a.deadline());
    CHECK(a.datagram_received({session, hex("aa")}, start) == waits);
    CHECK(begin(a, 2, session, "01", false, start + 1s) == waits);
    CHECK(begin(a, 6, session, "02", false, start + 2s) == waits);
    CHECK(a.deadline() == start + 5s);

    CHECK(gram(a, start + 5s) == "none");
    CHECK(a.deadline() == start + 6s);
    CHECK(stream(a, start + 6s - 1ns) == "none");
    // More bytes are no reason to wait longer.
    CHECK(a.stream_received(stream_id{2}, hex("03"), false) == violation::none);
    CHECK(stream(a, start + 6s) == "2 0103 early_stream_timeout");
    CHECK(stream(a, start + 6s) == "none");
    CHECK(a.deadline() == start + 7s);
    CHECK(stream(a, start + 60s) == "6 02 early_stream_timeout");
    CHECK_FALSE(a.deadline());
}

TEST_CASE("32 datagrams may wait, and the next are dropped", "[webtransport]") {
    arrivals a;
    for (unsigned n = 0; n < 32; ++n) {
        const std::byte payload{static_cast<unsigned char>(n)};
        CHECK(a.datagram_received({n == 5 ? other : session, {&payload, 1}}, start) == waits);
    }
    CHECK(a.datagram_received({session, hex("ff")}, start) == refused(violation::too_many_early_datagrams));
    CHECK(gram(a) == "none");
    a.session_established(session);
    for (unsigned n = 0; n < 32; ++n) {
        if (n == 5) continue;
        const std::byte payload{static_cast<unsigned char>(n)};
        CHECK(gram(a) == to_hex({&payload, 1}));
    }
    CHECK(gram(a) == "none");
}
