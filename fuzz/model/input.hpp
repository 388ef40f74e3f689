// A fuzzing engine's bytes, read as a list of decisions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>

namespace moqlite::fuzz {

class input {
public:
    input(const std::uint8_t* data, std::size_t size) : rest_(std::as_bytes(std::span{data, size})) {}
    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
    /// 0 once there are no more.
    std::uint8_t byte() noexcept {
        if (rest_.empty()) return 0;
        const auto b = std::to_integer<std::uint8_t>(rest_[0]);
        rest_ = rest_.subspan(1);
        return b;
    }
    /// 0 .. n-1, for n up to 256.
    std::size_t below(std::size_t n) noexcept { return n == 0 ? 0 : byte() % n; }
    byte_view bytes(std::size_t n) noexcept {
        const auto out = rest_.first(std::min(n, rest_.size()));
        rest_ = rest_.subspan(out.size());
        return out;
    }

private:
    byte_view rest_;
};

} // namespace moqlite::fuzz
