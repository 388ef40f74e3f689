// What the handles of one track, or of one fetched group, that is read here share.
#pragma once

#include "origin_state.hpp"

#include <memory>
#include <moqlite/asio/reader.hpp>
#include <moqlite/session/frame_cursor.hpp>
#include <moqlite/session/track_reader.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace moqlite::asio::detail {

/// What a group_reader reads.
class group_source {
public:
    explicit group_source(group_sequence sequence) noexcept : sequence_(sequence) {}
    group_source(const group_source&) = delete;
    group_source& operator=(const group_source&) = delete;
    virtual ~group_source() = default;

    [[nodiscard]] group_sequence sequence() const noexcept { return sequence_; }
    [[nodiscard]] virtual const boost::asio::any_io_executor& executor() const noexcept = 0;
    virtual void next_frame(completion<std::optional<frame>>) = 0;
    virtual void leave() noexcept = 0;

    // The last frame, while it may be looked at: its slab, or its bytes if they were not contiguous.
    group_pin pinned;
    std::shared_ptr<std::vector<std::byte>> joined;
    bool is_complete = false; ///< All of it has been read.

private:
    group_sequence sequence_;
};

/// Takes the whole frame that begins with a piece of `log`: `take(bytes)` consumes, `next()` gives the next piece.
template <class Piece, class Take, class Next>
frame take_frame(Piece piece, group_ref log, const std::shared_ptr<group_source>& from, Take take, Next next) {
    const auto first = piece;
    from->joined.reset();
    from->pinned = group_pin{std::move(log)};
    take(piece.data.size());
    if (piece.data.size() == piece.size) return {first.object, first.time, first.data, from};
    from->joined = std::make_shared<std::vector<std::byte>>();
    auto& joined = *from->joined;
    joined.reserve(as_size(first.size));
    joined.insert(joined.end(), piece.data.begin(), piece.data.end());
    while (joined.size() != first.size) {
        piece = *next();
        joined.insert(joined.end(), piece.data.begin(), piece.data.end());
        take(piece.data.size());
    }
    from->pinned.release();
    return {first.object, first.time, joined, from};
}

class reader_state final : public std::enable_shared_from_this<reader_state>, public starter, public waiter {
public:
    reader_state(std::shared_ptr<origin_state> of, track_name what, const subscribe_request& how);
    ~reader_state() override { leave(); }
    reader_state(const reader_state&) = delete;
    reader_state& operator=(const reader_state&) = delete;

    [[nodiscard]] const track_name& name() const noexcept { return name_; }
    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept { return of_->executor(); }

    /// Waits for the broadcast, subscribes, and completes `done` once its publisher has accepted.
    void start(completion<track_reader> done);
    void announced() override;
    void session_ended(error_code why) override;
    void session_moves() noexcept override { core_.expect_move(); }
    void handle(const event&, time_point now);
    void tick(time_point now);
    void next_group(completion<std::optional<group_reader>>);
    void next_frame(const std::shared_ptr<group_source>&, completion<std::optional<frame>>);
    void leave_group(const group_source&) noexcept;
    [[nodiscard]] moqlite::track_reader<local_session>& core() noexcept { return core_; }
    void leave() noexcept;
    void abandon(dropped_handlers& dropped) override {
        starting_.drop(dropped);
        grouping_.drop(dropped);
        framing_.drop(dropped);
    }

private:
    class track_group;
    void check();
    void check_group();
    void check_frame();
    void updated();
    [[nodiscard]] error_code why() const;

    std::shared_ptr<origin_state> of_;
    track_name name_;
    moqlite::track_reader<local_session> core_;
    boost::asio::steady_timer timeout_;
    duration timeout_at_most_;
    std::optional<subscribe_id> indexed_;
    std::optional<time_point> deadline_;
    completion<track_reader> starting_;
    completion<std::optional<group_reader>> grouping_;
    completion<std::optional<frame>> framing_;
    std::weak_ptr<group_source> current_;  ///< The group that is being read.
    std::shared_ptr<group_source> framer_; ///< The group whose next frame is awaited.
    std::optional<group_sequence> reading_;
    bool subscribed_ = false;
    bool left_ = false;
};

/// A group that was fetched: kept here as it arrives.
class fetch_state final : public group_source,
                          public std::enable_shared_from_this<fetch_state>,
                          public starter,
                          public waiter {
public:
    fetch_state(std::shared_ptr<origin_state> of, track_name what, group_sequence sequence, group_ref log);
    ~fetch_state() override { leave(); }

    void start(duration timeout, completion<group_reader> done);
    void announced() override;
    void session_ended(error_code why) override;
    void handle(const event&);
    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept override { return of_->executor(); }
    void next_frame(completion<std::optional<frame>>) override;
    void leave() noexcept override;
    void abandon(dropped_handlers& dropped) override {
        starting_.drop(dropped);
        framing_.drop(dropped);
    }

private:
    void check();
    std::shared_ptr<origin_state> of_;
    track_name name_;
    boost::asio::steady_timer timeout_;
    group_ref log_;
    frame_cursor cursor_;
    std::optional<group_id> id_;
    completion<group_reader> starting_;
    completion<std::optional<frame>> framing_;
    std::optional<error_code> failed_;
    bool left_ = false;
};

/// Null: there was no memory.
std::shared_ptr<fetch_state> fetch(const std::shared_ptr<origin_state>& of, const track_name& track,
    group_sequence group, completion<group_reader>::handler handler);

class announcements_state final : public std::enable_shared_from_this<announcements_state>,
                                  public starter,
                                  public waiter {
public:
    /// `root` is in front of the prefix and the names, and not shown.
    announcements_state(std::shared_ptr<origin_state> of, std::string_view prefix, std::string root = {});
    ~announcements_state() override { leave(); }
    announcements_state(const announcements_state&) = delete;
    announcements_state& operator=(const announcements_state&) = delete;

    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept { return of_->executor(); }
    void handle(announcement);
    void announced() override {}
    /// What is known by the end of this turn can still be read.
    void session_ended(error_code why) override;
    void next(completion<std::optional<announcement>>, const std::shared_ptr<announcements_state>& self);
    void leave() noexcept;
    void abandon(dropped_handlers& dropped) override { next_.drop(dropped); }

private:
    void check();
    std::shared_ptr<origin_state> of_;
    std::string root_;
    std::optional<watch_id> watch_;
    std::map<std::string, announcement> changes_; ///< By path: one each.
    std::set<std::string> known_;                 ///< Broadcasts that our user knows to be available.
    completion<std::optional<announcement>> next_;
    std::optional<error_code> ended_; ///< The session that it belongs to.
};

} // namespace moqlite::asio::detail
