// What the parts of a session share: its streams, its queues, and the one way to fail.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/containers/id_table.hpp>
#include <moqlite/containers/list.hpp>
#include <moqlite/containers/object_pool.hpp>
#include <moqlite/containers/ring.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/core/path.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/session/detail/event_names.hpp>
#include <moqlite/session/detail/send_buffer.hpp>
#include <moqlite/session/detail/stall_clock.hpp>
#include <moqlite/session/event.hpp>
#include <moqlite/session/output.hpp>
#include <moqlite/session/ready.hpp>
#include <moqlite/session/scope.hpp>
#include <moqlite/session/slab.hpp>
#include <moqlite/session/transport.hpp>
#include <moqlite/wire/lite/codec.hpp>
#include <moqlite/wire/lite/stream_type.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace moqlite {

namespace detail {

struct send_tag;
struct credit_tag;
struct silent_tag;
struct opening_tag;
struct parked_tag;
struct subscription;
struct incoming_group;
struct incoming_request;

/// A stream that we read.
struct receiving : list_hook<credit_tag>, list_hook<silent_tag> {
    stream_id id{};
    time_point since{};           ///< When it began to owe its first message.
    std::uint64_t credit_due = 0; ///< Bytes read, for which no credit was given yet.
};

enum class control_kind : std::uint8_t {
    unread,  ///< The peer's; its type has not arrived.
    ignored, ///< Refused; what still comes is dropped.
    setup_in,
    setup_out,
    announce_in,  ///< The peer asks for our announcements.
    announce_out, ///< We ask for the peer's.
    subscribe_in,
    subscribe_out,
    track_in,
    track_out,
    fetch_in,
    fetch_out,
    probe_in, ///< The peer wants to know what we have measured.
    probe_out,
    goaway_in,
    goaway_out,
};

/// A request of the peer that its application lets in and answers.
[[nodiscard]] constexpr bool is_request(control_kind k) noexcept {
    return k == control_kind::announce_in || k == control_kind::subscribe_in || k == control_kind::track_in ||
           k == control_kind::fetch_in;
}

/// A stream of control messages: SETUP, or a request and what answers it.
struct control_stream : receiving,
                        sending,
                        list_hook<owned_tag>,
                        list_hook<send_tag>,
                        list_hook<opening_tag>,
                        list_hook<parked_tag> {
    static constexpr std::uint64_t nobody = UINT64_MAX;
    control_kind kind = control_kind::unread;
    bool bound = false;      ///< Has an id.
    bool read_ended = false; ///< Their FIN or reset has arrived.
    bool fin_arrived = false;
    bool fin_wanted = false;
    bool fin_written = false;
    bool write_ended = false;           ///< We reset it.
    bool request_read = false;          ///< The first message has arrived.
    bool stuck = false;                 ///< Waits for stream credit.
    incoming_group* fetching = nullptr; ///< What it brings, if it is a FETCH of ours.
    std::uint64_t owner = nobody;       ///< Number of the request, subscription, query, watch or fetch.
    std::size_t uncredited = 0;         ///< Bytes that arrived and for which credit is given when they are read.
    std::vector<std::byte> in;          ///< The beginning of a message.
    std::size_t counted = 0;            ///< Its bytes in context::partial_bytes.
    send_buffer out;

    [[nodiscard]] bool to_send() const noexcept {
        return !write_ended && (out.unsent() != 0 || (fin_wanted && !fin_written));
    }
};

struct served_group;
using any_stream = std::variant<control_stream*, incoming_group*, served_group*>;
using stop_or_reset = std::variant<std::monostate, reset_stream, stop_sending>;

/// State and queues that the parts of a session have in common.
struct context {
    context(role r, version v, const limits& b, slab_pool* p, ready_list* list, std::uint64_t name)
        : side(r),
          dialect(v),
          slashes(has_slash_dialect(v)),
          bounds(b),
          own_pool(b.memory),
          pool(p != nullptr ? *p : own_pool),
          ready(list, name),
          key(name),
          stall(b) {
        wake.entry = &ready;
    }

    role side;
    version dialect;
    bool slashes; ///< Names go out with them: the peer writes them so, or has written none yet.
    limits bounds;
    slab_pool own_pool;
    slab_pool& pool;
    ready_entry ready;
    std::uint64_t key;
    wake_queue wake;
    hop_id origin{};                         ///< Our own hop.
    hop_id peer_origin{};                    ///< The one in the peer's SETUP.
    std::optional<std::uint64_t> own_price;  ///< Of the link, as it was configured.
    std::optional<std::uint64_t> peer_price; ///< The same, as the peer's SETUP said.
    time_point epoch{};                      ///< From which the arrival of frames without timestamps counts.
    path_facts path;
    scope allowed;
    std::string url_root; ///< Of a client: the path that the server puts in front of our names.
    bool admitted = false;
    time_point now{};
    bool in_time = false; ///< Events of the last input are being polled: its time is the present.
    stall_clock stall;
    std::size_t control_unsent = 0; ///< Bytes of control streams that have an id.
    std::size_t opening_bytes = 0;  ///< Of those that have none yet: their peer grants no stream, and owes nothing.
    std::size_t opening_count = 0;

    object_pool<control_stream> controls;
    id_table<any_stream> streams;
    list<control_stream, send_tag> sendable;
    list<control_stream, opening_tag> opening;
    list<control_stream, parked_tag> parked;
    std::size_t parked_count = 0;
    std::size_t partial_bytes = 0; ///< In the `in` of all control streams.
    std::size_t peer_requests = 0; ///< Bidirectional streams that the peer opened.
    list<receiving, credit_tag> credits;
    list<receiving, silent_tag> silent;  ///< Streams of the peer that owe their first message, the oldest first.
    list<receiving, silent_tag> undated; ///< The same that began after the last input.
    ring<stop_or_reset> stops;
    std::uint64_t stops_queued = 0;   ///< Since the session began.
    std::uint64_t stops_executed = 0; ///< Of these, by the transport: polled, and followed by flushed().
    list<control_stream, resetting_tag> resetting;
    bool transport_ended = false; ///< It has executed close, or told of the end: it sends nothing any more.
    ring<event> events;
    event_names names;
    bool same_origin = false; ///< The peer has our own hop, which was reported.
    std::vector<std::byte> scratch;
    std::string path_scratch;
    std::string name_scratch;
    std::string slashed; ///< Not one of the others: events, whose views are in those, are answered by commands.

    std::optional<session_closed> closing; ///< Why the session ended, once it has.
    std::string closing_reason;
    bool close_wanted = false; ///< We end it: a close_connection is due.

    /// What begins with a command or an output, which tell no time, is dated by the next input.
    void expect_message(receiving& r) {
        if (!in_time) return undated.push_back(r);
        r.since = now;
        silent.push_back(r);
    }
    /// An input has told the time.
    void note_time() {
        in_time = true;
        while (receiving* r = undated.pop_front()) expect_message(*r);
        stall.note_time(now);
    }
    /// The beginning of a message is kept for later; false: the peer has begun too many.
    [[nodiscard]] bool keep_partial(control_stream& s) noexcept {
        partial_bytes = partial_bytes - s.counted + s.in.size();
        s.counted = s.in.size();
        return partial_bytes <= bounds.partial_messages;
    }
    void forget_partial(control_stream& s) noexcept {
        partial_bytes -= std::exchange(s.counted, 0);
        s.in.clear();
    }

    /// Names the alternative: finding it among all of them costs a compiler a third of a second.
    template <class E>
    void emit(const E& e) {
        events.push(event{std::in_place_type<E>, e});
    }
    /// The views in events have had their time.
    void forget_names() noexcept {
        if (events.empty()) names.clear();
    }
    /// The peer says what its own hop is. Where that is ours, what either announces to the other is dropped as a loop,
    /// and a watcher would wait without a word.
    void peer_hop(stream_id where, hop_id theirs) {
        if (origin == hop_id{} || theirs != origin || std::exchange(same_origin, true)) return;
        emit(stream_rejected{where, errc::same_origin});
    }

    void reset(stream_id id, app_error code) { push_stop(reset_stream{id, code}); }
    void stop(stream_id id, app_error code) { push_stop(stop_sending{id, code}); }
    void push_stop(stop_or_reset what) {
        stops.push(what);
        ++stops_queued;
        ready.mark();
    }
    /// Puts `s`, the reset of which is queued, on `waiting` until the transport has executed that. False: it has.
    template <class S>
    [[nodiscard]] bool await_reset(S& s, list<S, resetting_tag>& waiting) {
        if (s.list_hook<resetting_tag>::linked()) return true;
        if (transport_ended || (stops_queued == stops_executed && !closing)) return false;
        s.reset_number = stops_queued;
        waiting.push_back(s);
        return true;
    }
    /// The next stream on `waiting` that the transport has reset; nullptr: none.
    template <class S>
    [[nodiscard]] S* next_reset(list<S, resetting_tag>& waiting) noexcept {
        if (waiting.empty() || (!transport_ended && waiting.front().reset_number > stops_executed)) return nullptr;
        return waiting.pop_front();
    }
    /// A pump is over: what it polled has been executed.
    void executed() noexcept {
        stops_executed = stops_queued - stops.size();
        while (control_stream* s = next_reset(resetting)) s->out.clear();
    }
    /// The transport sends nothing any more: nothing is lent.
    void let_go() noexcept {
        transport_ended = true;
        executed();
        controls.for_each([](control_stream& s) { s.out.clear(); });
    }

    /// Ends the session for what the peer, or the application, did.
    void close(app_error code, errc why, std::string_view reason) {
        if (closing) return;
        closing_reason = reason;
        closing = session_closed{code, why, false, closing_reason};
        close_wanted = true;
        ready.mark();
    }
    void fail(errc why) { close(wire_code(why), why, to_string(why)); }

    void give_credit(receiving& r, std::uint64_t n) {
        if (n == 0) return;
        r.credit_due += n;
        if (r.list_hook<credit_tag>::linked()) return;
        credits.push_back(r);
        ready.mark();
    }

    /// Queues `s` if it has something to send.
    void touch(control_stream& s) {
        if (!s.bound || s.stuck || !s.to_send() || s.list_hook<send_tag>::linked()) return;
        sendable.push_back(s);
        ready.mark();
    }
    void append(control_stream& s, byte_view bytes) {
        if (s.write_ended || s.fin_wanted || bytes.empty()) return;
        s.out.append(bytes);
        (s.bound ? control_unsent : opening_bytes) += bytes.size();
        touch(s);
        // Whatever it is made of: what nobody coalesces ends here.
        if (control_unsent > bounds.control_unsent + bounds.control_unsent_slack) fail(errc::control_backlog);
    }
    /// Bytes written on a stream before it had an id count as owed to the peer from now on.
    void bind(control_stream& s, stream_id id) {
        s.id = id;
        s.bound = true;
        opening_bytes -= static_cast<std::size_t>(s.out.unsent());
        control_unsent += static_cast<std::size_t>(s.out.unsent());
    }
    /// One more request of ours may wait for a stream.
    [[nodiscard]] bool may_open() const noexcept {
        return opening_count < bounds.waiting_requests && opening_bytes < bounds.partial_messages;
    }
    /// Appends a message; what cannot be encoded was checked before.
    template <class M>
    errc send(control_stream& s, const M& message) {
        scratch.clear();
        const auto why = wire::lite::encode(dialect, message, scratch);
        if (why == errc::ok) append(s, scratch);
        return why;
    }
    /// Whether a message can be said at all.
    template <class M>
    [[nodiscard]] errc encodable(const M& message) {
        scratch.clear();
        return wire::lite::encode(dialect, message, scratch);
    }
    void finish(control_stream& s) {
        if (s.write_ended) return;
        s.fin_wanted = true;
        touch(s);
    }
    /// Abandons the send side, with a reset if the stream has an id. What was lent stays until that is executed.
    void abandon_writing(control_stream& s, app_error code) {
        if (s.write_ended || (s.fin_written && s.out.unacked() == 0)) return;
        withdraw_output(s);
        s.write_ended = true;
        const bool ours = direction_of(s.id) == direction::bidi || initiator_of(s.id) == side;
        if (s.bound && ours) reset(s.id, code);
        if (!s.out.is_lent() || !await_reset(s, resetting)) s.out.clear();
    }
    /// The bytes that it holds no longer count as owed, nor in any bound.
    void withdraw_output(control_stream& s) {
        if (s.write_ended) return;
        (s.bound ? control_unsent : opening_bytes) -= static_cast<std::size_t>(s.out.unsent());
        s.list_hook<send_tag>::unlink();
        stall.forget(s);
    }
    /// Precondition: nothing of the stream is lent, because it has no id or the transport has closed it.
    void destroy(control_stream& s) {
        withdraw_output(s);
        controls.destroy(s);
    }
    /// Reads no more of it; what still arrives is dropped.
    void abandon_reading(control_stream& s, app_error code) {
        s.kind = control_kind::ignored;
        s.list_hook<silent_tag>::unlink();
        forget_partial(s);
        unpark(s);
        if (s.bound && !s.read_ended) stop(s.id, code);
        s.read_ended = true;
    }
    /// Ends both directions and says why in the log.
    void reject(control_stream& s, errc why) {
        emit(stream_rejected{s.id, why});
        abandon_reading(s, wire_code(why));
        abandon_writing(s, wire_code(why));
    }
    void unpark(control_stream& s) {
        if (!s.list_hook<parked_tag>::linked()) return;
        s.list_hook<parked_tag>::unlink();
        --parked_count;
    }

    /// A stream of ours that waits for its id, with its type and `message`, whose encoding was checked before. Where an
    /// allocation throws, there is no stream: a type alone would be a request that its peer waits for.
    template <class M>
    control_stream& open_control(control_kind kind, wire::lite::bidi_type type, const M& message) {
        scratch.clear();
        wire::lite::encode(type, scratch);
        static_cast<void>(wire::lite::encode(dialect, message, scratch));
        return open_with_scratch(kind);
    }
    /// The same without a message.
    control_stream& open_control(control_kind kind, wire::lite::bidi_type type) {
        scratch.clear();
        wire::lite::encode(type, scratch);
        return open_with_scratch(kind);
    }
    control_stream& open_with_scratch(control_kind kind) {
        controls.make_room();
        send_buffer first;
        first.append(scratch);
        auto& s = controls.make();
        s.kind = kind;
        s.out.swap(first);
        opening_bytes += scratch.size();
        opening.push_back(s);
        ++opening_count;
        ready.mark();
        return s;
    }
    /// Ends a stream that we opened, or would have.
    void drop_control(control_stream& s, app_error code) {
        if (!s.bound) return --opening_count, destroy(s);
        abandon_reading(s, code);
        abandon_writing(s, code);
    }

    /// The whole name of what the wire calls `relative`; in `into`, which the view aliases.
    std::string_view whole(std::string_view relative, std::string& into) {
        name_scratch.clear();
        path::normalise(relative, name_scratch);
        path::join(allowed.root, name_scratch, into);
        return into;
    }
    /// The names of a request, for its event.
    track_ref kept(std::string_view broadcast, std::string_view track) {
        return {names.keep(whole(broadcast, path_scratch)), names.keep(track)};
    }
    [[nodiscard]] bool fits(std::string_view name) const noexcept { return name.size() <= bounds.name; }
    /// The same of a path, where slashes at its ends mean nothing.
    [[nodiscard]] bool fits_path(std::string_view name) const noexcept {
        if (name.starts_with('/')) name.remove_prefix(1);
        if (name.ends_with('/')) name.remove_suffix(1);
        return fits(name);
    }
    /// The peer has written a path or prefix of its own; it will be answered in the same dialect.
    void saw_path(std::string_view written) noexcept {
        if (has_slash_dialect(dialect)) slashes = written.starts_with('/');
    }
    /// `name`, a path relative to the root, as the peer wants to read it; good until the next one.
    std::string_view written_path(std::string_view name) {
        if (!slashes) return name;
        return slashed.assign(1, '/').append(name);
    }
    /// The same of a prefix.
    std::string_view written_prefix(std::string_view name) {
        if (!slashes || name.empty()) return written_path(name);
        return slashed.assign(1, '/').append(name).append(1, '/');
    }
    /// The name on the wire of `whole_path`; nullopt: not below the root.
    [[nodiscard]] std::optional<std::string_view> relative(std::string_view whole_path) const noexcept {
        return path::strip(whole_path, allowed.root);
    }
    /// True if one of `prefixes`, which are relative to the root, begins `name`, which is too.
    [[nodiscard]] static bool covered(const std::vector<std::string>& prefixes, std::string_view name) noexcept {
        for (const auto& p : prefixes)
            if (path::strip(name, p)) return true;
        return false;
    }
};

} // namespace detail
} // namespace moqlite
