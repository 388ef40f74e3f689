// The scene of the programs: a publisher with one group of one frame, and a subscriber.
#pragma once

#include <moqlite/session/session.hpp>
#include <string>
#include <string_view>
#include <variant>

namespace scene {

inline constexpr std::string_view broadcast = "room";
inline constexpr std::string_view track = "video";
inline constexpr std::string_view payload = "hello";
inline constexpr moqlite::group_sequence group{7};

/// The publisher, a server.
inline void publish(moqlite::session& s, const moqlite::event& e) {
    if (std::holds_alternative<moqlite::setup_received>(e)) {
        (void)s.admit({});
        (void)s.announce(broadcast);
    } else if (const auto* wanted = std::get_if<moqlite::subscribe_requested>(&e)) {
        (void)s.accept(wanted->request, group);
        if (auto g = s.open_group(wanted->request, group)) {
            (void)(*g)->write_frame(moqlite::timestamp{0}, moqlite::as_bytes(payload));
            (void)(*g)->finish();
        }
        (void)s.end_track(wanted->request, moqlite::next(group));
        (void)s.finish(wanted->request);
    }
}

/// The subscriber, a client: call watch("") on its session first.
class subscriber {
public:
    void take(moqlite::session& s, const moqlite::event& e) {
        if (const auto* there = std::get_if<moqlite::broadcast_available>(&e)) {
            (void)s.subscribe({there->path, track});
        } else if (const auto* f = std::get_if<moqlite::frame_data>(&e)) {
            received_ += moqlite::as_text(f->data);
            sequence_ = f->sequence;
        } else if (const auto* end = std::get_if<moqlite::subscription_ended>(&e)) {
            ended_ = true;
            finished_ = end->finished;
        }
    }
    [[nodiscard]] bool ended() const { return ended_; }
    /// The whole track has arrived, with its end.
    [[nodiscard]] bool content() const { return finished_ && received_ == payload && sequence_ == group; }

private:
    std::string received_;
    moqlite::group_sequence sequence_{};
    bool ended_ = false;
    bool finished_ = false;
};

} // namespace scene
