#include "messages.hpp"

#include <moqlite/wire/reader.hpp>

namespace moqlite::test::reader_test {

using wire::reader;

TEST_CASE("a reader takes fields in order and is done at the end", "[reader]") {
    const auto body = hex("4025 07 01 03 636174 ffff");
    reader in{body};
    CHECK(in.varint() == 37);
    CHECK(in.u8() == 7);
    CHECK(in.boolean());
    CHECK(in.string() == "cat");
    CHECK(in.rest().size() == 2);
    CHECK(in.finish() == errc::ok);
}

TEST_CASE("a string is lent, not copied", "[reader]") {
    const auto body = hex("03 636174");
    reader in{body};
    CHECK(static_cast<const void*>(in.string().data()) == &body[1]);
}

TEST_CASE("whatever byte is not 0 is true", "[reader]") {
    const auto body = hex("00 01 02 ff");
    reader in{body};
    CHECK_FALSE(in.boolean());
    CHECK(in.boolean());
    CHECK(in.boolean());
    CHECK(in.boolean());
}

TEST_CASE("a body that ends inside a field is too short", "[reader]") {
    CHECK([] {
        reader in{{}};
        return in.u8() == 0 ? in.finish() : errc::ok;
    }() == errc::message_too_short);
    const auto varint = hex("40");
    reader a{varint};
    CHECK(a.varint() == 0);
    CHECK(a.finish() == errc::message_too_short);
    const auto string = hex("05 6865");
    reader b{string};
    CHECK(b.string().empty());
    CHECK(b.finish() == errc::message_too_short);
    const auto huge = hex("ffffffffffffffff 61");
    reader c{huge};
    CHECK(c.string().empty());
    CHECK(c.finish() == errc::message_too_short);
}

TEST_CASE("bytes after the last field make a body too long", "[reader]") {
    const auto body = hex("01 00");
    reader in{body};
    CHECK(in.varint() == 1);
    CHECK(in.finish() == errc::message_too_long);
}

TEST_CASE("a string that is not UTF-8 is refused", "[reader]") {
    const auto body = hex("02 c328");
    reader in{body};
    CHECK(in.string().empty());
    CHECK(in.finish() == errc::bad_utf8);
}

TEST_CASE("the first error sticks and everything after it reads as nothing", "[reader]") {
    const auto body = hex("01 ff 07");
    reader in{body};
    CHECK(in.string().empty());
    CHECK(in.varint() == 0);
    CHECK(in.u8() == 0);
    CHECK(in.rest().empty());
    in.fail(errc::bad_status);
    CHECK(in.error() == errc::bad_utf8);
    CHECK(in.finish() == errc::bad_utf8);
}

} // namespace moqlite::test::reader_test
