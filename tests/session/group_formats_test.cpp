// One log, readers of several formats: the payload is shared, the headers of each format are made once.
#include "taken.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <moqlite/session/group.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace moqlite::test::group_formats_test {

namespace {

constexpr std::array formats{frame_format::lite_size, frame_format::lite_time, frame_format::lite_leading_ones};

/// A group, and the bytes that a reader of each format has to get of it.
struct studio {
    explicit studio(frame_format kept) : log(group::make(pool, group_sequence{7}, kept)) {}
    void frame(std::uint64_t time, const std::string& payload) {
        REQUIRE(log->write_frame(timestamp{time}, as_bytes(payload)));
        const auto delta = wire::lite::delta(timestamp{last}, timestamp{time}).value();
        for (std::size_t i = 0; i < formats.size(); ++i) {
            std::array<std::byte, wire::lite::frame_header_size_max> header;
            const auto used = wire::lite::write_frame_header(formats[i], delta, payload.size(), header);
            expected[i] += to_hex(byte_view{header}.first(used)) + to_hex(as_bytes(payload));
        }
        last = time;
    }
    slab_pool pool;
    wake_queue wake;
    group_ref log;
    std::array<std::string, 3> expected;
    std::uint64_t last = 0;
};

} // namespace

TEST_CASE("a log of moq-lite-05 is served to moq-lite-07 with that version's headers", "[group][formats]") {
    slab_pool pool;
    wake_queue wake;
    auto g = group::make(pool, group_sequence{7}, version::lite_05);
    REQUIRE(g->write_frame(timestamp{90000}, as_bytes("hello")));
    REQUIRE(g->write_frame(timestamp{93000}, {}));
    REQUIRE(g->write_frame(timestamp{91500}, as_bytes("b-frame")));
    group_reader reader;
    reader.attach(g, wake, frame_format::lite_leading_ones);
    // FRAMES of moq-lite-07-wip in the vectors.
    CHECK(take(reader) == "c2bf200568656c6c6f"
                          "977000"
                          "8bb707622d6672616d65");
    CHECK(reader.lend({}, 0).all);
    CHECK(reader.unsent() == 0);
}

TEST_CASE("a reader of any format gets its own image of any log that can be served to it", "[group][formats]") {
    for (const auto kept : {frame_format::lite_time, frame_format::lite_leading_ones}) {
        studio s{kept};
        std::array<group_reader, 3> early;
        std::array<group_reader, 3> late;
        std::array<std::string, 3> got;
        for (std::size_t i = 0; i < 3; ++i) early[i].attach(s.log, s.wake, formats[i]);
        for (std::uint64_t n = 0; n < 300; ++n) {
            const std::size_t size = n % 7 == 0 ? 0 : n % 11 == 0 ? 3000 : n % 90;
            s.frame(n * n * 1000 % 7777777, std::string(size, static_cast<char>('a' + n % 26)));
            if (n == 150)
                for (std::size_t i = 0; i < 3; ++i) late[i].attach(s.log, s.wake, formats[i]);
            for (std::size_t i = 0; i < 3; ++i) got[i] += take(early[i], 1 + n % 200);
        }
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK(got[i] + take(early[i]) == s.expected[i]);
            CHECK(take(late[i]) == s.expected[i]);
            CHECK(late[i].unsent() == 0);
        }
        // Half acknowledged is half given back, and all of it is one slab of each kind.
        for (auto* readers : {&early, &late})
            for (std::size_t i = 0; i < 3; ++i) {
                CHECK_FALSE((*readers)[i].acked(s.expected[i].size() / 2 + 1));
                for (auto left = s.expected[i].size() / 2; left != 0;) {
                    const auto n = std::min<std::size_t>(left, 777);
                    REQUIRE((*readers)[i].acked(n));
                    left -= n;
                }
                CHECK((*readers)[i].unacked() == 0);
            }
        CHECK(s.log->lost_head() != 0);
        for (auto* readers : {&early, &late})
            for (auto& r : *readers) r.detach();
        s.log = {};
        CHECK(s.pool.in_use() == 0);
        CHECK(s.pool.charged() == 0);
    }
}

TEST_CASE("the headers of a format are made once, however many read them", "[group][formats]") {
    studio s{frame_format::lite_time};
    for (std::uint64_t n = 0; n < 100; ++n) s.frame(n, "payload");
    const auto alone = s.log->memory();
    std::vector<std::unique_ptr<group_reader>> readers;
    const auto add = [&](frame_format f) {
        readers.push_back(std::make_unique<group_reader>());
        readers.back()->attach(s.log, s.wake, f);
    };
    add(frame_format::lite_size);
    CHECK(take(*readers.back()) == s.expected[0]);
    CHECK(s.log->memory() == alone); // Part of the log itself.
    add(frame_format::lite_leading_ones);
    CHECK(s.log->memory() == alone); // Nobody has come to them.
    CHECK(take(*readers.back()) == s.expected[2]);
    const auto with_headers = s.log->memory();
    CHECK(with_headers > alone);
    for (int n = 0; n < 50; ++n) {
        add(frame_format::lite_leading_ones);
        CHECK(take(*readers.back(), static_cast<std::size_t>(n) * 20) ==
              s.expected[2].substr(0, static_cast<std::size_t>(n) * 40));
    }
    CHECK(s.log->memory() == with_headers);
    readers.resize(1);
    add(frame_format::lite_leading_ones);
    add(frame_format::lite_leading_ones);
    std::array<byte_view, 8> first;
    std::array<byte_view, 8> other;
    static_cast<void>(readers[1]->lend(first, SIZE_MAX));
    static_cast<void>(readers[2]->lend(other, SIZE_MAX));
    for (std::size_t i = 0; i < first.size(); ++i) CHECK(first[i].data() == other[i].data());
}

TEST_CASE("what a reader of another format was lent stays until it is acknowledged", "[group][formats]") {
    studio s{frame_format::lite_time};
    group_reader slow;
    slow.attach(s.log, s.wake, frame_format::lite_leading_ones);
    std::array<byte_view, 1> lent;
    s.frame(90000, "first");
    REQUIRE(slow.lend(lent, SIZE_MAX).bytes == 4); // Its header: the payload is in another range.
    const auto header = lent[0];
    slow.wrote(4);
    group_reader quick;
    quick.attach(s.log, s.wake, frame_format::lite_leading_ones);
    for (std::uint64_t n = 0; n < 2000; ++n) s.frame(90000 + n, std::string(100, 'x'));
    const auto all = take(quick).size() / 2;
    REQUIRE(quick.acked(all));
    quick.detach();
    CHECK(s.log->lost_head() == 0);
    CHECK(to_hex(header) == "c2bf2005");
    const auto held = s.pool.in_use();
    CHECK(to_hex(header) + take(slow) == s.expected[2]);
    REQUIRE(slow.acked(all));
    CHECK(s.pool.in_use() < held / 2);
}

TEST_CASE("a frame that arrives in pieces is served as far as it is there, in each format", "[group][formats]") {
    slab_pool pool;
    wake_queue wake;
    auto g = group::make(pool, group_sequence{0}, version::lite_05);
    group_reader reader;
    reader.attach(g, wake, frame_format::lite_leading_ones);
    reader.wait();
    REQUIRE(g->begin_frame(timestamp{64}, 200));
    CHECK(take(reader) == "8080"
                          "80c8");
    CHECK(reader.lend({}, 0).all);
    REQUIRE(g->append_payload(as_bytes("a")));
    CHECK(wake.woken.pop_front() == &reader);
    CHECK(take(reader) == "61");
    REQUIRE(g->append_payload(as_bytes(std::string(199, 'b'))));
    CHECK(take(reader).size() == 2 * 199);
    REQUIRE(g->finish());
    CHECK(reader.unsent() == 0);
    REQUIRE(reader.acked(4 + 200));
    CHECK_FALSE(reader.acked(1));
}

TEST_CASE("without memory for headers their reader gets nothing, and the group and its other readers go on",
    "[group][formats]") {
    slab_pool pool{3000};
    wake_queue wake;
    auto g = group::make(pool, group_sequence{0}, version::lite_05);
    REQUIRE(g->write_frame(timestamp{0}, as_bytes(std::string(900, 'x'))));
    group_reader reader;
    group_reader plain;
    reader.attach(g, wake, frame_format::lite_leading_ones);
    plain.attach(g, wake);
    std::array<byte_view, 8> ranges;
    {
        auto other = group::make(pool, group_sequence{1}, version::lite_05);
        REQUIRE(other->write_frame(timestamp{0}, as_bytes("x")));
        const auto l = reader.lend(ranges, SIZE_MAX);
        CHECK(l.bytes == 0);
        CHECK_FALSE(l.all);
        CHECK(reader.unsent() != 0);
        CHECK(g->ended() == group::state::open);
    }
    CHECK(take(plain) == "004384" + to_hex(as_bytes(std::string(900, 'x'))));
    CHECK(take(reader) == "008384" + to_hex(as_bytes(std::string(900, 'x'))));
    for (int n = 0; n < 20; ++n) REQUIRE(g->write_frame(timestamp{0}, {}));
    CHECK(take(plain).size() == 20 * 4);
    reader.detach();
    plain.detach();
    g = {};
    CHECK(pool.in_use() == 0);
}

TEST_CASE("a log refuses what its format cannot express", "[group][formats]") {
    slab_pool pool;
    auto g = group::make(pool, group_sequence{0}, version::lite_05);
    const auto refused = [&](frame_record r) { return g->begin_frame(r).error() == errc::unsupported; };
    const auto extension = hex("02 01");
    CHECK(refused({.object = object_id{1}, .extensions = {}})); // A gap.
    CHECK(refused({.status = object_status::end_of_group, .extensions = {}}));
    CHECK(refused({.extensions = extension}));
    CHECK(g->size() == 0);
    CHECK(g->begin_frame({.object = object_id{0}, .size = 0, .extensions = {}}));
    CHECK(g->begin_frame({.object = object_id{1}, .size = 0, .extensions = {}}));
    CHECK(g->frames() == 2);
}

TEST_CASE("headers in small pieces of memory are the same bytes, and go with what they belong to", "[group][formats]") {
    // Many short frames: the headers of a format are longer than the log.
    studio s{frame_format::lite_time};
    group_pin cache{s.log};
    group_reader reader;
    reader.attach(s.log, s.wake, frame_format::lite_leading_ones);
    for (std::uint64_t n = 0; n < 20'000; ++n) s.frame(n, n % 3 == 0 ? "" : "x");
    CHECK(s.log->memory() <= 12 * s.log->size());
    CHECK(take(reader, 10'000) + take(reader) == s.expected[2]);
    const auto all = s.expected[2].size() / 2;
    REQUIRE(reader.acked(all));
    const auto kept = s.log->memory();
    // While the front is kept, another reader may come.
    group_reader second;
    second.attach(s.log, s.wake, frame_format::lite_leading_ones);
    CHECK(take(second) == s.expected[2]);
    CHECK(s.log->memory() == kept);
    cache.release();
    REQUIRE(second.acked(all));
    CHECK(s.log->memory() < kept);
}

TEST_CASE("the headers of a format whose readers have left go with the front of the log", "[group][formats]") {
    slab_pool pool;
    wake_queue wake;
    auto g = group::make(pool, group_sequence{7}, version::lite_05);
    REQUIRE(g->write_frame(timestamp{0}, as_bytes("x")));
    group_reader reader;
    reader.attach(g, wake, frame_format::lite_leading_ones);
    REQUIRE(take(reader) == "000178");
    reader.detach(); // Before there is anything to free.
    for (std::uint64_t n = 0; n < 100'000; ++n) REQUIRE(g->write_frame(timestamp{n}, as_bytes("x")));
    CHECK(g->lost_head() != 0);
    CHECK(g->memory() < 256 * 1024); // The last slabs of the log and of the headers.
}

TEST_CASE("readers that are always up to date stay in slabs that are there", "[group][formats][regression]") {
    for (unsigned seed = 0; seed < 20; ++seed) {
        std::mt19937 random(seed);
        studio s{formats[1 + seed % 2]};
        std::array<group_reader, 6> readers;
        std::array<std::string, 6> got;
        std::array<std::size_t, 6> acked{};
        for (std::size_t i = 0; i < 6; ++i) readers[i].attach(s.log, s.wake, formats[i % 3]);
        std::uint64_t time = 0;
        bool right = true;
        for (int n = 0; n < 2000; ++n) {
            s.frame(time += random() % 100, std::string(random() % 5 == 0 ? random() % 8 : 0, 'x'));
            for (std::size_t i = 0; i < 6; ++i) {
                // All that was written: the acknowledged position is the written one, at the end of a slab, too.
                if (random() % 2 != 0)
                    right = right && readers[i].acked(got[i].size() / 2 - std::exchange(acked[i], got[i].size() / 2));
                if (random() % 2 != 0) got[i] += take(readers[i]);
            }
        }
        for (std::size_t i = 0; i < 6; ++i) right = right && got[i] + take(readers[i]) == s.expected[i % 3];
        CHECK(right);
        CHECK(s.log->lost_head() != 0);
        for (auto& r : readers) r.detach();
        s.log = {};
        CHECK(s.pool.in_use() == 0);
    }
}

TEST_CASE("a reader of another format may begin with any frame, wherever the headers of that frame are",
    "[group][formats][frames]") {
    studio s{frame_format::lite_time};
    std::vector<std::size_t> behind_header; // Of each frame, in digits of the image.
    for (std::uint64_t n = 0; n < 5000; ++n) {
        const auto before = s.expected[2].size();
        const std::string payload(n % 5, 'x');
        s.frame(n * 77 % 1000, payload);
        behind_header.push_back(before + (s.expected[2].size() - before - 2 * payload.size()));
    }
    group_pin head{s.log};
    for (const std::uint64_t first : {4000U, 1U, 200U, 4999U, 137U, 138U, 139U, 2500U, 0U, 4998U, 700U}) {
        CAPTURE(first);
        group_reader reader;
        reader.attach(s.log, s.wake, frame_format::lite_leading_ones, {object_id{first}, {}});
        std::array<std::byte, wire::lite::frame_header_size_max> header;
        REQUIRE(reader.start(header));
        const auto rest = s.expected[2].substr(first == 0 ? 0 : behind_header[first]);
        CHECK(take(reader) == rest);
        REQUIRE(reader.acked(rest.size() / 2));
        CHECK(reader.unacked() == 0);
        CHECK(s.log->lost_head() == 0);
    }
    head.release();
    s.log = {};
    CHECK(s.pool.in_use() == 0);
}

} // namespace moqlite::test::group_formats_test
