// A server's memory of ClientHellos whose early data it has accepted, so that a copy is not accepted again (RFC 8446
// §8.2).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <moqlite/core/time.hpp>
#include <unordered_set>
#include <utility>

namespace moqlite::ngtcp2::detail {

/// Keyed: the values are the clients' own.
struct hello_hash {
    std::uint64_t key = 0;
    std::size_t operator()(const std::array<std::uint8_t, 32>& h) const noexcept {
        std::uint64_t words[4], mixed = key;
        std::memcpy(words, h.data(), sizeof words);
        for (const auto w : words) {
            mixed = (mixed ^ w ^ (w >> 32)) * 0xd6e8feb86659fd93;
            mixed ^= mixed >> 29;
        }
        return static_cast<std::size_t>(mixed);
    }
};

/// Each is remembered for one to two times `window`.
class replay_guard {
public:
    /// Longer than TLS lets a ClientHello travel with early data, which is ten seconds.
    static constexpr duration window = std::chrono::seconds{12};
    static constexpr std::size_t most = 16 * 1024; ///< In one window; more are not accepted.

    /// The random value of a ClientHello.
    using hello = std::array<std::uint8_t, 32>;

    void rekey(std::uint64_t key) { recent_ = older_ = table{0, hello_hash{key}}; }
    /// False: it has been here before, or there are too many.
    [[nodiscard]] bool is_new(const hello& h, time_point now) {
        if (now - since_ >= window) {
            older_ = now - since_ >= 2 * window ? table{0, recent_.hash_function()} : std::move(recent_);
            recent_ = table{0, older_.hash_function()};
            since_ = now;
        }
        if (older_.contains(h) || recent_.size() >= most) return false;
        return recent_.insert(h).second;
    }

private:
    using table = std::unordered_set<hello, hello_hash>;

    table recent_, older_;
    time_point since_{};
};

} // namespace moqlite::ngtcp2::detail
