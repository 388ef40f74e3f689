// Content that can be checked byte by byte without storing it: every byte follows from its position.
#pragma once

#include "random.hpp"

#include <cstddef>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/session/group.hpp>
#include <string>
#include <vector>

namespace moqlite::sim {

/// A track's groups and frames.
struct clip {
    std::string broadcast = "room/cam";
    std::string track = "video";
    std::uint64_t first = 0; ///< Number of the first group.
    std::uint64_t groups = 5;
    std::uint64_t frames = 4;    ///< Of a group, at most; some have fewer, none is empty of frames.
    std::uint64_t largest = 100; ///< Bytes of a frame, at most; some are empty.
    std::uint64_t key = 1;       ///< A different key gives different content.

    [[nodiscard]] group_sequence end() const noexcept { return group_sequence{first + groups}; }
    [[nodiscard]] bool has(group_sequence s) const noexcept { return number(s) >= first && number(s) < first + groups; }
    [[nodiscard]] std::uint64_t frames_of(group_sequence s) const noexcept { return 1 + at(s, 1u << 20) % frames; }
    [[nodiscard]] std::size_t size_of(group_sequence s, std::uint64_t frame) const noexcept {
        const auto n = at(s, frame);
        return n % 8 == 0 ? 0 : static_cast<std::size_t>(1 + (n >> 8) % largest);
    }
    [[nodiscard]] timestamp time_of(group_sequence s, std::uint64_t frame) const noexcept {
        return timestamp{number(s) * 1000 + at(s, frame) % 900};
    }
    [[nodiscard]] std::byte byte_of(group_sequence s, std::uint64_t frame, std::uint64_t offset) const noexcept {
        return static_cast<std::byte>(at(s, frame * 8191 + offset / 8) >> (offset % 8 * 8) & 0xff);
    }
    [[nodiscard]] std::vector<std::byte> payload(group_sequence s, std::uint64_t frame) const {
        std::vector<std::byte> out(size_of(s, frame));
        for (std::size_t i = 0; i < out.size(); ++i) out[i] = byte_of(s, frame, i);
        return out;
    }
    [[nodiscard]] bool matches(
        group_sequence s, std::uint64_t frame, std::uint64_t offset, byte_view data) const noexcept {
        for (std::size_t i = 0; i < data.size(); ++i)
            if (data[i] != byte_of(s, frame, offset + i)) return false;
        return true;
    }
    /// Writes frame number `frame`; after the last one, finishes the group.
    void write(group& g, std::uint64_t frame) const {
        g.write_frame(time_of(g.sequence(), frame), payload(g.sequence(), frame)).value();
        if (frame + 1 == frames_of(g.sequence())) g.finish().value();
    }
    void write_all(group& g) const {
        for (std::uint64_t f = 0; f < frames_of(g.sequence()); ++f) write(g, f);
    }

private:
    [[nodiscard]] std::uint64_t at(group_sequence s, std::uint64_t place) const noexcept {
        return mix(key * 0x1000003 + mix(number(s) * 0x10001 + mix(place)));
    }
};

} // namespace moqlite::sim
