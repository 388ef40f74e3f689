#include "../messages.hpp"

namespace moqlite::test::datagram_test {

using namespace moqlite::wire::lite;

namespace {

constexpr auto v = version::lite_05;

} // namespace

TEST_CASE("a datagram is a group of one frame, with its time since 0", "[datagram]") {
    const auto payload = hex("68656c6c6f");
    const datagram m{7, group_sequence{42}, timestamp{1000}, payload};
    CHECK(encoded(v, m) == "072a43e868656c6c6f");
    const auto bytes = hex("07 2a 43e8 68656c6c6f");
    const auto decoded = decode<datagram>(v, bytes);
    REQUIRE(decoded);
    CHECK(*decoded == m);
    CHECK(decoded->payload.data() == &bytes[4]);
}

TEST_CASE("a datagram may be empty", "[datagram]") {
    const auto bytes = hex("01 02 03");
    const auto decoded = decode<datagram>(v, bytes);
    REQUIRE(decoded);
    CHECK(*decoded == datagram{1, group_sequence{2}, timestamp{3}, {}});
}

TEST_CASE("a datagram that ends before its payload is too short", "[datagram]") {
    for (const auto* text : {"", "01", "01 02", "01 02 40"})
        CHECK(decode<datagram>(v, hex(text)).error() == errc::message_too_short);
}

TEST_CASE("there are no datagrams before lite-05", "[datagram]") {
    CHECK(encoded(version::lite_04, datagram{}) == "unsupported");
    CHECK(decode<datagram>(version::lite_04, hex("010203")).error() == errc::unsupported);
}

TEST_CASE("a datagram with a number beyond 2^62-1 is not sent", "[datagram]") {
    CHECK(encoded(v, datagram{.timestamp = timestamp{std::uint64_t{1} << 62}}) == "value_too_large");
}

} // namespace moqlite::test::datagram_test
