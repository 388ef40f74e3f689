// A server's certificate: generated, and renewed before it expires; or read from files, and again when they change.
// Time is a parameter.
#pragma once

#include <cstdint>
#include <moqlite/ngtcp2/tls.hpp>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::ngtcp2 {

/// A certificate ready for use.
struct certificate {
    identity who;
    tls configuration;
    std::string fingerprint; ///< As fingerprint() has it.
    validity good;
    std::vector<std::string> names; ///< As certified_names() has them.
};

class certificate_store {
public:
    /// Self-signed for `names`. Replaced three days before expiry, or when the clock leaves its validity.
    [[nodiscard]] static certificate_store generating(std::vector<std::string> names, std::vector<std::string> alpn);
    /// PEM files, as load_identity() takes them.
    [[nodiscard]] static certificate_store reading(
        std::string chain_file, std::string key_file, std::vector<std::string> alpn);
    /// Always this one, also when it has expired: for peers that are known by its fingerprint.
    [[nodiscard]] static certificate_store fixed(identity who, std::vector<std::string> alpn);
    /// The other options of its configurations, before load(); `alpn` and `who` are not used.
    void options(tls_server_options);

    enum class outcome : std::uint8_t { same, renewed, failed };

    /// Generates or reads one now, at the start and on demand; on failure `why`, and the previous one stays.
    [[nodiscard]] outcome load(wall_time now, std::string& why);
    /// Replaces it when due, or when the files have changed and were stable between two calls: call every few seconds.
    /// A repeated failure is reported once.
    [[nodiscard]] outcome refresh(wall_time now, std::string& why);

    /// After a load() that did not fail.
    [[nodiscard]] const certificate& current() const noexcept { return *current_; }
    /// For clients that pin: the current one, then its predecessor while that is valid.
    [[nodiscard]] std::vector<std::string> fingerprints(wall_time now) const;

private:
    explicit certificate_store(std::vector<std::string> alpn) { options_.alpn = std::move(alpn); }
    [[nodiscard]] bool is_due(wall_time now) const;
    [[nodiscard]] outcome take(std::optional<identity> found, std::string& why);

    std::vector<std::string> names_; ///< Empty: files.
    std::string chain_file_, key_file_;
    std::optional<identity> fixed_;
    tls_server_options options_; ///< Without the certificate.
    std::optional<certificate> current_, previous_;
    std::optional<identity> unsettled_; ///< The content of the files when last read.
    std::string last_error_;            ///< The last failure reported.
};

} // namespace moqlite::ngtcp2
