// What a session needs from QUIC, and the only loop that joins the two.
//
// The contract, for whoever binds a QUIC stack. tests/session/contract_*test.cpp show each rule that the session
// enforces, checking_transport.hpp asserts all of them at run time, and memory_transport.hpp is a small transport that
// keeps them.
//
// Turns    An input (a fact from the stack), then poll_event() until nullopt, then the next input. Then pump(), and
//          poll_event() again: a pump may queue events. So may commands, and the constructor (setup_received on
//          versions without SETUP). Pump a session when it has put itself on its ready_list, or, without one: after
//          inputs, after commands that were given outside of inputs, after a group that it serves has grown, and when
//          the connection takes bytes again after a pump that returned false. A pump for nothing does nothing.
// Order    The outputs of one pump come in this order: close, credit, open, datagrams, write. A reset or stop may come
//          anywhere but behind close. Behind a write nothing else comes before flush (ngtcp2 forbids it after
//          WRITE_STREAM_FLAG_MORE). close is the last output of a session, in a pump of its own.
// Inside   From inside of a transport's member its session is given no command, and no input, with two exceptions:
//          stream_acked, and connection_closed where a call finds out that the connection is gone. Note other facts
//          down, and tell them after the pump. From inside of open() or write() they end the session with errc::
//          input_inside_output. poll_event() reports nothing there before the call is answered.
// Time     `now` never goes back. deadline() may lie in the past or be the present: call tick(now) at once, which moves
//          the deadline behind `now`. Any monotonic clock does: time_point{steady_clock::now().time_since_epoch()}.
// Ids      As in QUIC: bit 0 is the initiator (1: server), bit 1 the direction (1: unidirectional), below 2^62, never
//          used twice in a connection. Number your streams so where the stack does not. The session takes ids in the
//          order in which open() returns them. A stack that opens streams late answers nullopt, calls
//          streams_available() when it has one, and is asked again.
// Lent     What write() took stays where it is, unchanged, until the session has been told stream_acked, stream_closed
//          or connection_closed, or until the flush() after a reset of its stream or after close; then it is given to
//          others. A stack that copies calls stream_acked as soon as it has copied, in write() or later.
// Acked    The bytes of a stream are acknowledged in order, each once, and never more than were taken (errc::
//          more_than_written). stream_closed without a code says that all, FIN included, has arrived: it is what
//          group_delivered means. With a code it may come at any time, also right after stop() or reset() on a stack
//          that forgets the stream with it. It comes once, and is the last input of its stream. reset, stop and credit
//          may name a stream that has closed since they were queued: ignore them.
// Credit   The stack grants `n` bytes on a new stream, the initial window, and then what credit() adds: the session
//          returns every byte that it has parsed, at the next pump, and on a subscription with a Group End what
//          release() names. A stack that grants by reading reads no more than that. Connection credit and stream slots
//          are no affair of the session: return connection credit as soon as the bytes were given to it, and a slot
//          when its stream has closed, always. A stream that a peer opens without a byte is unknown to the session: a
//          stack that lets its peer open another for each that was accepted has to bound those itself.
// Windows  What our adapters grant, as a start: 1 MiB a stream, 8 MiB a connection, 256 bidirectional and 1024
//          unidirectional streams of the peer at once. A window below a frame's size slows that frame, and stops
//          nothing.
// Urgency  write() is called with the most urgent stream first, whenever there is room. A stack that buffers what it is
//          given decides by arrival: let it buffer little (answer nullopt where its congestion window is full), else
//          priorities come to nothing.
// Codes    app_error is the number of moq-lite. Native QUIC carries it as it is, or mapped into HTTP/3's range where a
//          peer reads it so (session::reads_raw_codes()); WebTransport maps always (webtransport/error_code.hpp).
// Weak     A transport may do without: datagrams (groups served as datagrams are lost); stop (what is not wanted
//          arrives and is dropped); notices of acknowledgement (call stream_acked when copied, stream_closed when both
//          FINs were passed: group_delivered then means "sent", and finish() ends before all has arrived); notices of
//          credit (call stream_writable for blocked streams every turn: allowed, but peer_inputs() then counts it as a
//          sign of life); path_measured (probes stay unanswered, the stall timer knows no round trip).
// End      After close_connection was executed, or connection_closed was told and the events were taken, destroy the
//          session. Not before: it holds what was lent.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/time.hpp>
#include <moqlite/session/output.hpp>
#include <optional>
#include <string_view>
#include <variant>

namespace moqlite {

/// A QUIC connection, or anything like one: the contract is above. Nothing here blocks.
///   open    nullopt: no stream yet; streams_available() says when to ask again
///   write   `n` bytes of the data were taken, and FIN if it was asked for and n is all. So:
///             n < size    a part; the rest is offered again, in this pump
///             0 of some   the *stream* is blocked, and is not offered before stream_writable()
///             0 of 0      a FIN alone was taken. It needs no credit, so it cannot be blocked: a transport that cannot
///                         pass it on yet keeps it, also where it took the last bytes and could not send their FIN
///             nullopt     the *connection* takes nothing more in this pump, and nothing was taken
///           Of a stream that the stack has given up anything may be answered; stream_closed() or stream_stopped()
///           follows
///   reset   from here on nothing of the stream is sent, or sent again. A stack that has copied may go on with what
///           it took: the rule protects what was lent
///   stop    the peer should send no more on it; what still arrives need not be told
///   credit  n more bytes may be sent to us on this stream
///   close   from here on nothing is sent but what says so
///   flush   finish whatever packet is open
template <class T>
concept transport = requires(T& t, direction kind, const write_stream& w, stream_id id, app_error code, std::uint64_t n,
    std::string_view reason) {
    { t.open(kind) } -> std::same_as<std::optional<stream_id>>;
    { t.write(w) } -> std::same_as<std::optional<std::size_t>>;
    { t.reset(id, code) } -> std::same_as<void>;
    { t.stop(id, code) } -> std::same_as<void>;
    { t.credit(id, n) } -> std::same_as<void>;
    { t.close(code, reason) } -> std::same_as<void>;
    { t.flush() } -> std::same_as<void>;
};

/// A transport that has unreliable datagrams; false: dropped, which is what datagrams do.
template <class T>
concept datagram_transport = transport<T> && requires(T& t, byte_view datagram) {
    { t.send(datagram) } -> std::same_as<bool>;
};

/// What the transport has measured; 0: not known (yet).
struct path_facts {
    duration rtt{};                              ///< Smoothed.
    std::uint64_t rate = 0;                      ///< What we could send, in bits a second.
    std::size_t datagram_size = 0;               ///< The largest datagram that the path carries, in bytes.
    std::optional<std::uint64_t> bidi_streams{}; ///< That the peer would let us open now; nullopt: not known.
};

/// Tells the transport everything that the session wants, most urgent first, and flushes. False: the connection took no
/// more; pump again when it does. Poll events afterwards.
template <class Session, transport T>
bool pump(Session& session, T& to) {
    bool all = true;
    while (all) {
        const auto out = session.poll_output();
        if (!out) break;
        if (const auto* w = std::get_if<write_stream>(&*out)) {
            const auto taken = to.write(*w);
            if (taken) session.stream_written(w->stream, *taken);
            all = taken.has_value();
        } else if (const auto* d = std::get_if<send_datagram>(&*out)) {
            if constexpr (datagram_transport<T>) static_cast<void>(to.send(d->bytes));
        } else if (const auto* o = std::get_if<open_stream>(&*out)) {
            session.stream_opened(o->kind, to.open(o->kind));
        } else if (const auto* c = std::get_if<credit>(&*out)) {
            to.credit(c->stream, c->bytes);
        } else if (const auto* r = std::get_if<reset_stream>(&*out)) {
            to.reset(r->stream, r->code);
        } else if (const auto* s = std::get_if<stop_sending>(&*out)) {
            to.stop(s->stream, s->code);
        } else if (const auto* e = std::get_if<close_connection>(&*out)) {
            to.close(e->code, e->reason);
        }
    }
    to.flush();
    session.flushed();
    return all;
}

} // namespace moqlite
