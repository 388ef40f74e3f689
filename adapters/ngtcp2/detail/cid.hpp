// Connection ids as keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ngtcp2/ngtcp2.h>

namespace moqlite::ngtcp2::detail {

/// The length of the connection ids that we issue: the shard's number and 7 random bytes.
inline constexpr std::size_t cid_length = 8;

/// 0 to 20 bytes; the unused ones are zero.
struct cid_key {
    std::uint8_t bytes[NGTCP2_MAX_CIDLEN] = {};
    std::uint8_t size = 0;

    cid_key() = default;
    /// Precondition: n <= NGTCP2_MAX_CIDLEN.
    cid_key(const std::uint8_t* p, std::size_t n) noexcept : size{static_cast<std::uint8_t>(n)} {
        if (n != 0) std::memcpy(bytes, p, n);
    }
    explicit cid_key(const ngtcp2_cid& c) noexcept : cid_key{c.data, c.datalen} {}

    friend bool operator==(const cid_key& a, const cid_key& b) noexcept {
        return a.size == b.size && std::memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
    }
};

/// Keyed: a client chooses the id of its first packet, and must not be able to choose our buckets.
struct cid_hash {
    std::uint64_t key = 0;

    std::size_t operator()(const cid_key& k) const noexcept {
        std::uint64_t words[3] = {};
        std::memcpy(words, k.bytes, sizeof k.bytes);
        std::uint64_t h = key ^ k.size;
        for (const std::uint64_t w : words) h = mix(h ^ w);
        return static_cast<std::size_t>(h);
    }

private:
    static std::uint64_t mix(std::uint64_t x) noexcept {
        x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93;
        x = (x ^ (x >> 29)) * 0xff51afd7ed558ccd;
        return x ^ (x >> 32);
    }
};

} // namespace moqlite::ngtcp2::detail
