// The state of our subscriptions, and of the groups that arrive for them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/wire/lite/group.hpp>
#include <optional>
#include <utility>

namespace moqlite::detail {

struct of_subscription_tag;
struct quiet_tag;
struct update_tag;

/// Our subscription to a track of the peer.
struct subscription : list_hook<owned_tag>, list_hook<quiet_tag>, list_hook<update_tag> {
    subscribe_id id{};
    control_stream* stream = nullptr;        ///< nullptr once it has closed while groups still arrive.
    subscribe_options options;               ///< The options that we want now.
    subscribe_options requested;             ///< The options that the publisher last received.
    served_end served;                       ///< By the publisher, if it got each of our updates.
    std::optional<group_sequence> new_start; ///< Set by an update that has not been written yet.
    /// The Frame Starts requested, with their groups: a publisher may have acted on any of them. If there are more,
    /// every frame is one.
    std::array<std::pair<group_sequence, object_id>, 4> frame_starts{};
    std::uint8_t frame_starts_added = 0;
    bool repeats = false;      ///< The next update is written even if it changes nothing.
    bool update_waits = false; ///< It is written once the previous message has been.
    // The widest range ever requested: groups sent before an update arrived are not errors.
    std::optional<group_sequence> lowest;       ///< nullopt: any.
    std::optional<group_sequence> highest;      ///< nullopt: any.
    std::optional<group_sequence> first;        ///< The lowest group that has arrived.
    group_sequence beyond{};                    ///< One past the highest group that has arrived.
    std::optional<group_sequence> start;        ///< As reported by the publisher.
    std::optional<subscribe_options> publisher; ///< The publisher's options, where SUBSCRIBE_OK carries them.
    std::optional<group_sequence>
        end; ///< End of the track, as reported by the publisher: the first group that will not exist.
    std::optional<std::uint64_t> streams; ///< Group streams that the publisher opened, as SUBSCRIBE_END reports.
    std::uint64_t opened = 0;             ///< Group streams that have arrived.
    std::uint64_t accounted = 0;          ///< Groups that have arrived, or that the publisher has reported as dropped.
    bool answered = false;                ///< SUBSCRIBE_OK has arrived.
    bool start_reported = false;
    bool fin_arrived = false;
    time_point quiet_since{};                         ///< Start of the wait for groups that the FIN may have overtaken.
    list<incoming_group, of_subscription_tag> groups; ///< Arriving groups.
    pointer_table<incoming_group> by_sequence;        ///< The same, by sequence.

    /// No such group exists, as far as the publisher has reported.
    [[nodiscard]] bool has_ended_before(group_sequence g) const noexcept { return end && *end <= g; }
    void note_frame_start() noexcept {
        if (options.frame_start == object_id{}) return;
        const std::pair asked{options.start.value_or(group_sequence{}), options.frame_start};
        if (may_start(asked.first, asked.second)) return;
        if (frame_starts_added < frame_starts.size()) frame_starts[frame_starts_added] = asked;
        ++frame_starts_added;
    }
    /// A group may begin with that frame: its first, or one that was requested.
    [[nodiscard]] bool may_start(group_sequence g, object_id frame) const noexcept {
        const std::pair it{g, frame};
        return frame == object_id{} || frame_starts_added > frame_starts.size() ||
               std::find(frame_starts.begin(), frame_starts.end(), it) != frame_starts.end();
    }
};

/// A group that is arriving on its stream.
struct incoming_group final : receiving, list_hook<owned_tag>, list_hook<of_subscription_tag>, group_feed {
    enum class stage : std::uint8_t { prefix, header, payload, ended };
    stage at = stage::prefix;
    bool fin_arrived = false;
    group_id name{};
    subscription* of = nullptr;
    control_stream* fetch = nullptr; ///< For a FETCH: the request that it answers.
    group_sequence sequence{};
    timestamp time{};
    time_point began{};              ///< When the first byte of that frame arrived.
    std::uint64_t frame = 0;         ///< Number of the arriving frame.
    std::uint64_t first = 0;         ///< Number of the first.
    std::uint64_t last = UINT64_MAX; ///< For a FETCH: the last that was requested.
    std::uint64_t size = 0;          ///< Size of its payload.
    std::uint64_t offset = 0;        ///< Offset of the next byte in it.
    std::uint64_t unreleased = 0;    ///< Bytes whose credit is withheld, as the application holds them.
    std::uint64_t collected = 0;     ///< Payload bytes in the log.
    group_ref log;
    context* of_session = nullptr;                             ///< While there is a log.
    std::array<std::byte, 5 * wire::integer_size_max> partial; ///< An incomplete prefix or frame header.
    std::size_t partial_size = 0;

    incoming_group() = default;
    incoming_group(const incoming_group&) = delete;
    incoming_group& operator=(const incoming_group&) = delete;
    ~incoming_group() { release_log(); }
    void collect(group_ref into, context& c) noexcept {
        log = std::move(into);
        log->fed_by(this);
        of_session = &c;
    }
    void release_log() noexcept {
        if (log && log->feed() == this) log->fed_by(nullptr);
        log = {};
    }
    /// What the readers of the log hold back is not credited.
    void taken() noexcept override {
        if (unreleased != 0 && log->has_room(collected, of_session->bounds.read_ahead))
            of_session->out.give_credit(*this, std::exchange(unreleased, 0));
    }

    /// The kept bytes of a prefix or header, followed by `in`; the first `kept` bytes of the view are old.
    byte_view join(byte_view in, std::size_t& kept) noexcept {
        kept = partial_size;
        if (kept == 0) return in;
        const auto n = std::min(in.size(), partial.size() - kept);
        std::copy_n(in.begin(), n, partial.begin() + static_cast<std::ptrdiff_t>(kept));
        return byte_view{partial}.first(kept + n);
    }
    void keep(byte_view& in) noexcept {
        const auto n = std::min(in.size(), partial.size() - partial_size);
        std::copy_n(in.begin(), n, partial.begin() + static_cast<std::ptrdiff_t>(partial_size));
        partial_size += n;
        in = {};
    }
    [[nodiscard]] subscribe_id subscriber() const noexcept { return of != nullptr ? of->id : no_subscription; }
};

} // namespace moqlite::detail
