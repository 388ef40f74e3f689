// What the handles of one track that is written here share.
#pragma once

#include "origin_state.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <moqlite/asio/broadcast.hpp>
#include <moqlite/asio/clock.hpp>
#include <moqlite/containers/ring.hpp>
#include <moqlite/session/track_writer.hpp>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace moqlite::asio::detail {

class broadcast_state {
public:
    /// `above`: put before the path, within this process.
    broadcast_state(std::shared_ptr<origin_state> of, std::string path, std::string_view above = {})
        : of_(std::move(of)), path_(path::join(above, path)), shown_(std::move(path)) {
        of_->announce(path_);
    }
    broadcast_state(const broadcast_state&) = delete;
    broadcast_state& operator=(const broadcast_state&) = delete;
    ~broadcast_state() {
        if (on_demand != 0) of_->end_on_demand(path_, on_demand);
        of_->unannounce(path_);
    }
    [[nodiscard]] const std::shared_ptr<origin_state>& of() const noexcept { return of_; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] const std::string& shown() const noexcept { return shown_; }
    std::uint64_t on_demand = 0; ///< Of its handler.

private:
    std::shared_ptr<origin_state> of_;
    std::string path_;
    std::string shown_; ///< The path without what is put before it.
};

class writer_state final : public std::enable_shared_from_this<writer_state>, public waiter {
public:
    writer_state(std::shared_ptr<origin_state> of, track_name what)
        : of_(std::move(of)), name_(std::move(what)), room_(of_->executor()) {
        of_->add(static_cast<waiter&>(*this));
    }
    ~writer_state() { close(); }
    writer_state(const writer_state&) = delete;
    writer_state& operator=(const writer_state&) = delete;

    [[nodiscard]] const track_name& name() const noexcept { return name_; }
    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept { return of_->executor(); }

    /// Begins to write; what has waited for that is answered.
    void begin(const track_options&);
    /// Refuses what waits.
    void refuse(app_error code);
    /// An on-demand handler is asked for it, because of that session.
    void ask(std::uint64_t asker) noexcept { asker_ = asker; }
    /// Found by its name no more.
    void unlist() noexcept {
        if (std::exchange(listed_, false)) of_->remove(*this);
    }
    void list() {
        of_->add(*this);
        listed_ = true;
    }

    void handle(const event&);
    /// A reader that waits for room may have it now.
    void check();
    [[nodiscard]] group_writer open(std::optional<group_sequence> at);
    void open_when_wanted(completion<group_writer> done);
    [[nodiscard]] bool is_wanted() const noexcept { return core_ && core_->has_subscribers(); }
    [[nodiscard]] std::uint64_t groups() const noexcept { return core_ ? core_->groups() : 0; }
    void grew();
    void finish();
    void close() noexcept;
    void abandon(dropped_handlers& dropped) override {
        opening_.drop(dropped);
        rooming_.drop(dropped);
        changing_.drop(dropped);
        delivering_.drop(dropped);
    }

    // Subscribers (subscribers.cpp).

    [[nodiscard]] bool has_room();
    void await_room(completion<> done);
    void await_change(completion<subscriber_change> done);
    void await_delivery(completion<> done);
    [[nodiscard]] std::size_t subscribers() const noexcept { return subscribers_; }
    [[nodiscard]] std::uint64_t undelivered() const noexcept { return core_ ? core_->undelivered() : 0; }
    /// A session of the origin is to be replaced: subscribers that it takes along will be back.
    void session_moves();
    /// It has been, or has ended: they are back within this time.
    void session_moved(duration return_time);

private:
    struct waiting {
        request_id id{};
        subscribe_options options;
    };
    [[nodiscard]] bool may_open() { return core_->has_subscribers() && core_->has_room(now()); }
    void changed(const subscriber_change&);
    void await_deadline();
    /// Everything that was written has been received.
    [[nodiscard]] bool is_over() const noexcept { return finished_ && owned_.empty() && !returning_; }
    void end_if_over();
    void answered() noexcept {
        if (asker_) of_->answered(*std::exchange(asker_, std::nullopt));
    }

    std::shared_ptr<origin_state> of_;
    track_name name_;
    std::optional<moqlite::track_writer<local_session>> core_;
    std::vector<waiting> waiting_; ///< Subscriptions before begin().
    std::set<request_id> owned_;   ///< Open subscriptions.
    completion<group_writer> opening_;
    completion<> rooming_;
    completion<subscriber_change> changing_;
    completion<> delivering_;
    moqlite::detail::ring<subscriber_change> changes_; ///< Unread.
    std::size_t subscribers_ = 0;
    bool moving_ = false;    ///< A session is being replaced, or was, and subscribers may come back,
    bool returning_ = false; ///< and one has left with its session: it is expected back,
    std::optional<boost::asio::steady_timer> moved_; ///< until then.
    writing mode_ = writing::live;
    boost::asio::steady_timer room_; ///< Until a reader may hold back the others no longer:
    std::optional<time_point> room_at_;
    std::optional<std::uint64_t> asker_; ///< While an on-demand handler has not answered.
    bool is_on_demand_ = false;
    bool listed_ = false;
    bool finished_ = false;

    friend class origin_state;
};

} // namespace moqlite::asio::detail
