// An application that reads a clip with a track_reader, at its own pace, and checks every byte of it.
#pragma once

#include "clip.hpp"
#include "endpoint.hpp"

#include <algorithm>
#include <moqlite/session/track_reader.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace moqlite::sim {

class complete_viewer {
public:
    /// Takes up to `bytes` every `pace`; 0: everything available, at once.
    complete_viewer(
        world& w, endpoint<>& e, clip c, track_reader_options o, duration pace = {}, std::size_t most = SIZE_MAX)
        : world_(w),
          at(e),
          clip_(std::move(c)),
          reader_(session_of(e), std::move(o)),
          pace_(pace),
          most_(pace == duration{} ? SIZE_MAX : most) {
        at.on([this](const event& what) {
            reader_.handle(what, world_.now());
            if (pace_ == duration{}) take();
        });
        at.wait_for([this] { return reader_.deadline(); },
            [this] {
                reader_.tick(world_.now());
                if (pace_ == duration{}) take();
            });
    }
    void start() {
        must(reader_.start({clip_.broadcast, clip_.track}).has_value(), "a track can be read");
        world_.touch(at);
        if (pace_ != duration{}) next_turn();
    }
    void stop_reading() { stopped_ = true; }
    void go_on() { stopped_ = false; }

    [[nodiscard]] bool finished() const { return reader_.finished(); }
    [[nodiscard]] track_reader<session>& reader() noexcept { return reader_; }
    std::uint64_t bytes = 0;
    std::set<group_sequence> complete;
    std::vector<lost_groups> lost;

private:
    static session& session_of(endpoint<>& e) { return *e; }
    void next_turn() {
        world_.after(pace_, [this] {
            take();
            world_.touch(at);
            if (!reader_.finished() && !reader_.failed()) next_turn();
        });
    }
    void take() {
        if (stopped_) return;
        for (std::size_t left = most_; left != 0;) {
            const auto p = reader_.next();
            if (const auto last = reader_.last_complete_group()) note_complete(*last);
            if (!p) break;
            if (at_ != p->sequence) {
                must(!at_ || *at_ < p->sequence, "groups come in order");
                at_ = p->sequence;
                frame_ = offset_ = 0;
            }
            must(
                number(p->object) == frame_ && p->offset == offset_, "frames and bytes come in order, none is missing");
            must(p->size == clip_.size_of(p->sequence, number(p->object)), "a frame has the size that was published");
            const auto n = std::min(left, p->data.size());
            must(clip_.matches(p->sequence, number(p->object), p->offset, p->data.first(n)),
                "every byte is the byte that was published");
            if (has_timestamps(at->features().frames))
                must(p->time == clip_.time_of(p->sequence, number(p->object)),
                    "a frame has the time that was published");
            offset_ += n;
            if (offset_ == p->size) offset_ = 0, ++frame_;
            bytes += n;
            left -= n;
            reader_.consume(n);
        }
        while (const auto l = reader_.poll_lost()) lost.push_back(*l);
        world_.trace([&] {
            return "reader at " + std::to_string(at_ ? number(*at_) : 0) + " frame " + std::to_string(frame_) +
                   " offset " + std::to_string(offset_) + " holds " + std::to_string(reader_.held()) +
                   (reader_.finished() ? " finished" : "");
        });
    }
    void note_complete(group_sequence s) {
        if (!complete.insert(s).second) return;
        must(at_ == s && frame_ == clip_.frames_of(s) && offset_ == 0, "a complete group has every frame");
    }

    world& world_;
    endpoint<>& at;
    clip clip_;
    track_reader<session> reader_;
    duration pace_;
    std::size_t most_;
    bool stopped_ = false;
    std::optional<group_sequence> at_;
    std::uint64_t frame_ = 0;
    std::uint64_t offset_ = 0;
};

} // namespace moqlite::sim
