// What an origin and all that is made from it share: the relay, its two local ends, and who waits for what.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <moqlite/asio/notice.hpp>
#include <moqlite/asio/origin.hpp>
#include <moqlite/containers/ring.hpp>
#include <moqlite/link/connection.hpp>
#include <moqlite/link/session_handler.hpp>
#include <moqlite/relay/relay.hpp>
#include <moqlite/session/local_session.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace moqlite::asio::detail {

class announcements_state;
class broadcast_state;
class fetch_state;
class probe_state;
class reader_state;
class session_state;
class writer_state;

struct waiter_tag;
/// Has pending operations. When the execution context ends, their handlers are destroyed without being called, and
/// after all have been collected: one may own any of these.
class waiter : public moqlite::detail::list_hook<waiter_tag> {
public:
    virtual void abandon(dropped_handlers&) = 0;

protected:
    ~waiter() = default;
};

/// Waits for a broadcast, and is kept by the origin until it has been handed out.
class starter {
public:
    virtual ~starter() = default;
    virtual void announced() = 0;
    /// The session on which it waits has ended.
    virtual void session_ended(error_code why) = 0;
    /// The peer of that session announces nothing more.
    virtual void announcements_refused(error_code why) { session_ended(why); }
    /// Another session is to replace it.
    virtual void session_moves() noexcept {}
    /// It has.
    virtual void session_moved() {}
    std::uint64_t waits_as = 0; ///< The order in which they began to wait; 0: not yet.
};

/// One at a time on its executor. User code never runs within its members: all completions are posted.
class origin_state final : public std::enable_shared_from_this<origin_state> {
public:
    origin_state(boost::asio::any_io_executor, const origin_options&);
    ~origin_state();
    origin_state(const origin_state&) = delete;
    origin_state& operator=(const origin_state&) = delete;

    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept { return on_; }
    [[nodiscard]] moqlite::relay& relay() noexcept { return relay_; }
    [[nodiscard]] local_session& publishing() noexcept { return publishing_; }
    [[nodiscard]] local_session& reading() noexcept { return reading_; }
    [[nodiscard]] const limits& bounds() const noexcept { return bounds_; }
    [[nodiscard]] slab_pool& fetched() noexcept { return fetched_; }
    void log(link::log_level level, const std::string& text) const {
        if (log_) log_(level, text);
    }
    [[nodiscard]] const link::log_function& log_function() const noexcept { return log_; }
    [[nodiscard]] bool reports() const noexcept { return on_notice_ != nullptr; }
    /// For origin_options::on_notice, soon.
    void report(notice);
    void begin();
    void add(waiter& w) { waiters_.push_back(w); }
    void abandon() noexcept;

    /// Something was commanded: a turn follows soon.
    void wake();
    /// The same, if an end of ours has commanded anything; most frames are read without.
    void wake_if_commanded() {
        if (relay_.has_local_work() || relay_.has_ready()) wake();
    }
    /// Everything that is due: what ends have commanded, events for them, and sessions with something to send.
    void turn(time_point now);

    // Sessions with peers.

    /// The handler of a new connection; null: its protocol is not one of ours. `path` of the WebTransport request, or
    /// of our URL.
    [[nodiscard]] std::unique_ptr<link::handler> connected(
        role side, link::connection&, time_point now, std::string path, const std::shared_ptr<session_state>&);
    void disconnected(std::uint64_t key) noexcept;
    [[nodiscard]] link::connection* connection_of(std::uint64_t key) noexcept;
    /// Above the broadcasts for the next session alone.
    [[nodiscard]] std::string next_private_root() { return path::private_root(++private_roots_); }
    [[nodiscard]] std::size_t sessions() const noexcept { return connections_.size(); }

    // Publishing (publishing.cpp).

    void announce(const std::string& path);
    /// The broadcasts that are published below `root`, without it.
    [[nodiscard]] std::vector<std::string> published_below(std::string_view root) const {
        std::vector<std::string> all;
        for (const auto& [path, times] : announced_)
            if (const auto shown = path::is_private(path) ? std::nullopt : path::strip(path, root))
                all.emplace_back(*shown);
        return all;
    }
    void unannounce(const std::string& path);
    void add(writer_state&);
    void remove(writer_state&) noexcept;
    /// In place of an earlier one; the number is never 0.
    [[nodiscard]] std::uint64_t set_on_demand(const std::string& prefix, std::function<void(track_request)>);
    /// Unless another has taken its place.
    void end_on_demand(const std::string& prefix, std::uint64_t number) noexcept;
    /// A track request that `asker` caused has been answered.
    void answered(std::uint64_t asker) noexcept {
        const auto found = unanswered_.find(asker);
        if (--found->second == 0) unanswered_.erase(found);
        --unanswered_tracks_;
    }
    void own(request_id id, writer_state& w) { requests_[id] = &w; }
    void disown(request_id id) noexcept { requests_.erase(id); }
    /// The relay's local end publishes; its key there.
    [[nodiscard]] std::uint64_t publishing_key() const noexcept { return publishing_key_; }
    /// Checks it once a turn, while it waits for room.
    void await_room(writer_state& w) { rooming_.insert(&w); }
    void leave_room(writer_state& w) noexcept { rooming_.erase(&w); }
    /// A session is to be replaced: subscribers that it takes along will be back.
    void sessions_move();
    /// It has been, or has ended.
    void sessions_moved(duration return_time);
    /// Keeps a finished writer until its readers have what they want.
    void keep(const std::shared_ptr<writer_state>& w) { finishing_.insert(w); }
    void release(const std::shared_ptr<writer_state>& w) noexcept { finishing_.erase(w); }

    // Reading (reading.cpp).

    void watch_all();
    void await_announcement(const std::string& path, const std::shared_ptr<starter>&);
    void await_no_more(const std::string& path, starter& who) noexcept { unannounced_.erase({path, who.waits_as}); }
    /// Number of those who wait for a broadcast.
    [[nodiscard]] std::size_t waiting() const noexcept { return unannounced_.size(); }
    void index_path(reader_state&);
    void forget(reader_state&) noexcept;
    void keep_starting(const std::shared_ptr<starter>& s) { starting_.insert(s); }
    void release_starting(const std::shared_ptr<starter>& s) noexcept { starting_.erase(s); }
    void index(reader_state&, std::optional<subscribe_id> before, std::optional<subscribe_id> now);
    void set_deadline(reader_state&, std::optional<time_point> before, std::optional<time_point> at);
    void add(group_id, const std::shared_ptr<fetch_state>&);
    void remove(group_id) noexcept;
    void add(query_id id, reader_state& r) { queries_[id] = &r; }
    void remove(query_id id) noexcept { queries_.erase(id); }
    void add(watch_id, announcements_state&);
    void remove(watch_id) noexcept;

private:
    struct connection_slot;
    struct connected_peer {
        link::connection* on;
        std::shared_ptr<session_state> state;
    };
    void handle_notices();
    void deliver_notices();
    void drain_publishing();
    void drain_reading(time_point now);
    void published(const event&);
    void requested(const subscribe_requested&);
    void check_room();
    template <class F>
    void for_each_writer(F&& f);
    [[nodiscard]] bool may_ask(std::uint64_t asker) const noexcept;
    void read(const event&, time_point now);
    void announced(const broadcast_available&);
    void run_deadlines(time_point now);
    void set_timer();

    boost::asio::any_io_executor on_;
    limits bounds_;
    link::log_function log_;
    std::function<void(const notice&)> on_notice_;
    moqlite::detail::ring<notice> notices_; ///< Not yet delivered.
    boost::asio::steady_timer timer_;
    std::optional<time_point> timer_at_;
    moqlite::relay relay_;
    slab_pool fetched_; ///< Of groups that were fetched: nothing can evict them, so the relay's memory is not theirs.
    ready_list ready_;  ///< Our local ends.
    local_session publishing_;
    local_session reading_;
    std::uint64_t publishing_key_ = 0;
    std::unordered_map<std::uint64_t, connected_peer> connections_;
    std::map<std::string, unsigned, std::less<>> announced_; ///< How often each path was published.
    std::map<track_name, writer_state*> writers_;
    std::map<request_id, writer_state*> requests_;
    std::set<std::shared_ptr<writer_state>> finishing_;
    std::set<writer_state*> rooming_; ///< Those that wait for room.
    struct maker {
        std::uint64_t number = 0;
        std::function<void(track_request)> make;
    };
    std::map<std::string, maker, std::less<>> on_demand_;
    std::map<std::uint64_t, std::size_t> unanswered_; ///< Track requests, by the session that caused them.
    std::size_t unanswered_tracks_ = 0;               ///< All of them.
    std::uint64_t makers_ = 0;                        ///< So far.
    std::map<std::pair<std::string, std::uint64_t>, std::weak_ptr<starter>>
        unannounced_;         ///< Who waits for a broadcast, in order.
    std::uint64_t waits_ = 0; ///< So far.
    std::set<std::shared_ptr<starter>> starting_;
    std::map<subscribe_id, reader_state*> readers_;
    std::multimap<std::string, reader_state*, std::less<>> readers_by_path_;
    std::multimap<time_point, reader_state*> deadlines_;
    std::map<group_id, std::shared_ptr<fetch_state>> fetches_;
    std::map<query_id, reader_state*> queries_; ///< TRACK requests.
    std::map<watch_id, announcements_state*> watches_;
    moqlite::detail::list<waiter, waiter_tag> waiters_;
    std::uint64_t private_roots_ = 0; ///< So far.
    bool watches_all_ = false;
    bool in_turn_ = false;
    bool posted_ = false;
    bool delivers_ = false; ///< deliver_notices() is posted.
};

} // namespace moqlite::asio::detail
