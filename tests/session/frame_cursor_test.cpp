// Parsing a group's log.
#include "hex.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <moqlite/session/frame_cursor.hpp>
#include <string>
#include <vector>

namespace moqlite::test::frame_cursor_test {

namespace {

using list = std::vector<std::string>;

std::string text(const frame_cursor::piece& p) {
    std::string bytes;
    for (auto b : p.data) bytes.push_back(static_cast<char>(b));
    if (bytes.size() > 20) bytes = std::to_string(bytes.size()) + " bytes";
    return std::to_string(number(p.object)) + "@" + std::to_string(static_cast<std::uint64_t>(p.time)) + " " +
           std::to_string(p.offset) + "/" + std::to_string(p.size) + " " + bytes;
}

struct reading {
    explicit reading(version v = version::lite_05) : log(group::make(pool, group_sequence{3}, v)), cursor(log) {}
    void write(std::uint64_t time, std::string_view payload) {
        REQUIRE(log->write_frame(timestamp{time}, as_bytes(payload)));
    }
    /// All available pieces, consumed at most `n` bytes at a time.
    list all(std::size_t n = SIZE_MAX) {
        list out;
        while (const auto p = cursor.next()) {
            out.push_back(text(*p));
            cursor.consume(std::min(n, p->data.size()));
        }
        return out;
    }
    slab_pool pool;
    group_ref log;
    frame_cursor cursor;
};

} // namespace

TEST_CASE("frames are read as written, with their timestamps", "[session][cursor]") {
    reading r;
    r.write(5, "hello");
    r.write(3, "");
    r.write(9, "world");
    CHECK(r.all() == list{"0@5 0/5 hello", "1@3 0/0 ", "2@9 0/5 world"});
    CHECK_FALSE(r.cursor.at_end());
    REQUIRE(r.log->finish());
    CHECK(r.cursor.at_end());
    CHECK_FALSE(r.cursor.next());
}

TEST_CASE("a log without timestamps is read as well", "[session][cursor]") {
    reading r{version::lite_03};
    r.write(5, "hello");
    r.write(6, "you");
    CHECK(r.all() == list{"0@0 0/5 hello", "1@0 0/3 you"});
}

TEST_CASE("a piece stays the same until it is consumed, partly or wholly", "[session][cursor]") {
    reading r;
    r.write(0, "abc");
    CHECK(text(*r.cursor.next()) == "0@0 0/3 abc");
    CHECK(text(*r.cursor.next()) == "0@0 0/3 abc");
    r.cursor.consume(1);
    CHECK(text(*r.cursor.next()) == "0@0 1/3 bc");
    r.cursor.consume(0);
    CHECK(text(*r.cursor.next()) == "0@0 1/3 bc");
    CHECK_FALSE(r.cursor.at_end());
}

TEST_CASE("a frame is read as it grows", "[session][cursor]") {
    reading r;
    CHECK(r.all().empty());
    REQUIRE(r.log->begin_frame(timestamp{7}, 6));
    CHECK(r.all().empty());
    REQUIRE(r.log->append_payload(as_bytes("ab")));
    CHECK(r.all() == list{"0@7 0/6 ab"});
    CHECK(r.all().empty());
    REQUIRE(r.log->append_payload(as_bytes("cdef")));
    CHECK(r.all() == list{"0@7 2/6 cdef"});
}

TEST_CASE("an aborted group is at its end when its bytes are read, unless a frame is incomplete", "[session][cursor]") {
    reading r;
    r.write(0, "abc");
    SECTION("between frames") {
        r.log->abort(app_error::old);
        CHECK_FALSE(r.cursor.at_end());
        CHECK(r.all().size() == 1);
        CHECK(r.cursor.at_end());
    }
    SECTION("inside one") {
        REQUIRE(r.log->begin_frame(timestamp{1}, 10));
        REQUIRE(r.log->append_payload(as_bytes("half")));
        r.log->abort(app_error::old);
        CHECK(r.all().size() == 2);
        CHECK_FALSE(r.cursor.at_end());
    }
}

TEST_CASE("frames over many slabs, and headers across their borders, are read whole", "[session][cursor]") {
    for (std::size_t size : {957u, 958u, 959u, 960u, 961u, 4000u, 70'000u}) {
        reading r;
        std::size_t sum = 0;
        for (std::uint64_t n = 0; n < 20; ++n) r.write(1000 * n, std::string(size, static_cast<char>('a' + n)));
        std::uint64_t frame = 0;
        while (const auto p = r.cursor.next()) {
            frame = number(p->object);
            CHECK(static_cast<std::uint64_t>(p->time) == 1000 * frame);
            CHECK(p->data.front() == static_cast<std::byte>('a' + frame));
            CHECK(p->data.back() == static_cast<std::byte>('a' + frame));
            sum += p->data.size();
            r.cursor.consume(p->data.size());
        }
        CHECK(frame == 19);
        CHECK(sum == 20 * size);
    }
}

TEST_CASE("what has been read is freed", "[session][cursor]") {
    reading r;
    for (int i = 0; i < 50; ++i) {
        r.write(0, std::string(30'000, 'x'));
        CHECK_FALSE(r.all(1000).empty());
        CHECK(r.pool.in_use() < 150'000);
    }
}

} // namespace moqlite::test::frame_cursor_test
