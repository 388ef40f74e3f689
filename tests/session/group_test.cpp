// The log of a group: bytes lent to readers, and when memory is freed.
#include "taken.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <moqlite/session/group.hpp>
#include <string>
#include <vector>

namespace moqlite::test::group_test {

namespace {

constexpr auto v = version::lite_05;

} // namespace

TEST_CASE("a log is the wire image of its frames", "[group]") {
    slab_pool pool;
    auto g = group::make(pool, group_sequence{7}, v);
    REQUIRE(g->write_frame(timestamp{90000}, as_bytes("hello")));
    REQUIRE(g->write_frame(timestamp{93000}, {}));
    REQUIRE(g->write_frame(timestamp{91500}, as_bytes("b-frame")));
    wake_queue wake;
    group_reader reader;
    reader.attach(g, wake);
    CHECK(take(reader) == "8002bf200568656c6c6f"
                          "577000"
                          "4bb707622d6672616d65");
    CHECK(g->size() == 23);
    CHECK(g->frames() == 3);

    auto old = group::make(pool, group_sequence{7}, version::lite_03);
    REQUIRE(old->write_frame(timestamp{90000}, as_bytes("hello")));
    group_reader second;
    second.attach(old, wake);
    CHECK(take(second) == "0568656c6c6f");
}

TEST_CASE("a reader without timestamps is lent the same bytes, except for the Timestamp Deltas", "[group]") {
    slab_pool pool;
    auto g = group::make(pool, group_sequence{7}, v);
    wake_queue wake;
    group_reader reader;
    reader.attach(g, wake, frame_format::lite_size);
    CHECK(reader.lend({}, 0).all);
    REQUIRE(g->write_frame(timestamp{90000}, as_bytes("hello")));
    REQUIRE(g->write_frame(timestamp{93000}, {}));
    CHECK(take(reader, 3) == "056865");
    CHECK(take(reader) == "6c6c6f"
                          "00");
    CHECK(reader.unsent() == 0);
    REQUIRE(g->begin_frame(timestamp{91500}, 300));
    CHECK(take(reader) == "412c");
    REQUIRE(g->append_payload(as_bytes("b")));
    std::array<byte_view, 1> range;
    const auto l = reader.lend(range, 10);
    CHECK(l.bytes == 1);
    CHECK(l.all);
    CHECK(take(reader) == "62");
    CHECK(reader.unacked() == g->size());
    for (int i = 0; i < 10; ++i) reader.acked(1);
    CHECK(reader.unacked() == 0);
    g->abort(app_error::cancel);
}

TEST_CASE("without timestamps, too, acknowledged bytes are freed, wherever frames lie in their slabs", "[group]") {
    for (const std::size_t size : {1u, 60u, 63u, 64u, 955u, 958u, 959u, 960u, 4000u, 20000u}) {
        slab_pool pool;
        auto g = group::make(pool, group_sequence{0}, v);
        auto plain = group::make(pool, group_sequence{0}, version::lite_03);
        wake_queue wake;
        group_reader reader;
        reader.attach(g, wake, frame_format::lite_size);
        group_reader expected;
        expected.attach(plain, wake);
        bool right = true;
        for (std::uint64_t i = 0; i < 200; ++i) {
            const std::string payload(size + i % 3, static_cast<char>('a' + i % 26));
            right = right && g->write_frame(timestamp{i * i * 1000}, as_bytes(payload)) &&
                    plain->write_frame({}, as_bytes(payload));
            right = right && take(reader, 1 + i % 7) == take(expected, 1 + i % 7);
            reader.acked(i % 2); // Fewer than were written.
            expected.acked(i % 2);
        }
        right = right && take(reader) == take(expected) && reader.lend({}, 1).all;
        CHECK(right);
        reader.acked(plain->size() - 100);
        CHECK(reader.unacked() == 0);
        CHECK(g->memory() <= 2 * 65664);
        reader.detach();
        expected.detach();
        g = {};
        plain = {};
        CHECK(pool.in_use() == 0);
    }
}

TEST_CASE("a log takes frames one after the other, whole, until it ends", "[group]") {
    slab_pool pool;
    auto g = group::make(pool, group_sequence{0}, v);
    CHECK(g->append_payload(as_bytes("x")).error() == errc::invalid_argument);
    REQUIRE(g->begin_frame(timestamp{0}, 3));
    CHECK(g->begin_frame(timestamp{0}, 3).error() == errc::frame_incomplete);
    CHECK(g->finish().error() == errc::frame_incomplete);
    CHECK(g->append_payload(as_bytes("four")).error() == errc::invalid_argument);
    REQUIRE(g->append_payload(as_bytes("abc")));
    CHECK(g->write_frame(timestamp{wire::varint_max + 1}, {}).error() == errc::value_too_large);
    REQUIRE(g->finish());
    CHECK(g->finish().error() == errc::group_ended);
    CHECK(g->write_frame(timestamp{0}, {}).error() == errc::group_ended);
    g->abort(app_error::old);
    CHECK(g->ended() == group::state::finished);
}

TEST_CASE("a reader that waits is woken by growth and by the end, and its session with it", "[group]") {
    slab_pool pool;
    ready_list ready;
    ready_entry entry{&ready, 5};
    wake_queue wake;
    wake.entry = &entry;
    auto g = group::make(pool, group_sequence{0}, v);
    group_reader reader;
    reader.attach(g, wake);
    REQUIRE(g->write_frame(timestamp{0}, as_bytes("a")));
    CHECK(wake.woken.empty());
    reader.wait();
    REQUIRE(g->begin_frame(timestamp{0}, 2));
    CHECK(wake.woken.empty());
    REQUIRE(g->append_payload(as_bytes("b")));
    CHECK(wake.woken.pop_front() == &reader);
    CHECK(ready.pop() == 5);
    REQUIRE(g->append_payload(as_bytes("c")));
    CHECK(wake.woken.empty());
    reader.wait();
    REQUIRE(g->finish());
    CHECK(wake.woken.pop_front() == &reader);
}

TEST_CASE("aborting wakes every reader, whether it waits or not", "[group]") {
    slab_pool pool;
    wake_queue wake;
    auto g = group::make(pool, group_sequence{0}, v);
    group_reader a;
    group_reader b;
    a.attach(g, wake);
    b.attach(g, wake);
    a.wait();
    g->abort(app_error::old);
    CHECK(wake.woken.pop_front() != nullptr);
    CHECK(wake.woken.pop_front() != nullptr);
    CHECK(g->abort_code() == app_error::old);
    CHECK(g->write_frame(timestamp{0}, {}).error() == errc::group_ended);
}

TEST_CASE("eviction reaches readers with unread bytes, and no others", "[group]") {
    slab_pool pool;
    wake_queue wake;
    auto g = group::make(pool, group_sequence{0}, v);
    REQUIRE(g->write_frame(timestamp{0}, as_bytes("a")));
    group_reader done;
    group_reader behind;
    done.attach(g, wake);
    behind.attach(g, wake);
    static_cast<void>(take(done));
    done.acked(3);
    static_cast<void>(take(behind));
    REQUIRE(g->finish());
    g->evict_readers(app_error::evicted);
    CHECK(behind.evicted() == app_error::evicted);
    CHECK_FALSE(done.evicted());
}

TEST_CASE("a reader at the end of a slab continues in the next, even if the first is freed", "[group][regression]") {
    slab_pool pool;
    wake_queue wake;
    auto g = group::make(pool, group_sequence{0}, v);
    group_reader reader;
    reader.attach(g, wake);
    REQUIRE(g->begin_frame(timestamp{0}, 2000, 1));
    const auto append = [&](std::size_t n) { REQUIRE(g->append_payload(as_bytes(std::string(n, 'x')))); };
    append(g->memory() - static_cast<std::size_t>(g->size()));
    const auto first = g->size();
    reader.wrote(first);
    append(100);
    reader.acked(first);
    CHECK(g->lost_head() == first);
    pool.trim();
    std::array<byte_view, 4> out;
    CHECK(reader.lend(out, 10'000).bytes == 100);
    reader.wrote(100);
    CHECK(reader.unsent() == 0);
}

TEST_CASE("eviction may spare readers that are not far behind", "[group]") {
    slab_pool pool;
    wake_queue wake;
    auto g = group::make(pool, group_sequence{0}, v);
    group_reader near;
    group_reader far;
    near.attach(g, wake);
    far.attach(g, wake);
    REQUIRE(g->write_frame(timestamp{0}, as_bytes(std::string(100, 'x'))));
    near.wrote(near.unsent());
    near.acked(60);
    CHECK_FALSE(g->evict_readers(app_error::evicted, 200));
    CHECK(g->evict_readers(app_error::evicted, 50));
    CHECK(far.evicted() == app_error::evicted);
    CHECK_FALSE(near.evicted());
}

TEST_CASE("a peer that announces large frames and sends little does not get much memory", "[group]") {
    slab_pool pool;
    auto g = group::make(pool, group_sequence{0}, v);
    REQUIRE(g->begin_frame(timestamp{0}, 16 * 1024 * 1024, 10));
    for (std::size_t sent = 10; sent < 1'000'000; sent += sent) {
        REQUIRE(g->append_payload(as_bytes(std::string(sent - (16 * 1024 * 1024 - g->missing()), 'x'))));
        CHECK(g->memory() <= 1000 + 5 * sent);
    }
    // A complete frame is kept contiguous.
    auto whole = group::make(pool, group_sequence{1}, v);
    REQUIRE(whole->begin_frame(timestamp{0}, 60'000, 60'000));
    CHECK(whole->memory() > 60'000);
}

TEST_CASE("memory that is not needed any more is freed, from the front", "[group]") {
    slab_pool pool;
    wake_queue wake;
    const std::string big(200'000, 'x');
    auto g = group::make(pool, group_sequence{0}, v);
    group_pin cache{g};
    group_reader reader;
    reader.attach(g, wake);
    REQUIRE(g->write_frame(timestamp{0}, as_bytes(big)));
    const auto all = pool.in_use();
    CHECK(all >= big.size());
    CHECK(g->memory() <= all);
    static_cast<void>(take(reader));
    reader.acked(150'000);
    CHECK(pool.in_use() == all);
    cache.release();
    CHECK(pool.in_use() < all - 60'000);
    CHECK(g->lost_head() > 0);
    reader.acked(g->size() - 150'000);
    reader.detach();
    g = {};
    CHECK(pool.in_use() == 0);
}

TEST_CASE("a group without memory reports the error and ends, rather than continue with a gap", "[group]") {
    slab_pool pool{5000};
    wake_queue wake;
    auto g = group::make(pool, group_sequence{0}, v);
    group_reader reader;
    reader.attach(g, wake);
    const std::string frame(900, 'x');
    result<void> written;
    for (int i = 0; i < 10 && written; ++i) written = g->write_frame(timestamp{0}, as_bytes(frame));
    CHECK(written.error() == errc::out_of_memory_limit);
    CHECK(pool.in_use() <= 5000);
    CHECK(g->ended() == group::state::aborted);
    CHECK(g->write_frame(timestamp{0}, {}).error() == errc::group_ended);
}

namespace {

/// Pins and readers on one group, driven by numbers.
struct accounts {
    slab_pool pool;
    wake_queue wake;
    group_ref g = group::make(pool, group_sequence{0}, v);
    std::array<std::unique_ptr<group_reader>, 2> readers;
    std::array<std::string, 2> got;
    group_pin pin;
    std::string image;
    bool right = true;

    void step(unsigned what) {
        switch (what) {
        case 0: append(10); break;
        case 1: append(1500); break;
        case 2: pin = group_pin{g}; break;
        case 3: pin.release(); break;
        default: reader(what / 4 - 1, what % 4);
        }
        const auto held = pool.in_use();
        right = right && held <= image.size() / 2 * 6 + 3 * 17'000 && g->memory() <= held;
    }
    void append(std::size_t n) {
        const std::string payload(n, static_cast<char>('a' + image.size() % 26));
        right = right && static_cast<bool>(g->write_frame(timestamp{0}, as_bytes(payload)));
        std::array<std::byte, wire::lite::frame_header_size_max> header;
        const auto used = wire::lite::write_frame_header(v, 0, n, header);
        image += to_hex(byte_view{header}.first(used)) + to_hex(as_bytes(payload));
    }
    void reader(std::size_t which, unsigned what) {
        auto& r = readers[which];
        if (what == 0) {
            if (r || g->lost_head() != 0) return;
            r = std::make_unique<group_reader>();
            r->attach(g, wake);
            got[which].clear();
        } else if (r && what == 1) {
            got[which] += take(*r, 700);
            right = right && image.starts_with(got[which]);
        } else if (r && what == 2 && r->unacked() != 0) {
            r->acked((r->unacked() + 1) / 2);
        } else if (what == 3) {
            r.reset();
        }
    }
    bool finish() {
        for (auto& r : readers) r.reset();
        pin.release();
        // Readers that join and leave now affect only the last slab: the earlier ones are freed.
        group_pin{g}.release();
        constexpr std::array<std::size_t, 5> one_slab{0, 960, 4032, 16320, 65664};
        right = right && std::find(one_slab.begin(), one_slab.end(), g->memory()) != one_slab.end();
        g = {};
        return right && pool.in_use() == 0;
    }
};

} // namespace

TEST_CASE("after every history of writing, reading, pinning and letting go the pool is empty", "[group]") {
    constexpr unsigned choices = 12;
    unsigned long wrong = 0;
    for (unsigned long history = 0; history < 248832ul; ++history) { // 12^5
        accounts a;
        a.step(8); // a reader from before the first byte
        auto rest = history;
        for (int i = 0; i < 5; ++i, rest /= choices) a.step(static_cast<unsigned>(rest % choices));
        if (!a.finish()) ++wrong;
    }
    CHECK(wrong == 0);
}

TEST_CASE("a group outlives the pool that its memory comes from", "[group]") {
    group_ref g;
    {
        slab_pool pool;
        g = group::make(pool, group_sequence{0}, version::lite_05);
        REQUIRE(g->write_frame(timestamp{1}, as_bytes("while the pool is there")));
    }
    CHECK(g->write_frame(timestamp{2}, as_bytes("after it")));
    CHECK(g->frames() == 2);
}

TEST_CASE(
    "a group has room for what the furthest reader that holds it back has taken, or when others read it", "[group]") {
    struct counting final : group_feed {
        void taken() noexcept override { ++calls; }
        int calls = 0;
    } feed;
    slab_pool pool;
    wake_queue wake;
    auto g = group::make(pool, group_sequence{0}, v);
    g->fed_by(&feed);
    group_reader event, cursor; // Of a local end, and of its track_reader.
    event.attach(g, wake);
    cursor.attach(g, wake);
    CHECK(g->has_room(1000, 10));
    CHECK(feed.calls == 0);
    g->hold_back(true);
    CHECK(g->has_room(10, 10));
    CHECK_FALSE(g->has_room(11, 10));
    g->took(5);
    CHECK(feed.calls == 2);
    g->took(3); // By a slower one.
    CHECK(feed.calls == 2);
    CHECK(g->has_room(15, 10));
    CHECK_FALSE(g->has_room(16, 10));
    {
        group_reader peer;
        peer.attach(g, wake);
        CHECK(feed.calls == 3);
        CHECK(g->has_room(1000, 10));
    }
    CHECK_FALSE(g->has_room(16, 10));
    g->hold_back(false);
    CHECK(g->has_room(1000, 10));
    g->fed_by(nullptr);
    g->took(100);
    CHECK(feed.calls == 5);
}

} // namespace moqlite::test::group_test
