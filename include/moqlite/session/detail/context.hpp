// The context that the parts of a session share: names, streams, outgoing control bytes, events, and the one way to
// fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/containers/ring.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/core/path.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/session/detail/code_lists.hpp>
#include <moqlite/session/detail/control_stream.hpp>
#include <moqlite/session/detail/event_names.hpp>
#include <moqlite/session/detail/outgoing.hpp>
#include <moqlite/session/detail/stream_table.hpp>
#include <moqlite/session/detail/wire_names.hpp>
#include <moqlite/session/event.hpp>
#include <moqlite/session/ready.hpp>
#include <moqlite/session/slab.hpp>
#include <moqlite/session/transport.hpp>
#include <moqlite/wire/frame_format.hpp>
#include <moqlite/wire/lite/codec.hpp>
#include <moqlite/wire/lite/stream_type.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace moqlite::detail {

struct undated_age_tag;

/// Something with an age: the time at which something newer came.
struct aged : list_hook<undated_age_tag> {
    time_point since{}; ///< Unknown until the next input while it is on context::undated_ages.
};

struct context {
    context(role r, version v, const limits& b, slab_pool* p, ready_list* list, std::uint64_t name)
        : side(r),
          dialect(v),
          frames(frames_of(v)),
          bounds(b),
          own_pool(b.memory),
          pool(p != nullptr ? *p : own_pool),
          ready(list, name),
          key(name),
          names(v, b.name),
          codes(v),
          streams(b),
          out(r, bounds, ready, codes) {
        wake.entry = &ready;
    }

    role side;
    version dialect;
    frame_format frames; ///< Of our group streams, and of the peer's.
    limits bounds;
    slab_pool own_pool;
    slab_pool& pool;
    ready_entry ready;
    std::uint64_t key;
    wake_queue wake;
    hop_id origin{};                        ///< Our own hop.
    hop_id peer_origin{};                   ///< The hop in the peer's SETUP.
    std::optional<std::uint64_t> own_cost;  ///< Link cost, as configured.
    std::optional<std::uint64_t> peer_cost; ///< Link cost, from the peer's SETUP.
    time_point epoch{};                     ///< Epoch of synthesised timestamps.
    path_facts path;
    bool admitted = false;
    bool peer_leaves = false; ///< It has sent GOAWAY: we open no further request.
    time_point now{};
    bool now_is_current = false; ///< The last input is being drained, so `now` is the current time.

    wire_names names;
    code_lists codes;
    stream_table streams;
    outgoing out;
    list<aged, undated_age_tag> undated_ages;
    ring<event> events;
    event_names views;        ///< Memory that events alias.
    bool same_origin = false; ///< The peer has our own hop, and that was reported.
    std::vector<std::byte> scratch;
    std::string path_scratch;

    std::optional<session_closed> closing; ///< Why the session ended, once it has.
    std::string closing_reason;

    // Time.

    /// Starts the timeout for a stream's first message, or its end. Commands and outputs carry no time: after them the
    /// next input dates it.
    void expect_message(receiving& r) {
        if (!now_is_current) return streams.undated.push_back(r);
        r.since = now;
        streams.silent.push_back(r);
    }
    /// An input has brought the current time.
    void note_time() {
        now_is_current = true;
        while (receiving* r = streams.undated.pop_front()) expect_message(*r);
        while (aged* a = undated_ages.pop_front()) a->since = now;
        out.stall.note_time(now);
    }
    /// The age of `a` begins now, under the same rule.
    void begin_age(aged& a) noexcept {
        a.since = now;
        a.list_hook<undated_age_tag>::unlink();
        if (!now_is_current) undated_ages.push_back(a);
    }

    // Events, and the end.

    /// Constructs the event in its slot, and names the alternative: other ways take a compiler much longer.
    template <class E>
    void emit(const E& e) {
        events.push_used().emplace<E>(e);
    }
    /// Views in past events expire.
    void forget_views() noexcept {
        if (events.empty()) views.clear();
    }
    /// Copies the names of a request for its event.
    track_ref kept(std::string_view broadcast, std::string_view track) {
        return {views.keep(names.whole(broadcast, path_scratch)), views.keep(track)};
    }
    /// The peer has sent its own hop. If it equals ours, each side drops the other's announcements as loops, and
    /// without this report a watcher would wait in silence.
    void peer_hop(stream_id where, hop_id theirs) {
        if (origin == hop_id{} || theirs != origin || std::exchange(same_origin, true)) return;
        emit(stream_rejected{where, errc::same_origin});
    }
    /// Ends the session, on an error of the peer or by request of the application.
    void close(app_error code, errc why, std::string_view reason) {
        if (closing) return;
        end({code.in(codes.of_session()), why, false, reason});
        out.connection = connection_state::close_due;
        ready.mark();
    }
    void fail(errc why) { close(wire_code(why), why, to_string(why)); }
    void end(const session_closed& how) {
        closing_reason = how.reason;
        closing = how;
        closing->reason = closing_reason;
    }
    /// The transport sends nothing more: no bytes are lent.
    void release_lent() noexcept {
        out.connection = connection_state::gone;
        out.executed();
        streams.controls.for_each([](control_stream& s) { s.out.clear(); });
    }

    // Messages.

    void append(control_stream& s, byte_view bytes) {
        if (!out.append(s, bytes)) fail(errc::control_backlog);
    }
    /// Appends a message; the caller has checked that it can be encoded.
    template <class M>
    errc send(control_stream& s, const M& message) {
        const auto why = encodable(message);
        if (why == errc::ok) append(s, scratch);
        return why;
    }
    /// Whether a message can be encoded.
    template <class M>
    [[nodiscard]] errc encodable(const M& message) {
        scratch.clear();
        return wire::lite::encode(dialect, message, scratch);
    }

    // Control streams.

    /// errc::ok: a new request of ours may be sent, or wait for a stream.
    [[nodiscard]] errc may_request() const noexcept {
        if (peer_leaves) return errc::going_away;
        return out.may_open() ? errc::ok : errc::too_many_requests;
    }
    /// A new stream of ours that waits for its id, with its type and `message`, whose encoding was checked before. If
    /// an allocation throws, no stream exists: a type alone would be an incomplete request.
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
    /// Ends a stream that we opened or were about to open.
    void drop_control(control_stream& s, app_error code) {
        if (!s.is_bound()) return out.forget_opening(s), destroy(s);
        abandon_reading(s, code);
        out.abandon(s, code);
    }
    /// Precondition: no bytes of the stream are lent, because it has no id or the transport has closed it.
    void destroy(control_stream& s) {
        out.withdraw(s);
        streams.controls.destroy(s);
    }
    /// Stops reading it; bytes that still arrive are dropped.
    void abandon_reading(control_stream& s, app_error code) {
        const bool stops = s.is_bound() && s.is_read();
        s.reading = read_state::abandoned;
        s.list_hook<silent_tag>::unlink();
        streams.forget_partial(s);
        streams.unpark(s);
        if (stops) out.stop(s, code);
    }
    /// Ends both directions and reports why.
    void reject(control_stream& s, errc why) {
        emit(stream_rejected{s.id, why});
        abandon_reading(s, wire_code(why));
        out.abandon(s, wire_code(why));
    }

private:
    control_stream& open_with_scratch(control_kind kind) {
        streams.controls.make_room();
        send_buffer first;
        first.append(scratch);
        auto& s = streams.controls.make();
        s.kind = kind;
        s.reading = read_state::open;
        s.out.swap(first);
        out.open(s);
        return s;
    }
};

} // namespace moqlite::detail
