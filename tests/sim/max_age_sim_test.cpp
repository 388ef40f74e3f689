// Max Age on a limited link: how old is what a live viewer sees? Issue 12.
#include "pair.hpp"
#include "streams.hpp"
#include "theatre.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <map>
#include <memory>
#include <moqlite/session/track_writer.hpp>

namespace moqlite::test::max_age_sim_test {

using namespace moqlite::sim;

namespace {

constexpr duration frame_time = 40ms;
constexpr duration group_time = 480ms;
constexpr std::size_t frame_size = 500;
constexpr std::uint64_t needed_rate = 14'000; ///< Bytes a second, with what a segment takes.

/// Writes a frame every 40 ms, with its time in it.
class camera {
public:
    camera(world& w, endpoint<>& e)
        : world_(w),
          at_(e),
          writer_(*e, {"room/cam", "video"}, e.pool(),
              {.group_frames = static_cast<std::uint64_t>(group_time / frame_time)}) {
        at_.on([this](const event& what) {
            static_cast<void>(writer_.handle(what));
            if (const auto* lost = std::get_if<group_lost>(&what)) too_old += lost->code == app_error::old ? 1 : 0;
        });
    }
    void start() {
        std::vector<std::byte> frame(frame_size);
        const auto now = world_.now();
        std::memcpy(frame.data(), &now, sizeof now);
        world_.touch(at_);
        writer_.write(arrival_time({}, now), frame);
        world_.after(frame_time, [this] { start(); });
    }
    [[nodiscard]] bool is_watched() const noexcept { return writer_.has_subscribers(); }
    std::size_t too_old = 0;

private:
    world& world_;
    endpoint<>& at_;
    track_writer<session> writer_;
};

/// Notes how old each frame is when it begins to arrive.
class spectator {
public:
    spectator(world& w, endpoint<>& e) : world_(w), at_(e) {
        at_.on<frame_data>([this](const frame_data& d) {
            time_point written;
            if (d.offset >= sizeof written) return;
            auto& head = heads_[d.group];
            if (d.offset == 0) head.clear();
            head.insert(head.end(), d.data.begin(), d.data.end());
            if (head.size() < sizeof written) return;
            std::memcpy(&written, head.data(), sizeof written);
            ++frames;
            oldest = std::max(oldest, world_.now() - written);
            newest = std::max(newest, written);
        });
        at_.on<group_closed>([this](const group_closed& c) {
            cut += c.complete ? 0 : 1;
            heads_.erase(c.group);
        });
    }
    void subscribe(const subscribe_options& o) { static_cast<void>(at_->subscribe({"room/cam", "video"}, o).value()); }

    duration oldest{};
    time_point newest{};
    std::size_t frames = 0;
    std::size_t cut = 0;

private:
    world& world_;
    endpoint<>& at_;
    std::map<group_id, std::vector<std::byte>> heads_; ///< Of the frames that are arriving.
};

/// A viewer whose link is limited to `rate`, on a publisher or on a relay.
struct play {
    play(world& w, version v, bool relayed, std::uint64_t rate, const subscribe_options& o) : w_(w) {
        const network_link limited{.latency = 10ms, .full_segments = true, .rate = rate, .window = 2400};
        if (relayed) {
            stage = std::make_unique<theatre_of<streams>>(w);
            auto& publisher = stage->join(lan(), v);
            auto& guest = stage->join(limited, v);
            stage->announce(publisher, "room/cam");
            link = &guest.net;
            open(publisher.at, guest.at, o);
        } else {
            direct = std::make_unique<pair_of<streams>>(w, limited, v);
            link = &direct->net;
            open(direct->server, direct->client, o);
        }
    }
    void open(endpoint<>& publisher, endpoint<>& viewer, const subscribe_options& o) {
        source = std::make_unique<camera>(w_, publisher);
        sees = std::make_unique<spectator>(w_, viewer);
        sees->subscribe(o);
        w_.run_until([&] { return source->is_watched(); }, 60s);
        source->start();
    }
    [[nodiscard]] std::size_t too_old() {
        return stage ? static_cast<std::size_t>(stage->relay->stats().groups_too_old) : source->too_old;
    }
    world& w_;
    std::unique_ptr<pair_of<streams>> direct;
    std::unique_ptr<theatre_of<streams>> stage;
    connection* link = nullptr;
    std::unique_ptr<camera> source;
    std::unique_ptr<spectator> sees;
};

} // namespace

TEST_CASE("after five seconds without a network a viewer sees nothing older than its Max Age", "[sim][max age]") {
    for (const bool relayed : {false, true}) {
        for (const auto v : all_versions) {
            world w{7};
            play p{w, v, relayed, 4 * needed_rate, {.max_age = milliseconds{1000}}};
            w.run(5s);
            CHECK(p.sees->oldest < 100ms);
            CHECK(p.too_old() == 0);
            p.link->fail_for(5s);
            w.run(5s);
            p.sees->oldest = 0ms;
            w.run(200ms);
            // A group is as old as the end of it.
            CHECK(p.sees->oldest < 1000ms + group_time + 100ms);
            CHECK(w.now() - p.sees->newest < 200ms);
            CHECK(p.too_old() >= 6);
            w.run(2s);
            p.sees->oldest = 0ms;
            const auto frames = p.sees->frames;
            const auto lost = p.too_old();
            w.run(5s);
            CHECK(p.sees->oldest < 100ms);
            CHECK(p.sees->frames >= frames + 124);
            CHECK(p.too_old() == lost);
        }
    }
}

TEST_CASE("at half the needed rate the newest frame that a viewer has seen is never much older than its Max Age",
    "[sim][max age]") {
    for (const bool relayed : {false, true}) {
        for (const bool ordered : {false, true}) {
            for (const auto v : all_versions) {
                world w{8};
                play p{w, v, relayed, needed_rate / 2, {.ordered = ordered, .max_age = milliseconds{1000}}};
                w.run(2s);
                duration worst{};
                for (int n = 0; n != 600; ++n) {
                    w.run(100ms);
                    worst = std::max(worst, w.now() - p.sees->newest);
                }
                CHECK(worst < 1000ms + 2 * group_time + 300ms);
                CHECK(p.sees->oldest < 1000ms + 2 * group_time + 300ms);
                CHECK(p.too_old() > 20);
                CHECK(p.sees->frames > 500);
            }
        }
    }
}

TEST_CASE("a slow viewer's Max Age is its own: one on a better link, and one that is complete, lose nothing",
    "[sim][max age]") {
    for (const auto v : all_versions) {
        world w{9};
        theatre_of<streams> stage{w};
        auto& source = stage.join(lan(), v);
        const network_link limited{.latency = 10ms, .full_segments = true, .rate = needed_rate / 2, .window = 2400};
        auto& slow = stage.join(limited, v);
        auto& quick = stage.join(lan(), v);
        auto& complete = stage.join(limited, v);
        stage.announce(source, "room/cam");
        camera c{w, source.at};
        spectator behind{w, slow.at};
        spectator beside{w, quick.at};
        spectator patient{w, complete.at};
        behind.subscribe({.max_age = milliseconds{500}});
        beside.subscribe({.max_age = milliseconds{500}});
        patient.subscribe({.ordered = true, .max_age = complete_age});
        w.run_until([&] { return c.is_watched(); }, 60s);
        c.start();
        w.run(60s);
        CHECK(behind.cut > 50);
        CHECK(beside.cut == 0);
        CHECK(beside.oldest < 100ms);
        CHECK(patient.cut == 0);
        CHECK(c.too_old == 0);
        CHECK(stage.relay->stats().groups_too_old >= behind.cut);
    }
}

} // namespace moqlite::test::max_age_sim_test
