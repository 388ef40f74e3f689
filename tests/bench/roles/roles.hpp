// The programs of a measurement. Each is a process of its own: this program with the role's name as its
// command. Each uses a channel (channel.hpp) and returns an exit code.
#pragma once

#include <cstdint>
#include <moqlite/core/version.hpp>
#include <string>

namespace moqlite::bench {

/// The real relay behind the real server, as moqlite-relay has them; native QUIC and WebTransport on one port.
/// Prints {port}; answers "mark" with {sessions, readers, lost, memory, cached, closed: [{at, reason}]}
/// and "trim", which returns its spare memory to the system first.
struct relay_role {
    std::uint64_t cache = 64 * 1024 * 1024;
};
int run(const relay_role&);

/// One track of a publisher: `rate` frames a second, or with 0 as many as flow control allows.
struct track_plan {
    std::size_t size = 0; ///< Of a frame; 0: no such track.
    double rate = 0;
    std::uint64_t group = 64; ///< Frames.
    std::uint64_t frames = 0; ///< Number after which the track ends; 0: never.
};

/// Announces "bench" with the tracks "live" (written at a rate) and "bulk" (written on request).
/// Prints {ready}; writes from "go" to "stop"; answers with {live, bulk: frames written, lost: groups}.
struct publisher_role {
    std::uint16_t port = 0;
    std::string protocol{alpn(version::lite_06)};
    track_plan live, bulk;
};
int run(const publisher_role&);

enum class watching : std::uint8_t {
    live,    ///< Live.
    capped,  ///< Complete, by a Group End that it raises; uses frames at once.
    drained, ///< Complete, through a track_reader that is emptied at `drain` bytes a second.
};

/// `count` subscribers, each on a connection of its own, all on one socket.
/// Prints {ready} when all are subscribed; answers with {frames, bytes, first: sum of the first frame's
/// numbers, began: watchers that have a frame, lost: groups, wrong: frames out of order or damaged,
/// ended, closed, latency: {p50, p99, count} in ms since the last answer}.
struct watcher_role {
    std::uint16_t port = 0;
    std::string protocol{alpn(version::lite_06)};
    unsigned count = 1;
    std::string track = "live";
    watching how = watching::live;
    double drain = 0; ///< Bytes a second.
    track_plan plan;  ///< Of the track that it reads.
    bool webtransport = false;
    bool gives_credit = true; ///< False: it only acknowledges.
};
int run(const watcher_role&);

/// A bare server on the same endpoint code, without sessions. The peer's ALPN selects what it does on a
/// connection:
///   raw-pull  sends bytes on one stream endlessly
///   raw-in    copies one stream to the first raw-out
///   raw-out   receives that on one stream
///   raw-fan   receives frames from memory, at a rate, in groups, each on a stream of its own
/// Prints {port}; answers "go" and "stop" (the rate), "mark", "trim".
struct raw_server_role {
    track_plan fan;
    std::uint64_t window = 1024 * 1024; ///< Stream credit.
};
int run(const raw_server_role&);

/// `count` peers of such a server. Those of raw-in send endlessly, all others count received bytes.
/// Prints {ready}; answers with {bytes}.
struct raw_client_role {
    std::uint16_t port = 0;
    unsigned count = 1;
    std::string alpn;
    std::uint64_t window = 1024 * 1024;
};
int run(const raw_client_role&);

/// Prints the encryption speed of this process's libcrypto: {packets, blocks} in bytes a second, in pieces of
/// 1400 bytes and of 16 KB; and ends.
struct aes_role {};
int run(const aes_role&);

} // namespace moqlite::bench
