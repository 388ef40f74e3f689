// So many of something a second, and no more: what strangers can make us do.
#pragma once

#include <chrono>
#include <cstdint>
#include <moqlite/core/time.hpp>

namespace moqlite::ngtcp2::detail {

class allowance {
public:
    explicit allowance(std::uint64_t a_second) noexcept : a_second_{a_second} {}

    /// False: those of this second are used up.
    [[nodiscard]] bool take(time_point now) noexcept {
        if (now - since_ >= std::chrono::seconds{1} || since_ == time_point{}) {
            since_ = now;
            left_ = a_second_;
        }
        if (left_ == 0) return false;
        --left_;
        return true;
    }

private:
    std::uint64_t a_second_;
    std::uint64_t left_ = 0;
    time_point since_{};
};

} // namespace moqlite::ngtcp2::detail
