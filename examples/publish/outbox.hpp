// One track to one peer: the groups that are there, and who has been given which of them.
#pragma once

#include <cstdint>
#include <map>
#include <moqlite/session/group.hpp>
#include <moqlite/session/session.hpp>
#include <optional>
#include <set>

namespace moqlite::programs {

struct outbox_options {
    std::uint64_t group_frames = 64;
    bool keep_until_taken = false;           ///< A group waits for a subscriber; otherwise only the newest does.
    std::size_t hold_most = 8 * 1024 * 1024; ///< Bytes that wait for a subscriber.
};

/// Cuts frames into groups and serves them to every subscriber as far as it wants them. What nobody
/// needs any more is let go; what waits is bounded by `options.hold_most`.
class outbox {
public:
    outbox(session& to, slab_pool& memory, const outbox_options& options) noexcept
        : session_(&to), pool_(memory), options_(options), dialect_(to.negotiated()) {}

    // The session may be followed by another, whose subscribers go on where they were.

    /// Delivered groups are kept, too, as far as there is room: they may be requested again.
    void keep_recent() noexcept { keeps_recent_ = true; }
    /// All subscribers have left with their session.
    void detach();
    void attach(session& to) noexcept { session_ = &to; }
    [[nodiscard]] bool attached() const noexcept { return session_ != nullptr; }

    // What subscribers do.

    void subscribe(const subscribe_requested&);
    void wanted(const groups_wanted&);
    void delivered(const group_delivered&);
    void lost(const group_lost&);
    void left(const request_ended&);

    /// A group that is still here, from its beginning; none: it has gone, or never was.
    [[nodiscard]] group_ref find(group_sequence) const;

    // What comes in.

    /// Somebody is subscribed.
    [[nodiscard]] bool has_subscribers() const noexcept { return !subscribers_.empty(); }
    /// Everybody who is subscribed wants the next frame, and what went before it is on its way.
    [[nodiscard]] bool has_room();
    void write(timestamp, byte_view frame);
    /// No frame follows.
    void end();
    [[nodiscard]] bool ended() const noexcept { return ended_; }

    [[nodiscard]] std::uint64_t groups() const noexcept { return number(next_); }
    /// Groups that were delivered to nobody.
    [[nodiscard]] std::uint64_t untaken() const noexcept;

    static constexpr std::size_t unsent_most = 4 * 1024 * 1024; ///< Bytes that a subscriber has not been sent.
    static constexpr std::size_t groups_most = 128;             ///< Groups that it has not acknowledged.

private:
    struct subscriber {
        std::optional<group_sequence> up_to;
        group_sequence next{};
        std::set<group_sequence> on_the_way;
        bool finished = false;
    };
    struct item {
        group_pin pin; ///< Empty: it cannot be served from its beginning any more.
        unsigned served = 0;
        bool taken = false;
    };

    void open_group();
    void close_group();
    void give_up_group();
    void feed(request_id, subscriber&);
    void feed_all();
    [[nodiscard]] bool is_needed(group_sequence, const item&) const;
    void trim();
    void settle(request_id, group_sequence, bool taken);

    session* session_; ///< Null between two; then there are no subscribers.
    slab_pool& pool_;
    outbox_options options_;
    version dialect_; ///< Of the first session, in which all groups are kept.
    std::map<request_id, subscriber> subscribers_;
    std::map<group_sequence, item> items_; ///< Those that are pinned or on their way.
    group_ref current_;
    std::uint64_t frames_in_group_ = 0;
    group_sequence next_{}; ///< Of the group after the current one.
    std::uint64_t untaken_ = 0;
    bool skipping_ = false; ///< The current group was given up; its frames go nowhere.
    bool ended_ = false;
    bool keeps_recent_ = false;
};

} // namespace moqlite::programs
