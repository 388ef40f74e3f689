#include "detail/packet_writer.hpp"

#include "detail/compat.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

namespace moqlite::ngtcp2::detail {

namespace {

bool same(const link::address& a, const ngtcp2_addr& b) noexcept {
    return a.size() == b.addrlen && std::memcmp(a.data(), b.addr, a.size()) == 0;
}

/// The rest of a write_stream, as ngtcp2's vectors, a few at a time.
class remainder {
public:
    explicit remainder(std::span<const byte_view> data) : data_{data} {}

    /// The next spans: at least `want` bytes, if that many are left and fit.
    std::span<const ngtcp2_vec> next(std::size_t want) noexcept {
        std::size_t count = 0, bytes = 0, skip = offset_;
        for (std::size_t i = index_; i < data_.size() && count < vectors_.size() && bytes < want; ++i) {
            const byte_view piece = data_[i].subspan(skip);
            skip = 0;
            if (piece.empty()) continue;
            // ngtcp2 only reads; its vectors serve for both directions.
            auto* base = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(piece.data()));
            vectors_[count++] = {base, piece.size()};
            bytes += piece.size();
        }
        offered_ = bytes;
        return {vectors_.data(), count};
    }
    [[nodiscard]] std::size_t offered() const noexcept { return offered_; }

    void take(std::size_t n) noexcept {
        while (n > 0) {
            const std::size_t here = std::min(n, data_[index_].size() - offset_);
            offset_ += here;
            n -= here;
            if (offset_ == data_[index_].size()) {
                ++index_;
                offset_ = 0;
            }
        }
    }

private:
    std::span<const byte_view> data_;
    std::size_t index_ = 0, offset_ = 0, offered_ = 0;
    std::array<ngtcp2_vec, 16> vectors_;
};

} // namespace

void packet_writer::begin(ngtcp2_conn* conn, const black_hole& path, ngtcp2_tstamp now) {
    assert(!open_ && base_ == tail_);
    conn_ = conn;
    now_ = now;
    packet_size_ = std::min(ngtcp2_conn_get_max_tx_udp_payload_size(conn), path.bound());
    path_size_ = std::min(ngtcp2_conn_get_path_max_tx_udp_payload_size(conn), path.bound());
    trial_ = path.trial();
    trials_left_ = path.trials_left();
    threshold_ = path.threshold();
    large_ = 0;
    limit_ = std::min(burst_bytes, ngtcp2_conn_get_send_quantum(conn));
    produced_ = 0;
    error_ = 0;
    blocked_ = starved_ = exhausted_ = closed_ = false;
    interrupted_.reset();
    base_ = tail_ = segments_ = 0;
    ngtcp2_path_storage_zero(&path_);
}

bool packet_writer::may_write() {
    if (open_) return true;
    if (error_ != 0 || blocked_ || exhausted_ || closed_) return false;
    // Whole packets only: a partial one would need a burst of its own.
    if (full_ || (produced_ > 0 && produced_ + path_size_ > limit_)) {
        exhausted_ = true;
        return false;
    }
    room_ = trials_left_ != 0 ? trial_ : packet_size_;
    if (tail_ + room_ > capacity) {
        send_burst();
        base_ = tail_ = 0;
    }
    return true;
}

void packet_writer::complete(std::size_t size) {
    open_ = false;
    produced_ += size;
    if (size > threshold_ && size <= std::max(path_size_, trial_)) {
        ++large_;
        if (trials_left_ != 0) --trials_left_;
    }
    const bool fits =
        segments_ == 0 || (size <= segment_ && tail_ - base_ + size <= burst_bytes && info_.ecn == burst_ecn_ &&
                              same(burst_remote_, path_.path.remote) && same(burst_local_, path_.path.local));
    if (!fits) send_burst();
    if (segments_ == 0) {
        segment_ = size;
        burst_ecn_ = info_.ecn;
        if (!same(burst_remote_, path_.path.remote))
            burst_remote_ = link::address{path_.path.remote.addr, path_.path.remote.addrlen};
        if (!same(burst_local_, path_.path.local))
            burst_local_ = link::address{path_.path.local.addr, path_.path.local.addrlen};
    }
    tail_ += size;
    ++segments_;
    // A path probe, ngtcp2's or ours, is sent alone: the kernel may refuse it with the whole burst.
    if (size < segment_ || size > path_size_ || segments_ == burst_segments) send_burst();
}

void packet_writer::send_burst() {
    if (segments_ == 0) return;
    const link::burst b{burst_local_, burst_remote_, burst_ecn_, segment_,
        std::as_bytes(std::span{buffer_}).subspan(base_, tail_ - base_)};
    base_ = tail_;
    segments_ = 0;
    if (!sink_.send(b)) full_ = true; // If it throws, the burst is lost like any packet.
}

packet_writer::outcome packet_writer::judge(ngtcp2_ssize n) {
    if (n > 0) {
        complete(static_cast<std::size_t>(n));
        return outcome::packet;
    }
    switch (n) {
    case 0: // Nothing fits: congestion, pacing or amplification limit.
        open_ = false;
        blocked_ = true;
        return outcome::stop;
    case NGTCP2_ERR_WRITE_MORE: open_ = true; return outcome::more;
    case NGTCP2_ERR_STREAM_DATA_BLOCKED:
        open_ = true; // With MORE it may have begun a packet with frames of its own.
        if (ngtcp2_conn_get_max_data_left(conn_) > 0) return outcome::blocked_stream;
        starved_ = true;
        return outcome::stop;
    case NGTCP2_ERR_STREAM_NOT_FOUND:
    case NGTCP2_ERR_STREAM_SHUT_WR: return outcome::no_stream;
    default:
        open_ = false;
        error_ = static_cast<int>(n);
        return outcome::stop;
    }
}

std::optional<std::size_t> packet_writer::write(const write_stream& w) {
    if (w.size == 0 && !w.fin) return 0;
    remainder rest{w.data};
    std::size_t taken = 0;
    while (!starved_ && may_write()) {
        const auto vectors = rest.next(room_);
        const bool last = taken + rest.offered() == w.size;
        const std::uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_MORE | pad_stream |
                                    (last && w.fin ? NGTCP2_WRITE_STREAM_FLAG_FIN : NGTCP2_WRITE_STREAM_FLAG_NONE);
        ngtcp2_ssize accepted = -1;
        const auto n = ngtcp2_conn_writev_stream(conn_, &path_.path, &info_, buffer_.data() + tail_, room_, &accepted,
            flags, static_cast<std::int64_t>(number(w.stream)), vectors.data(), vectors.size(), now_);
        if (accepted > 0) {
            rest.take(static_cast<std::size_t>(accepted));
            taken += static_cast<std::size_t>(accepted);
        }
        const outcome o = judge(n);
        if (accepted >= 0 && taken == w.size) return taken; // With the FIN, if there is one.
        if (o == outcome::blocked_stream || o == outcome::no_stream) return taken;
        if (o == outcome::stop) break;
    }
    if (taken == 0) return std::nullopt;
    // If this covers only the prefix of a WebTransport stream, the layer above answers 0, a blocked stream, which
    // must be reported writable.
    interrupted_ = w.stream;
    return taken;
}

bool packet_writer::write_datagram(byte_view bytes) {
    while (may_write()) {
        auto* base = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(bytes.data()));
        const ngtcp2_vec vector{base, bytes.size()};
        int accepted = 0;
        const auto n = ngtcp2_conn_writev_datagram(conn_, &path_.path, &info_, buffer_.data() + tail_, room_, &accepted,
            NGTCP2_WRITE_DATAGRAM_FLAG_MORE | pad_datagram, 0, &vector, 1, now_);
        // The peer takes no datagrams, or none of this size: drop the datagram, not the connection.
        if (n == NGTCP2_ERR_INVALID_ARGUMENT || n == NGTCP2_ERR_INVALID_STATE) return false;
        const outcome o = judge(n);
        if (accepted != 0) return true;
        if (o != outcome::packet) return false;
    }
    return false;
}

/// Writes ngtcp2's own frames, after those in the open packet.
ngtcp2_ssize packet_writer::write_rest() {
    return ngtcp2_conn_writev_stream(conn_, &path_.path, &info_, buffer_.data() + tail_, room_, nullptr,
        NGTCP2_WRITE_STREAM_FLAG_NONE, -1, nullptr, 0, now_);
}

void packet_writer::flush() {
    if (!open_) return;
    // 0: no packet had been begun. The next write finds out whether more may be sent.
    if (const auto n = write_rest(); n == 0)
        open_ = false;
    else
        judge(n);
}

void packet_writer::finish() {
    flush();
    // When congestion stopped a write, ngtcp2 has already sent its acknowledgements.
    while (may_write()) judge(write_rest());
}

void packet_writer::close() {
    finish();
    closed_ = true;
}

int packet_writer::end() {
    finish();
    send_burst();
    if (produced_ > 0) ngtcp2_conn_update_pkt_tx_time(conn_, now_);
    conn_ = nullptr;
    return error_;
}

void packet_writer::send(const link::address& local, const link::address& remote, std::uint8_t ecn, byte_view packet) {
    if (!sink_.send({local, remote, ecn, packet.size(), packet})) full_ = true;
}

} // namespace moqlite::ngtcp2::detail
