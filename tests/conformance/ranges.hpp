// Parts of a track through a relay, by SUBSCRIBE and by FETCH, in all mixes of versions: exactly the frames asked for,
// every byte, in order, or a loss that is reported.
#pragma once

#include "cast.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>

namespace moqlite::sim {

/// Groups from `first` on, and where the version has ranges of frames some of their frames.
inline subscribe_options any_range(chance& dice, const clip& c, const protocol_features& has) {
    const group_sequence from{c.first + dice.below(c.groups)};
    const group_sequence to{number(from) + dice.below(c.first + c.groups - number(from))};
    subscribe_options o{.ordered = dice.coin(), .start = from, .end = to};
    if (!has.frame_ranges) return o;
    const auto first = dice.below(c.frames_of(from));
    if (dice.coin()) o.frame_start = object_id{first};
    if (dice.coin()) o.frame_end = object_id{dice.below(c.frames) + (from == to ? first : 0)};
    return o;
}

/// Answers each FETCH of a clip with the whole group; the session sends the part that is wanted.
inline void serve_fetches(endpoint<>& at, const clip& c) {
    at.on<fetch_requested>([&at, c](const fetch_requested& e) {
        if (e.track != track_ref{c.broadcast, c.track}) return;
        const auto g = group::make(at.pool(), e.sequence, version::lite_05);
        c.write_all(*g);
        // Refused where it begins behind the end of the group.
        if (!at->serve(e.request, g)) static_cast<void>(at->reject(e.request, app_error::not_found));
    });
}

/// One FETCH, whose frames it checks.
class fetcher {
public:
    fetcher(endpoint<>& e, const clip& c, group_sequence g, const frame_range& frames, bool own_times)
        : clip_(c), sequence_(g), frames_(frames), next_(number(frames.first)) {
        const auto asked = e->fetch({c.broadcast, c.track}, g, 0, frames);
        must(asked.has_value(), "a group can be fetched");
        id_ = *asked;
        e.checks_of_fetch(id_, g, frames.first);
        e.on<frame_data>([this, own_times](const frame_data& d) {
            if (d.group != id_) return;
            must(number(d.object) == next_, "a fetch has the frames that were asked for, in order");
            must(!frames_.last || d.object <= *frames_.last, "no frame comes after the last that was asked for");
            must(d.size == clip_.size_of(sequence_, next_), "a frame has the size that was published");
            must(clip_.matches(sequence_, next_, d.offset, d.data), "every byte is the byte that was published");
            must(!own_times || d.time == clip_.time_of(sequence_, next_), "a frame has the time that was published");
            if (d.offset + d.data.size() == d.size) ++next_;
        });
        e.on<group_closed>([this](const group_closed& d) {
            if (d.group != id_) return;
            const auto all = clip_.frames_of(sequence_);
            must(!d.complete || next_ == (frames_.last ? std::min(all, number(*frames_.last) + 1) : all),
                "a complete fetch has every frame that was asked for");
            closed = d;
        });
    }
    fetcher(const fetcher&) = delete;
    fetcher& operator=(const fetcher&) = delete;
    [[nodiscard]] bool is_there() const { return number(frames_.first) < clip_.frames_of(sequence_); }

    std::optional<group_closed> closed;

private:
    clip clip_;
    group_sequence sequence_;
    frame_range frames_;
    std::uint64_t next_;
    group_id id_{};
};

inline clip short_clip(chance& dice) {
    return {.first = dice.one_of({0u, 7u}),
        .groups = dice.between(2, 9),
        .frames = dice.between(1, 8),
        .largest = dice.one_of({20u, 300u}),
        .key = dice.next()};
}

TEST_CASE("subscribers to parts of a track get exactly the frames that they asked for, through a relay",
    "[conformance][relay][frames]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            theatre t{w};
            const auto c = short_clip(w.dice);
            const auto spoken = any_version(w.dice);
            auto& source = t.join(net::any(w.dice), spoken);
            on_demand file{source.at, c};
            t.announce(source, c.broadcast);
            std::deque<viewer<>> readers;
            for (int i = 0; i != 3; ++i) {
                auto& at = t.join(net::any(w.dice), i == 0 ? w.spoken : any_version(w.dice)).at;
                auto& r = readers.emplace_back(at, c);
                r.own_times = has_timestamps(spoken);
                auto o = any_range(w.dice, c, at->features());
                o.max_age = w.dice.one_of({complete_age, complete_age, milliseconds{1000}});
                r.subscribe(o);
                w.run(w.dice.up_to(400ms));
            }
            const auto whole = [](const viewer<>& r) { return r.asked.max_age == complete_age; };
            // A relay whose log begins later says so.
            const auto has_all = [](const viewer<>& r) {
                return r.accepted && r.has_all(std::max(*r.asked.start, *r.accepted), next(*r.asked.end));
            };
            w.run_until(
                [&] { return std::ranges::all_of(readers, [&](const auto& r) { return !whole(r) || has_all(r); }); },
                600s);
            w.run(60s);
            for (auto& r : readers) {
                must(r.opened.empty() || r.asked.start <= *r.opened.begin(),
                    "nothing before the range comes"); // Nor after it: viewer.
                // The viewer has compared every frame of what is complete.
                for (const auto s : r.opened) must(r.complete.contains(s) || r.cut.contains(s), "each group ends");
                must(!whole(r) || r.cut.empty(), "nothing is lost of what may be of any age");
            }
            return w.hash();
        },
        4);
}

TEST_CASE("a fetch of some frames through a relay has exactly these, or is refused with a code",
    "[conformance][relay][frames][fetch]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            theatre t{w};
            const auto c = short_clip(w.dice);
            const auto spoken = any_version(w.dice);
            auto& source = t.join(net::any(w.dice), spoken);
            on_demand file{source.at, c};
            serve_fetches(source.at, c);
            t.announce(source, c.broadcast);
            // Some groups are in the relay's log, some are not.
            viewer reader{t.join(net::good(w.dice), any_version(w.dice)).at, c};
            reader.own_times = has_timestamps(spoken);
            reader.subscribe(any_range(w.dice, c, reader.at->features()));
            if (w.dice.coin()) w.run(w.dice.up_to(3s));
            const auto v = w.spoken;
            auto& sink = t.join(net::any(w.dice), v);
            w.run(w.dice.up_to(1s));
            std::deque<fetcher> fetches;
            for (auto n = w.dice.between(1, 12); n != 0; --n) {
                const group_sequence g{c.first + w.dice.below(c.groups)};
                frame_range frames;
                if (has_frame_ranges(v)) {
                    frames.first = object_id{w.dice.below(c.frames + 1)};
                    if (w.dice.coin()) frames.last = object_id{number(frames.first) + w.dice.below(4)};
                }
                fetches.emplace_back(sink.at, c, g, frames, reader.own_times && has_timestamps(v));
                if (w.dice.coin()) w.run(w.dice.up_to(300ms));
            }
            w.run_until(
                [&] { return std::ranges::all_of(fetches, [](const auto& f) { return f.closed.has_value(); }); }, 600s);
            for (const auto& f : fetches) {
                must(f.closed->complete || f.closed->code != app_error::cancel,
                    "what is refused is refused with a code");
                // Or its publisher has no place for another request.
                const bool missing = f.closed->code.means() == app_error::not_found;
                must(f.closed->complete || !f.is_there() || !missing, "what is there is found");
                must(!f.closed->complete || f.is_there(), "what is not there is refused");
            }
            return w.hash();
        },
        4);
}

} // namespace moqlite::sim
