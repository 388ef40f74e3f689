#include "../messages.hpp"

#include <array>

namespace moqlite::test::frame_test {

using namespace moqlite::wire;
using namespace moqlite::wire::lite;

namespace {

constexpr auto v = version::lite_05;

std::string written(version version, std::int64_t delta, std::uint64_t size) {
    std::array<std::byte, frame_header_size_max> out{};
    return to_hex(byte_view{out}.first(write_frame_header(version, delta, size, out)));
}

void check_header(version version, frame_header header, std::string_view text) {
    const auto bytes = hex(text);
    header.consumed = bytes.size();
    CHECK(written(version, header.delta, header.size) == to_hex(bytes));
    const auto taken = take_frame_header(version, bytes);
    REQUIRE(taken);
    CHECK(*taken == header);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
        CHECK(take_frame_header(version, byte_view{bytes}.first(cut)).status == progress::need_more);
}

constexpr bool constant = [] {
    std::array<std::byte, frame_header_size_max> out{};
    const auto used = write_frame_header(v, -1500, 70000, out);
    const auto header = take_frame_header(v, byte_view{out}.first(used));
    return header && header->delta == -1500 && header->size == 70000 && header->consumed == used;
}();
static_assert(constant);

} // namespace

TEST_CASE("a frame begins with its time since the last one and its size", "[frame]") {
    check_header(v, {.delta = 90000, .size = 5}, "8002bf20 05");
    check_header(v, {.delta = 3000, .size = 0}, "5770 00");
    check_header(v, {.delta = -1500, .size = 7}, "4bb7 07");
    check_header(version::lite_06, {.delta = 0, .size = 32 * 1024 * 1024}, "00 82000000");
}

TEST_CASE("a frame of lite-03 and lite-04 begins with its size alone", "[frame]") {
    check_header(version::lite_03, {.size = 5}, "05");
    check_header(version::lite_04, {.size = 64}, "4040");
    CHECK(written(version::lite_04, 90000, 5) == "05");
}

TEST_CASE("a frame's header is taken without its payload", "[frame]") {
    const auto bytes = hex("00 05 6865");
    const auto header = take_frame_header(v, bytes);
    REQUIRE(header);
    CHECK(header->consumed == 2);
    CHECK(header->size == 5);
}

TEST_CASE("a frame larger than the bound is refused by its header", "[frame]") {
    CHECK(take_frame_header(v, hex("00 82000001")).error == errc::frame_too_large);
    CHECK(take_frame_header(version::lite_03, hex("82000001")).error == errc::frame_too_large);
    CHECK(take_frame_header(v, hex("00 ff")).error == errc::frame_too_large); // It can only become larger.
    CHECK(take_frame_header(v, hex("ff")).status == progress::need_more);     // That is the delta.
    CHECK(take_frame_header(v, hex("00 0a"), 9).error == errc::frame_too_large);
    CHECK(take_frame_header(v, hex("00 0a"), 10));
}

TEST_CASE("a header that cannot be encoded is not written", "[frame]") {
    CHECK(written(v, delta_bound - 1, 0) == "fffffffffffffffe00");
    CHECK(written(v, -delta_bound, 0) == "ffffffffffffffff00");
    CHECK(written(v, delta_bound, 0).empty());
    CHECK(written(v, -delta_bound - 1, 0).empty());
    CHECK(written(v, 0, varint_max + 1).empty());
    CHECK(written(version::lite_03, 0, varint_max + 1).empty());
}

TEST_CASE("a timestamp moves by its delta and stays within 0 and 2^62-1", "[frame]") {
    CHECK(apply_delta(timestamp{0}, 90000) == timestamp{90000});
    CHECK(apply_delta(timestamp{93000}, -1500) == timestamp{91500});
    CHECK(apply_delta(timestamp{0}, 0) == timestamp{0});
    CHECK(apply_delta(timestamp{1}, -1) == timestamp{0});
    CHECK(apply_delta(timestamp{varint_max - 1}, 1) == timestamp{varint_max});
    CHECK_FALSE(apply_delta(timestamp{0}, -1));
    CHECK_FALSE(apply_delta(timestamp{varint_max}, 1));
    CHECK_FALSE(apply_delta(timestamp{varint_max}, std::numeric_limits<std::int64_t>::max()));
    CHECK_FALSE(apply_delta(timestamp{0}, std::numeric_limits<std::int64_t>::min()));
    CHECK_FALSE(apply_delta(timestamp{varint_max + 1}, -1));
}

TEST_CASE("the delta between two timestamps leads from one to the other, or does not exist", "[frame]") {
    for (std::uint64_t from : {0u, 1u, 90000u})
        for (std::uint64_t to : {0u, 1u, 90000u})
            CHECK(apply_delta(timestamp{from}, delta(timestamp{from}, timestamp{to}).value()) == timestamp{to});
    const auto bound = static_cast<std::uint64_t>(delta_bound);
    CHECK(delta(timestamp{0}, timestamp{bound - 1}) == delta_bound - 1);
    CHECK(delta(timestamp{bound}, timestamp{0}) == -delta_bound);
    CHECK_FALSE(delta(timestamp{0}, timestamp{bound}));
    CHECK_FALSE(delta(timestamp{bound + 1}, timestamp{0}));
    CHECK_FALSE(delta(timestamp{0}, timestamp{varint_max + 1}));
}

} // namespace moqlite::test::frame_test
