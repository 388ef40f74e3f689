// What a session needs from a QUIC stack, and the only loop that joins the two.
//
// The contract, for those who bind a QUIC stack. tests/session/contract_*test.cpp show each rule that the session
// enforces, checking_transport.hpp asserts all of them at run time, and memory_transport.hpp is a small transport that
// keeps them.
//
// - Turns: Give an input (a fact from the stack), then call poll_event() until nullopt, then give the next input. Then
//   call pump(), and poll_event() again: a pump may queue events. So may commands, and the constructor (setup_received
//   on versions without SETUP). Pump a session when it has put itself on its ready_list, or, without a list: after
//   inputs, after commands given outside of inputs, after a group that it serves has grown, and when the connection
//   accepts bytes again after a pump that returned false. An unnecessary pump is harmless.
// - Order: The outputs of one pump come in this order: close, credit, open, datagrams, write. A reset or stop may come
//   anywhere but after close. After a write nothing else comes before flush (ngtcp2 forbids it after
//   WRITE_STREAM_FLAG_MORE). close is the last output of a session, in a pump of its own.
// - Inside: Inside a transport's member its session must be given no command and no input, with two exceptions:
//   stream_acked, and connection_closed where a call discovers that the connection is gone. Record other facts and
//   report them after the pump. Inside open() or write() they end the session with errc::input_inside_output. There
//   poll_event() reports nothing before the call has been answered.
// - Time: `now` never goes back. deadline() may be in the past or equal to now: call tick(now) at once, which moves the
//   deadline beyond `now`. Any monotonic clock will do: time_point{steady_clock::now().time_since_epoch()}.
// - Ids: As in QUIC: bit 0 is the initiator (1: server), bit 1 the direction (1: unidirectional), below 2^62, never
//   reused in a connection. If the stack has other ids, number its streams in this way. The session uses ids in the
//   order in which open() returns them. A stack that opens streams late answers nullopt, calls streams_available() once
//   it has one, and is asked again.
// - Lent: Bytes accepted by write() stay in place, unchanged, until the session receives stream_acked, stream_closed or
//   connection_closed, or until the flush() after a reset of their stream or after close; then their memory is reused.
//   A stack that copies calls stream_acked as soon as it has copied, in write() or later.
// - Acked: The bytes of a stream are acknowledged in order, each once, and never more than were accepted
//   (errc::more_than_written). stream_closed without a code means that everything, FIN included, has arrived:
//   group_delivered relies on it. With a code it may come at any time, also right after stop() or reset() on a stack
//   that then forgets the stream. It comes once, and is the last input of its stream. reset, stop and credit may name a
//   stream that has closed since they were queued: ignore them.
// - Credit: The stack grants `n` bytes on a new stream, the initial window, and then what credit() adds: the session
//   returns every byte that it has parsed, at the next pump, and on a subscription with a Group End what release()
//   names. A stack that grants credit by reading reads no more than that. The session does not manage connection credit
//   or stream slots: always return connection credit as soon as the session has received the bytes, and a slot when its
//   stream has closed. The session does not know a stream that the peer opened without sending a byte: a stack that
//   grants a new stream for each one accepted must bound those itself.
// - Windows: Our adapters grant the following, as a start: 1 MiB a stream, 8 MiB a connection, 256 bidirectional and
//   1024 unidirectional streams of the peer at once. A window smaller than a frame slows that frame, and stops nothing.
// - Urgency: write() is called with the most urgent stream first, whenever there is room. A stack that buffers sends in
//   order of arrival: let it buffer little (answer nullopt when its congestion window is full), or priorities have no
//   effect.
// - Codes: Outputs have the number of the peer's dialect. Native QUIC carries it unchanged, or mapped into HTTP/3's
//   range if the peer reads it so (session::reads_raw_codes()); WebTransport always maps (webtransport/error_code.hpp).
//   Inputs take the peer's number as app_error{n}, without its meaning; a failure that the transport found itself is
//   app_error::transport. A transport that closes by itself sends session::close_code().
// - Weak: A transport may lack: datagrams (groups served as datagrams are lost); stop (unwanted bytes arrive and are
//   dropped); notices of acknowledgement (call stream_acked when copied, stream_closed when both FINs were passed on:
//   group_delivered then means "sent", and finish() ends before everything has arrived); notices of credit (call
//   stream_writable for blocked streams every turn: allowed, but peer_inputs() then counts it as a sign of life);
//   path_measured (probes stay unanswered, the stall timer knows no round trip).
// - End: Destroy the session after close_connection was executed, or after connection_closed was given and its events
//   were polled. Not before: it holds the lent bytes.
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

/// A QUIC connection, or a substitute: the contract is at the head of this file. Nothing here blocks.
/// - open: nullopt: no stream yet; streams_available() announces when to ask again
/// - write: returns n, the number of bytes accepted; if that is all, a requested FIN is accepted too. So:
///   - n < size: a part; the rest is offered again, in this pump
///   - 0 of some: the *stream* is blocked, and is not offered before stream_writable()
///   - 0 of 0: a FIN alone was accepted. It needs no credit, so it cannot be blocked: a transport that cannot pass it
///     on yet keeps it, also where it accepted the last bytes and could not send their FIN
///   - nullopt: the *connection* accepts nothing more in this pump, and accepted nothing of this write
///   - any answer is allowed for a stream that the stack has given up; stream_closed() or stream_stopped() follows
/// - reset: from now on nothing of the stream is sent or retransmitted. A stack that has copied may still send what it
///   accepted: the rule protects lent bytes
/// - stop: the peer should stop sending on it; bytes that still arrive need not be reported
/// - credit: the peer may send n more bytes on this stream
/// - close: from now on nothing is sent but the close itself
/// - flush: finish whatever packet is open
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

/// A transport with unreliable datagrams; false: the datagram was dropped.
template <class T>
concept datagram_transport = transport<T> && requires(T& t, byte_view datagram) {
    { t.send(datagram) } -> std::same_as<bool>;
};

/// Measurements of the transport; 0: not known (yet).
struct path_facts {
    duration rtt{};                              ///< Smoothed.
    std::uint64_t rate = 0;                      ///< Estimated send rate, in bits per second.
    std::size_t datagram_size = 0;               ///< The largest datagram that the path carries, in bytes.
    std::optional<std::uint64_t> bidi_streams{}; ///< Streams that the peer lets us open now; nullopt: not known.
};

/// Passes all outputs of the session to the transport, most urgent first, and flushes. False: the connection accepted
/// no more; pump again when it does. Poll events afterwards.
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
