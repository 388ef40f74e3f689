// The content of groups, which follows from their number, so that a receiver can check it.
#pragma once

#include <cstdint>
#include <moqlite/session/event.hpp>
#include <must.hpp>
#include <random.hpp>
#include <string>

namespace moqlite::fuzz {

using sim::must;

[[nodiscard]] inline std::uint64_t frame_seed(group_sequence g, std::uint64_t frame) noexcept {
    return sim::mix(number(g) * 1000 + frame);
}
[[nodiscard]] inline std::size_t frame_size(group_sequence g, std::uint64_t frame) noexcept {
    constexpr std::array<std::size_t, 8> sizes{0, 1, 3, 17, 60, 300, 1300, 5000};
    return sizes[frame_seed(g, frame) % sizes.size()];
}
/// May decrease from one frame to the next.
[[nodiscard]] inline timestamp frame_time(group_sequence g, std::uint64_t frame) noexcept {
    return timestamp{frame_seed(g, frame) % 5000};
}
[[nodiscard]] inline std::byte frame_byte(group_sequence g, std::uint64_t frame, std::uint64_t at) noexcept {
    return static_cast<std::byte>((frame_seed(g, frame) >> 8) + at * 7);
}
[[nodiscard]] inline std::string frame_part(
    group_sequence g, std::uint64_t frame, std::uint64_t from, std::uint64_t to) {
    std::string out;
    for (; from < to; ++from) out.push_back(static_cast<char>(frame_byte(g, frame, from)));
    return out;
}

/// Checks a piece of a frame; `timed`: with its timestamp.
inline void check_piece(group_sequence g, std::uint64_t frame, std::uint64_t size, std::uint64_t offset, timestamp time,
    byte_view data, bool timed) {
    must(size == frame_size(g, frame), "a frame has the size with which it was written");
    must(!timed || time == frame_time(g, frame), "a frame has the time with which it was written");
    for (auto b : data) must(b == frame_byte(g, frame, offset++), "payload received is payload written");
}

} // namespace moqlite::fuzz
