// Publishing: a broadcast, its tracks, and their groups. Handles: whoever destroys one ends what it stands for.
#pragma once

#include <cstdint>
#include <memory>
#include <moqlite/asio/completion.hpp>
#include <moqlite/asio/fwd.hpp>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/core/track_info.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/session/writing.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace moqlite::asio {

namespace detail {
class origin_state;
class broadcast_state;
class writer_state;
} // namespace detail

/// The present time in text, for examples: "12:34:56".
[[nodiscard]] std::string now_text();
/// The timestamp of a frame written now, in milliseconds, as every machine counts them.
[[nodiscard]] timestamp now_timestamp() noexcept;

/// A group that is being written. One that is destroyed before finish() is aborted: half a group must not look whole.
class group_writer {
public:
    group_writer() = default;
    group_writer(std::shared_ptr<detail::writer_state> of, group_ref g) noexcept
        : of_(std::move(of)), group_(std::move(g)) {}
    group_writer(group_writer&&) noexcept = default;
    group_writer& operator=(group_writer&& other) noexcept;
    ~group_writer() { abort(); }

    /// False: it was finished, aborted or moved from.
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(group_); }
    /// 0 if it is empty.
    [[nodiscard]] group_sequence sequence() const noexcept { return group_ ? group_->sequence() : group_sequence{}; }

    /// Appends a frame: copies it once, however many read it. errc::group_ended: it has been given up, since nobody may
    /// wait for it any longer, or memory is short; the next group goes on.
    error_code write(byte_view frame, timestamp time = now_timestamp());
    error_code write(std::string_view text, timestamp time = now_timestamp()) { return write(as_bytes(text), time); }
    /// Begins a frame of `size` bytes, which append() adds as they come.
    error_code begin_frame(std::uint64_t size, timestamp time = now_timestamp());
    error_code append(byte_view part);
    /// No frame follows.
    error_code finish();
    /// Its readers are reset with `code`.
    void abort(app_error code = app_error::cancel) noexcept;

private:
    error_code grew(result<void> how);
    std::shared_ptr<detail::writer_state> of_;
    group_ref group_;
};

/// A subscriber of a track, here or at a peer, has come or has left.
struct subscriber_change {
    bool came = false;
    std::uint64_t from = 0;             ///< The first group that it is served, if it came.
    bool delivered = false;             ///< It left because it has everything,
    app_error code = app_error::cancel; ///< or else with this code.
};

/// Writes one track for everybody who subscribes to it, here and at peers. Destroying it ends the track.
class track_writer {
public:
    track_writer() = default;
    explicit track_writer(std::shared_ptr<detail::writer_state> state) noexcept : state_(std::move(state)) {}
    track_writer(track_writer&&) noexcept = default;
    track_writer& operator=(track_writer&& other) noexcept;
    ~track_writer() { abort(); }

    [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }

    /// Opens the next group at once, for a live source: the newest group is kept for those who come late, and what is
    /// too old for a reader is dropped. `at`: the group's number, if not the next.
    [[nodiscard]] group_writer open_group(std::optional<group_sequence> at = {});
    /// Opens the next group when somebody wants it, and the furthest reader that accepts no loss has room for it: for
    /// a file. A reader that stops there holds back the others no longer than limits.hold_back.
    /// void(error_code, group_writer). errc::closed: the track has ended. One at a time: errc::too_many_requests.
    template <class Token = boost::asio::deferred_t>
    auto async_open_group(Token&& token = {}) {
        return detail::initiate<group_writer>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { open_group_when_wanted(state, std::move(handler)); });
    }

    /// For a source that can wait, within a group too: the subscriber that has come furthest wants the next frame, and
    /// has less than 4 MiB unsent. Without subscribers it is true with writing::live, unless some are expected back
    /// from a session that is being replaced; with writing::complete it is not.
    [[nodiscard]] bool has_room() const;
    /// void(error_code): completes when has_room(). One at a time: errc::too_many_requests.
    template <class Token = boost::asio::deferred_t>
    auto async_room(Token&& token = {}) {
        return detail::initiate<>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { await_room(state, std::move(handler)); });
    }

    /// Those that are served the track now, here and at peers.
    [[nodiscard]] std::size_t subscribers() const noexcept;
    /// void(error_code, subscriber_change): the next change of subscribers(). Changes wait to be read, the latest
    /// limits.subscriber_changes of them. One operation at a time: errc::too_many_requests.
    template <class Token = boost::asio::deferred_t>
    auto async_subscriber_changed(Token&& token = {}) {
        return detail::initiate<subscriber_change>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { await_change(state, std::move(handler)); });
    }
    /// Groups that no subscriber has received, as its peer acknowledges.
    [[nodiscard]] std::uint64_t undelivered() const noexcept;
    /// void(error_code): completes after finish(), when each subscriber has everything, as its peer acknowledges, or is
    /// gone. Those of a session that is being replaced, by GOAWAY or after a loss, are expected back for
    /// limits.return_time. Cancel it to wait no longer. One at a time: errc::too_many_requests.
    template <class Token = boost::asio::deferred_t>
    auto async_delivered(Token&& token = {}) {
        return detail::initiate<>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { await_delivery(state, std::move(handler)); });
    }

    /// Nobody is subscribed.
    [[nodiscard]] bool unwanted() const noexcept;
    /// Groups begun so far.
    [[nodiscard]] std::uint64_t groups() const noexcept;
    /// The track ends here; its readers get what was written.
    void finish();
    /// The same at once: what has not been delivered is cut off.
    void abort() noexcept;

private:
    static void open_group_when_wanted(
        const std::shared_ptr<detail::writer_state>&, detail::completion<group_writer>::handler);
    static void await_room(const std::shared_ptr<detail::writer_state>&, detail::completion<>::handler);
    static void await_change(
        const std::shared_ptr<detail::writer_state>&, detail::completion<subscriber_change>::handler);
    static void await_delivery(const std::shared_ptr<detail::writer_state>&, detail::completion<>::handler);
    std::shared_ptr<detail::writer_state> state_;
};

struct track_options {
    track_info info{};                      ///< The answer to TRACK.
    std::size_t hold_max = 8 * 1024 * 1024; ///< Bytes of groups kept for subscribers.
    /// writing::complete, for a file: groups are kept until a subscriber has them, also for subscribers that follow a
    /// GOAWAY; and who subscribes after finish() gets what is kept.
    writing mode = writing::live;
};

/// A name that is announced while this lives.
class broadcast {
public:
    broadcast() = default;
    explicit broadcast(std::shared_ptr<detail::broadcast_state> state) noexcept : state_(std::move(state)) {}
    broadcast(broadcast&&) noexcept = default;
    broadcast& operator=(broadcast&&) noexcept = default;
    ~broadcast() = default;

    [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }
    /// "" if it is empty.
    [[nodiscard]] const std::string& path() const noexcept;
    /// A track of it. A second writer of one name replaces the first, whose track ends. errc::closed, thrown: it is
    /// empty.
    [[nodiscard]] track_writer track(std::string_view name, const track_options& options = {});

private:
    std::shared_ptr<detail::broadcast_state> state_;
};

/// Somebody has subscribed to a track that only an on-demand handler can make. Destroying it refuses it.
class track_request {
public:
    explicit track_request(std::shared_ptr<detail::writer_state> state) noexcept : state_(std::move(state)) {}
    track_request(track_request&&) noexcept = default;
    track_request& operator=(track_request&& other) noexcept;
    ~track_request() { reject(app_error::not_found); }
    /// Both are "" if it was moved from.
    [[nodiscard]] const std::string& broadcast() const noexcept;
    [[nodiscard]] const std::string& track() const noexcept;
    /// Its writer; the last subscriber's leaving is seen by track_writer::unwanted(), and completes a pending
    /// async_open_group() with operation_aborted. errc::already_answered, or errc::closed if it was moved from, is
    /// thrown.
    [[nodiscard]] track_writer accept(const track_options& options = {});
    /// Nothing happens if it was answered.
    void reject(app_error code);

private:
    std::shared_ptr<detail::writer_state> state_;
    bool is_answered_ = false;
};

} // namespace moqlite::asio
