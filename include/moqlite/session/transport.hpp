// What a session needs from QUIC, and the only loop that joins the two.
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

/// A QUIC connection, or anything like one. Nothing here blocks, and nothing calls the session back.
///   open    nullopt: no stream credit left; streams_available() says when there is
///   write   how much of the data was taken, and with all of it the FIN; 0 of a non-empty write: the
///           stream is blocked until stream_writable(); nullopt: nothing was taken and the connection
///           takes nothing more in this pump (congestion, pacing, the end of its quantum)
///   reset   from here on nothing of the stream is sent, or sent again
///   credit  n more bytes may be sent to us on this stream
///   close   from here on nothing is sent but what says so
///   flush   finish whatever packet is open
/// What write took may be read until it is acknowledged, until the flush after a reset of its stream or after close, or
/// until the session has been told that the stream or the connection is closed: no longer, for then it is given to
/// others. A transport that copies what it is given calls stream_acked() as soon as it has.
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

/// Says to the transport everything that the session wants said, most urgent first, and flushes.
/// False: the transport could take no more; pump again when it can.
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
