// Differences between the supported versions of ngtcp2; the only place that checks its version.
#pragma once

#include <cstdint>
#include <ngtcp2/ngtcp2.h>
#include <optional>

static_assert(NGTCP2_VERSION_NUM >= 0x010b00, "moqlite needs ngtcp2 1.11 or later");

namespace moqlite::ngtcp2::detail {

// Padding fills the few bytes that no frame fits into: equal packets make one burst. Before 1.12 they stay
// unequal, which costs bursts, not bytes.
#if NGTCP2_VERSION_NUM >= 0x010c00
inline constexpr std::uint32_t pad_stream = NGTCP2_WRITE_STREAM_FLAG_PADDING;
inline constexpr std::uint32_t pad_datagram = NGTCP2_WRITE_DATAGRAM_FLAG_PADDING;
#else
inline constexpr std::uint32_t pad_stream = NGTCP2_WRITE_STREAM_FLAG_NONE;
inline constexpr std::uint32_t pad_datagram = NGTCP2_WRITE_DATAGRAM_FLAG_NONE;
#endif

/// Registers the callback for STOP_SENDING. Before 1.24 there is none: ngtcp2 resets the stream
/// with the peer's code, which stream_close reports.
template <class Callback>
void set_stop_sending(ngtcp2_callbacks& to, Callback callback) {
#if NGTCP2_VERSION_NUM >= 0x011800
    to.recv_stop_sending = callback;
#else
    static_cast<void>(to);
    static_cast<void>(callback);
#endif
}

/// Turns off the limit on frames that change nothing, which ends a connection with INTERNAL_ERROR: it exists from 1.15
/// on, allows 330 a second by default, and counts an honest peer's retransmissions on a path that reorders. Such a
/// frame costs us no more than a PING, which nothing limits.
inline void allow_repeated_frames([[maybe_unused]] ngtcp2_settings& s) {
#if NGTCP2_VERSION_NUM >= 0x010f00
    s.glitch_ratelim_burst = s.glitch_ratelim_rate = std::uint64_t{1} << 62;
#endif
}

// RESET_STREAM_AT (draft-ietf-quic-reliable-stream-reset): in no release up to 1.25, but proposed upstream; found by
// its names, because the version that will have it is not known.
#ifdef NGTCP2_SHUT_STREAM_FLAG_FLUSH
inline constexpr std::uint32_t keep_written = NGTCP2_SHUT_STREAM_FLAG_FLUSH;
#else
inline constexpr std::uint32_t keep_written = 0;
#endif

template <class Parameters>
inline constexpr bool has_reset_stream_at_in = keep_written != 0 && requires(Parameters p) { p.reset_stream_at; };
/// ngtcp2 sends and receives RESET_STREAM_AT.
inline constexpr bool has_reset_stream_at = has_reset_stream_at_in<ngtcp2_transport_params>;

/// Announces that we receive RESET_STREAM_AT.
template <class Parameters>
void announce_reset_stream_at([[maybe_unused]] Parameters& ours) {
    if constexpr (has_reset_stream_at_in<Parameters>) ours.reset_stream_at = 1;
}

/// Whether a peer with these parameters receives RESET_STREAM_AT, and ngtcp2 can send it.
template <class Parameters>
[[nodiscard]] bool takes_reset_stream_at([[maybe_unused]] const Parameters& theirs) {
    if constexpr (has_reset_stream_at_in<Parameters>)
        return theirs.reset_stream_at != 0;
    else
        return false;
}

struct packet_counts {
    std::uint64_t packets_sent, packets_received, packets_lost;
    std::uint64_t bytes_sent, bytes_received, bytes_lost;
};

/// Nullopt before 1.16.
inline std::optional<packet_counts> counts_of([[maybe_unused]] const ngtcp2_conn_info& info) {
#if NGTCP2_VERSION_NUM >= 0x011000
    return packet_counts{
        info.pkt_sent, info.pkt_recv, info.pkt_lost, info.bytes_sent, info.bytes_recv, info.bytes_lost};
#else
    return std::nullopt;
#endif
}

} // namespace moqlite::ngtcp2::detail
