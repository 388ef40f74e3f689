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
    virtual void next_part(completion<std::optional<frame_part>>) = 0;
    [[nodiscard]] virtual std::optional<frame_part> ready_part() = 0;
    virtual void leave() noexcept = 0;

    // The last frame, while it may be looked at: its slab, or its bytes if they were not contiguous, whose memory is
    // used again unless somebody keeps it, or it is large.
    group_pin pinned;
    std::shared_ptr<std::vector<std::byte>> joined;
    [[nodiscard]] bool can_join_again() const noexcept {
        return joined.use_count() == 1 && joined->capacity() <= joined_max;
    }
    bool is_complete = false; ///< All of it has been read.

private:
    static constexpr std::size_t joined_max = 256 * 1024;
    group_sequence sequence_;
};

/// Takes the whole frame that begins with a piece of `log`: `take(bytes)` consumes, `next()` gives the next piece.
template <class Piece, class Take, class Next>
frame take_frame(Piece piece, group_ref log, const std::shared_ptr<group_source>& from, Take take, Next next) {
    const auto first = piece;
    if (!from->can_join_again()) from->joined.reset();
    from->pinned = group_pin{std::move(log)};
    take(piece.data.size());
    if (piece.data.size() == piece.size) return {first.object, first.time, first.data, from};
    if (!from->joined) from->joined = std::make_shared<std::vector<std::byte>>();
    auto& joined = *from->joined;
    joined.clear();
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

/// Takes a piece of `log`: `take(bytes)` consumes.
template <class Piece, class Take>
frame_part take_part(const Piece& piece, group_ref log, group_source& from, Take take) {
    from.joined.reset();
    from.pinned = group_pin{std::move(log)};
    take(piece.data.size());
    return {piece.object, piece.time, piece.size, piece.offset, piece.data};
}

/// The operation that waits on a group: for a frame, or for a part of one.
struct group_wait {
    completion<std::optional<frame>> whole;
    completion<std::optional<frame_part>> part;
    [[nodiscard]] explicit operator bool() const noexcept { return whole || part; }
    void abort() {
        whole.abort();
        part.abort();
    }
    void drop(dropped_handlers& dropped) {
        whole.drop(dropped);
        part.drop(dropped);
    }
    /// There is none.
    void end(error_code why = {}) {
        if (whole) std::exchange(whole, {})(why, std::nullopt);
        if (part) std::exchange(part, {})(why, std::nullopt);
    }
};

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
    void announcements_refused(error_code why) override {
        if (!subscribed_) session_ended(why);
    }
    void session_moves() noexcept override { core_.await_move(timeout_at_most_); }
    void session_moved() override;
    void handle(const event&, time_point now);
    void tick(time_point now);
    void next_group(completion<std::optional<group_reader>>);
    void next_in(const std::shared_ptr<group_source>&, group_wait);
    [[nodiscard]] std::optional<frame_part> ready_part(group_source&);
    void leave_group(const group_source&) noexcept;
    void restarted(completion<>);
    void info(completion<track_info>);
    void informed(error_code, const track_info&);
    [[nodiscard]] moqlite::track_reader<local_session>& core() noexcept { return core_; }
    void leave() noexcept;
    void abandon(dropped_handlers& dropped) override {
        starting_.drop(dropped);
        grouping_.drop(dropped);
        framing_.drop(dropped);
        restarting_.drop(dropped);
        asking_.drop(dropped);
    }

private:
    class track_group;
    [[nodiscard]] bool is_current(const group_source&);
    void stop_asking() noexcept;
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
    bool has_answer_limit_;
    std::optional<subscribe_id> indexed_;
    std::optional<time_point> deadline_;
    completion<track_reader> starting_;
    completion<std::optional<group_reader>> grouping_;
    group_wait framing_;
    completion<> restarting_;
    std::uint64_t restarts_told_ = 0;
    completion<track_info> asking_;
    std::optional<query_id> query_;
    std::weak_ptr<group_source> current_;            ///< The group that is being read.
    std::shared_ptr<group_source> framer_;           ///< The group whose next frame is awaited.
    std::shared_ptr<std::vector<std::byte>> joined_; ///< Of a group that was left, for the next.
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
    void announcements_refused(error_code why) override {
        if (!id_) session_ended(why);
    }
    void handle(const event&);
    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept override { return of_->executor(); }
    void next_frame(completion<std::optional<frame>> done) override { next({std::move(done), {}}); }
    void next_part(completion<std::optional<frame_part>> done) override { next({{}, std::move(done)}); }
    [[nodiscard]] std::optional<frame_part> ready_part() override;
    void leave() noexcept override;
    void abandon(dropped_handlers& dropped) override {
        starting_.drop(dropped);
        framing_.drop(dropped);
    }

private:
    void next(group_wait);
    void check();
    std::shared_ptr<origin_state> of_;
    track_name name_;
    boost::asio::steady_timer timeout_;
    group_ref log_;
    frame_cursor cursor_;
    std::optional<group_id> id_;
    completion<group_reader> starting_;
    group_wait framing_;
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
