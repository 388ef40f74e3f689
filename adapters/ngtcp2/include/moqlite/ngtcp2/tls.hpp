// Identity and trust. TLS 1.3 only; errors are one line of text.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <moqlite/ngtcp2/ticket_keys.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::ngtcp2 {

/// A certificate chain, leaf first, and its private key, both PEM.
struct identity {
    std::string chain;
    std::string key;
    bool operator==(const identity&) const = default;
};

enum class key_kind : std::uint8_t { p256, ed25519 };

/// The request for a self-signed certificate.
struct certificate_request {
    std::vector<std::string> names; ///< 1 to 100 DNS names and IP addresses.
    key_kind kind = key_kind::p256;
    wall_time now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
};

/// Reads both files; making a tls checks them.
[[nodiscard]] std::optional<identity> load_identity(
    const std::string& chain_file, const std::string& key_file, std::string& why);

/// A self-signed certificate, valid from an hour ago and for 13 days: browsers pin certificates by
/// hash only when they live less than 14.
[[nodiscard]] std::optional<identity> generate_identity(const certificate_request&, std::string& why);

/// SHA-256 of the leaf's DER as 64 lowercase hex digits.
[[nodiscard]] std::optional<std::string> fingerprint(const identity&, std::string& why);

/// The validity period of a certificate.
struct validity {
    wall_time from;
    wall_time until;
};
/// The leaf's.
[[nodiscard]] std::optional<validity> valid_times(const identity&, std::string& why);
/// The leaf's subject alternative names: DNS names, "*.example.com" among them, and IP addresses as text.
[[nodiscard]] std::optional<std::vector<std::string>> certified_names(const identity&, std::string& why);

/// A secret of this machine until its next boot: derived from its boot id, machine id and host name. Empty: there is
/// neither of the first two.
[[nodiscard]] std::string machine_secret();

/// For endpoint_options::reset_key: the same after each restart of a server with this identity that listens on `where`,
/// until this machine reboots. Machines that share identity and address must not share the key: one would disclose the
/// reset tokens of another. Nullopt: `why`.
[[nodiscard]] std::optional<secret> reset_key(const identity&, std::string_view where, std::string& why);
/// The same for a given machine secret.
[[nodiscard]] std::optional<secret> reset_key(
    const identity&, std::string_view where, std::string_view machine, std::string& why);

/// How the peer's certificate is verified. That the peer has its key is always proved.
class trust {
public:
    /// The platform's roots; chain, dates and name are checked.
    [[nodiscard]] static trust system_roots();
    /// The certificates of one PEM file instead; chain, dates and name are checked.
    [[nodiscard]] static trust ca_file(std::string path);
    /// Exactly the leaf with this SHA-256: hex of either case, colons allowed. Nothing else is checked.
    [[nodiscard]] static trust fingerprint(std::string hex);
    /// Any, also self-signed: the application decides by link::tls_facts::peer_fingerprint.
    [[nodiscard]] static trust any_certificate();
    /// No verification. For tests.
    [[nodiscard]] static trust insecure();

    enum class kind : std::uint8_t { system_roots, ca_file, fingerprint, any_certificate, insecure };
    [[nodiscard]] kind what() const noexcept { return kind_; }
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    trust(kind k, std::string text) : kind_{k}, text_{std::move(text)} {}
    kind kind_;
    std::string text_;
};

struct tls_server_options;
struct tls_client_options;

/// TLS configuration of one side, immutable and shared by copies.
class tls {
public:
    [[nodiscard]] static std::optional<tls> server(tls_server_options, std::string& why);
    [[nodiscard]] static std::optional<tls> server(const identity&, std::vector<std::string> alpn, std::string& why);
    [[nodiscard]] static std::optional<tls> client(const tls_client_options&, std::string& why);
    [[nodiscard]] static std::optional<tls> client(const trust&, std::string& why);

    struct state;
    [[nodiscard]] const state& get() const noexcept { return *state_; }

private:
    explicit tls(std::shared_ptr<const state> s) : state_{std::move(s)} {}
    std::shared_ptr<const state> state_;
};

/// A server's certificate for a client that asks for `server_name` (SNI: lower case, not validated, "" if it names
/// none): that of another configuration. Nullopt: the default one. Called within the handshake; must not block. An
/// exception ends the handshake.
using certificate_by_name = std::function<std::optional<tls>(std::string_view server_name)>;

/// Mutual TLS: a server asks its clients for a certificate, and refuses one that it does not trust. A client learns of
/// the refusal only after its own handshake is complete (TLS 1.3).
struct client_authentication {
    trust whom;
    bool required = true; ///< False: clients may have none; then tls_facts::peer_fingerprint is "".
};

struct tls_server_options {
    /// In the order of our preference; a client that has none of them is refused (no_application_protocol).
    std::vector<std::string> alpn{};
    /// The default certificate. Nullopt: a client to which `by_name` gives none is refused (unrecognized_name).
    std::optional<identity> who{};
    certificate_by_name by_name{};
    /// Not with `tickets`: a ticket would replace the certificate.
    std::optional<client_authentication> clients{};
    /// Clients resume their sessions with tickets under these keys, which saves the certificate. Nullopt: none does.
    /// Not with GnuTLS.
    std::optional<ticket_keys> tickets{};
    /// Accept early data (0-RTT) with a ticket, except on "h3". It makes a handler before the handshake is complete,
    /// may come from a forged address, and be a replay of what another server of these keys has seen, or this one
    /// before a restart: for applications whose first requests may be repeated. One endpoint accepts none twice.
    bool early_data = false;
};

struct tls_client_options {
    trust whom;
    std::optional<identity> who{}; ///< Shown to a server that asks.
};

/// The QUIC and TLS libraries in use ("ngtcp2 1.24.0, OpenSSL 3.5.6"), for a program's first log line.
[[nodiscard]] std::string library_versions();

/// Bytes per second of AES-128-GCM in `block`-byte pieces in this process's libcrypto, measured for
/// about `milliseconds`; what a transport's throughput is judged by.
[[nodiscard]] double aes_128_gcm_speed(std::size_t block, int milliseconds);

} // namespace moqlite::ngtcp2
