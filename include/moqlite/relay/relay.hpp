// A relay: many sessions, one table of broadcasts, one upstream subscription a track. Sans-I/O.
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
#include <moqlite/relay/share.hpp>
#include <moqlite/relay/track.hpp>
#include <moqlite/session/acceptor.hpp>
#include <moqlite/session/announcements.hpp>
#include <moqlite/session/any_session.hpp>
#include <moqlite/session/ready.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace moqlite {

struct relay_options {
    limits bounds{};
    hop_id origin{};           ///< Our own hop, different for every relay; 0 says nothing and stops no loops.
    time_point epoch{};        ///< From which the times of frames count that came without: once a process.
    bool reports_path = false; ///< path_measured() will be told, and subscribers may ask for it (PROBE).
};

// What a relay tells its operator.

/// A peer wants to come in with this path; answer with relay::admit() or relay::refuse().
struct admission_wanted {
    std::uint64_t session = 0;
    std::string path; ///< And query.
};
struct session_ended {
    std::uint64_t session = 0;
    session_closed how;
    std::string reason;
};
struct peer_misbehaved {
    std::uint64_t session = 0;
    stream_id stream{};
    errc why = errc::ok;
};
struct broadcast_changed {
    std::uint64_t session = 0;
    std::string path;
    bool available = false;
};
/// A peer will leave, and asks us to connect again: to `uri`, or to the same place.
struct peer_leaving {
    std::uint64_t session = 0;
    std::string uri;
};
/// A reader was too slow, or the cache too small: groups were not delivered to it.
struct reader_lost_group {
    std::uint64_t session = 0;
    std::string broadcast;
    std::string track;
    group_sequence sequence{};
    app_error code = app_error::cancel;
};
/// A request was refused to `session`: its share of what `publisher` takes is used up, or that takes no more.
struct request_refused {
    std::uint64_t session = 0;
    std::uint64_t publisher = 0;
    std::string broadcast;
    std::string track;
};
/// A group that still grows has outgrown the cache: who comes now gets nothing of the track until it ends.
struct group_outgrew_cache {
    std::uint64_t publisher = 0;
    std::string broadcast;
    std::string track;
    group_sequence sequence{};
    std::uint64_t bytes = 0;
};
using relay_notice = std::variant<admission_wanted, session_ended, peer_misbehaved, peer_leaving, broadcast_changed,
    reader_lost_group, request_refused, group_outgrew_cache>;

struct relay_stats {
    std::size_t sessions = 0;
    std::size_t broadcasts = 0;
    std::size_t tracks = 0;
    std::size_t readers = 0;
    std::size_t cached_bytes = 0;       ///< Complete groups in the cache.
    std::size_t memory = 0;             ///< Slabs in use: cached, arriving, and held by readers.
    std::uint64_t groups_lost = 0;      ///< Not delivered to a reader that wanted them.
    std::uint64_t requests_refused = 0; ///< Beyond the asker's share of a publisher, or what that takes.
    std::uint64_t requests_overdue = 0; ///< TRACKs and FETCHes that a publisher did not answer, or go on with, in time.
    std::uint64_t datagrams_lost = 0;   ///< Not passed on: the version of a reader has none, or it is too large.
};

/// Feed each session its inputs, and handle() its events; poll_ready() names the sessions that want
/// to be pumped, whoever caused it. Nothing here loops over all sessions, tracks or readers.
class relay {
public:
    explicit relay(relay_options options)
        : options_(std::move(options)), pool_(options_.bounds.memory), cache_(pool_, options_.bounds) {}
    relay(const relay&) = delete;
    relay& operator=(const relay&) = delete;

    // Sessions.

    /// A session on a new connection, by its ALPN; errc::unsupported: nobody here speaks it. `path` is
    /// a client's: where we connect to; or that of the request that a server's connection came with.
    result<std::uint64_t> add(role side, std::string_view alpn, time_point now, std::string path = {});
    /// nullptr: there is none (any more).
    [[nodiscard]] any_session* session(std::uint64_t key) noexcept {
        peer* p = find(key);
        return p != nullptr ? &*p->session : nullptr;
    }
    /// Acts on an event of that session. Call it for every one.
    void handle(std::uint64_t key, const event& e, time_point now) {
        now_ = now;
        peer* p = find(key);
        if (p == nullptr) return;
        // An exception of the caller's, std::bad_alloc, leaves it set.
        const bool before = std::exchange(needs_repair_, true);
        std::visit([&](const auto& what) { on(*p, what); }, e);
        needs_repair_ = before;
    }
    /// Lets a peer in, and begins to watch what it announces.
    result<void> admit(std::uint64_t key, scope allowed);
    result<void> refuse(std::uint64_t key, app_error code = app_error::unauthorized);
    /// Forgets a session, after its session_closed has been handled; or because that found no memory: what it leaves
    /// behind is cleared away by the next tick().
    void remove(std::uint64_t key) noexcept {
        const auto found = peers_.find(key);
        if (found == peers_.end()) return;
        needs_repair_ = needs_repair_ || !found->second->ended;
        announced_ -= found->second->announced;
        peers_.erase(found);
    }

    /// A session that wants to be pumped; nullopt: none.
    [[nodiscard]] std::optional<std::uint64_t> poll_ready() noexcept { return ready_.pop(); }
    [[nodiscard]] std::optional<relay_notice> poll_notice() {
        if (notices_.empty()) return std::nullopt;
        return notices_.pop();
    }

    // Time and memory.

    [[nodiscard]] std::optional<time_point> deadline() noexcept;
    /// Keeps the cache within its bounds. Call it once a turn; it costs nothing when there is nothing to do.
    void tick(time_point now);
    /// Returns memory kept for reuse to the heap.
    void trim() noexcept { pool_.trim(); }

    [[nodiscard]] relay_stats stats() const noexcept;
    /// Whether a subscription on that session is one of the relay's, neither left nor ended.
    [[nodiscard]] bool follows(std::uint64_t key, subscribe_id id) noexcept {
        peer* p = find(key);
        return p != nullptr && p->subscriptions.find(number(id)) != nullptr;
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
        bool leaving = false;      ///< Its GOAWAY was reported.
        bool ended = false;        ///< Its session_closed was handled.
        bool relays = false;       ///< It announces what comes from others.
        std::size_t announced = 0; ///< By weight().
        hop_id origin{};           ///< Its hop, where its SETUP named it.
        relaying::shares shares;   ///< What we ask of it, by the session for which we do.
        moqlite::detail::list<relaying::place, relaying::unanswered_tag> unanswered; ///< SUBSCRIBEs, the oldest first.
        std::optional<any_session> session;
        moqlite::detail::id_table<relaying::track*> subscriptions;            ///< Ours, upstream.
        moqlite::detail::id_table<relaying::reader*> requests;                ///< Theirs.
        moqlite::detail::list<relaying::reader, relaying::behind_tag> behind; ///< Those for which groups wait in a log.
        moqlite::detail::id_table<relaying::asking*> queries;                 ///< TRACKs of ours, upstream.
        moqlite::detail::id_table<relaying::asking*> asked;                   ///< TRACKs of theirs that wait.
        moqlite::detail::id_table<relaying::fetching*> fetches; ///< FETCHes of ours, upstream, by group_id.
        moqlite::detail::id_table<relaying::fetching*> fetched; ///< FETCHes of theirs whose groups are coming.
    };

    peer* find(std::uint64_t key) noexcept {
        const auto found = peers_.find(key);
        return found == peers_.end() ? nullptr : found->second.get();
    }
    /// What nobody reads is dropped; but who comes and goes is always told.
    void notice(relay_notice n) {
        const bool vital = std::holds_alternative<admission_wanted>(n) || std::holds_alternative<session_ended>(n);
        if (vital || notices_.size() < most_notices) notices_.push(std::move(n));
    }

    // impl/relay_events.hpp: what sessions say
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
    void await(peer& p, request_id request, relaying::asking& info);
    template <class F>
    void answer(peer& source, query_id query, F&& f);
    void info_left(peer& p, request_id request);
    void on_end(relaying::track& t, group_sequence end);
    void end_well(relaying::track&);
    void end_silent(time_point now);
    relaying::track* upstream_track(peer&, subscribe_id) noexcept;

    // impl/relay_repair.hpp: after an event that was handled in part
    void repair();
    void repair_readers();
    void repair_track(relaying::track& t);
    void repair_infos();
    void repair_fetches();
    void repair_announcements();
    void recount_shares();

    // impl/relay_announcements.hpp: whose tracks are present
    [[nodiscard]] static std::size_t weight(std::string_view path) noexcept;
    bool count_announcement(peer& p, std::string_view path);
    [[nodiscard]] std::optional<route> best_route(std::string_view announced) const;
    void take_over(std::string_view announced, const std::optional<route>& before, std::uint64_t changer);
    void file(relaying::track& t);
    void file_under(relaying::track& t, std::string_view announced);
    void unfile(relaying::track& t) noexcept;
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

    // impl/relay_shares.hpp: how much of a publisher each session may ask for
    bool may_ask(peer& source, std::uint64_t asker, relaying::request_kind kind, const track_ref& about);
    relaying::place* yielding(peer& source, std::uint64_t asker, const track_ref& about);
    [[nodiscard]] static track_ref named(const relaying::place& p);
    void end_request(peer& source, relaying::place& p, app_error code);
    void report_refused(std::uint64_t asker, const peer& source, const track_ref& about);
    void charge(peer& source, relaying::place& p, std::uint64_t asker);
    void discharge(relaying::place& p);
    void pass_charge(relaying::place& p, std::uint64_t asker);
    void pass_charge(relaying::track& t);
    void revalue(relaying::place& p, relaying::yield brings, std::size_t sessions);
    void has_brought(relaying::place& p, relaying::yield what);
    void end_overdue(time_point now);

    // impl/relay_fetch.hpp
    peer* next_source(relaying::fetching& f);
    errc ask_next(relaying::fetching& f);
    void fetch_failed(relaying::fetching& f, app_error code);
    void begin_fetched(relaying::fetching& f);
    void end_silent_fetches(time_point now);
    void on(peer&, const frame_data&);
    void fetch_ended(peer& source, const group_closed& e);
    void fetch_left(peer& p, request_id request);
    relaying::fetching* coming(const fetch_key& wanted, const peer& asking);
    void forget(relaying::fetching& f);

    // impl/relay_tracks.hpp: who gets what
    peer* source_of(std::string_view broadcast, std::uint64_t asking);
    relaying::track* known_track(const track_key& about);
    relaying::track* find_or_open(std::string_view broadcast, std::string_view name, std::uint64_t asking,
        const subscribe_options& options, errc& why);
    relaying::track* open(
        const track_ref& which, peer& source, std::uint64_t asking, const subscribe_options& options, errc& why);
    void join(relaying::track& t, relaying::reader& r);
    void accept(relaying::track& t, relaying::reader& r);
    void serve(relaying::reader& r, relaying::log_entry& e);
    void drop(relaying::reader& r, group_sequence first, group_sequence last, app_error code);
    void lose(relaying::track& t, relaying::reader& r, group_sequence first, group_sequence last);
    void serve_up_to_cap(relaying::track& t, relaying::reader& r, group_sequence from);
    void finish_if_served(relaying::track& t, relaying::reader& r);
    void attach(relaying::track& t, relaying::reader& r);
    static void detach(relaying::reader& r) noexcept;
    void leave(relaying::reader& r);
    void set_options(relaying::reader& r, const subscribe_options& now);
    void abandon(relaying::track& t);
    void unsubscribe(relaying::track& t);
    void ask_upstream(relaying::track& t);
    static void note_asked_end(relaying::track& t);
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
    void go_on(relaying::reader& r);
    void go_on_behind(peer& p, request_id request);

    // impl/relay_live.hpp: live readers beside complete ones
    [[nodiscard]] static bool is_held_back(const relaying::track& t) noexcept;
    relaying::track* track_for(relaying::track& t, std::uint64_t asking, const subscribe_options& options, errc& why);
    relaying::track* open_main(
        relaying::track& live, std::uint64_t asking, const subscribe_options& options, errc& why);
    void open_second(relaying::track& t, std::uint64_t asking, const subscribe_options& options);
    void free_live_readers(relaying::track& t);
    void change_track(relaying::reader& r, relaying::track& to);
    void move(relaying::reader& r, relaying::track& to);
    bool rejoin(relaying::track& second);
    void leave_live(relaying::reader& r);
    void drain(relaying::track& live);
    [[nodiscard]] static bool is_read_as_it_arrives(relaying::track& t);
    void ask_from_earlier(relaying::track& t, std::optional<group_sequence> start);

    static constexpr std::size_t most_notices = 4096;
    static constexpr std::size_t most_infos = 4096;
    static constexpr std::size_t most_ended = 1024;    ///< Tracks that are complete.
    static constexpr std::size_t most_tried = 8;       ///< Publishers that are asked for one group, in turn.
    static constexpr std::size_t most_overdue = 64;    ///< SUBSCRIBEs that are looked at for one whose place is needed.
    static constexpr std::size_t most_asked_ends = 64; ///< Of one track, that its publisher may not have read yet.
    static constexpr std::size_t most_gaps = 64;       ///< Of one track.
    relay_options options_;
    slab_pool pool_;
    ready_list ready_;
    announcements table_;
    relaying::cache cache_;
    moqlite::detail::object_pool<relaying::reader> readers_;
    moqlite::detail::object_pool<relaying::track> tracks_;
    std::map<track_key, relaying::track*> index_;
    /// The same tracks by the path that is announced and the session that they come from; those whose end is known by
    /// 0.
    std::map<std::pair<std::string, std::uint64_t>, moqlite::detail::list<relaying::track, relaying::way_tag>,
        relaying::way_less>
        ways_;
    relaying::info_table infos_{most_infos}; ///< As long as the broadcast is announced, or the track is here.
    std::set<std::unique_ptr<relaying::asking>, relaying::by_about> asking_;
    /// One of a group, but where its beginning had gone.
    std::multiset<std::unique_ptr<relaying::fetching>, relaying::by_about> fetching_;
    /// Those that have begun, the longest silent first.
    moqlite::detail::list<relaying::fetching, relaying::moving_tag> moving_;
    std::unordered_map<std::uint64_t, std::unique_ptr<peer>> peers_;
    moqlite::detail::ring<relay_notice> notices_;
    relaying::track_timers ended_;                                       ///< Complete tracks, until they are forgotten.
    relaying::by_source<relaying::track, relaying::ended_tag> ended_of_; ///< The same.
    /// Tracks that still have readers, of publishers that another one took over, until those are silent for too long.
    relaying::track_timers superseded_;
    relaying::track_timers perhaps_over_; ///< Tracks that have ended unless more comes by then.
    std::uint64_t next_key_ = 1;
    std::size_t announced_ = 0; ///< By all peers, by weight().
    std::uint64_t groups_lost_ = 0;
    std::uint64_t datagrams_lost_ = 0;
    std::uint64_t requests_refused_ = 0;
    std::uint64_t requests_overdue_ = 0;
    moqlite::detail::list<relaying::place, relaying::unanswered_tag> unanswered_; ///< TRACKs and FETCHes, oldest first.
    bool taking_back_ = false;  ///< No place is taken to make up for one that is being taken.
    bool needs_repair_ = false; ///< An event was not handled to its end: there was no memory.
    time_point now_{};
};

inline result<std::uint64_t> relay::add(role side, std::string_view alpn, time_point now, std::string path) {
    now_ = now;
    auto p = std::make_unique<peer>();
    p->key = next_key_++;
    session_options o{.bounds = options_.bounds,
        .path = std::move(path),
        .origin = options_.origin,
        .epoch = options_.epoch,
        .pool = &pool_,
        .table = &table_,
        .ready = &ready_,
        .key = p->key,
        .reports_path = options_.reports_path};
    if (const auto made = acceptor{side}.make(alpn, std::move(o), now, p->session); !made) return made.error();
    const auto key = p->key;
    peers_.emplace(key, std::move(p));
    return key;
}

inline result<void> relay::admit(std::uint64_t key, scope allowed) {
    any_session* s = session(key);
    if (s == nullptr) return errc::not_found;
    const auto root = allowed.root;
    const bool may_publish = !allowed.publish.empty();
    if (const auto admitted = s->admit(std::move(allowed)); !admitted) return admitted;
    if (may_publish) static_cast<void>(s->watch(root));
    return {};
}

inline result<void> relay::refuse(std::uint64_t key, app_error code) {
    any_session* s = session(key);
    if (s == nullptr) return errc::not_found;
    return s->refuse(code);
}

inline std::optional<time_point> relay::deadline() noexcept {
    if (needs_repair_) return now_;
    auto at = cache_.deadline();
    const auto also = [&](time_point then) { at = at ? std::min(*at, then) : then; };
    if (!ended_.empty()) also(ended_.begin()->first);
    if (!unanswered_.empty()) also(unanswered_.front().since + options_.bounds.request_timeout);
    if (!moving_.empty()) also(moving_.front().moved_at + options_.bounds.request_timeout);
    if (!superseded_.empty()) also(superseded_.begin()->first);
    if (!perhaps_over_.empty()) also(perhaps_over_.begin()->first);
    return at;
}

inline void relay::tick(time_point now) {
    now_ = now;
    if (std::exchange(needs_repair_, true)) repair();
    cache_.enforce(now, [this](relaying::source from) { stop_arriving(from); });
    expire_ended(now);
    cut_off_superseded(now);
    end_silent(now);
    end_overdue(now);
    end_silent_fetches(now);
    needs_repair_ = false;
}

inline relay_stats relay::stats() const noexcept {
    return {.sessions = peers_.size(),
        .broadcasts = table_.size(),
        .tracks = tracks_.size(),
        .readers = readers_.size(),
        .cached_bytes = cache_.bytes(),
        .memory = pool_.in_use(),
        .groups_lost = groups_lost_,
        .requests_refused = requests_refused_,
        .requests_overdue = requests_overdue_,
        .datagrams_lost = datagrams_lost_};
}

} // namespace moqlite

#include <moqlite/relay/impl/relay_announcements.hpp>
#include <moqlite/relay/impl/relay_backlog.hpp>
#include <moqlite/relay/impl/relay_events.hpp>
#include <moqlite/relay/impl/relay_fetch.hpp>
#include <moqlite/relay/impl/relay_live.hpp>
#include <moqlite/relay/impl/relay_repair.hpp>
#include <moqlite/relay/impl/relay_shares.hpp>
#include <moqlite/relay/impl/relay_tracks.hpp>
