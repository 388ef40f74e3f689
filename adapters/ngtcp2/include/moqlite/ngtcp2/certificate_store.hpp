// The certificate that a server shows: made, and made again before it ends; or read from files, and read again
// when they change. Time is a parameter.
#pragma once

#include <cstdint>
#include <moqlite/ngtcp2/tls.hpp>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::ngtcp2 {

/// A certificate that is ready for use.
struct certificate {
    identity who;
    tls configuration;
    std::string fingerprint; ///< As fingerprint() has it.
    validity good;
    std::vector<std::string> names; ///< As certified_names() has them.
};

class certificate_store {
public:
    /// Self-signed ones for `names`. Each is replaced three days before its end, or where the clock has left its times.
    [[nodiscard]] static certificate_store generating(std::vector<std::string> names, std::vector<std::string> alpn);
    /// PEM files, as load_identity() takes them.
    [[nodiscard]] static certificate_store reading(
        std::string chain_file, std::string key_file, std::vector<std::string> alpn);

    enum class outcome : std::uint8_t { same, renewed, failed };

    /// Makes or reads one now; where that fails, the one before stays, and `why`. To begin with, and on demand.
    [[nodiscard]] outcome load(wall_time now, std::string& why);
    /// Replaces it if it is time, or if the files have changed and then rested between two calls: one every few
    /// seconds. The same failure is told once.
    [[nodiscard]] outcome refresh(wall_time now, std::string& why);

    /// After a load() that did not fail.
    [[nodiscard]] const certificate& current() const noexcept { return *current_; }
    /// For who pins them: the current one, then the one before it while that is valid.
    [[nodiscard]] std::vector<std::string> fingerprints(wall_time now) const;

private:
    explicit certificate_store(std::vector<std::string> alpn) : alpn_{std::move(alpn)} {}
    [[nodiscard]] bool is_due(wall_time now) const;
    [[nodiscard]] outcome take(std::optional<identity> found, std::string& why);

    std::vector<std::string> names_; ///< Empty: files.
    std::string chain_file_, key_file_;
    std::vector<std::string> alpn_;
    std::optional<certificate> current_, previous_;
    std::optional<identity> unsettled_; ///< What the files had when they were read last.
    std::string complaint_;             ///< The failure that was told last.
};

} // namespace moqlite::ngtcp2
