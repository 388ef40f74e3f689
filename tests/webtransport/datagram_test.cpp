#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <hex.hpp>
#include <moqlite/webtransport/datagram.hpp>
#include <string>

namespace moqlite::test::datagram_test {

using namespace moqlite::webtransport;

namespace {

std::string read(std::string_view text) {
    const auto bytes = hex(text);
    const auto d = read_datagram(bytes);
    return d ? std::to_string(number(d->session)) + " " + to_hex(d->payload) : "bad";
}

std::string prefix(std::uint64_t session) {
    std::array<std::byte, datagram_prefix_size_max> out{};
    const auto size = write_datagram_prefix(stream_id{session}, out);
    CHECK(size == datagram_prefix_size(stream_id{session}));
    return to_hex(byte_view{out}.first(size));
}

} // namespace

TEST_CASE("a datagram begins with a quarter of its session's id", "[webtransport]") {
    CHECK(read("00 aabb") == "0 aabb");
    CHECK(read("01") == "4 ");
    CHECK(read("4040 ff") == "256 ff");
    CHECK(read("c000000000000001 ff") == "4 ff");
    CHECK(prefix(0) == "00");
    CHECK(prefix(4) == "01");
    CHECK(prefix(252) == "3f");
    CHECK(prefix(256) == "4040");
}

TEST_CASE("a quarter stream id above 2^60-1 is refused, and so is none", "[webtransport]") {
    CHECK(read("cfffffffffffffff") == "4611686018427387900 ");
    CHECK(prefix(4611686018427387900) == "cfffffffffffffff");
    CHECK(read("d000000000000000") == "bad");
    CHECK(read("ffffffffffffffff") == "bad");
    for (const auto* bytes : {"", "40", "800000", "c0000000000000"}) CHECK(read(bytes) == "bad");
}

} // namespace moqlite::test::datagram_test
