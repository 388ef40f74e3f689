// Seeded randomness, and a hash of a run's output: the same seed gives the same run.
#pragma once

#include <chrono>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/time.hpp>
#include <string_view>

namespace moqlite::sim {

using namespace std::chrono_literals;

[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) noexcept {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

class chance {
public:
    explicit chance(std::uint64_t seed) noexcept : state_(mix(seed)) {}
    std::uint64_t next() noexcept { return mix(state_++); }
    /// 0 .. n-1; 0 if n is 0.
    std::uint64_t below(std::uint64_t n) noexcept { return n == 0 ? 0 : next() % n; }
    std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept { return low + below(high - low + 1); }
    /// True `n` times in a thousand.
    bool in_a_thousand(std::uint64_t n) noexcept { return below(1000) < n; }
    bool coin() noexcept { return (next() & 1) != 0; }
    duration up_to(duration d) noexcept {
        return duration{static_cast<duration::rep>(below(static_cast<std::uint64_t>(d.count()) + 1))};
    }
    template <class T>
    const T& one_of(std::initializer_list<T> all) noexcept {
        return *(all.begin() + below(all.size()));
    }

private:
    std::uint64_t state_;
};

/// FNV-1a.
class hasher {
public:
    void add(std::uint64_t value) noexcept {
        for (int i = 0; i < 8; ++i, value >>= 8) add_byte(static_cast<std::uint8_t>(value));
    }
    void add(byte_view bytes) noexcept {
        for (auto b : bytes) add_byte(std::to_integer<std::uint8_t>(b));
    }
    [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

private:
    void add_byte(std::uint8_t b) noexcept { value_ = (value_ ^ b) * 0x100000001b3u; }
    std::uint64_t value_ = 0xcbf29ce484222325u;
};

} // namespace moqlite::sim
