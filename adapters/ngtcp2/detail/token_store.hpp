// What servers give their clients for the next connection: tokens that validate our address (RFC 9000 §8.1.3), and
// session tickets. Each is used once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::ngtcp2::detail {

class token_store {
public:
    static constexpr std::size_t servers = 64;
    static constexpr std::size_t largest_token = 512; ///< Bytes; longer ones would crowd a ClientHello.

    explicit token_store(std::size_t largest = largest_token) noexcept : largest_{largest} {}

    /// Keeps the newest token of each server; evicts the server that was updated longest ago.
    void put(std::string_view server, std::span<const std::uint8_t> token) {
        if (token.empty() || token.size() > largest_) return;
        static_cast<void>(take(server));
        if (entries_.size() == servers) entries_.erase(entries_.begin());
        entries_.push_back({std::string{server}, {token.begin(), token.end()}});
    }
    /// Empty: there is none.
    [[nodiscard]] std::vector<std::uint8_t> take(std::string_view server) {
        const auto found = std::ranges::find(entries_, server, &entry::server);
        if (found == entries_.end()) return {};
        auto token = std::move(found->token);
        entries_.erase(found);
        return token;
    }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

private:
    struct entry {
        std::string server;
        std::vector<std::uint8_t> token;
    };
    std::vector<entry> entries_; // Oldest first.
    std::size_t largest_;
};

} // namespace moqlite::ngtcp2::detail
