// Integers with leading ones, against bytes of the reference implementation (vectors of moq-lite-07-wip).
#include "hex.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <moqlite/wire/leading_ones.hpp>
#include <string>
#include <vector>

namespace moqlite::test::leading_ones_test {

using namespace moqlite::wire;

namespace {

std::string written(std::uint64_t value) {
    std::array<std::byte, leading_ones_size_max> out{};
    const auto used = write_leading_ones(value, out);
    CHECK(used == leading_ones_size(value));
    return to_hex(byte_view{out}.first(used));
}

struct pair {
    std::uint64_t value;
    std::string bytes;
};
const std::vector<pair> golden{{0, "00"}, {37, "25"}, {127, "7f"}, {128, "8080"}, {16383, "bfff"}, {16384, "c04000"},
    {2097151, "dfffff"}, {268435455, "efffffff"}, {268435456, "f010000000"}, {34359738368, "f80800000000"},
    {4398046511103, "fbffffffffff"}, {562949953421311, "fe01ffffffffffff"}, {562949953421312, "fe02000000000000"},
    {72057594037927935, "feffffffffffffff"}, {4611686018427387903, "ff3fffffffffffffff"}};

} // namespace

TEST_CASE("integers with leading ones are written and read as the reference implementation does", "[leading_ones]") {
    for (const auto& [value, bytes] : golden) {
        CHECK(written(value) == bytes);
        const auto in = hex(bytes);
        byte_view rest{in};
        CHECK(read_leading_ones(rest) == value);
        CHECK(rest.empty());
    }
}

TEST_CASE("every length is read, the shortest is not required", "[leading_ones]") {
    for (const auto& [value, bytes] :
        {pair{37, "8025"}, pair{4398046511104, "fc040000000000"}, pair{1, "ff0000000000000001"},
            pair{std::uint64_t{1} << 62, "ff4000000000000000"}, pair{UINT64_MAX, "ffffffffffffffffff"}}) {
        const auto in = hex(bytes + "aa");
        byte_view rest{in};
        CHECK(read_leading_ones(rest) == value);
        CHECK(to_hex(rest) == "aa");
    }
}

TEST_CASE("an integer with leading ones that has not all arrived is left where it is, with its least value",
    "[leading_ones]") {
    for (const auto& [value, bytes] : golden) {
        const auto whole = hex(bytes);
        for (std::size_t cut = 0; cut < whole.size(); ++cut) {
            byte_view rest = byte_view{whole}.first(cut);
            CHECK(leading_ones_at_least(rest) <= value);
            CHECK_FALSE(read_leading_ones(rest));
            CHECK(rest.size() == cut);
        }
        CHECK(leading_ones_at_least(whole) == value);
    }
    CHECK(leading_ones_at_least(hex("fe80")) == std::uint64_t{0x80} << 48);
}

} // namespace moqlite::test::leading_ones_test
