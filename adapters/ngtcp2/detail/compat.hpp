// What differs between the versions of ngtcp2 that we build with; the only place that asks.
#pragma once

#include <cstdint>
#include <ngtcp2/ngtcp2.h>

static_assert(NGTCP2_VERSION_NUM >= 0x010c00, "moqlite needs ngtcp2 1.12 or later");

namespace moqlite::ngtcp2::detail {

/// Registers what reports STOP_SENDING. Before 1.24 there is no such report: ngtcp2 resets the stream
/// with the peer's code, and stream_close carries it.
template <class Callback>
void set_stop_sending(ngtcp2_callbacks& to, Callback callback) {
#if NGTCP2_VERSION_NUM >= 0x011800
    to.recv_stop_sending = callback;
#else
    static_cast<void>(to);
    static_cast<void>(callback);
#endif
}

struct packet_counts {
    std::uint64_t packets_sent, packets_received, packets_lost;
    std::uint64_t bytes_sent, bytes_received, bytes_lost;
};

/// Zeros before 1.16.
inline packet_counts counts_of([[maybe_unused]] const ngtcp2_conn_info& info) {
#if NGTCP2_VERSION_NUM >= 0x011000
    return {info.pkt_sent, info.pkt_recv, info.pkt_lost, info.bytes_sent, info.bytes_recv, info.bytes_lost};
#else
    return {};
#endif
}

} // namespace moqlite::ngtcp2::detail
