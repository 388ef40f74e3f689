#include "../messages.hpp"

#include <array>

namespace moqlite::test::group_test {

using namespace moqlite::wire::lite;

namespace {

constexpr auto largest = moqlite::wire::varint_max;

std::string prefix(version v, const group_header& m) {
    std::array<std::byte, group_prefix_size_max> out{};
    return to_hex(byte_view{out}.first(write_group_prefix(v, m, out)));
}

constexpr bool constant = [] {
    std::array<std::byte, group_prefix_size_max> out{};
    return write_group_prefix(version::lite_05, {7, group_sequence{42}, {}}, out) == 4 && out[3] == std::byte{42};
}();
static_assert(constant);

} // namespace

TEST_CASE("a GROUP carries its subscription and its number", "[group]") {
    for (auto v : {version::lite_03, version::lite_04, version::lite_05}) {
        check_both_ways(v, group_header{0, group_sequence{7}, {}}, "02 00 07");
        check_both_ways(v, group_header{largest, group_sequence{largest}, {}}, "10 ffffffffffffffff ffffffffffffffff");
        CHECK(refusal<group_header>(v, "03 01 01 00") == errc::message_too_long);
        CHECK(refusal<group_header>(v, "01 01") == errc::message_too_short);
        CHECK(encoded(v, group_header{0, {}, object_id{1}}) == "unsupported");
    }
    CHECK(encoded(version::lite_05, group_header{largest + 1, {}, {}}) == "value_too_large");
}

TEST_CASE("a GROUP of lite-06 carries the number of its first frame, too", "[group]") {
    check_both_ways(version::lite_06, group_header{1, group_sequence{7}, object_id{4}}, "03 01 07 04");
    CHECK(refusal<group_header>(version::lite_06, "02 01 07") == errc::message_too_short);
    CHECK(prefix(version::lite_06, {1, group_sequence{7}, object_id{4}}) == "0003010704");
    CHECK(prefix(version::lite_06, {largest, group_sequence{largest}, object_id{largest}}) ==
          "0018ffffffffffffffffffffffffffffffffffffffffffffffff");
    CHECK(prefix(version::lite_06, {0, {}, object_id{largest + 1}}).empty());
}

TEST_CASE("a group stream begins with its type and GROUP, without an allocation", "[group]") {
    CHECK(prefix(version::lite_05, {0, group_sequence{7}, {}}) == "00020007");
    CHECK(prefix(version::lite_05, {largest, group_sequence{largest}, {}}) == "0010ffffffffffffffffffffffffffffffff");
    CHECK(prefix(version::lite_05, {largest + 1, {}, {}}).empty());
    CHECK(prefix(version::lite_05, {0, group_sequence{largest + 1}, {}}).empty());
}

} // namespace moqlite::test::group_test
