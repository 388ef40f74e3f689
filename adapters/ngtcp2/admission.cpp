// Admission of handshakes: clients with a token that validates their address, and a limited number without one; the
// others are sent a Retry, which costs no memory (RFC 9000 §8.1).
#include "detail/endpoint_state.hpp"

#include <algorithm>

namespace moqlite::ngtcp2::detail {

namespace {

/// Long enough for a client to come back at once, too short to collect tokens.
constexpr duration retry_lifetime = std::chrono::seconds{10};

const ngtcp2_sockaddr* sockaddr_of(const link::address& a) noexcept {
    return static_cast<const ngtcp2_sockaddr*>(a.data());
}
ngtcp2_socklen size_of(const link::address& a) noexcept { return static_cast<ngtcp2_socklen>(a.size()); }

} // namespace

first_packet endpoint_state::judge(const ngtcp2_pkt_hd& header, const link::address& from) const {
    first_packet p{header, header.dcid, first_packet::token::none};
    if (header.tokenlen == 0 || from.empty()) return p;
    const auto ts = to_ngtcp2(now);
    if (header.token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2) {
        const bool good = header.dcid.datalen == cid_length &&
                          ngtcp2_crypto_verify_retry_token2(&p.original, header.token, header.tokenlen, token_secret,
                              sizeof token_secret, header.version, sockaddr_of(from), size_of(from), &header.dcid,
                              to_ngtcp2(retry_lifetime), ts) == 0;
        p.proof = good ? first_packet::token::from_retry : first_packet::token::invalid;
    } else if (ngtcp2_crypto_verify_regular_token(header.token, header.tokenlen, token_secret, sizeof token_secret,
                   sockaddr_of(from), size_of(from), to_ngtcp2(options.token_lifetime), ts) == 0) {
        p.proof = first_packet::token::from_before;
    }
    return p;
}

bool endpoint_state::takes_unvalidated() {
    if (options.retry) return false;
    if (handshakes < options.unvalidated && unvalidated.take(now)) return true;
    warn_rarely(pressure_warned, "many handshakes at once: clients must prove their address first (Retry)");
    return false;
}

void endpoint_state::send_retry(const link::datagram& d, const ngtcp2_pkt_hd& header) {
    if (writer.full() || !retries.take(d.remote, now)) return;
    const ngtcp2_cid scid = new_cid();
    std::uint8_t token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2];
    const auto size = ngtcp2_crypto_generate_retry_token2(token, token_secret, sizeof token_secret, header.version,
        sockaddr_of(d.remote), size_of(d.remote), &scid, &header.dcid, to_ngtcp2(now));
    if (size <= 0) return;
    const auto space = writer.scratch();
    const auto n = ngtcp2_crypto_write_retry(space.data(), NGTCP2_MAX_UDP_PAYLOAD_SIZE, header.version, &header.scid,
        &scid, &header.dcid, token, static_cast<std::size_t>(size));
    if (n > 0) writer.send(d.local, d.remote, 0, std::as_bytes(space.first(static_cast<std::size_t>(n))));
}

// Shorter than an Initial packet's 1200 bytes: no amplification. The client need not wait for its timeout: after an
// invalid token, because it accepts only one Retry; after a refusal, so that it can try elsewhere or again.
void endpoint_state::refuse(const link::datagram& d, const ngtcp2_pkt_hd& header, std::uint64_t code) {
    if (writer.full() || !refusals.take(d.remote, now)) return;
    const auto space = writer.scratch();
    const auto n = ngtcp2_crypto_write_connection_close(
        space.data(), NGTCP2_MAX_UDP_PAYLOAD_SIZE, header.version, &header.scid, &header.dcid, code, nullptr, 0);
    if (n > 0) writer.send(d.local, d.remote, 0, std::as_bytes(space.first(static_cast<std::size_t>(n))));
}

// An honest client completes its handshake in a few round trips, and retransmits an unanswered first packet. A slower
// handshake yields its place: the oldest of the same source if that has used its share, else the oldest of all.
bool endpoint_state::make_room(source_usage* here) {
    constexpr duration patience = std::chrono::milliseconds{500};
    const bool share_is_used =
        here != nullptr && (here->handshakes >= half_open_per_source || here->connections >= per_source);
    if (!share_is_used && handshakes < options.handshakes) return true;
    auto* oldest = share_is_used ? &here->half_open.front() : sources.oldest();
    if (oldest == nullptr || oldest->began + patience > now) return false;
    end(*oldest, {NGTCP2_CONNECTION_REFUSED, false, false, "too many handshakes at once; this was the oldest"});
    return true;
}

void endpoint_state::give_token(connection_state& c, const link::address& to) {
    std::uint8_t token[NGTCP2_CRYPTO_MAX_REGULAR_TOKENLEN];
    const auto size = ngtcp2_crypto_generate_regular_token(
        token, token_secret, sizeof token_secret, sockaddr_of(to), size_of(to), to_ngtcp2(now));
    if (size > 0) ngtcp2_conn_submit_new_token(c.conn, token, static_cast<std::size_t>(size));
}

} // namespace moqlite::ngtcp2::detail
