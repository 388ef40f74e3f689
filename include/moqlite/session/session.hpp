// One moq-lite session over one QUIC or WebTransport connection, as a state machine.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <moqlite/core/protocol.hpp>
#include <moqlite/core/result.hpp>
#include <moqlite/session/announcements.hpp>
#include <moqlite/session/detail/announcing.hpp>
#include <moqlite/session/detail/handshake.hpp>
#include <moqlite/session/detail/probing.hpp>
#include <moqlite/session/detail/publishing.hpp>
#include <moqlite/session/detail/querying.hpp>
#include <moqlite/session/detail/stream_handlers.hpp>
#include <moqlite/session/detail/subscribing.hpp>
#include <moqlite/session/detail/watching.hpp>
#include <moqlite/session/event.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/session/output.hpp>
#include <moqlite/session/scope.hpp>
#include <moqlite/wire/lite/datagram.hpp>
#include <moqlite/wire/lite/goaway.hpp>
#include <moqlite/wire/utf8.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace moqlite {

/// Options of a session. Objects that it points to must outlive the session.
struct session_options {
    limits bounds{};
    /// The URL's path and query; "": none. A client sends it in its SETUP. On WebTransport the request carries it
    /// instead, and the server's session gets it here.
    std::string path{};
    /// Our own hop id: random, below 2^53 (for JavaScript), and unique among all nodes that are connected, however
    /// indirectly: announcements from a node with the same id are dropped as loops (errc::same_origin if it is the
    /// peer). 0: unset; some relays reject such a publisher.
    hop_id origin{};
    /// Link cost, added to routes learned over this session; nullopt: the peer's SETUP decides, else 1. A client sends
    /// it.
    std::optional<std::uint64_t> cost{};
    time_point epoch{};             ///< Epoch of the timestamps that collect() synthesises.
    slab_pool* pool = nullptr;      ///< Memory of the groups that it makes; nullptr: its own.
    announcements* table = nullptr; ///< The broadcasts that it announces; nullptr: its own.
    ready_list* ready = nullptr;    ///< The list on which it asks to be pumped.
    std::uint64_t key = 0;          ///< Its key on that list, and the `source` of its routes.
    bool reports_path = false;      ///< Offers the peer reports of path_measured().
    /// path::private_root(): broadcasts of the table below it are announced to this peer alone, by their names below
    /// it, in place of those that everyone hears of. "": there are none.
    std::string alone{};
};

/// Why a connection ended, as its transport reports it.
struct closed_by {
    app_error code = app_error::cancel;
    bool by_peer = false;
    std::string_view reason;
};

namespace detail {
/// Asserts that calls do not overlap: a session belongs to one thread at a time.
class entry_mark {
public:
    explicit entry_mark(bool& inside) noexcept : inside_(inside) {
        assert(!inside_ && "two threads in one session");
        inside_ = true;
    }
    entry_mark(const entry_mark&) = delete;
    entry_mark& operator=(const entry_mark&) = delete;
    ~entry_mark() { inside_ = false; }

private:
    bool& inside_;
};
} // namespace detail

/// A session opens no socket, starts no thread, reads no clock and has no callbacks. Four kinds of
/// member, and no others:
/// - inputs: stream_*, connection_closed, tick: facts from the transport, each stamped with `now`;
/// - events: poll_event(): what the application should know;
/// - outputs: poll_output(), deadline(): what the transport should do, and when to call tick();
/// - commands: everything else: what the application wants. They change state; they send nothing.
/// After an input, poll events until nullopt; after that, pump() outputs, and poll events again. The contract with the
/// transport is in transport.hpp. A violation that would do harm ends the session with an errc of its own:
/// undrained_input, input_inside_output, more_than_written.
class session {
public:
    session(role side, version v, session_options options, time_point now);
    session(const session&) = delete;
    session& operator=(const session&) = delete;
    /// Precondition: its transport has executed close_connection, has reported its end, or is gone.
    ~session() { publishing_.release_lent(); }

    // Inputs.

    void stream_received(stream_id id, byte_view data, bool fin, time_point now);
    void stream_reset(stream_id id, app_error code, time_point now);   ///< RESET_STREAM was received.
    void stream_stopped(stream_id id, app_error code, time_point now); ///< STOP_SENDING was received.
    void stream_writable(stream_id id, time_point now); ///< A blocked stream has received credit, or may have.
    /// The next n > 0 of our bytes were acknowledged, or copied. Allowed inside the transport's members.
    void stream_acked(stream_id id, std::uint64_t n, time_point now);
    /// All our bytes, FIN included, are acknowledged, and the peer's side has ended. With a code: the stream was cut
    /// off, at any time. Once a stream.
    void stream_closed(stream_id id, std::optional<app_error> code, time_point now);
    void streams_available(direction kind, time_point now); ///< MAX_STREAMS grew: open() may succeed again.
    void datagram_received(byte_view bytes, time_point now);
    void path_measured(const path_facts& path, time_point now); ///< From time to time.
    /// The connection is gone; the last input. Allowed inside the transport's members.
    void connection_closed(const closed_by& how, time_point now);
    void tick(time_point now);

    // Events.

    /// Views in the event are valid until the next input, or the end of the next pump.
    [[nodiscard]] std::optional<event> poll_event();

    // Outputs, most urgent first. Answer an open_stream or write_stream before polling again.

    [[nodiscard]] std::optional<output> poll_output();
    void stream_opened(direction kind, std::optional<stream_id> id); ///< nullopt: no stream credit left.
    void stream_written(stream_id id, std::size_t taken);            ///< 0 for a non-empty write: blocked.
    void flushed() noexcept; ///< The pump has ended: every polled output has been executed.
    /// When to call tick(); it may lie in the past. nullopt: no timer is running.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept;

    // Commands: admission.

    /// Admits the peer; answers setup_received. errc::bad_utf8, name_too_long, too_many_segments: the root is invalid.
    /// A client's session is admitted from the start, to all; it may be limited before its first input.
    result<void> admit(scope allowed);
    /// Before that: in place of session_options::alone.
    void alone(const std::string& above) { c_.names.alone = above; }
    /// Closes the session instead; `reason` is the text in CONNECTION_CLOSE or WT_CLOSE_SESSION.
    result<void> refuse(app_error code = app_error::unauthorized, std::string_view reason = {});

    // Commands: subscribe to the peer.

    /// Asks for announcements of the broadcasts below `prefix`, except those that a segment below it hides: one that
    /// begins with '.' (moq-lite-wire §6.1). They can be subscribed to all the same.
    result<watch_id> watch(std::string_view prefix) {
        return open() ? watching_.start(path::normalise(prefix), false) : errc::closed;
    }
    /// The same with hidden ones, for a relay, which others may ask for them. Before moq-lite-07 many peers do not
    /// announce them.
    result<watch_id> watch_hidden(std::string_view prefix) {
        return open() ? watching_.start(path::normalise(prefix), true) : errc::closed;
    }
    /// Ends without further events.
    result<void> unwatch(watch_id id) { return watching_.stop(id); }
    /// Refuses a broadcast that has just been reported: it is forgotten, and its end is not reported. The peer is not
    /// told, since no message does.
    result<void> decline(watch_id id, std::string_view path) { return watching_.decline(id, path); }
    result<subscribe_id> subscribe(const track_ref& track, const subscribe_options& options = {});
    /// What `changes` does not set is unchanged. Updates between two pumps are sent as one SUBSCRIBE_UPDATE with the
    /// latest options.
    result<void> update(subscribe_id id, const subscribe_changes& changes) { return subscribing_.update(id, changes); }
    /// Sends the last update() once more: the peer's acknowledgement shows that it is alive.
    result<void> repeat_update(subscribe_id id) { return subscribing_.repeat_update(id); }
    /// Ends the subscription and its arriving groups without further events. The publisher gets `code` (request_ended),
    /// in a RESET_STREAM; for cancel, the FIN of a subscriber that wants nothing more.
    result<void> unsubscribe(subscribe_id id, app_error code = app_error::cancel) {
        return subscribing_.unsubscribe(id, code);
    }
    /// Asks for a track's properties; errc::unsupported before moq-lite-05.
    result<query_id> request_track(const track_ref& track);
    /// Cancels such a request without further events; errc::not_found: it has been answered.
    result<void> cancel(query_id id) { return querying_.cancel(id); }
    /// Asks for one group, of any age, or for some of its frames; frame_data, with `no_subscription`, and group_closed
    /// report it. Before moq-lite-05 many publishers refuse it, and frames have no time. errc::unsupported: for a part
    /// before moq-lite-06; errc::bad_frame_range: the last frame precedes the first.
    result<group_id> fetch(
        const track_ref& track, group_sequence sequence, priority urgency = 128, const frame_range& frames = {});
    /// Stores the group in `log` (empty, open, and made for the first frame that will arrive) instead of reporting
    /// frame_data; only in answer to group_opened or after fetch(). If the log has timestamps and the group does not,
    /// each frame gets the milliseconds from `epoch` to the arrival of its first byte.
    result<void> collect(group_id id, group_ref log) { return subscribing_.groups().collect(id, std::move(log)); }
    /// Payload of a capped subscription (one with `end`) has been consumed: returns that much stream credit.
    result<void> release(group_id id, std::uint64_t bytes) { return subscribing_.groups().release(id, bytes); }
    /// Refuses the rest of a group. No further event reports it.
    result<void> stop(group_id id, app_error code) { return subscribing_.groups().stop(id, code); }
    /// Asks for the publisher's measurements of the path to us: path_reported, from time to time, until probe_ended.
    /// With `target` (bits a second) the publisher is told how much we would like, again for another target; without
    /// one errc::already_answered if a probe is open. Publishers by moq-rs end a probe that has a target.
    /// errc::unsupported: the publisher does not measure.
    result<void> probe(std::optional<std::uint64_t> target = {}) {
        return open() ? probing_.start(target) : errc::closed;
    }
    /// Ends without further events.
    void stop_probe() { probing_.stop(); }

    // Commands: publish to the peer.

    /// Announces a broadcast, or its new route, to every session on the table. Refuses what a conforming peer would
    /// refuse: a name that is not UTF-8, has a segment "*" or "**" or, with the root or the URL's path in front, is too
    /// long (limits.name, limits.path_segments), and hops that together with our own are too many or contain a
    /// duplicate. A segment that begins with '.' hides the broadcast from watches above that segment, except that a
    /// client announces its own to its server.
    result<void> announce(std::string_view path, std::vector<hop_id> hops = {});
    result<void> unannounce(std::string_view path);
    result<void> answer_track(request_id id, const track_info& info) { return publishing_.answer_track(id, info); }
    /// The unit of the timestamps in a subscription's groups, in ticks per second: with it the ages of groups, which
    /// the subscriber's Max Age bounds, are media time; without it they count from when their successors were served.
    result<void> set_timescale(request_id id, std::uint64_t timescale) {
        return publishing_.set_timescale(id, timescale);
    }
    /// Accepts a subscription. `start` is the first group that will be served, and is sent at once; nullopt: the first
    /// group passed to serve().
    result<void> accept(request_id id, std::optional<group_sequence> start = {}, priority publisher = 0) {
        return publishing_.accept(id, start, publisher);
    }
    /// Refuses a request, or aborts it. moq-lite sends only the code: its requests have no `reason`.
    result<void> reject(request_id id, app_error code, std::string_view reason = {}) {
        static_cast<void>(reason);
        return publishing_.reject(id, code);
    }
    /// Sends the existing bytes of a group, and the rest as it grows; for a FETCH, the fetched group.
    /// errc::before_group_start and errc::beyond_group_end: the subscriber does not want it, or not yet.
    result<void> serve(request_id id, group_ref g) {
        return open() ? publishing_.serve(id, std::move(g)) : errc::closed;
    }
    /// Makes a group for one subscriber and serves it: the caller only adds write_frame() and finish().
    result<group_ref> open_group(request_id id, group_sequence sequence);
    /// Sends a group of one frame as a datagram, which may be lost. errc::unsupported before moq-lite-05,
    /// errc::value_too_large above limits.datagram or the path's limit.
    result<void> serve_datagram(request_id id, group_sequence sequence, timestamp time, byte_view payload) {
        return open() ? publishing_.serve_datagram(id, sequence, time, payload) : errc::closed;
    }
    /// Reports to the subscriber that groups first .. last will not be served.
    result<void> drop(request_id id, group_sequence first, group_sequence last, app_error code) {
        return publishing_.drop(id, first, last, code);
    }
    /// Reports to the subscriber that no group at or after `end` will exist. Earlier ones may still be served.
    /// errc::invalid_argument, from moq-lite-06 on: a later one was served.
    result<void> end_track(request_id id, group_sequence end) { return publishing_.end_track(id, end); }
    /// Serves nothing more: the subscription ends cleanly once every served group has arrived. Unless end_track() has
    /// done so, sends END after the last served group where the version has END, but not if that group is the Group
    /// End: the track may go on. Then, from moq-lite-06 on, the subscription stays open until the subscriber leaves, or
    /// wants more groups, which may be served.
    result<void> finish(request_id id) { return publishing_.finish(id); }

    // Commands: the session itself.

    /// Asks the peer, once, to reconnect, to `uri` or, if empty, to the same address, and to leave. errc::unsupported
    /// on moq-lite-03, errc::value_too_large above limits.uri.
    result<void> goaway(std::string_view uri = {});
    /// Ends the session; poll_event() reports what ended with it.
    void close(app_error code, std::string_view reason = {}) { c_.close(code, errc::closed, reason); }

    // Facts.

    [[nodiscard]] version negotiated() const noexcept { return c_.dialect; }
    [[nodiscard]] protocol_features features() const noexcept { return features_of(c_.dialect); }
    [[nodiscard]] role side() const noexcept { return c_.side; }
    /// Inputs caused by the peer so far, acknowledgements included: while the number grows, the peer is alive.
    [[nodiscard]] std::uint64_t peer_inputs() const noexcept { return peer_inputs_; }
    /// Request streams that the peer grants now, less our requests that wait for one; at 0 further requests wait.
    /// nullopt: the transport has not reported it (path_facts::bidi_streams).
    [[nodiscard]] std::optional<std::uint64_t> requests_left() const noexcept {
        if (bidi_blocked_) return 0;
        if (!c_.path.bidi_streams) return std::nullopt;
        return *c_.path.bidi_streams - std::min<std::uint64_t>(*c_.path.bidi_streams, c_.out.opening());
    }
    /// Smoothed round-trip time, as path_measured() reported last; 0: not known.
    [[nodiscard]] duration rtt() const noexcept { return c_.path.rtt; }
    [[nodiscard]] bool is_closed() const noexcept { return c_.closing.has_value(); }
    /// The peer's implementation reads stream codes on native QUIC only unmapped: it is the one that writes paths with
    /// leading slashes. The others read codes mapped into HTTP/3's range, or both forms.
    [[nodiscard]] bool reads_raw_codes() const noexcept { return c_.names.slashes; }
    /// The code as close() sends it: for a transport that ends the connection by itself.
    [[nodiscard]] app_error close_code(app_error code) const noexcept { return code.in(c_.codes.of_session()); }
    /// Calls f(path) for each broadcast of the peer that was reported as available; f must not command this session.
    template <class F>
    void for_each_available(F&& f) {
        watching_.for_each_available(f);
    }
    [[nodiscard]] slab_pool& pool() noexcept { return c_.pool; }
    [[nodiscard]] const scope& allowed() const noexcept { return c_.names.allowed; }
    /// Bytes waiting to be written for one subscription.
    [[nodiscard]] std::uint64_t unsent(request_id id) { return publishing_.unsent(id); }
    /// Call serve() or open_group() while this is true: the backlog of the subscription is below half its bound and its
    /// peer within its share, so that another group drops none. If false, a group_delivered, group_lost or
    /// request_ended follows.
    [[nodiscard]] bool takes_more(request_id id) { return publishing_.takes_more(id); }

private:
    struct pending_input {
        bool active = false;
        bool fin = false;
        bool joined = false; ///< `rest` is the stream's own buffer.
        detail::control_stream* control = nullptr;
        detail::incoming_group* group = nullptr;
        byte_view rest;
    };
    struct pending_write {
        static constexpr stream_id none{UINT64_MAX};
        stream_id stream = none;
        detail::control_stream* control = nullptr;
        detail::served_group* group = nullptr;
        std::size_t size = 0;
        std::uint64_t acked = 0; ///< Acknowledged on the stream before its write was answered.
        bool fin = false;
        bool due = false; ///< On a control stream or of an uncapped group: the peer must accept it in time.
    };

    [[nodiscard]] bool open() const noexcept { return !c_.closing; }
    [[nodiscard]] bool stamp(time_point now);
    [[nodiscard]] bool begin_input(time_point now);
    /// The same for an input that only the peer can have caused.
    [[nodiscard]] bool begin_peer_input(time_point now) {
        ++peer_inputs_;
        return begin_input(now);
    }

    /// Calls f with the handler for the stream's kind.
    template <class F>
    decltype(auto) handled(const detail::control_stream& s, F&& f) {
        const detail::session_parts parts{
            c_, handshake_, watching_, announcing_, subscribing_, querying_, probing_, publishing_};
        return detail::with_handler(s.kind, parts, f);
    }

    // impl/session_input.hpp
    void acked(stream_id id, std::uint64_t n);
    /// The last write has been answered, or will not be.
    void end_write() {
        const auto id = write_.stream;
        const auto n = write_.acked;
        write_ = {};
        if (n != 0) acked(id, n);
    }
    detail::any_stream* find_or_accept(stream_id id);
    void forget_unbound(stream_id id);
    void parse_group();
    void become_setup(detail::incoming_group& g);
    void parse_control();
    [[nodiscard]] bool must_wait(const detail::control_stream& s) noexcept;
    void park(detail::control_stream& s);
    bool unpark_one();
    bool end_unsent();
    detail::served_group* served_on(const detail::any_stream& stream) noexcept;
    void control_failed(detail::control_stream& s, errc why);
    void control_finished(detail::control_stream& s);
    void control_closed(detail::control_stream& s, const std::optional<app_error>& code);
    bool end_one();

    // impl/session_output.hpp
    std::optional<output> next_open();
    std::optional<output> next_write();
    void control_written(detail::control_stream& s, std::size_t n);
    void check_stall();
    void end_silent(detail::receiving& r);
    void release_lent() noexcept;

    detail::context c_;
    detail::watching watching_;
    detail::announcing announcing_;
    detail::subscribing subscribing_;
    detail::querying querying_;
    detail::probing probing_;
    detail::publishing publishing_;
    detail::handshake handshake_;
    pending_input input_;
    pending_write write_;
    std::array<byte_view, 16> ranges_;
    detail::ring<stream_id> ids_; ///< Unidirectional streams that no group is bound to yet.
    bool uni_blocked_ = false;
    bool bidi_blocked_ = false;
    std::uint64_t peer_inputs_ = 0;
    bool writing_ = false;
    bool announcements_wait_ = false;   ///< For an END, in this pump.
    bool announcements_waited_ = false; ///< In the last pump, in vain.
    bool unanswered_ = false;           ///< An open_stream or write_stream was polled.
    bool ended_ = false;                ///< session_closed was reported.
    bool told_to_leave_ = false;        ///< We have sent GOAWAY.
    bool viewing_ = false;              ///< Events that alias the last input may be waiting.
    bool inside_ = false;               ///< Catches overlapping calls.
};

inline session::session(role side, version v, session_options options, time_point now)
    : c_(side, v, options.bounds, options.pool, options.ready, options.key),
      watching_(c_),
      announcing_(c_, options.table),
      subscribing_(c_),
      querying_(c_),
      probing_(c_),
      publishing_(c_),
      handshake_(c_, probing_, now) {
    c_.now = now;
    c_.origin = options.origin;
    c_.own_cost = options.cost;
    c_.epoch = options.epoch;
    c_.admitted = side == role::client;
    c_.names.alone = options.alone;
    if (side == role::client) c_.names.url_root = path::normalise(options.path.substr(0, options.path.find('?')));
    handshake_.begin(options.path, options.reports_path);
}

inline result<void> session::admit(scope allowed) {
    if (!open()) return errc::closed;
    if (c_.admitted && c_.side == role::server) return errc::already_answered;
    // Every announcement below the root carries the root to other peers.
    const auto check = [&](std::string& root) {
        root = path::normalise(root);
        if (!wire::is_utf8(root)) return errc::bad_utf8;
        if (!c_.names.fits(root)) return errc::name_too_long;
        return path::segments(root) > c_.bounds.path_segments ? errc::too_many_segments : errc::ok;
    };
    if (const auto why = check(allowed.root); why != errc::ok) return why;
    if (allowed.publish_root)
        if (const auto why = check(*allowed.publish_root); why != errc::ok) return why;
    for (auto* prefixes : {&allowed.publish, &allowed.subscribe})
        for (auto& p : *prefixes) p = path::normalise(p);
    c_.names.allowed = std::move(allowed);
    c_.admitted = true;
    c_.ready.mark();
    return {};
}

inline result<void> session::refuse(app_error code, std::string_view reason) {
    if (!open()) return errc::closed;
    c_.close(code, errc::refused, reason.empty() ? to_string(errc::refused) : reason);
    return {};
}

inline result<subscribe_id> session::subscribe(const track_ref& track, const subscribe_options& options) {
    if (!open()) return errc::closed;
    const auto whole = path::normalise(track.broadcast);
    return subscribing_.subscribe({whole, track.track}, options);
}

inline result<query_id> session::request_track(const track_ref& track) {
    if (!open()) return errc::closed;
    const auto whole = path::normalise(track.broadcast);
    return querying_.request_track({whole, track.track});
}

inline result<group_id> session::fetch(
    const track_ref& track, group_sequence sequence, priority urgency, const frame_range& frames) {
    if (!open()) return errc::closed;
    const auto whole = path::normalise(track.broadcast);
    return subscribing_.groups().fetch({whole, track.track}, sequence, urgency, frames);
}

inline result<void> session::goaway(std::string_view uri) {
    if (!open()) return errc::closed;
    if (uri.size() > std::min(c_.bounds.uri, c_.bounds.control_message / 2)) return errc::value_too_large;
    const wire::lite::goaway message{uri};
    if (const auto why = c_.encodable(message); why != errc::ok) return why;
    if (told_to_leave_) return errc::already_answered;
    c_.out.finish(c_.open_control(detail::control_kind::goaway_out, wire::lite::bidi_type::goaway, message));
    told_to_leave_ = true;
    return {};
}

inline result<void> session::announce(std::string_view path, std::vector<hop_id> hops) {
    if (!open()) return errc::closed;
    const auto whole = path::normalise(path);
    if (const auto why = announcing_.announceable(whole, hops); why != errc::ok) return why;
    announcing_.table().set(whole, {std::move(hops), 0});
    return {};
}

inline result<void> session::unannounce(std::string_view path) {
    if (!announcing_.table().remove(path::normalise(path), 0)) return errc::not_found;
    return {};
}

inline result<group_ref> session::open_group(request_id id, group_sequence sequence) {
    auto g = group::make(c_.pool, sequence, c_.frames);
    if (!g) return errc::out_of_memory_limit;
    if (const auto served = serve(id, g); !served) return served.error();
    return g;
}

} // namespace moqlite

#include <moqlite/session/impl/session_input.hpp>
#include <moqlite/session/impl/session_output.hpp>
