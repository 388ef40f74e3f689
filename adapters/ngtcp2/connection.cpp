// connection's members: the transport.
#include "detail/compat.hpp"
#include "detail/endpoint_state.hpp"

#include <cassert>
#include <utility>

namespace moqlite::ngtcp2 {

using detail::state_of;

namespace {

std::int64_t raw(stream_id id) noexcept { return static_cast<std::int64_t>(number(id)); }

} // namespace

std::optional<stream_id> connection::open(direction kind) {
    auto& s = state_of(*this);
    flush();
    std::int64_t id = -1;
    const int rv = kind == direction::uni ? ngtcp2_conn_open_uni_stream(s.conn, &id, nullptr)
                                          : ngtcp2_conn_open_bidi_stream(s.conn, &id, nullptr);
    if (rv != 0) return std::nullopt;
    return stream_id{static_cast<std::uint64_t>(id)};
}

std::optional<std::size_t> connection::write(const write_stream& w) {
    auto& s = state_of(*this);
    assert(s.home.writer.current() == s.conn && "write() belongs into pump()");
    return s.home.writer.write(w);
}

// Both may come while a packet is open; ngtcp2 allows it.
void connection::reset(stream_id id, app_error code) {
    ngtcp2_conn_shutdown_stream_write(state_of(*this).conn, 0, raw(id), static_cast<std::uint64_t>(code));
}

void connection::stop(stream_id id, app_error code) {
    ngtcp2_conn_shutdown_stream_read(state_of(*this).conn, 0, raw(id), static_cast<std::uint64_t>(code));
}

void connection::credit(stream_id id, std::uint64_t bytes) {
    auto& s = state_of(*this);
    flush();
    ngtcp2_conn_extend_max_stream_offset(s.conn, raw(id), bytes);
    if (s.home.writer.current() != s.conn) s.home.ready(s);
}

void connection::close(app_error code, std::string_view reason) {
    auto& s = state_of(*this);
    // More would not fit into one packet beside the frame's other fields.
    constexpr std::size_t longest = 256;
    std::string text{reason.substr(0, longest)};
    if (text.empty()) text = "closed";
    s.home.end(s, {static_cast<std::uint64_t>(code), true, false, std::move(text)});
}

void connection::flush() {
    auto& s = state_of(*this);
    if (s.home.writer.current() == s.conn) s.home.writer.flush();
}

bool connection::send(byte_view datagram) {
    auto& s = state_of(*this);
    assert(s.home.writer.current() == s.conn && "send() belongs into pump()");
    return s.home.writer.write_datagram(datagram);
}

void connection::wake() {
    auto& s = state_of(*this);
    s.home.ready(s);
}

role connection::side() const noexcept { return state_of(*this).side; }
std::string_view connection::alpn() const noexcept { return state_of(*this).alpn; }
const address& connection::remote() const noexcept { return state_of(*this).remote; }

connection_stats connection::stats() const {
    auto* conn = state_of(*this).conn;
    ngtcp2_conn_info info{};
    ngtcp2_conn_get_conn_info(conn, &info);
    const auto counts = detail::counts_of(info);
    connection_stats out;
    out.rtt = duration{static_cast<duration::rep>(info.smoothed_rtt)};
    // "Not measured yet" is the largest number.
    if (info.min_rtt < info.smoothed_rtt * 1000) out.min_rtt = duration{static_cast<duration::rep>(info.min_rtt)};
    out.congestion_window = info.cwnd;
    out.in_flight = info.bytes_in_flight;
    out.packets_sent = counts.packets_sent;
    out.packets_received = counts.packets_received;
    out.packets_lost = counts.packets_lost;
    out.bytes_sent = counts.bytes_sent;
    out.bytes_received = counts.bytes_received;
    out.bytes_lost = counts.bytes_lost;
    out.packet_size = ngtcp2_conn_get_path_max_tx_udp_payload_size(conn);
    return out;
}

std::size_t connection::datagram_size() const {
    auto* conn = state_of(*this).conn;
    const auto* peer = ngtcp2_conn_get_remote_transport_params(conn);
    if (peer == nullptr || peer->max_datagram_frame_size == 0) return 0;
    // First byte, connection id, packet number, AEAD tag; frame type and length.
    constexpr std::size_t packet_overhead = 1 + NGTCP2_MAX_CIDLEN + 4 + 16;
    constexpr std::size_t frame_overhead = 1 + 4;
    const std::size_t path = ngtcp2_conn_get_path_max_tx_udp_payload_size(conn) - packet_overhead;
    const auto frame = peer->max_datagram_frame_size;
    const std::size_t least = frame < path ? static_cast<std::size_t>(frame) : path;
    return least > frame_overhead ? least - frame_overhead : 0;
}

detail::connection_state::~connection_state() {
    if (conn != nullptr) ngtcp2_conn_del(conn); // Before its TLS.
}

} // namespace moqlite::ngtcp2
