// What a session keeps of its subscriptions, and of the groups that they bring.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/session/group.hpp>
#include <optional>

namespace moqlite::detail {

struct of_subscription_tag;
struct quiet_tag;
struct update_tag;

/// A track of the peer that we subscribe to.
struct subscription : list_hook<owned_tag>, list_hook<quiet_tag>, list_hook<update_tag> {
    subscribe_id id{};
    control_stream* stream = nullptr;        ///< None once it has closed under groups that still arrive.
    subscribe_options options;               ///< As they are wanted now.
    subscribe_options requested;             ///< As the publisher was last told.
    std::optional<group_sequence> new_start; ///< Set by an update that was not written yet.
    bool repeats = false;                    ///< The next update is written though it changes nothing.
    bool update_waits = false;               ///< It is written when the message before it is on its way.
    // What was ever asked for: groups that left before an update arrived are no mistake of the peer's.
    std::optional<group_sequence> lowest;  ///< None: any.
    std::optional<group_sequence> highest; ///< None: any.
    std::optional<group_sequence> first;   ///< The lowest that has come.
    std::optional<group_sequence> start;   ///< As the publisher has said.
    std::optional<group_sequence> end;     ///< The same, of the track: the first that will not be.
    std::uint64_t accounted = 0;           ///< Groups that have come, or will not as the publisher has said.
    bool answered = false;                 ///< SUBSCRIBE_OK has come.
    bool start_told = false;
    bool fin_arrived = false;
    time_point quiet_since{};                         ///< While it waits for what may have been overtaken by the FIN.
    list<incoming_group, of_subscription_tag> groups; ///< That are arriving.
    id_table<incoming_group*> by_sequence;            ///< The same.
};

/// A group as it arrives on its stream.
struct incoming_group : receiving, list_hook<owned_tag>, list_hook<of_subscription_tag> {
    enum class stage : std::uint8_t { prefix, header, payload, ended };
    stage at = stage::prefix;
    bool fin_arrived = false;
    group_id name{};
    subscription* of = nullptr;
    control_stream* fetch = nullptr; ///< The request that it answers, of a FETCH.
    group_sequence sequence{};
    timestamp time{};
    time_point began{};           ///< When the first byte of the frame came that is arriving.
    std::uint64_t frame = 0;      ///< Number of the frame that is arriving.
    std::uint64_t size = 0;       ///< Of its payload.
    std::uint64_t offset = 0;     ///< Of the next byte in it.
    std::uint64_t unreleased = 0; ///< Bytes of a capped subscription that the application holds.
    group_ref log;
    std::array<std::byte, 40> partial; ///< The beginning of a prefix or frame header.
    std::size_t partial_size = 0;

    /// What was kept of a prefix or header, followed by `in`; `kept` bytes of the view are old.
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
