// A relay: many sessions, one table of broadcasts, one upstream subscription per track. Sans-I/O.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <moqlite/containers/id_table.hpp>
#include <moqlite/containers/list.hpp>
#include <moqlite/containers/object_pool.hpp>
#include <moqlite/containers/ring.hpp>
#include <moqlite/core/result.hpp>
#include <moqlite/relay/bridge.hpp>
#include <moqlite/relay/by_source.hpp>
#include <moqlite/relay/cache.hpp>
#include <moqlite/relay/info_table.hpp>
#include <moqlite/relay/notices.hpp>
#include <moqlite/relay/relay_stats.hpp>
#include <moqlite/relay/share.hpp>
#include <moqlite/relay/track.hpp>
#include <moqlite/session/acceptor.hpp>
#include <moqlite/session/announcements.hpp>
#include <moqlite/session/any_session.hpp>
#include <moqlite/session/ready.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace moqlite {

struct relay_options {
    limits bounds{};
    hop_id origin{};           ///< Our own hop id, unique to every relay; 0: unset, and loops are not detected.
    time_point epoch{};        ///< Epoch of synthesised timestamps: one per process.
    bool reports_path = false; ///< The transport calls path_measured(), and subscribers may ask for it (PROBE).
};

/// Give each session its inputs, and handle() its events; poll_ready() returns the sessions that need a pump, whatever
/// the cause. Nothing here loops over all sessions, tracks or readers.
class relay {
public:
    explicit relay(relay_options options)
        : options_(std::move(options)), pool_(options_.bounds.memory), cache_(pool_, options_.bounds) {}
    relay(const relay&) = delete;
    relay& operator=(const relay&) = delete;

    // Sessions.

    /// Adds a session for a new connection with this ALPN; errc::unsupported: unknown ALPN. `path`: on a client that of
    /// the URL; on a server that of the request that opened the connection. `alone`: see session_options; a local end
    /// announces what is below it.
    result<std::uint64_t> add(
        role side, std::string_view alpn, time_point now, std::string path = {}, std::string alone = {});
    /// Adds an application of this process, which publishes and subscribes at `end`, as a session; it ends with `end`.
    /// What it commands is handled by the next tick(), and what is ready for it is on the list of `end`.
    std::uint64_t add_local(local_session& end);
    /// nullptr: there is none, or it has been removed.
    [[nodiscard]] any_session* session(std::uint64_t key) noexcept {
        peer* p = find(key);
        return p != nullptr ? &*p->session : nullptr;
    }
    /// Handles an event of that session. Call it for every event.
    void handle(std::uint64_t key, const event& e, time_point now) {
        now_ = now;
        peer* p = find(key);
        if (p == nullptr) return;
        // Stays set if an exception, std::bad_alloc, leaves here.
        const bool before = std::exchange(needs_repair_, true);
        std::visit([&](const auto& what) { on(*p, what); }, e);
        needs_repair_ = before;
    }
    /// Admits a peer, and starts watching its announcements. A server to which we connected needs it only to be limited
    /// to `allowed`, before its first event.
    result<void> admit(std::uint64_t key, scope allowed);
    /// Before it: another path above the broadcasts for this session alone than add() had.
    void alone(std::uint64_t key, const std::string& above) {
        peer* p = find(key);
        if (p == nullptr) return;
        p->alone = above;
        p->session->alone(above);
    }
    result<void> refuse(std::uint64_t key, app_error code = app_error::unauthorized, std::string_view reason = {});
    /// Removes a session after its session_closed has been handled, or after handling that failed for lack of memory:
    /// the next tick() then cleans up after it.
    void remove(std::uint64_t key) noexcept {
        const auto found = peers_.find(key);
        if (found == peers_.end()) return;
        needs_repair_ = needs_repair_ || !found->second->ended;
        announced_ -= found->second->announced;
        peers_.erase(found);
    }

    /// A session that needs a pump; nullopt: none.
    [[nodiscard]] std::optional<std::uint64_t> poll_ready() noexcept { return ready_.pop(); }
    [[nodiscard]] std::optional<relay_notice> poll_notice() {
        if (notices_.empty()) return std::nullopt;
        return notices_.pop();
    }

    // Time and memory.

    [[nodiscard]] std::optional<time_point> deadline() noexcept;
    /// Keeps the cache within its bounds and runs the timers. Call it once a turn; it is free when there is nothing to
    /// do.
    void tick(time_point now);
    /// Local ends have commanded something that the next tick() handles.
    [[nodiscard]] bool has_local_work() const noexcept { return !local_ready_.empty(); }
    /// poll_ready() has something.
    [[nodiscard]] bool has_ready() const noexcept { return !ready_.empty(); }
    /// Returns memory kept for reuse to the heap.
    void trim() noexcept { pool_.trim(); }
    /// The memory of all groups here; for those of local ends, too.
    [[nodiscard]] slab_pool& memory() noexcept { return pool_; }

    [[nodiscard]] relay_stats stats() const noexcept;
    /// Whether a subscription on that session is an open one of the relay's.
    [[nodiscard]] bool follows(std::uint64_t key, subscribe_id id) noexcept {
        peer* p = find(key);
        return p != nullptr && p->subscriptions.find(number(id)) != nullptr;
    }
    /// The session for which the relay has made that request of a local end; 0: none.
    [[nodiscard]] std::uint64_t asker(std::uint64_t key, request_id id) noexcept {
        peer* p = find(key);
        auto* const* its = p != nullptr ? p->subscriptions.find(number(id)) : nullptr;
        return its != nullptr ? (*its)->asker : 0;
    }
    /// Whether a reader of the track that the relay has requested so of a local end has room: less than `most` unsent
    /// bytes, and not too many groups. The furthest decides; where there is none, there is room.
    [[nodiscard]] bool has_room(std::uint64_t key, request_id id, std::uint64_t most) {
        peer* p = find(key);
        auto* const* its = p != nullptr ? p->subscriptions.find(number(id)) : nullptr;
        if (its == nullptr || (*its)->readers.empty()) return true;
        return (*its)->readers.find_first(SIZE_MAX, [&](relaying::reader& r) {
            any_session* s = session(r.session);
            return s == nullptr || (s->takes_more(r.request) && s->unsent(r.request) < most);
        }) != nullptr;
    }
    /// Whether the relay is fetching that group on that session.
    [[nodiscard]] bool fetches(std::uint64_t key, group_id id) noexcept {
        peer* p = find(key);
        return p != nullptr && p->fetches.find(number(id)) != nullptr;
    }
    [[nodiscard]] announcements& broadcasts() noexcept { return table_; }

private:
    using track_key = relaying::track_key;
    using query_key = relaying::query_key;
    using fetch_key = relaying::fetch_key;
    struct peer {
        std::uint64_t key = 0;
        bool leaving = false;      ///< GOAWAY reported.
        bool ended = false;        ///< session_closed handled.
        std::string alone;         ///< Above the broadcasts for it alone.
        bool is_relay = false;     ///< It announces broadcasts of others.
        std::size_t announced = 0; ///< Its announcements, by weight().
        bool over_share = false;   ///< The latest of them was refused.
        hop_id origin{};           ///< Its hop id, if its SETUP has one.
        relaying::shares shares;   ///< Our requests to it, by the session for which they were made.
        moqlite::detail::list<relaying::upstream_request, relaying::unanswered_tag>
            unanswered; ///< Unanswered SUBSCRIBEs, oldest first.
        std::optional<any_session> session;
        moqlite::detail::id_table<relaying::track*> subscriptions; ///< Our subscriptions to it.
        moqlite::detail::id_table<relaying::reader*> requests;     ///< Its subscriptions.
        moqlite::detail::list<relaying::reader, relaying::behind_tag>
            behind;                                                ///< Its readers with groups waiting in a log.
        moqlite::detail::id_table<relaying::track_query*> queries; ///< Our TRACKs to it.
        moqlite::detail::id_table<relaying::track_query*> waiting_queries; ///< Its unanswered TRACKs.
        moqlite::detail::id_table<relaying::group_fetch*> fetches;         ///< Our FETCHes to it, by group_id.
        moqlite::detail::id_table<relaying::group_fetch*> waiting_fetches; ///< Its FETCHes that are being served.
    };

    /// Local ends have numbers of their own, so that those of peers begin with 1.
    static constexpr std::uint64_t first_local_key = std::uint64_t{1} << 63;
    [[nodiscard]] static std::uint64_t shown_key(std::uint64_t key) noexcept { return key < first_local_key ? key : 0; }

    peer* find(std::uint64_t key) noexcept {
        const auto found = peers_.find(key);
        return found == peers_.end() ? nullptr : found->second.get();
    }
    /// Unread notices are dropped, except arrivals and departures.
    void notice(relay_notice n) {
        std::visit(
            [](auto& what) {
                if constexpr (requires { what.session; }) what.session = shown_key(what.session);
                if constexpr (requires { what.publisher; }) what.publisher = shown_key(what.publisher);
                if constexpr (requires { what.broadcast; })
                    if (path::is_private(what.broadcast)) what.broadcast = shown_name(what.broadcast);
            },
            n);
        const bool vital = std::holds_alternative<admission_wanted>(n) || std::holds_alternative<session_ended>(n);
        if (vital || notices_.size() < notices_max) notices_.push(std::move(n));
    }

    // impl/relay_local.hpp: applications of this process
    void handle_local(time_point now);
    [[nodiscard]] static std::optional<request_id> known_request(peer&, const event&) noexcept;
    /// A client is asked for everything that it publishes, a server for what is wanted of it alone: it may have much
    /// more, and it may announce that by a name above.
    static void watch_published(any_session& s) {
        const scope& allowed = s.allowed();
        if (s.side() == role::client) {
            for (const auto& prefix : allowed.publish) {
                std::string whole;
                path::join(allowed.root_of_published(), prefix, whole);
                static_cast<void>(s.watch_hidden(whole));
            }
        } else if (!allowed.publish.empty()) {
            static_cast<void>(s.watch_hidden(allowed.root_of_published()));
        }
    }
    // impl/relay_events.hpp: events of sessions
    void on(peer&, const setup_received&);
    void on(peer&, const broadcast_available&);
    void on(peer&, const broadcast_ended&);
    void on(peer&, const track_requested&);
    void on(peer&, const track_info_received&);
    void on(peer&, const track_refused&);
    void on(peer&, const subscribe_requested&);
    void on(peer&, const fetch_requested&);
    void on(peer&, const subscribe_updated&);
    void on(peer&, const groups_wanted&);
    void on(peer&, const request_ended&);
    void on(peer&, const group_lost&);
    void on(peer&, const group_delivered&);
    void on(peer&, const subscription_accepted&);
    void on(peer&, const subscription_end_known&);
    void on(peer&, const groups_dropped&);
    void on(peer&, const subscription_ended&);
    void on(peer&, const group_opened&);
    void on(peer&, const group_closed&);
    void on(peer&, const group_datagram&);
    void on(peer&, const goaway_received&);
    void on(peer&, const stream_rejected&);
    void on(peer&, const session_closed&);
    template <class Other>
    void on(peer&, const Other&) {}
    void await(peer& p, request_id request, relaying::track_query& info);
    template <class F>
    void answer(peer& source, query_id query, F&& f);
    void track_request_ended(peer& p, request_id request);
    void on_end(relaying::track& t, group_sequence end);
    void note_gap(relaying::track& t, const groups_dropped& gap);
    void end_cleanly(relaying::track&);
    void end_silent(time_point now);
    relaying::track* upstream_track(peer&, subscribe_id) noexcept;

    // impl/relay_repair.hpp: after a partially handled event
    void repair();
    void repair_readers();
    void repair_track(relaying::track& t);
    void repair_infos();
    void repair_fetches();
    void repair_announcements();
    void recount_shares();

    // impl/relay_announcements.hpp: which publisher serves a name
    [[nodiscard]] static std::size_t weight(std::string_view path) noexcept;
    [[nodiscard]] static std::string shown_name(std::string_view path);
    bool count_announcement(peer& p, std::string_view path);
    [[nodiscard]] std::vector<hop_id> identified(const peer& p, std::span<const hop_id> hops) const;
    [[nodiscard]] std::optional<route> best_route(std::string_view announced) const;
    void take_over(std::string_view announced, const std::optional<route>& before, std::uint64_t changer);
    void index_route(relaying::track& t);
    void index_under(relaying::track& t, std::string_view announced);
    void unindex_route(relaying::track& t) noexcept;
    [[nodiscard]] bool same_publisher(const route& a, const route& b) noexcept;
    void watch_earlier_sessions(std::string_view announced, const route& now);
    [[nodiscard]] static std::vector<std::uint64_t> sources_of(const announcements::entry* e);
    [[nodiscard]] bool is_announced_by(std::string_view announced, std::uint64_t source) const;
    void supersede(relaying::track& t);
    void watch_superseded(relaying::track& t);
    [[nodiscard]] time_point silent_until(const relaying::track& t, time_point since, duration least) noexcept;
    void cut_off_superseded(time_point now);
    [[nodiscard]] const track_info* known_info(const track_key& about);
    void forget_infos(std::string_view announced);
    void forget_infos_of_no_track(std::string_view announced);

    // impl/relay_shares.hpp: each session's share of the requests to a publisher
    bool may_ask(peer& source, std::uint64_t asker, relaying::request_kind kind, const track_ref& about);
    relaying::upstream_request* yielding(peer& source, std::uint64_t asker, const track_ref& about);
    [[nodiscard]] static track_ref named(const relaying::upstream_request& p);
    void end_request(peer& source, relaying::upstream_request& p, app_error code);
    void report_refused(std::uint64_t asker, const peer& source, const track_ref& about);
    void charge(peer& source, relaying::upstream_request& p, std::uint64_t asker);
    void discharge(relaying::upstream_request& p);
    void pass_charge(relaying::upstream_request& p, std::uint64_t asker);
    void pass_charge(relaying::track& t);
    void revalue(relaying::upstream_request& p, relaying::delivery delivered, std::size_t sessions);
    void note_delivery(relaying::upstream_request& p, relaying::delivery what);
    void end_overdue(time_point now);

    // impl/relay_fetch.hpp
    peer* next_source(relaying::group_fetch& f);
    errc ask_next(relaying::group_fetch& f);
    void fetch_failed(relaying::group_fetch& f, app_error code);
    bool serve_fetched(peer& p, request_id request, relaying::group_fetch& f);
    bool begin_fetched(relaying::group_fetch& f);
    bool keep_fetching(relaying::group_fetch& f, app_error code = app_error::cancel);
    void end_silent_fetches(time_point now);
    void on(peer&, const frame_data&);
    void fetch_ended(peer& source, const group_closed& e);
    void fetch_request_ended(peer& p, request_id request, app_error code);
    relaying::group_fetch* shareable_fetch(const fetch_key& wanted, const frame_range& frames, const peer& asker);
    void forget(relaying::group_fetch& f);

    // impl/relay_fill.hpp: groups that a publisher has cut off
    bool fill(peer& source, relaying::track& t, relaying::log_entry& entry, std::uint64_t asker);
    bool fill_for(const relaying::reader& r, relaying::log_entry& entry);
    void filled(relaying::group_fetch& f, bool complete);
    void complete_filled(relaying::group_fetch& f);
    void stop_filling(relaying::track& t);
    static void store(group& g, const frame_data& e);

    // impl/relay_tracks.hpp: readers of tracks
    [[nodiscard]] std::optional<track_key> asked_for(peer& p, const track_ref& what);
    peer* source_of(std::string_view broadcast, std::uint64_t asker);
    [[nodiscard]] static bool leads_back(const route& way, const peer& to) noexcept;
    relaying::track* known_track(const track_key& about);
    relaying::track* find_or_open(std::string_view broadcast, std::string_view name, std::uint64_t asker,
        const subscribe_options& options, errc& why);
    relaying::track* open(
        const track_ref& which, peer& source, std::uint64_t asker, const subscribe_options& options, errc& why);
    void join(relaying::track& t, relaying::reader& r);
    void accept(relaying::track& t, relaying::reader& r);
    [[nodiscard]] const track_info* info_of(const relaying::track& t);
    [[nodiscard]] std::optional<group_sequence> first_cached(relaying::track& t, const relaying::reader& r);
    [[nodiscard]] bool starts_by_age(std::uint64_t key) noexcept;
    subscribe_options with_start(subscribe_options options, std::uint64_t asker, std::uint64_t source) noexcept;
    void set_timescale(relaying::reader& r, const track_info& info);
    void serve(relaying::reader& r, relaying::log_entry& e);
    void drop(relaying::reader& r, group_sequence first, group_sequence last, app_error code);
    void lose(relaying::track& t, relaying::reader& r, group_sequence first, group_sequence last);
    void serve_up_to_cap(relaying::track& t, relaying::reader& r, group_sequence from);
    void finish_if_served(relaying::track& t, relaying::reader& r);
    void attach(relaying::track& t, relaying::reader& r);
    static void detach(relaying::reader& r) noexcept;
    void leave(relaying::reader& r, app_error code = app_error::cancel, bool delivered = false);
    template <class F>
    void tell_publisher(const relaying::track& t, F&& tell);
    void release(relaying::track& t);
    void set_options(relaying::reader& r, const subscribe_options& now);
    void abandon(relaying::track& t, app_error code = app_error::cancel);
    void unsubscribe(relaying::track& t, app_error code = app_error::cancel);
    void ask_upstream(relaying::track& t);
    static void note_requested_end(relaying::track& t);
    void resubscribe(relaying::track& t);
    void cut_off(relaying::track& t, app_error code);
    void retire(relaying::track& t);
    void unlist(relaying::track& t, const track_key& key);
    void destroy_if_unused(relaying::track& t);
    void expire_ended(time_point now);
    void note_end(relaying::track& t);
    void forget_end(relaying::track& t) noexcept;
    void stop_arriving(relaying::source from);

    // impl/relay_backlog.hpp: complete readers that are slower than their publisher
    [[nodiscard]] bool must_wait(relaying::reader& r, any_session& s, group_sequence sequence);
    void resume(relaying::reader& r);
    void resume_behind(peer& p, request_id request);

    // impl/relay_live.hpp: live readers beside complete ones
    [[nodiscard]] static bool is_held_back(const relaying::track& t) noexcept;
    relaying::track* track_for(relaying::track& t, std::uint64_t asker, const subscribe_options& options, errc& why);
    relaying::track* open_main(relaying::track& live, std::uint64_t asker, const subscribe_options& options, errc& why);
    void open_second(relaying::track& t, std::uint64_t asker, const subscribe_options& options);
    void free_live_readers(relaying::track& t);
    void change_track(relaying::reader& r, relaying::track& to);
    void move(relaying::reader& r, relaying::track& to);
    bool rejoin(relaying::track& second);
    void leave_live(relaying::reader& r);
    void drain(relaying::track& live);
    [[nodiscard]] static bool serves_arriving_groups(relaying::track& t);
    void resubscribe_earlier(relaying::track& t, std::optional<group_sequence> start);

    static constexpr std::size_t notices_max = 4096;
    static constexpr std::size_t infos_max = 4096;
    static constexpr std::size_t ended_max = 1024;        ///< Complete tracks.
    static constexpr std::size_t tried_max = 8;           ///< Publishers asked in turn for one group.
    static constexpr std::size_t overdue_max = 64;        ///< SUBSCRIBEs examined for one that is overdue.
    static constexpr std::size_t requested_ends_max = 64; ///< Per track: earlier Group Ends that may still be in force.
    static constexpr std::size_t gaps_max = 64;           ///< Per track.
    static constexpr std::uint8_t fills_max = 4;          ///< FETCHes for the rest of one group.
    relay_options options_;
    slab_pool pool_;
    ready_list ready_;
    ready_list local_ready_; ///< Local ends that have commanded something.
    std::size_t locals_ = 0;
    announcements table_;
    relaying::cache cache_;
    moqlite::detail::object_pool<relaying::reader> readers_;
    moqlite::detail::object_pool<relaying::track> tracks_;
    std::map<track_key, relaying::track*> index_;
    /// The same tracks by announced path and upstream session; those whose end is known under 0.
    std::map<std::pair<std::string, std::uint64_t>, moqlite::detail::list<relaying::track, relaying::route_tag>,
        relaying::route_less>
        tracks_by_route_;
    relaying::info_table infos_{infos_max}; ///< Kept while the broadcast is announced or the track is here.
    std::set<std::unique_ptr<relaying::track_query>, relaying::by_about> track_queries_;
    /// One per group, or more if the beginning of an earlier one is gone.
    std::multiset<std::unique_ptr<relaying::group_fetch>, relaying::by_about> group_fetches_;
    /// Fetches that have begun, longest silent first.
    moqlite::detail::list<relaying::group_fetch, relaying::moving_tag> moving_;
    std::unordered_map<std::uint64_t, std::unique_ptr<peer>> peers_;
    moqlite::detail::ring<relay_notice> notices_;
    relaying::track_timers ended_;                                       ///< When to forget complete tracks.
    relaying::by_source<relaying::track, relaying::ended_tag> ended_of_; ///< The same tracks by publisher.
    /// When to cut off the readers of superseded publishers.
    relaying::track_timers superseded_;
    relaying::track_timers suspected_ends_; ///< When a suspected end becomes certain.
    std::uint64_t next_key_ = 1;            ///< Of a session.
    std::uint64_t next_local_key_ = first_local_key;
    std::size_t announced_ = 0; ///< Announcements of all peers, by weight().
    std::uint64_t groups_lost_ = 0;
    std::uint64_t groups_too_old_ = 0;
    std::uint64_t datagrams_lost_ = 0;
    std::uint64_t requests_refused_ = 0;
    std::uint64_t requests_overdue_ = 0;
    moqlite::detail::list<relaying::upstream_request, relaying::unanswered_tag>
        unanswered_;            ///< Unanswered TRACKs and FETCHes, oldest first.
    bool reclaiming_ = false;   ///< Prevents recursion: a request is being reclaimed.
    bool needs_repair_ = false; ///< An event was handled only in part, for lack of memory.
    time_point now_{};
};

inline result<std::uint64_t> relay::add(
    role side, std::string_view alpn, time_point now, std::string path, std::string alone) {
    now_ = now;
    auto p = std::make_unique<peer>();
    p->key = next_key_++;
    p->alone = alone;
    session_options o{.bounds = options_.bounds,
        .path = std::move(path),
        .origin = options_.origin,
        .epoch = options_.epoch,
        .pool = &pool_,
        .table = &table_,
        .ready = &ready_,
        .key = p->key,
        .reports_path = options_.reports_path,
        .alone = std::move(alone)};
    if (const auto made = acceptor{side}.make(alpn, std::move(o), now, p->session); !made) return made.error();
    const auto key = p->key;
    peers_.emplace(key, std::move(p));
    return key;
}

inline result<void> relay::admit(std::uint64_t key, scope allowed) {
    any_session* s = session(key);
    if (s == nullptr) return errc::not_found;
    if (const auto admitted = s->admit(std::move(allowed)); !admitted) return admitted;
    if (s->side() == role::server) watch_published(*s);
    return {};
}

inline result<void> relay::refuse(std::uint64_t key, app_error code, std::string_view reason) {
    any_session* s = session(key);
    if (s == nullptr) return errc::not_found;
    return s->refuse(code, reason);
}

inline std::optional<time_point> relay::deadline() noexcept {
    if (needs_repair_ || !local_ready_.empty()) return now_;
    auto at = cache_.deadline();
    const auto also = [&](time_point then) { at = at ? std::min(*at, then) : then; };
    if (!ended_.empty()) also(ended_.begin()->first);
    if (!unanswered_.empty()) also(unanswered_.front().since + options_.bounds.request_timeout);
    if (!moving_.empty()) also(moving_.front().moved_at + options_.bounds.request_timeout);
    if (!superseded_.empty()) also(superseded_.begin()->first);
    if (!suspected_ends_.empty()) also(suspected_ends_.begin()->first);
    return at;
}

inline void relay::tick(time_point now) {
    now_ = now;
    if (std::exchange(needs_repair_, true)) repair();
    handle_local(now);
    cache_.enforce(now, [this](relaying::source from) { stop_arriving(from); });
    expire_ended(now);
    cut_off_superseded(now);
    end_silent(now);
    end_overdue(now);
    end_silent_fetches(now);
    needs_repair_ = false;
}

inline relay_stats relay::stats() const noexcept {
    return {.sessions = peers_.size() - locals_,
        .broadcasts = table_.size(),
        .tracks = tracks_.size(),
        .readers = readers_.size(),
        .cached_bytes = cache_.bytes(),
        .memory = pool_.in_use(),
        .groups_lost = groups_lost_,
        .groups_too_old = groups_too_old_,
        .requests_refused = requests_refused_,
        .requests_overdue = requests_overdue_,
        .datagrams_lost = datagrams_lost_};
}

} // namespace moqlite

#include <moqlite/relay/impl/relay_announcements.hpp>
#include <moqlite/relay/impl/relay_backlog.hpp>
#include <moqlite/relay/impl/relay_events.hpp>
#include <moqlite/relay/impl/relay_fetch.hpp>
#include <moqlite/relay/impl/relay_fill.hpp>
#include <moqlite/relay/impl/relay_live.hpp>
#include <moqlite/relay/impl/relay_local.hpp>
#include <moqlite/relay/impl/relay_repair.hpp>
#include <moqlite/relay/impl/relay_shares.hpp>
#include <moqlite/relay/impl/relay_tracks.hpp>
