#include "../messages.hpp"

#include <array>

namespace moqlite::test::group_test {

using namespace moqlite::wire::lite;

namespace {

constexpr auto largest = moqlite::wire::varint_max;

std::string prefix(const group_header& m) {
    std::array<std::byte, group_prefix_size_max> out{};
    return to_hex(byte_view{out}.first(write_group_prefix(m, out)));
}

constexpr bool constant = [] {
    std::array<std::byte, group_prefix_size_max> out{};
    return write_group_prefix({7, group_sequence{42}}, out) == 4 && out[3] == std::byte{42};
}();
static_assert(constant);

} // namespace

TEST_CASE("a GROUP carries its subscription and its number", "[group]") {
    check_in_all_versions(group_header{0, group_sequence{7}}, "02 00 07");
    check_in_all_versions(group_header{largest, group_sequence{largest}}, "10 ffffffffffffffff ffffffffffffffff");
    for (auto v : test::all_versions) {
        CHECK(refusal<group_header>(v, "03 01 01 00") == errc::message_too_long);
        CHECK(refusal<group_header>(v, "01 01") == errc::message_too_short);
    }
    CHECK(encoded(version::lite_05, group_header{largest + 1, {}}) == "value_too_large");
}

TEST_CASE("a group stream begins with its type and GROUP, without an allocation", "[group]") {
    CHECK(prefix({0, group_sequence{7}}) == "00020007");
    CHECK(prefix({largest, group_sequence{largest}}) == "0010ffffffffffffffffffffffffffffffff");
    CHECK(prefix({largest + 1, {}}).empty());
    CHECK(prefix({0, group_sequence{largest + 1}}).empty());
}

} // namespace moqlite::test::group_test
