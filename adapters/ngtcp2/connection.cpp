// The transport.
#include "detail/compat.hpp"
#include "detail/endpoint_state.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace moqlite::ngtcp2 {

namespace detail {

namespace {

std::int64_t raw(stream_id id) noexcept { return static_cast<std::int64_t>(number(id)); }

} // namespace

std::optional<stream_id> connection_state::open(direction which) {
    flush();
    if (early && (early->sending_again || (is_early() && !early->has_room_for_stream()))) {
        early->refused_stream = true;
        return std::nullopt;
    }
    std::int64_t id = -1;
    const int rv = which == direction::uni ? ngtcp2_conn_open_uni_stream(conn, &id, nullptr)
                                           : ngtcp2_conn_open_bidi_stream(conn, &id, nullptr);
    if (rv != 0) return std::nullopt;
    const stream_id made{static_cast<std::uint64_t>(id)};
    if (early && is_early()) early->opened(made);
    return made;
}

std::optional<std::size_t> connection_state::write(const write_stream& w) {
    assert(endpoint.writer.current() == conn && "write() belongs into pump()");
    if (!early) return endpoint.writer.write(w);
    if (early->sending_again || (is_early() && !early->has_room_for(w.size))) return std::nullopt;
    const auto taken = endpoint.writer.write(w);
    if (taken && is_early()) early->written(w, *taken);
    return taken;
}

// Both may be called while a packet is open, which ngtcp2 allows.
void connection_state::reset(stream_id id, app_error code) {
    if (auto* sent = early ? early->find(id) : nullptr; sent != nullptr && !sent->done) sent->reset = code;
    ngtcp2_conn_shutdown_stream_write(conn, 0, raw(id), wire_code(code));
}

bool connection_state::can_reset_reliably() const noexcept {
    if (facts.early != link::early_data::none) return false; // A handler must not see it change.
    const auto* theirs = ngtcp2_conn_get_remote_transport_params(conn);
    return theirs != nullptr && takes_reset_stream_at(*theirs);
}

void connection_state::reset_reliably(stream_id id, app_error code) {
    ngtcp2_conn_shutdown_stream_write(conn, keep_written, raw(id), wire_code(code));
}

void connection_state::stop(stream_id id, app_error code) {
    if (auto* sent = early ? early->find(id) : nullptr; sent != nullptr && !sent->opened) sent->stopped = code;
    ngtcp2_conn_set_stream_user_data(conn, raw(id), this); // Not null: the peer's reset may repeat our code.
    ngtcp2_conn_shutdown_stream_read(conn, 0, raw(id), wire_code(code));
}

void connection_state::credit(stream_id id, std::uint64_t bytes) {
    flush();
    ngtcp2_conn_extend_max_stream_offset(conn, raw(id), bytes);
    if (endpoint.writer.current() != conn) endpoint.ready(*this);
}

void connection_state::close(app_error code, std::string_view reason) {
    // Longer reasons do not fit into one packet.
    constexpr std::size_t longest = 256;
    std::string text{reason.substr(0, longest)};
    if (text.empty()) text = "closed";
    if (endpoint.writer.current() == conn) endpoint.writer.close(); // From here on ngtcp2 must not retransmit.
    endpoint.end(*this, {static_cast<std::uint64_t>(code), true, false, std::move(text)});
}

void connection_state::flush() {
    if (endpoint.writer.current() == conn) endpoint.writer.flush();
}

bool connection_state::send(byte_view datagram) {
    assert(endpoint.writer.current() == conn && "send() belongs into pump()");
    if (early && (is_early() || early->sending_again)) return false; // It could not be sent again.
    // ngtcp2 would treat an oversized datagram as congestion.
    if (path.bound() != black_hole::no_bound && datagram.size() > datagram_size()) return false;
    return endpoint.writer.write_datagram(datagram);
}

void connection_state::wake() { endpoint.ready(*this); }

path_sample connection_state::sample() const {
    ngtcp2_conn_info info{};
    ngtcp2_conn_get_conn_info(conn, &info);
    const auto counts = counts_of(info);
    return {counts ? counts->packets_lost : 0, info.bytes_in_flight, ngtcp2_conn_get_path_max_tx_udp_payload_size(conn),
        duration{static_cast<duration::rep>(ngtcp2_conn_get_pto(conn))}};
}

link::connection_stats connection_state::stats() const {
    ngtcp2_conn_info info{};
    ngtcp2_conn_get_conn_info(conn, &info);
    link::connection_stats out;
    // Until it is measured, the least is the largest number, and the smoothed one an assumption.
    if (info.min_rtt <= info.smoothed_rtt * 1000) {
        out.rtt = duration{static_cast<duration::rep>(info.smoothed_rtt)};
        out.min_rtt = duration{static_cast<duration::rep>(info.min_rtt)};
        const auto seconds = std::chrono::duration<double>(*out.rtt).count();
        if (seconds > 0) out.bitrate = static_cast<std::uint64_t>(8 * static_cast<double>(info.cwnd) / seconds);
    }
    out.congestion_window = info.cwnd;
    out.in_flight = info.bytes_in_flight;
    if (const auto counts = counts_of(info)) {
        out.packets_sent = counts->packets_sent;
        out.packets_received = counts->packets_received;
        out.packets_lost = counts->packets_lost;
        out.bytes_sent = counts->bytes_sent;
        out.bytes_received = counts->bytes_received;
        out.bytes_lost = counts->bytes_lost;
    }
    out.packet_size = std::min(ngtcp2_conn_get_path_max_tx_udp_payload_size(conn), path.bound());
    out.bidi_streams = ngtcp2_conn_get_streams_bidi_left(conn);
    return out;
}

std::size_t connection_state::datagram_size() const {
    const auto* theirs = ngtcp2_conn_get_remote_transport_params(conn);
    if (theirs == nullptr || theirs->max_datagram_frame_size == 0) return 0;
    // First byte, connection id, packet number, AEAD tag; frame type and length.
    constexpr std::size_t packet_overhead = 1 + NGTCP2_MAX_CIDLEN + 4 + 16;
    constexpr std::size_t frame_overhead = 1 + 4;
    const std::size_t room =
        std::min(ngtcp2_conn_get_path_max_tx_udp_payload_size(conn), path.bound()) - packet_overhead;
    const auto frame = theirs->max_datagram_frame_size;
    const std::size_t least = frame < room ? static_cast<std::size_t>(frame) : room;
    return least > frame_overhead ? least - frame_overhead : 0;
}

connection_state::~connection_state() {
    if (conn != nullptr) ngtcp2_conn_del(conn); // Before its TLS.
}

} // namespace detail

} // namespace moqlite::ngtcp2
