// The adapter's interface to a TLS library. openssl/ and gnutls/ each implement all of it, and the part of tls.hpp that
// is not shared; MOQLITE_TLS chooses the folder.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <moqlite/core/bytes.hpp>
#include <moqlite/link/address.hpp>
#include <moqlite/link/tls_facts.hpp>
#include <moqlite/ngtcp2/tls.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::ngtcp2::detail {

struct connection_state;

// Of the library.

/// Initialises the library; call once a process, first. Not empty: the error.
[[nodiscard]] const std::string& library_problem();
/// Fills with unpredictable bytes; ends the process if there are none.
void draw(std::span<std::byte>);
/// Nullopt: the library failed.
[[nodiscard]] std::optional<secret> hmac_sha256(std::string_view key, std::string_view text);
/// A name that a certificate is for.
struct certified_name {
    std::string text;
    std::optional<link::address> ip; ///< `text` as an address; none: a DNS name.
};
/// The names of `request` have been validated.
[[nodiscard]] std::optional<identity> make_identity(
    const std::vector<certified_name>& names, const certificate_request& request, std::string& why);
inline constexpr std::uint8_t certificate_required = 116; ///< The alert (RFC 8446 §6.2).
/// A TLS alert in words.
[[nodiscard]] std::string_view alert_text(std::uint8_t alert) noexcept;

/// The part of a configuration that does not depend on the library.
struct tls_rules {
    certificate_by_name by_name;
    bool has_default = false; ///< A certificate for clients to which `by_name` gives none.
    std::optional<client_authentication> clients;
    trust::kind believes = trust::kind::insecure; ///< The trust in the peer's certificate.
    std::string pinned;                           ///< With trust::fingerprint: 64 lowercase hex digits.
    bool server = false;
    std::string text; ///< Of a client: whom it trusts, and who it is. Its tickets are good for the same rules only.
    std::optional<ticket_keys> tickets;
    bool early_data = false; ///< A server accepts it.
};

[[nodiscard]] const tls_rules& rules_of(const tls::state&) noexcept;

struct certificate_choice {
    std::optional<tls> which; ///< Nullopt: the default one.
    enum class result : std::uint8_t { chosen, refused, failed };
    result how = result::chosen;
};
/// For a server's connection; the reason for anything but `chosen` goes into `c.error_detail`.
[[nodiscard]] certificate_choice choose_certificate(
    connection_state& c, const tls_rules&, std::string_view server_name) noexcept;

/// The TLS side of one connection.
struct tls_session;
struct end_tls {
    void operator()(tls_session*) const noexcept;
};
using tls_handle = std::unique_ptr<tls_session, end_tls>;

/// Made for `c`, which has its ngtcp2_conn; false: `why`. The reason for rejecting a server's certificate goes into
/// `c.error_detail`.
[[nodiscard]] bool start_tls(connection_state& c, const tls::state&, const std::string& server_name,
    const std::vector<std::string>& alpn, std::string& why);
/// Empty: none was chosen.
[[nodiscard]] std::string chosen_alpn(const tls_session&);
/// Fills in all that the handshake has decided by now, except what became of early data.
void describe(const tls_session&, link::tls_facts&);

// Resumption.

/// Resumes with a client's ticket; for early data, if `early` was wanted, and is false where the ticket does not allow
/// it. False: the handshake is a full one.
[[nodiscard]] bool resume(tls_session&, byte_view session, bool& early);
/// When the handshake is complete: the server has accepted our early data, or we have accepted the client's.
[[nodiscard]] bool has_early_data(const tls_session&);

/// The limits that a client with a ticket remembers: a server that has lowered one must not accept early data (RFC 9000
/// §7.4.1).
[[nodiscard]] std::array<std::byte, 32> remembered_limits(const connection_state&);
/// Whether early data may be accepted of a ticket with these limits and ALPN, in a ClientHello with this random value.
[[nodiscard]] bool allows_early_data(
    connection_state&, byte_view limits, std::string_view alpn, std::span<const std::uint8_t, 32> hello) noexcept;
/// A client has a new ticket.
void ticket_received(connection_state&, byte_view session) noexcept;

// Shared by both folders.

/// The validity of a certificate made now: less than 14 days, with tolerance for wrong clocks.
[[nodiscard]] inline validity valid_from(wall_time now) noexcept {
    return {now - std::chrono::hours{1}, now + std::chrono::days{13}};
}

/// 1 to 255 bytes each (RFC 7301 §3.1), and at least one; false: `why`.
[[nodiscard]] bool usable_alpn(const std::vector<std::string>& alpn, std::string_view who, std::string& why);
/// A private key with a pass phrase, which is not supported.
[[nodiscard]] bool is_encrypted(std::string_view pem);
/// Two lowercase digits a byte.
[[nodiscard]] std::string hex_of(std::span<const unsigned char>);
/// A DNS name in lower case.
[[nodiscard]] std::string lower_case(std::string_view name);
/// A peer's text for our log: one line of printable ASCII characters, at most 256.
[[nodiscard]] std::string printable(std::string_view);
/// For tls_rules::text.
[[nodiscard]] std::string text_of(const tls_client_options&);
/// A server's configuration can be made of these options; false: `why`.
[[nodiscard]] bool are_usable(const tls_server_options&, std::string& why);
/// An IP address of 4 or 16 bytes, as a certificate has it, as text; else "".
[[nodiscard]] std::string ip_text(std::span<const unsigned char>);
/// 64 lowercase digits; nullopt: `text` is not a SHA-256, `why`.
[[nodiscard]] std::optional<std::string> normal_fingerprint(const std::string& text, std::string& why);
/// A client's error for a certificate that is not the pinned one.
[[nodiscard]] std::string wrong_fingerprint(const std::string& found, const std::string& pinned);

} // namespace moqlite::ngtcp2::detail
