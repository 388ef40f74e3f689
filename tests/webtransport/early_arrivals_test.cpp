#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstddef>
#include <hex.hpp>
#include <moqlite/webtransport/early_arrivals.hpp>
#include <string>
#include <vector>

namespace moqlite::test::early_arrivals_test {

using namespace moqlite::webtransport;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{1000s};
constexpr stream_id session{0};
constexpr stream_id other{4};

std::string line(const std::optional<early_stream>& s) {
    if (!s) return "none";
    auto out = std::to_string(number(s->id)) + " " + to_hex(s->bytes);
    if (s->fin) out += " fin";
    if (s->stopped) out += " stopped " + std::to_string(static_cast<std::uint64_t>(*s->stopped));
    if (s->closed) out += " closed";
    return out;
}

std::string line(const std::optional<std::vector<std::byte>>& d) { return d ? to_hex(*d) : "none"; }

} // namespace

TEST_CASE("streams wait for their session, and are delivered in the order in which they began", "[webtransport]") {
    early_arrivals early;
    CHECK(early.stream_begun(stream_id{6}, session, hex("01"), false, start) == violation::none);
    CHECK(early.stream_begun(stream_id{2}, session, hex("02"), true, start) == violation::none);
    CHECK(early.stream_begun(stream_id{10}, other, {}, false, start) == violation::none);
    CHECK(early.stream_received(stream_id{6}, hex("0304"), false) == violation::none);
    CHECK(early.stream_received(stream_id{6}, {}, true) == violation::none);

    CHECK(line(early.take_stream(session)) == "6 010304 fin");
    CHECK(line(early.take_stream(session)) == "2 02 fin");
    CHECK(line(early.take_stream(session)) == "none");
    CHECK(line(early.take_stream(other)) == "10 ");
    CHECK_FALSE(early.deadline());
}

TEST_CASE("sixteen streams may wait, and no more", "[webtransport]") {
    early_arrivals early;
    for (std::uint64_t n = 0; n < 16; ++n)
        CHECK(early.stream_begun(stream_id{n * 4 + 2}, session, hex("00"), false, start) == violation::none);
    for (std::uint64_t n = 16; n < 10'000; ++n)
        REQUIRE(early.stream_begun(stream_id{n * 4 + 2}, session, hex("00"), false, start) ==
                violation::too_many_early_streams);
    // The seventeenth is not kept.
    CHECK(early.stream_received(stream_id{16 * 4 + 2}, hex("01"), false) == violation::none);
    early.stream_reset(stream_id{2});
    CHECK(early.stream_begun(stream_id{70'002}, session, {}, false, start) == violation::none);
    for (int n = 0; n < 16; ++n) CHECK(early.take_stream(session));
    CHECK_FALSE(early.take_stream(session));
}

TEST_CASE("64 KiB of a stream may wait, and no more", "[webtransport]") {
    early_arrivals early;
    const std::vector<std::byte> most(64 * 1024);
    CHECK(early.stream_begun(stream_id{2}, session, most, false, start) == violation::none);
    CHECK(early.stream_received(stream_id{2}, {}, true) == violation::none);
    CHECK(early.stream_begun(stream_id{6}, session, most, false, start) == violation::none);
    CHECK(early.stream_received(stream_id{6}, hex("00"), false) == violation::early_stream_too_long);
    const std::vector<std::byte> too_much(64 * 1024 + 1);
    CHECK(early.stream_begun(stream_id{10}, session, too_much, false, start) == violation::early_stream_too_long);

    const auto kept = early.take_stream(session);
    REQUIRE(kept);
    CHECK(kept->id == stream_id{2});
    CHECK(kept->bytes == most);
    CHECK_FALSE(early.take_stream(session));
}

TEST_CASE("a stream that is reset while it waits is not reported", "[webtransport]") {
    early_arrivals early;
    CHECK(early.stream_begun(stream_id{2}, session, hex("01"), false, start) == violation::none);
    CHECK(early.stream_begun(stream_id{6}, session, hex("02"), false, start) == violation::none);
    early.stream_reset(stream_id{2});
    early.stream_reset(stream_id{98});
    CHECK(line(early.take_stream(session)) == "6 02");
    CHECK(line(early.take_stream(session)) == "none");
}

TEST_CASE("events of a waiting stream are kept", "[webtransport]") {
    early_arrivals early;
    CHECK(early.stream_begun(stream_id{0x10}, session, hex("01"), true, start) == violation::none);
    CHECK(early.stream_begun(stream_id{0x12}, session, hex("02"), true, start) == violation::none);
    early.stream_stopped(stream_id{0x10}, app_error{7});
    early.stream_closed(stream_id{0x12});
    early.stream_stopped(stream_id{0x20}, app_error{7});
    early.stream_closed(stream_id{0x20});
    CHECK(line(early.take_stream(session)) == "16 01 fin stopped 7");
    CHECK(line(early.take_stream(session)) == "18 02 fin closed");
}

TEST_CASE("nothing waits for longer than five seconds", "[webtransport]") {
    early_arrivals early;
    CHECK_FALSE(early.deadline());
    CHECK(early.datagram_received({session, hex("aa")}, start) == violation::none);
    CHECK(early.stream_begun(stream_id{2}, session, hex("01"), false, start + 1s) == violation::none);
    CHECK(early.stream_begun(stream_id{6}, session, hex("02"), false, start + 2s) == violation::none);
    CHECK(early.deadline() == start + 5s);

    CHECK(line(early.take_late_datagram(start + 5s - 1ns)) == "none");
    CHECK(line(early.take_late_datagram(start + 5s)) == "aa");
    CHECK(early.deadline() == start + 6s);
    CHECK(line(early.take_late_stream(start + 6s - 1ns)) == "none");
    // More bytes do not extend the wait.
    CHECK(early.stream_received(stream_id{2}, hex("03"), false) == violation::none);
    CHECK(line(early.take_late_stream(start + 6s)) == "2 0103");
    CHECK(line(early.take_late_stream(start + 6s)) == "none");
    CHECK(early.deadline() == start + 7s);
    CHECK(line(early.take_late_stream(start + 60s)) == "6 02");
    CHECK_FALSE(early.deadline());
}

TEST_CASE("32 datagrams may wait, and the next are dropped", "[webtransport]") {
    early_arrivals early;
    for (unsigned n = 0; n < 32; ++n) {
        const std::byte payload{static_cast<unsigned char>(n)};
        CHECK(early.datagram_received({n == 5 ? other : session, {&payload, 1}}, start) == violation::none);
    }
    CHECK(early.datagram_received({session, hex("ff")}, start) == violation::too_many_early_datagrams);
    for (unsigned n = 0; n < 32; ++n) {
        if (n == 5) continue;
        const std::byte payload{static_cast<unsigned char>(n)};
        CHECK(line(early.take_datagram(session)) == to_hex({&payload, 1}));
    }
    CHECK(line(early.take_datagram(session)) == "none");
    CHECK(line(early.take_datagram(other)) == "05");
}

} // namespace moqlite::test::early_arrivals_test
