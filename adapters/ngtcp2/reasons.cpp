// The end of a connection, explained in one line.
#include "detail/connection_state.hpp"

namespace moqlite::ngtcp2::detail {

namespace {

constexpr std::uint8_t alert_no_application_protocol = 120;

std::string hex(std::uint64_t n) {
    std::string out;
    do out.insert(out.begin(), "0123456789abcdef"[n & 15]);
    while ((n >>= 4) != 0);
    return "0x" + out;
}

bool is_alert(std::uint64_t code) noexcept { return code >= 0x100 && code <= 0x1ff; }

std::string transport_error_text(std::uint64_t code) {
    if (is_alert(code)) return "TLS alert " + std::string{alert_text(static_cast<std::uint8_t>(code & 0xff))};
    const auto name = transport_error_name(code);
    return name.empty() ? "transport error " + hex(code) : std::string{name};
}

link::closed peer_closed(const connection_state& c) {
    const auto* error = ngtcp2_conn_get_ccerr(c.conn);
    link::closed how{error->error_code, error->type == NGTCP2_CCERR_TYPE_APPLICATION, true, c.error_detail};
    if (!how.reason.empty()) return how;
    const std::string said = printable({reinterpret_cast<const char*>(error->reason), error->reasonlen});
    if (how.application) {
        how.reason = said.empty() ? "closed by the peer with code " + std::to_string(how.code) : said;
        return how;
    }
    if (how.code == NGTCP2_CRYPTO_ERROR + alert_no_application_protocol)
        how.reason =
            "no common ALPN" + (c.handshake ? ": the peer supports none of " + c.handshake->alpn : std::string{});
    else
        how.reason = "the peer closed: " + transport_error_text(how.code);
    if (!said.empty() && !how.reason.starts_with(said)) how.reason += " (" + said + ')';
    return how;
}

link::closed tls_failed(const connection_state& c) {
    const std::uint8_t alert = ngtcp2_conn_get_tls_alert(c.conn);
    link::closed how{NGTCP2_CRYPTO_ERROR + alert, false, false, c.error_detail};
    if (!how.reason.empty()) return how;
    how.reason = c.crypto && alert == alert_no_application_protocol ? "no common ALPN"
                                                                    : "TLS failed: " + transport_error_text(how.code);
    return how;
}

} // namespace

std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 256)) out += c >= 0x20 && c < 0x7f ? c : '?';
    return out;
}

std::string_view transport_error_name(std::uint64_t code) noexcept {
    switch (code) {
    case 0x00: return "NO_ERROR";
    case 0x01: return "INTERNAL_ERROR";
    case 0x02: return "CONNECTION_REFUSED";
    case 0x03: return "FLOW_CONTROL_ERROR";
    case 0x04: return "STREAM_LIMIT_ERROR";
    case 0x05: return "STREAM_STATE_ERROR";
    case 0x06: return "FINAL_SIZE_ERROR";
    case 0x07: return "FRAME_ENCODING_ERROR";
    case 0x08: return "TRANSPORT_PARAMETER_ERROR";
    case 0x09: return "CONNECTION_ID_LIMIT_ERROR";
    case 0x0a: return "PROTOCOL_VIOLATION";
    case 0x0b: return "INVALID_TOKEN";
    case 0x0c: return "APPLICATION_ERROR";
    case 0x0d: return "CRYPTO_BUFFER_EXCEEDED";
    case 0x0e: return "KEY_UPDATE_ERROR";
    case 0x0f: return "AEAD_LIMIT_REACHED";
    case 0x10: return "NO_VIABLE_PATH";
    case 0x11: return "VERSION_NEGOTIATION_ERROR";
    }
    return {};
}

link::closed explain(const connection_state& c, int error) {
    switch (error) {
    case NGTCP2_ERR_DRAINING: return peer_closed(c);
    case NGTCP2_ERR_CRYPTO: return tls_failed(c);
    case NGTCP2_ERR_IDLE_CLOSE:
        return {NGTCP2_NO_ERROR, false, false, c.handshake ? "handshake timeout" : "idle timeout"};
    case NGTCP2_ERR_HANDSHAKE_TIMEOUT: return {NGTCP2_NO_ERROR, false, false, "handshake timeout"};
    case NGTCP2_ERR_DROP_CONN:
    case NGTCP2_ERR_RETRY: return {NGTCP2_NO_ERROR, false, false, "invalid start of a handshake"};
    case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
    case NGTCP2_ERR_VERSION_NEGOTIATION_FAILURE:
        return {NGTCP2_VERSION_NEGOTIATION_ERROR, false, false, "no common QUIC version"};
    case NGTCP2_ERR_NOMEM: return {NGTCP2_INTERNAL_ERROR, false, false, "out of memory"};
    default: break;
    }
    const auto code = ngtcp2_err_infer_quic_transport_error_code(error);
    return {code, false, false, transport_error_text(code) + ": " + std::string{ngtcp2_strerror(error)}};
}

} // namespace moqlite::ngtcp2::detail
