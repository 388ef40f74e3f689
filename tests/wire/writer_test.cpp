#include "messages.hpp"

#include <moqlite/wire/writer.hpp>

namespace moqlite::test::writer_test {

using wire::writer;

TEST_CASE("a writer appends what a reader reads", "[writer]") {
    auto out = hex("ee");
    writer to{out};
    to.varint(37);
    to.varint(wire::varint_max);
    to.u8(7);
    to.boolean(true);
    to.string("cat");
    CHECK(to.error() == errc::ok);
    CHECK(to_hex(out) == "ee25ffffffffffffffff070103636174");
}

TEST_CASE("a length prefix has as many bytes as needed", "[writer]") {
    for (std::size_t size : {0u, 1u, 63u, 64u, 16383u, 16384u}) {
        std::vector<std::byte> out;
        writer to{out};
        to.prefixed([&] { to.bytes(std::vector<std::byte>(size)); });
        const auto message = wire::take_message(wire::integers::quic, out);
        REQUIRE(message);
        CHECK(message->body.size() == size);
        CHECK(message->size == out.size());
        CHECK(out.size() == size + wire::varint_size(size));
    }
}

TEST_CASE("a number beyond 2^62-1 is refused, and the whole message can be rolled back", "[writer]") {
    auto out = hex("ee");
    writer to{out};
    to.varint(1);
    to.varint(wire::varint_max + 1);
    to.fail(errc::zero_timescale);
    to.varint(2);
    CHECK(to.error() == errc::value_too_large);
    to.rollback();
    CHECK(to_hex(out) == "ee");
}

} // namespace moqlite::test::writer_test
