// Reading: a track, its groups, and their frames.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <moqlite/asio/completion.hpp>
#include <moqlite/asio/fwd.hpp>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/track_info.hpp>
#include <moqlite/session/detail/losses.hpp>
#include <moqlite/session/reading.hpp>
#include <optional>
#include <string_view>
#include <vector>

namespace moqlite::asio {

namespace detail {
class reader_state;
class group_source;
} // namespace detail

/// How to read a track.
struct subscribe_request {
    reading mode = reading::live;          ///< complete: every group in order, and the publisher waits for us.
    std::optional<group_sequence> start{}; ///< nullopt: the newest group.
    moqlite::priority priority = 128;
    duration patience = std::chrono::milliseconds{500}; ///< Live: how long a late group may delay later ones.
    /// How long the broadcast may be missing at first; then boost::asio::error::timed_out. 0: for ever. Without
    /// `answer` it limits the publisher's answer, too.
    duration timeout{};
    /// How long its publisher, and each successor, may take to answer; then errc::stream_timeout, without a code of the
    /// peer. 0: as long as limits.request_timeout.
    duration answer{};
    duration follow = std::chrono::seconds{5}; ///< How long to wait for a successor of its publisher.
};

/// The bytes of a frame, which stay.
class shared_frame {
public:
    shared_frame() = default;
    shared_frame(byte_view bytes, std::shared_ptr<const void> owner) noexcept
        : bytes_(bytes), owner_(std::move(owner)) {}
    [[nodiscard]] byte_view bytes() const noexcept { return bytes_; }

private:
    byte_view bytes_;
    std::shared_ptr<const void> owner_;
};

/// A whole frame. Its view is valid until the next call on its group's reader, or the reader's end.
class frame {
public:
    frame() = default;
    frame(object_id object, timestamp time, byte_view bytes, std::shared_ptr<detail::group_source> from) noexcept
        : object_(object), time_(time), bytes_(bytes), from_(std::move(from)) {}
    /// Its number in the group.
    [[nodiscard]] object_id object() const noexcept { return object_; }
    /// In the track's units; milliseconds from our own writers.
    [[nodiscard]] timestamp time() const noexcept { return time_; }
    [[nodiscard]] byte_view bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::string_view text() const noexcept {
        return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
    }
    /// The same, to keep: pins the group's memory; nothing is copied.
    [[nodiscard]] shared_frame share() const;

private:
    object_id object_{};
    timestamp time_{};
    byte_view bytes_;
    std::shared_ptr<detail::group_source> from_;
};

/// A part of a frame: the bytes of it that have arrived, as far as they lie together. Its view is valid until the next
/// call on its group's reader, or the reader's end.
struct frame_part {
    object_id object{}; ///< The frame's number in the group.
    timestamp time{};
    std::uint64_t size = 0;   ///< Of the whole frame, in bytes.
    std::uint64_t offset = 0; ///< Where the part begins in it.
    byte_view bytes{};        ///< Empty only for a frame without bytes.
    [[nodiscard]] bool ends_frame() const noexcept { return offset + bytes.size() == size; }
};

/// Reads one group. Destroying it skips the rest.
class group_reader {
public:
    group_reader() = default;
    explicit group_reader(std::shared_ptr<detail::group_source> state) noexcept : state_(std::move(state)) {}
    group_reader(group_reader&&) noexcept = default;
    group_reader& operator=(group_reader&& other) noexcept;
    ~group_reader() { leave(); }

    [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }
    /// 0 if it is empty.
    [[nodiscard]] group_sequence sequence() const noexcept;
    /// After the last frame: none is missing. Else the group was cut off, or the track has gone on without its rest, as
    /// track_reader::lost() reports with a code.
    [[nodiscard]] bool is_complete() const noexcept;
    /// void(error_code, std::optional<frame>): the next frame, once all of it has arrived; nothing: no more follow.
    /// One at a time: errc::too_many_requests.
    template <class Token = boost::asio::deferred_t>
    auto async_next_frame(Token&& token = {}) {
        return detail::initiate<std::optional<frame>>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { next_frame(state, std::move(handler)); });
    }

    // The same in parts, so that a large frame needs little memory. async_next_frame() skips the rest of a frame that
    // was begun.

    /// The next part, if it is here, at once; nullopt: async_next_part() waits for it, or tells the end.
    [[nodiscard]] std::optional<frame_part> next_part();
    /// void(error_code, std::optional<frame_part>): nothing: no more follow. One at a time, as above.
    template <class Token = boost::asio::deferred_t>
    auto async_next_part(Token&& token = {}) {
        return detail::initiate<std::optional<frame_part>>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { next_part(state, std::move(handler)); });
    }

private:
    static void next_frame(
        const std::shared_ptr<detail::group_source>&, detail::completion<std::optional<frame>>::handler);
    static void next_part(
        const std::shared_ptr<detail::group_source>&, detail::completion<std::optional<frame_part>>::handler);
    void leave() noexcept;
    std::shared_ptr<detail::group_source> state_;
};

/// Reads one track, group by group. Destroying it unsubscribes.
class track_reader {
public:
    track_reader() = default;
    explicit track_reader(std::shared_ptr<detail::reader_state> state) noexcept : state_(std::move(state)) {}
    track_reader(track_reader&&) noexcept = default;
    track_reader& operator=(track_reader&& other) noexcept;
    ~track_reader() { leave(); }

    [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }
    /// void(error_code, std::optional<group_reader>): the next group, once it has begun; nothing: the track's clean
    /// end. The rest of the previous one is skipped. One at a time: errc::too_many_requests.
    template <class Token = boost::asio::deferred_t>
    auto async_next_group(Token&& token = {}) {
        return detail::initiate<std::optional<group_reader>>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { next_group(state, std::move(handler)); });
    }
    /// Groups that will not be read, in the order in which that became known; nullopt: no more at present.
    [[nodiscard]] std::optional<lost_groups> lost();
    /// Publishers that have succeeded the first one.
    [[nodiscard]] std::uint64_t restarts() const noexcept;
    /// void(error_code): a successor has been subscribed to since the last of these operations began. One at a time.
    template <class Token = boost::asio::deferred_t>
    auto async_restarted(Token&& token = {}) {
        return detail::initiate<>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { restarted(state, std::move(handler)); });
    }
    /// The publisher was cut off, and no successor has answered.
    [[nodiscard]] bool is_cut_off() const noexcept;
    /// The first group of the subscription, as its publisher, or the latest successor, has reported it.
    [[nodiscard]] std::optional<group_sequence> first_group() const noexcept;
    /// Groups read to their end, and the last of them.
    [[nodiscard]] std::uint64_t groups_read() const noexcept;
    [[nodiscard]] std::optional<group_sequence> last_complete_group() const noexcept;
    /// void(error_code, track_info): the publisher's settings, such as the units of frame::time(). One at a time.
    template <class Token = boost::asio::deferred_t>
    auto async_info(Token&& token = {}) {
        return detail::initiate<track_info>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { info(state, std::move(handler)); });
    }

private:
    static void next_group(
        const std::shared_ptr<detail::reader_state>&, detail::completion<std::optional<group_reader>>::handler);
    static void restarted(const std::shared_ptr<detail::reader_state>&, detail::completion<>::handler);
    static void info(const std::shared_ptr<detail::reader_state>&, detail::completion<track_info>::handler);
    void leave() noexcept;
    std::shared_ptr<detail::reader_state> state_;
};

} // namespace moqlite::asio
