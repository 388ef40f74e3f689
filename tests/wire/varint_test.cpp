#include <array>
#include <catch2/catch_test_macros.hpp>
#include <hex.hpp>
#include <limits>
#include <moqlite/wire/varint.hpp>
#include <utility>

namespace moqlite::test::varint_test {

using namespace moqlite::wire;

namespace {

std::string written(std::uint64_t value) {
    std::array<std::byte, varint_size_max> out{};
    return to_hex(byte_view{out}.first(write_varint(value, out)));
}

constexpr bool survives(std::uint64_t value) {
    std::array<std::byte, varint_size_max> out{};
    byte_view in{out.data(), write_varint(value, out)};
    return read_varint(in) == value && in.empty();
}

static_assert(survives(0) && survives(63) && survives(64) && survives(16383) && survives(16384) &&
              survives((1u << 30) - 1) && survives(1u << 30) && survives(varint_max));

} // namespace

TEST_CASE("varints are those of RFC 9000 §A.1", "[varint]") {
    const std::pair<const char*, std::uint64_t> samples[] = {
        {"c2197c5eff14e88c", 151288809941952652}, {"9d7f3e7d", 494878333}, {"7bbd", 15293}, {"25", 37}};
    for (const auto& [text, value] : samples) {
        const auto bytes = hex(text);
        byte_view in = bytes;
        CHECK(read_varint(in) == value);
        CHECK(in.empty());
        CHECK(written(value) == text);
    }
}

TEST_CASE("a varint in a longer form than it needs is read, never written", "[varint]") {
    for (const auto* text : {"25", "4025", "80000025", "c000000000000025"}) {
        const auto bytes = hex(text);
        byte_view in = bytes;
        CHECK(read_varint(in) == 37);
    }
    CHECK(written(37) == "25");
}

TEST_CASE("each size of varint begins where the one before ends", "[varint]") {
    CHECK(written(0) == "00");
    CHECK(written(63) == "3f");
    CHECK(written(64) == "4040");
    CHECK(written(16383) == "7fff");
    CHECK(written(16384) == "80004000");
    CHECK(written((1u << 30) - 1) == "bfffffff");
    CHECK(written(1u << 30) == "c000000040000000");
    CHECK(written(varint_max) == "ffffffffffffffff");
}

TEST_CASE("a varint that has not all arrived leaves the input untouched", "[varint]") {
    for (const auto* text : {"4025", "80000025", "c2197c5eff14e88c"}) {
        const auto bytes = hex(text);
        for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
            auto in = byte_view{bytes}.first(cut);
            CHECK_FALSE(read_varint(in));
            CHECK(in.size() == cut);
        }
    }
}

TEST_CASE("what has arrived of a varint bounds it from below", "[varint]") {
    CHECK(varint_at_least({}) == 0);
    CHECK(varint_at_least(hex("80")) == 0);
    CHECK(varint_at_least(hex("8001")) == 0x10000);
    CHECK(varint_at_least(hex("80010203")) == 0x10203);
    CHECK(varint_at_least(hex("ff")) == std::uint64_t{0x3f} << 56);
}

TEST_CASE("a varint is read up to its end and no further", "[varint]") {
    const auto bytes = hex("4025 ff");
    byte_view in = bytes;
    CHECK(read_varint(in) == 37);
    CHECK(in.size() == 1);
}

TEST_CASE("zigzag folds small numbers of either sign into small numbers", "[varint]") {
    const std::pair<std::int64_t, std::uint64_t> samples[] = {{0, 0}, {-1, 1}, {1, 2}, {-2, 3}, {2, 4},
        {(std::int64_t{1} << 61) - 1, varint_max - 1}, {-(std::int64_t{1} << 61), varint_max},
        {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::uint64_t>::max()}};
    for (const auto& [plain, folded] : samples) {
        CHECK(zigzag(plain) == folded);
        CHECK(unzigzag(folded) == plain);
    }
}

} // namespace moqlite::test::varint_test
