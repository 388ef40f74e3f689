// A limit per second on what unvalidated clients can make us do.
#pragma once

#include "sources.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <moqlite/core/time.hpp>
#include <moqlite/link/address.hpp>

namespace moqlite::ngtcp2::detail {

class allowance {
public:
    explicit allowance(std::uint64_t a_second) noexcept : a_second_{a_second} {}

    /// A second has begun since the last call: the allowance is full again.
    bool renew(time_point now) noexcept {
        if (now - since_ < std::chrono::seconds{1} && since_ != time_point{}) return false;
        since_ = now;
        left_ = a_second_;
        return true;
    }
    /// False: the allowance of this second is used up.
    [[nodiscard]] bool take(time_point now) noexcept {
        renew(now);
        if (left_ == 0) return false;
        --left_;
        return true;
    }

private:
    std::uint64_t a_second_;
    std::uint64_t left_ = 0;
    time_point since_{};
};

/// The same with a bound for each source, so that none uses up the total. Sources share 1024 counters at random:
/// source addresses can be forged in any number.
class allowance_by_source {
public:
    allowance_by_source(std::uint16_t of_one, std::uint64_t of_all) noexcept : of_one_{of_one}, of_all_{of_all} {}
    void rekey(std::uint64_t key) noexcept { hash_.key = key; }

    [[nodiscard]] bool take(const link::address& from, time_point now) noexcept {
        if (of_all_.renew(now)) taken_.fill(0);
        auto& its = taken_[hash_(source_of(from)) % taken_.size()];
        if (its == of_one_ || !of_all_.take(now)) return false;
        ++its;
        return true;
    }

private:
    std::uint16_t of_one_;
    allowance of_all_;
    source_hash hash_;
    std::array<std::uint16_t, 1024> taken_{};
};

} // namespace moqlite::ngtcp2::detail
