// The head of each payload of a bench publisher.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <moqlite/core/bytes.hpp>
#include <span>

namespace moqlite::bench {

struct frame_head {
    std::int64_t due = 0;       ///< When the frame was due: nanoseconds of the monotonic clock.
    std::uint64_t sequence = 0; ///< Of the frame in its track, from 0.
};

inline constexpr std::size_t frame_head_size = sizeof(frame_head);

inline void put(const frame_head& head, std::span<std::byte> frame) noexcept {
    std::memcpy(frame.data(), &head, sizeof head);
}

/// Collects a head from the pieces in which a frame arrives.
class head_collector {
public:
    /// True: the head has just become complete.
    bool add(std::uint64_t offset, byte_view piece) noexcept {
        if (offset >= frame_head_size) return false;
        const auto at = static_cast<std::size_t>(offset);
        const auto n = std::min(piece.size(), frame_head_size - at);
        std::memcpy(bytes_.data() + at, piece.data(), n);
        return at + n == frame_head_size;
    }
    [[nodiscard]] frame_head get() const noexcept {
        frame_head out;
        std::memcpy(&out, bytes_.data(), sizeof out);
        return out;
    }

private:
    std::array<std::byte, frame_head_size> bytes_{};
};

} // namespace moqlite::bench
