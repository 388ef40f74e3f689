// A session within one process: what one end commands, the other gets as an event, and groups are lent, not copied.
#pragma once

#include <cstdint>
#include <moqlite/containers/id_table.hpp>
#include <moqlite/containers/list.hpp>
#include <moqlite/containers/object_pool.hpp>
#include <moqlite/containers/ring.hpp>
#include <moqlite/core/path.hpp>
#include <moqlite/core/protocol.hpp>
#include <moqlite/core/result.hpp>
#include <moqlite/session/announcements.hpp>
#include <moqlite/session/detail/without_transport.hpp>
#include <moqlite/session/event.hpp>
#include <moqlite/session/frame_cursor.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/session/ready.hpp>
#include <moqlite/session/scope.hpp>
#include <moqlite/session/session.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace moqlite {

/// Options of one end. Objects that it points to must outlive the end.
struct local_options {
    limits bounds{};
    slab_pool* pool = nullptr;      ///< Memory of the groups that it makes; nullptr: its own.
    announcements* table = nullptr; ///< The broadcasts that it announces; nullptr: its own.
    ready_list* ready = nullptr;    ///< The list on which it asks for its events to be polled.
    std::uint64_t key = 0;          ///< Its key on that list, and the `source` of the routes that its peer announced.
    bool hears_private = false;     ///< Of broadcasts that its peer announces for one session alone.
    /// It serves others what it gets: a subscription that its publisher has finished lasts until unsubscribe(), which
    /// says that all of them have everything. Until then joined() and left() tell the publisher of them.
    bool passes_on = false;
};

/// One of two ends that are joined. An end has the commands and events of a session, and no inputs and outputs: its
/// peer is in the same thread. So a relay serves an application in its own process as it serves any session, and
/// track_reader and track_writer work on an end as they do on a session. A group that one end serves reaches the other
/// as itself: adopt() and share() lend it, so that its frames are neither copied nor encoded again.
/// Destroying one end closes the other.
class local_session : public detail::without_transport {
public:
    explicit local_session(const local_options& options)
        : bounds_(options.bounds),
          pool_(options.pool != nullptr ? options.pool : &own_pool_),
          table_(options.table != nullptr ? options.table : &own_table_),
          key_(options.key),
          hears_private_(options.hears_private),
          passes_on_(options.passes_on),
          ready_(options.ready, options.key),
          arriving_(options.bounds.live_groups) {
        wake_.entry = &ready_;
    }
    local_session(const local_session&) = delete;
    local_session& operator=(const local_session&) = delete;
    ~local_session() { part({app_error::cancel, errc::peer_closed, true, {}}); }

    /// Precondition: both are new.
    void join(local_session& peer) noexcept {
        peer_ = &peer;
        peer.peer_ = this;
    }

    // Events.

    /// Views in the event are valid until the next call.
    [[nodiscard]] std::optional<event> poll_event();

    /// The event that was polled last comes again, unless it has been withdrawn: std::bad_alloc has left its handler.
    void put_back(const event& e) noexcept {
        // A piece of a frame comes again from its group, which is on our list.
        if (std::exchange(reported_, nullptr) == nullptr) put_back_ = e;
        ready_.mark();
    }

    // Commands; documented at session. Those that only a transport could carry out return errc::unsupported.

    result<void> admit(const scope&) noexcept { return {}; }
    void alone(const std::string&) noexcept {}
    result<void> refuse(app_error code, std::string_view reason) {
        close(code, reason);
        return {};
    }
    result<watch_id> watch(std::string_view prefix) { return watch(prefix, false); }
    result<watch_id> watch_hidden(std::string_view prefix) { return watch(prefix, true); }
    result<void> unwatch(watch_id id);
    result<void> decline(watch_id id, std::string_view path);
    result<subscribe_id> subscribe(const track_ref& track, const subscribe_options& options = {});
    result<void> update(subscribe_id id, const subscribe_changes& changes);
    result<void> repeat_update(subscribe_id id) noexcept;
    result<void> unsubscribe(subscribe_id id, app_error code = app_error::cancel);
    /// A reader of ours is served the track of that subscription, from this group on.
    void joined(subscribe_id id, group_sequence first);
    /// It is no more. `how.request` is not used.
    void left(subscribe_id id, reader_left how);
    result<query_id> request_track(const track_ref& track);
    result<void> cancel(query_id id);
    result<group_id> fetch(
        const track_ref& track, group_sequence sequence, priority urgency = 128, const frame_range& frames = {});
    /// Lends a group that was opened, in answer to group_opened, or null: group_grown follows instead of frame_data.
    [[nodiscard]] group_ref share(group_id id) noexcept;
    /// The same, and takes it over: stop(), and an end of the session, abort it. unsubscribe() does not: others may
    /// read it.
    [[nodiscard]] group_ref adopt(group_id id) noexcept;
    result<void> collect(group_id, const group_ref&) noexcept { return errc::unsupported; }
    /// Of a lent group, on a subscription with a Group End: others are not held back.
    result<void> release(group_id id, std::uint64_t bytes) noexcept;
    result<void> stop(group_id id, app_error code);
    result<void> probe(std::optional<std::uint64_t> = {}) noexcept { return errc::unsupported; }
    void stop_probe() noexcept {}
    result<void> announce(std::string_view path, std::vector<hop_id> hops = {});
    result<void> unannounce(std::string_view path);
    result<void> answer_track(request_id id, const track_info& info);
    result<void> set_timescale(request_id, std::uint64_t) noexcept { return {}; }
    result<void> accept(request_id id, std::optional<group_sequence> start = {}, priority publisher = 0);
    result<void> reject(request_id id, app_error code, std::string_view reason = {});
    result<void> serve(request_id id, const group_ref& g);
    result<group_ref> open_group(request_id id, group_sequence sequence);
    result<void> serve_datagram(request_id id, group_sequence sequence, timestamp time, byte_view payload);
    result<void> drop(request_id id, group_sequence first, group_sequence last, app_error code);
    result<void> end_track(request_id id, group_sequence end);
    result<void> finish(request_id id);
    result<void> goaway(std::string_view = {}) noexcept { return errc::unsupported; }
    void close(app_error code, std::string_view reason = {}) { part({code, errc::closed, false, reason}); }
    void connection_closed(const closed_by& how, time_point) { close(how.code, how.reason); }

    // Facts.

    [[nodiscard]] bool takes_more(request_id id) noexcept;
    /// Nothing waits here: what was served is its reader's.
    [[nodiscard]] std::uint64_t unsent(request_id) const noexcept { return 0; }
    [[nodiscard]] slab_pool& pool() noexcept { return *pool_; }
    [[nodiscard]] announcements& table() noexcept { return *table_; }
    [[nodiscard]] std::uint64_t peer_inputs() const noexcept { return inputs_; }
    [[nodiscard]] std::optional<std::uint64_t> requests_left() const noexcept { return requests_max; }
    [[nodiscard]] duration rtt() const noexcept { return {}; }
    [[nodiscard]] bool is_closed() const noexcept { return closed_.has_value(); }
    [[nodiscard]] protocol negotiated() const noexcept { return protocol::local(); }
    [[nodiscard]] protocol_features features() const noexcept {
        return {.frames = frames_of(version::lite_06),
            .track_info = true,
            .subscribe_end = true,
            .passes_on = peer_ != nullptr && peer_->passes_on_};
    }
    /// Neither end waits to be admitted.
    [[nodiscard]] role side() const noexcept { return role::client; }
    [[nodiscard]] bool reads_raw_codes() const noexcept { return false; }
    [[nodiscard]] app_error close_code(app_error code) const noexcept { return code; }
    [[nodiscard]] const scope& allowed() const noexcept { return everything_; }
    template <class F>
    void for_each_available(F&& f) {
        for (const auto& [path, watch] : available_) f(std::string_view{path});
    }

private:
    struct arriving;
    struct of_subscription_tag;
    using groups = detail::list<arriving, of_subscription_tag>;
    /// A subscription of ours: our peer serves it.
    struct subscription : detail::list_hook<detail::owned_tag> {
        subscribe_id id{};
        std::string broadcast, track;
        subscribe_options options;
        groups arriving_groups;
        std::size_t waiting = 0; ///< Number of them.
        bool accepted = false;
        bool finishing = false; ///< It ends once its groups have.
        bool over = false;      ///< It has ended, and waits for unsubscribe().
        std::optional<group_sequence> end;
        std::optional<group_sequence> highest; ///< The highest group served.
    };
    /// A TRACK or FETCH of ours.
    struct query : detail::list_hook<detail::owned_tag> {
        std::string broadcast, track;
        group_sequence sequence{}; ///< Of a FETCH,
        arriving* group = nullptr; ///< and its group once it is being served.
    };
    /// A group that our peer serves us.
    struct arriving : group_reader, detail::list_hook<detail::owned_tag>, detail::list_hook<of_subscription_tag> {
        enum class use : std::uint8_t { reported, shared, adopted };
        group_id id{};
        subscription* of = nullptr; ///< nullptr: it was fetched.
        use how = use::reported;
        std::uint64_t seen = 0;             ///< Bytes of the log at the last group_grown.
        std::optional<frame_cursor> cursor; ///< While its frames are reported.
        std::optional<app_error> cut;       ///< Our peer has given it up.
        std::uint64_t released = 0;         ///< Payload.
        bool holds = false;                 ///< It holds the group back.
        /// The lent group goes on only as far as we release it.
        void hold() noexcept {
            if (how == use::shared && of->options.end && !std::exchange(holds, true)) source()->hold_back(true);
        }
        void pass() noexcept {
            wrote(group_reader::unsent());
            acked(unacked());
        }
    };
    struct watching : announcements::listener, detail::list_hook<detail::owned_tag> {
        watch_id id{};
        std::string prefix;
        bool hidden = false;
        bool synced = false;
    };

    [[nodiscard]] bool is_open() const noexcept { return peer_ != nullptr && !closed_; }
    /// A fact for our application.
    void note(event e) {
        notes_.push(std::move(e));
        ready_.mark();
    }
    void tell(event e) {
        ++peer_->inputs_;
        peer_->note(std::move(e));
    }
    /// A datagram's bytes wait beside it, and go with it.
    [[nodiscard]] static bool is_about(const event& e, subscribe_id id) noexcept {
        return std::visit(
            [&]<class Event>(const Event& what) {
                if constexpr (!std::is_same_v<Event, group_datagram> && requires { what.subscription; })
                    return what.subscription == id;
                else
                    return false;
            },
            e);
    }
    /// The peer's subscription that we serve; nullptr: none.
    [[nodiscard]] subscription* served(request_id id) noexcept {
        return is_open() ? peer_->subscriptions_by_id_.find(number(id)) : nullptr;
    }

    // impl/local_events.hpp
    result<watch_id> watch(std::string_view prefix, bool hidden);
    bool complete_names(event& e);
    std::optional<event> next_note();
    std::optional<event> next_of_groups();
    std::optional<event> grown(arriving& a);
    std::optional<event> ended(arriving& a, bool complete, app_error code);
    std::optional<event> next_announcement();
    std::optional<event> announced(watching& w, announcements::entry& e);

    // impl/local_commands.hpp
    errc open(subscription* of, group_id id, const group_ref& g);
    void forget(arriving& a) noexcept;
    void finish_if_over(subscription& s);
    void close_groups(subscription& s, app_error code);
    void end(subscription& s, bool aborts_groups) noexcept;
    void part(const session_closed& how);
    void report_requests(local_session& peer, app_error code);
    void end_all(const session_closed& how);

    static constexpr std::uint64_t requests_max = 1 << 20;
    static constexpr std::size_t datagrams_max = 64; ///< That wait to be polled.
    limits bounds_;
    slab_pool own_pool_;
    announcements own_table_;
    slab_pool* pool_;
    announcements* table_;
    std::uint64_t key_;
    bool hears_private_;
    bool passes_on_;
    ready_entry ready_;
    wake_queue wake_;
    local_session* peer_ = nullptr;
    scope everything_;
    std::uint64_t next_id_ = 0;
    std::uint64_t inputs_ = 0;
    detail::ring<event> notes_;
    std::optional<event> put_back_;
    detail::object_pool<subscription> subscriptions_;
    detail::pointer_table<subscription> subscriptions_by_id_;
    detail::object_pool<query> queries_;
    detail::pointer_table<query> tracks_by_id_;
    detail::pointer_table<query> fetches_by_id_;
    detail::object_pool<arriving> arriving_;
    detail::pointer_table<arriving> arriving_by_id_;
    arriving* reported_ = nullptr;    ///< The group of the last frame_data,
    std::size_t reported_bytes_ = 0;  ///< and its bytes.
    std::vector<std::byte> datagram_; ///< Of the last group_datagram.
    detail::ring<std::vector<std::byte>> datagrams_;
    detail::object_pool<watching> watches_;
    detail::pointer_table<watching> watches_by_id_;
    detail::list<announcements::listener, detail::pending_tag> pending_; ///< Watches with something to read.
    std::set<std::pair<std::string, watch_id>> available_; ///< Broadcasts that were reported, and to which watch.
    std::string path_;                                     ///< Of the last announcement.
    std::vector<hop_id> hops_;                             ///< The same.
    std::optional<session_closed> closed_;
    std::string reason_;   ///< Of closed_.
    bool is_over_ = false; ///< session_closed was reported.
};

} // namespace moqlite

#include <moqlite/session/impl/local_commands.hpp>
#include <moqlite/session/impl/local_events.hpp>
