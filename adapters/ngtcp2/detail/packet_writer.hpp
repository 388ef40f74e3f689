// Builds the packets of one connection's turn, back to back, and hands them on as bursts of equal
// segments. One per endpoint: a connection owns no packet buffer.
#pragma once

#include "black_hole.hpp"

#include <cstddef>
#include <cstdint>
#include <moqlite/ngtcp2/endpoint.hpp>
#include <moqlite/session/output.hpp>
#include <ngtcp2/ngtcp2.h>
#include <optional>
#include <vector>

namespace moqlite::ngtcp2::detail {

class packet_writer {
public:
    static constexpr std::size_t largest_packet = 65000; ///< Below the largest IP packet.

    explicit packet_writer(link::sink& to) : sink_{to}, buffer_(capacity) {}

    // One turn.

    /// Everything up to end() is written for this connection.
    void begin(ngtcp2_conn*, const black_hole&, ngtcp2_tstamp);
    /// The tri-state of moqlite::transport.
    [[nodiscard]] std::optional<std::size_t> write(const write_stream&);
    [[nodiscard]] bool write_datagram(byte_view);
    /// Finishes the open packet, if one is open.
    void flush();
    /// The connection is closed: writes ngtcp2's own frames for the last time in this turn. Lent bytes may be freed
    /// afterwards.
    void close();
    /// Writes ngtcp2's own frames and sends everything. Not 0: the ngtcp2 error that ends the connection.
    int end();

    /// The quantum ended, not the congestion window: another turn would send more.
    [[nodiscard]] bool exhausted() const noexcept { return exhausted_; }
    /// The stream whose write was taken in part because the turn ended.
    [[nodiscard]] std::optional<stream_id> interrupted() const noexcept { return interrupted_; }
    /// Packets of this turn above the threshold of its black_hole, without ngtcp2's path probes.
    [[nodiscard]] std::size_t large() const noexcept { return large_; }
    [[nodiscard]] const ngtcp2_conn* current() const noexcept { return conn_; }

    /// Abandons the turn: packets that were built but not sent are dropped.
    void abandon() noexcept {
        open_ = false;
        base_ = tail_ = segments_ = 0;
        conn_ = nullptr;
    }

    // The socket.

    /// Sends a packet outside of a turn.
    void send(const link::address& local, const link::address& remote, std::uint8_t ecn, byte_view);
    [[nodiscard]] bool full() const noexcept { return full_; }
    void writable() noexcept { full_ = false; }

    /// A buffer for one packet outside of a turn.
    [[nodiscard]] std::span<std::uint8_t> scratch() noexcept { return buffer_; }

private:
    static constexpr std::size_t capacity = 144 * 1024;
    static constexpr std::size_t burst_bytes = largest_packet;
    static constexpr std::size_t burst_segments = 64; ///< UDP_MAX_SEGMENTS of older kernels.

    /// Makes room for a packet; false: the turn is over.
    bool may_write();
    /// A packet of `size` bytes is complete at tail_.
    void complete(std::size_t size);
    void send_burst();
    [[nodiscard]] ngtcp2_ssize write_rest();
    void finish();
    /// Handles the result of one of ngtcp2's write functions.
    enum class outcome : std::uint8_t { more, packet, blocked_stream, no_stream, stop };
    outcome judge(ngtcp2_ssize);

    link::sink& sink_;
    std::vector<std::uint8_t> buffer_;

    ngtcp2_conn* conn_ = nullptr;
    ngtcp2_tstamp now_ = 0;
    std::size_t packet_size_ = 0; ///< Largest that ngtcp2 may write, a path probe.
    std::size_t path_size_ = 0;   ///< Of a full packet on this path.
    std::size_t trial_ = 0;       ///< A larger size on trial.
    std::size_t trials_left_ = 0;
    std::size_t threshold_ = 0;
    std::size_t large_ = 0;
    std::size_t room_ = 0;  ///< For the packet at tail_.
    std::size_t limit_ = 0; ///< Of this turn, in bytes.
    std::size_t produced_ = 0;
    int error_ = 0;
    bool open_ = false;    ///< The packet at tail_ takes more frames.
    bool blocked_ = false; ///< By congestion or pacing.
    bool starved_ = false; ///< By the connection's flow control, which stops only stream data.
    bool exhausted_ = false;
    bool closed_ = false; ///< Nothing of this connection is written any more.
    bool full_ = false;   ///< The socket.
    std::optional<stream_id> interrupted_;

    ngtcp2_path_storage path_{}; ///< Of the packet at tail_.
    ngtcp2_pkt_info info_{};

    std::size_t base_ = 0; ///< Of the burst.
    std::size_t tail_ = 0; ///< Its end.
    std::size_t segment_ = 0;
    std::size_t segments_ = 0;
    link::address burst_local_, burst_remote_;
    std::uint8_t burst_ecn_ = 0;
};

} // namespace moqlite::ngtcp2::detail
