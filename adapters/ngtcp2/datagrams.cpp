// Incoming datagrams: routed to their connection, or answered without one.
#include "detail/endpoint_state.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

namespace moqlite::ngtcp2 {

namespace detail {

namespace {

const std::uint8_t* octets(byte_view b) noexcept { return reinterpret_cast<const std::uint8_t*>(b.data()); }

} // namespace

void endpoint_state::feed(connection_state& c, const link::datagram& d) {
    if (c.ending) return;
    // A client's own address is the one it connected with, usually the wildcard. The datagram's
    // destination would look like another path.
    const bool is_client = c.own_role == role::client;
    const link::address& local = is_client ? c.bound : d.local;
    if (is_client && c.reached != d.local) c.reached = d.local;
    const ngtcp2_path path{to_ngtcp2(local), to_ngtcp2(d.remote), nullptr};
    const ngtcp2_pkt_info info{d.ecn};
    contain(c, [&] {
        const int rv = ngtcp2_conn_read_pkt(c.conn, &path, &info, octets(d.bytes), d.bytes.size(), to_ngtcp2(now));
        if (rv != 0) fail(c, rv);
        c.unheard.settle(now);
        bound_memory(c);
    });
    ready(c);
}

void endpoint_state::answer(closing_record& f, const link::datagram& d) {
    ++f.heard;
    // At exponentially growing intervals, and at most three times the received bytes.
    if (f.packet.empty() || (f.heard & (f.heard - 1)) != 0) return;
    if (f.packet.size() <= 3 * d.bytes.size() && !writer.full()) writer.send(f.local, f.remote, f.ecn, f.packet);
}

void endpoint_state::accept(const link::datagram& d) {
    ngtcp2_pkt_hd header;
    // Initial packets only, in datagrams of 1200 bytes or more.
    if (ngtcp2_accept(&header, octets(d.bytes), d.bytes.size()) != 0) return;
    if (!server) return refuse(d, header, NGTCP2_CONNECTION_REFUSED);
    const first_packet first = judge(header, d.remote);
    if (first.proof == first_packet::token::invalid && header.dcid.datalen == cid_length)
        return refuse(d, header, NGTCP2_INVALID_TOKEN);
    if (first.proof == first_packet::token::invalid) return;
    auto* const here = sources.find(d.remote);
    const bool full = connections.size() >= options.connections;
    // Source addresses can be forged: unfinished handshakes do not count against an address's limit.
    if (full || (here != nullptr && here->connections - here->handshakes >= per_source)) {
        warn_rarely(full_warned,
            full ? "refusing new connections: the limit is reached"
                 : "refusing new connections from " + to_string(d.remote) + ": the limit per address is reached");
        return refuse(d, header, NGTCP2_CONNECTION_REFUSED);
    }
    if (!first.is_proved() && !takes_unvalidated()) return send_retry(d, header);
    if (!make_room(here)) return;
    const ngtcp2_cid scid = new_cid();
    std::string why;
    auto made = make_server(first, scid, d, why);
    if (!made || !start_tls(*made, server->get(), {}, {}, why)) {
        log(link::log_level::error, "cannot accept " + to_string(d.remote) + ": " + why);
        return;
    }
    made->handshake = std::make_unique<opening>(opening{*server, accepted, {}, {}, {}});
    made->first_dcid = cid_key{header.dcid};
    auto& c = adopt(std::move(made));
    contain(c, [&] {
        sources.enter(c, now);
        routes[cid_key{scid}] = {&c, nullptr};
        routes[c.first_dcid] = {&c, nullptr};
    });
    feed(c, d);
    if (!c.ending || !c.silent) return;
    // An invalid packet, or a ClientHello whose end arrived before its beginning: the packet is dropped together with
    // the new connection, so that the beginning can start another.
    waiting.pop_back();
    retire(c);
}

void endpoint_state::refuse_version(const link::datagram& d, const ngtcp2_version_cid& id) {
    if ((!server && !refusing) || d.bytes.size() < NGTCP2_MAX_UDP_PAYLOAD_SIZE || writer.full()) return;
    if (!negotiations.take(d.remote, now)) return;
    const std::uint32_t known[] = {NGTCP2_PROTO_VER_V1};
    std::uint8_t grease = 0;
    random(std::as_writable_bytes(std::span{&grease, 1}));
    const auto space = writer.scratch();
    const auto n = ngtcp2_pkt_write_version_negotiation(
        space.data(), NGTCP2_MAX_UDP_PAYLOAD_SIZE, grease, id.scid, id.scidlen, id.dcid, id.dcidlen, known, 1);
    if (n > 0) writer.send(d.local, d.remote, 0, std::as_bytes(space.first(static_cast<std::size_t>(n))));
}

void endpoint_state::feed_reset(const link::datagram& d) {
    constexpr std::size_t token_size = NGTCP2_STATELESS_RESET_TOKENLEN;
    if (!reset_tokens.empty() && d.bytes.size() > token_size) {
        const cid_key token{octets(d.bytes) + d.bytes.size() - token_size, token_size};
        if (const auto found = reset_tokens.find(token); found != reset_tokens.end()) return feed(*found->second, d);
    }
    reset(d);
}

// Tells a peer from before a restart of this endpoint that its connection is gone, so that it need not
// wait for its idle timeout.
void endpoint_state::reset(const link::datagram& d) {
    // A keep-alive is barely longer than the shortest reset (RFC 9000 §10.3).
    constexpr std::size_t smallest = NGTCP2_STATELESS_RESET_TOKENLEN + NGTCP2_MIN_STATELESS_RESET_RANDLEN;
    if (!server || d.bytes.size() <= smallest || writer.full()) return;
    if (!resets.take(d.remote, now)) return;
    ngtcp2_cid cid;
    ngtcp2_cid_init(&cid, octets(d.bytes) + 1, cid_length);
    std::uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN];
    stateless_reset_token(cid, token);
    std::uint8_t noise[24];
    random(std::as_writable_bytes(std::span{noise}));
    // Shorter than the received packet, so that two endpoints cannot reset each other for ever.
    const std::size_t size = std::min(sizeof noise + sizeof token, d.bytes.size() - 1);
    const auto space = writer.scratch();
    const auto n = ngtcp2_pkt_write_stateless_reset(space.data(), size, token, noise, size - sizeof token);
    if (n > 0) writer.send(d.local, d.remote, 0, std::as_bytes(space.first(static_cast<std::size_t>(n))));
}

void endpoint_state::unreachable(connection_state& c, int error) {
    if (!c.handshake || c.own_role != role::client) return;
    const auto why = std::error_code{error, std::generic_category()}.message();
    end(c, {NGTCP2_NO_VIABLE_PATH, false, false, "cannot reach " + to_string(c.peer) + ": " + why}, true);
}

} // namespace detail

void endpoint::send_failed(std::size_t size, int error) {
    auto& s = *state_;
    if (s.turning == nullptr) return;
    auto& c = *s.turning;
    if (error != EMSGSIZE)
        s.unreachable(c, error);
    else if (size > detail::smallest_path) // Not for the first packets: there is no sample yet.
        c.path.too_large(size, c.sample(), s.now);
}

// Only ICMP errors for our own packets quote our connection id, which an off-path attacker does not know.
void endpoint::undeliverable(byte_view quoted, int error, time_point t) {
    auto& s = *state_;
    s.at(t);
    ngtcp2_version_cid id;
    const auto* bytes = detail::octets(quoted);
    constexpr std::uint8_t long_header = 0x80;
    if (quoted.empty() || (bytes[0] & long_header) == 0) return;
    if (ngtcp2_pkt_decode_version_cid(&id, bytes, quoted.size(), detail::cid_length) != 0) return;
    if (id.scidlen != detail::cid_length) return;
    const auto found = s.routes.find(detail::cid_key{id.scid, id.scidlen});
    if (found != s.routes.end() && found->second.live != nullptr) s.unreachable(*found->second.live, error);
}

void endpoint::receive(const link::datagram& d, time_point t) {
    auto& s = *state_;
    s.at(t);
    if (d.bytes.empty()) return;
    ngtcp2_version_cid id;
    const auto* bytes = detail::octets(d.bytes);
    const int rv = ngtcp2_pkt_decode_version_cid(&id, bytes, d.bytes.size(), detail::cid_length);
    if (rv == NGTCP2_ERR_VERSION_NEGOTIATION) return s.refuse_version(d, id);
    if (rv != 0 || id.dcidlen > NGTCP2_MAX_CIDLEN) return;
    const auto found = s.routes.find(detail::cid_key{id.dcid, id.dcidlen});
    if (found != s.routes.end()) {
        if (found->second.live != nullptr) return s.feed(*found->second.live, d);
        return s.answer(*found->second.gone, d);
    }
    constexpr std::uint8_t long_header = 0x80;
    if ((bytes[0] & long_header) == 0) return s.feed_reset(d);
    if (!s.server && !s.refusing) return;
    try {
        s.accept(d);
    } catch (const std::bad_alloc&) { // No connection was made: the datagram is dropped.
    }
}

} // namespace moqlite::ngtcp2
