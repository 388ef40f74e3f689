// How connections are made: their settings, transport parameters and qlog.
#include "detail/compat.hpp"
#include "detail/endpoint_state.hpp"

#include <algorithm>
#include <memory>

namespace moqlite::ngtcp2::detail {

namespace {

void write_qlog(void* user, std::uint32_t, const void* data, std::size_t size) {
    static_cast<connection_state*>(user)->qlog({static_cast<const std::byte*>(data), size});
}

ngtcp2_settings settings_for(connection_state& c, std::span<const std::uint8_t> token) {
    ngtcp2_settings s;
    ngtcp2_settings_default(&s);
    auto& at = c.endpoint;
    const auto& o = at.options;
    s.cc_algo = o.control == congestion::bbr ? NGTCP2_CC_ALGO_BBR : NGTCP2_CC_ALGO_CUBIC;
    s.initial_ts = to_ngtcp2(at.now);
    s.initial_rtt = to_ngtcp2(o.initial_rtt);
    s.handshake_timeout = to_ngtcp2(o.handshake_timeout);
    s.max_tx_udp_payload_size = std::ranges::max(at.probes);
    s.pmtud_probes = at.probes.data();
    s.pmtud_probeslen = at.probes.size();
    allow_repeated_frames(s);
    s.rand_ctx.native_handle = &at;
    s.token = token.data();
    s.tokenlen = token.size();
    if (c.qlog) s.qlog_write = write_qlog;
    return s;
}

ngtcp2_transport_params parameters_for(const endpoint_options& o) {
    ngtcp2_transport_params p;
    ngtcp2_transport_params_default(&p);
    p.initial_max_data = o.connection_window;
    p.initial_max_stream_data_bidi_local = o.stream_window;
    p.initial_max_stream_data_bidi_remote = o.stream_window;
    p.initial_max_stream_data_uni = o.stream_window;
    p.initial_max_streams_bidi = o.bidi_streams;
    p.initial_max_streams_uni = o.uni_streams;
    p.max_idle_timeout = quic_idle_timeout(o);
    p.max_datagram_frame_size = 65535;
    p.active_connection_id_limit = 4;
    p.grease_quic_bit = 1;
    announce_reset_stream_at(p);
    return p;
}

} // namespace

/// UDP payloads to try, in this order, as far as the options allow: Ethernet first, because it is
/// nearly always right and a failure takes five PTO; then the largest; then tunnels. A probe that is
/// lost costs one packet and no congestion window; one above the interface's MTU is not even sent.
std::vector<std::uint16_t> probes_for(std::size_t packet_size) {
    const auto largest = static_cast<std::uint16_t>(
        std::clamp<std::size_t>(packet_size, NGTCP2_MAX_UDP_PAYLOAD_SIZE + 1, packet_writer::largest_packet));
    constexpr std::uint16_t ethernet = 1452, jumbo = 8952;
    std::vector<std::uint16_t> out;
    if (ethernet < largest) out.push_back(ethernet);
    out.push_back(largest);
    for (const std::uint16_t size : {jumbo, std::uint16_t{1392}, std::uint16_t{1342}, std::uint16_t{1232}})
        if (size < largest) out.push_back(size);
    return out;
}

std::unique_ptr<connection_state> endpoint_state::make(
    role side, const ngtcp2_cid& original, const link::address& local, const link::address& remote) {
    auto c = std::make_unique<connection_state>(*this, side);
    c->bound = local;
    c->peer = remote;
    if (options.qlog) c->qlog = options.qlog(side, hex_of({original.data, original.datalen}));
    return c;
}

std::unique_ptr<connection_state> endpoint_state::make_client(
    const target& to, const ngtcp2_cid& scid, std::string& why) {
    ngtcp2_cid dcid{}; // The server's until it chooses its own; too long to guess.
    dcid.datalen = 18;
    random(std::as_writable_bytes(std::span{dcid.data, dcid.datalen}));
    auto c = make(role::client, dcid, to.local, to.remote);
    c->server = to.server_name + ':' + std::to_string(to.remote.port());
    const auto token = tokens.take(c->server);
    const ngtcp2_path path{to_ngtcp2(to.local), to_ngtcp2(to.remote), nullptr};
    const auto cb = callbacks(role::client);
    const auto settings = settings_for(*c, token);
    const auto parameters = parameters_for(options);
    const int rv = ngtcp2_conn_client_new(&c->conn, &dcid, &scid, &path, NGTCP2_PROTO_VER_V1, &cb, &settings,
        &parameters, c->memory.functions(), c.get());
    if (rv == 0) return c;
    why = ngtcp2_strerror(rv);
    return nullptr;
}

std::unique_ptr<connection_state> endpoint_state::make_server(
    const first_packet& first, const ngtcp2_cid& scid, const link::datagram& d, std::string& why) {
    auto c = make(role::server, first.original, d.local, d.remote);
    const auto& header = first.header;
    const ngtcp2_path path{to_ngtcp2(d.local), to_ngtcp2(d.remote), nullptr};
    const auto cb = callbacks(role::server);
    const bool retried = first.proof == first_packet::token::from_retry;
    auto settings = settings_for(*c, {header.token, first.is_proved() ? header.tokenlen : 0});
    settings.token_type = retried ? NGTCP2_TOKEN_TYPE_RETRY : NGTCP2_TOKEN_TYPE_NEW_TOKEN;
    auto parameters = parameters_for(options);
    parameters.original_dcid = first.original;
    parameters.original_dcid_present = 1;
    if (retried) parameters.retry_scid = header.dcid;
    parameters.retry_scid_present = retried;
    parameters.stateless_reset_token_present = 1;
    stateless_reset_token(scid, parameters.stateless_reset_token);
    const int rv = ngtcp2_conn_server_new(&c->conn, &header.scid, &scid, &path, header.version, &cb, &settings,
        &parameters, c->memory.functions(), c.get());
    if (rv == 0) return c;
    why = ngtcp2_strerror(rv);
    return nullptr;
}

} // namespace moqlite::ngtcp2::detail
