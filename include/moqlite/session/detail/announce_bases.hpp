// The parts that an announcement of ours keeps of an earlier one, moq-lite-07.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/path.hpp>
#include <moqlite/wire/integers.hpp>
#include <moqlite/wire/lite/announce.hpp>
#include <string>
#include <string_view>

namespace moqlite::detail {

/// Chooses bases for the announcements of one request: the latest ANNOUNCE_START, while it is live. Broadcasts are
/// announced in the order of their paths, so that neighbours share most of theirs.
class announce_bases {
public:
    /// Replaces what `m` shares with the base, where that is shorter. `next_id`: the id that it is about to take.
    void shorten(wire::lite::announce_start& m, std::uint64_t next_id) const noexcept {
        if (!live_) return;
        std::size_t kept = 0;
        std::uint64_t segments = 0;
        for (std::size_t i = 0; i <= std::min(suffix_.size(), m.suffix.size()); ++i) {
            const bool here = ends_segment(suffix_, i), there = ends_segment(m.suffix, i);
            if (here && there && i != 0) kept = i, ++segments;
            if (i == suffix_.size() || i == m.suffix.size() || suffix_[i] != m.suffix[i]) break;
        }
        const auto distance = next_id - id_;
        if (kept > size_of(distance) + size_of(segments) - 2) {
            m.path_base = {distance, segments};
            m.suffix.remove_prefix(std::min(kept + 1, m.suffix.size()));
        }
        shorten_hops(m, distance);
    }
    void shorten(wire::lite::announce_update& m, std::uint64_t next_id) const noexcept {
        if (live_) shorten_hops(m, next_id - id_);
    }
    void started(std::uint64_t id, std::string_view suffix, const wire::lite::hop_list& hops) {
        suffix_.assign(suffix);
        hops_ = hops;
        id_ = id;
        live_ = true;
    }
    void updated(std::uint64_t id, const wire::lite::hop_list& hops) noexcept {
        if (id == id_) hops_ = hops;
    }
    void ended(std::uint64_t id) noexcept { live_ = live_ && id != id_; }

private:
    static constexpr auto form = wire::integers::leading_ones;
    [[nodiscard]] static std::size_t size_of(std::uint64_t n) noexcept { return wire::integer_size(form, n); }
    [[nodiscard]] static bool ends_segment(std::string_view path, std::size_t i) noexcept {
        return i == path.size() || path[i] == '/';
    }
    template <class Message>
    void shorten_hops(Message& m, std::uint64_t distance) const noexcept {
        const auto all = m.hops;
        std::size_t keep = 0;
        std::size_t bytes = 0;
        while (keep != std::min(hops_.size(), all.size())) {
            const auto hop = all[all.size() - 1 - keep];
            if (hop != hops_[hops_.size() - 1 - keep]) break;
            bytes += size_of(number(hop));
            ++keep;
        }
        if (bytes <= size_of(distance) + size_of(keep) - 2) return;
        m.hops = {};
        for (std::size_t i = 0; i != all.size() - keep; ++i) static_cast<void>(m.hops.push_back(all[i]));
        m.hop_base = {distance, keep};
    }

    bool live_ = false;
    std::uint64_t id_ = 0;
    std::string suffix_;
    wire::lite::hop_list hops_;
};

} // namespace moqlite::detail
