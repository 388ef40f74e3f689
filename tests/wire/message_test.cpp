#include "messages.hpp"

#include <moqlite/wire/message.hpp>

namespace moqlite::test::message_test {

using namespace moqlite::wire;

TEST_CASE("a message is its length, then so many bytes", "[message]") {
    const auto bytes = hex("02 aabb cc");
    const auto message = take_message(integers::quic, bytes);
    REQUIRE(message);
    CHECK(test::to_hex(message->body) == "aabb");
    CHECK(message->size == 3);
}

TEST_CASE("a message may be empty", "[message]") {
    const auto bytes = hex("00");
    const auto message = take_message(integers::quic, bytes);
    REQUIRE(message);
    CHECK(message->body.empty());
    CHECK(message->size == 1);
}

TEST_CASE("a message that has not all arrived needs more", "[message]") {
    const auto bytes = hex("4003 aabbcc");
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
        CHECK(take_message(integers::quic, byte_view{bytes}.first(cut)).status == progress::need_more);
    CHECK(take_message(integers::quic, bytes));
}

TEST_CASE("a typed message that has not all arrived needs more", "[message]") {
    const auto bytes = hex("4002 4003 aabbcc");
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
        CHECK(take_typed_message(integers::quic, byte_view{bytes}.first(cut)).status == progress::need_more);
    const auto message = take_typed_message(integers::quic, bytes);
    REQUIRE(message);
    CHECK(message->type == 2);
    CHECK(message->body.size() == 3);
    CHECK(message->size == bytes.size());
}

TEST_CASE("a message longer than the bound is refused by its length alone", "[message]") {
    CHECK(take_message(integers::quic, hex("0a"), 9).error == errc::message_too_large);
    CHECK(take_message(integers::quic, hex("0a"), 10).status == progress::need_more);
    CHECK(take_message(integers::quic, hex("80010001")).error == errc::message_too_large);
    CHECK(take_message(integers::quic, hex("80010000")).status == progress::need_more);
    CHECK(take_typed_message(integers::quic, hex("00 0a"), 9).error == errc::message_too_large);
}

TEST_CASE("a length that can only become too large is refused before it is complete", "[message]") {
    CHECK(take_message(integers::quic, hex("ff")).error == errc::message_too_large);
    CHECK(take_message(integers::quic, hex("8002")).error == errc::message_too_large);
    CHECK(take_message(integers::quic, hex("80")).status == progress::need_more);
    CHECK(take_message(integers::quic, hex("c0000000")).status == progress::need_more); // It may be a long form of 0.
}

TEST_CASE("a type that the stream does not have is refused before its length", "[message]") {
    CHECK(take_typed_message(integers::quic, hex("03"), 100, 3).error == errc::unknown_message_type);
    CHECK(take_typed_message(integers::quic, hex("7f"), 100, 3).error == errc::unknown_message_type);
    CHECK(take_typed_message(integers::quic, hex("02"), 100, 3).status == progress::need_more);
    CHECK(take_typed_message(integers::quic, hex("40"), 100, 3).status == progress::need_more);
}

} // namespace moqlite::test::message_test
