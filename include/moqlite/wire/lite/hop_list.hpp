// The relays that an announcement came through, the one nearest its publisher first.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <moqlite/core/ids.hpp>

namespace moqlite::wire::lite {

/// At most 32 hops, stored in place. A hop that did not identify itself is hop_id{0}.
class hop_list {
public:
    static constexpr std::size_t capacity = 32;

    constexpr hop_list() noexcept = default;
    /// Precondition: at most `capacity` hops; further ones are left out.
    constexpr hop_list(std::initializer_list<hop_id> hops) noexcept {
        for (auto hop : hops) static_cast<void>(push_back(hop));
    }

    /// False if the list is full.
    [[nodiscard]] constexpr bool push_back(hop_id hop) noexcept {
        if (size_ == capacity) return false;
        hops_[size_++] = hop;
        return true;
    }

    [[nodiscard]] constexpr bool contains(hop_id hop) const noexcept { return std::find(begin(), end(), hop) != end(); }

    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] constexpr const hop_id* begin() const noexcept { return hops_.data(); }
    [[nodiscard]] constexpr const hop_id* end() const noexcept { return hops_.data() + size_; }
    /// Precondition: i < size().
    [[nodiscard]] constexpr hop_id operator[](std::size_t i) const noexcept { return hops_[i]; }

    friend constexpr bool operator==(const hop_list& a, const hop_list& b) noexcept {
        return std::equal(a.begin(), a.end(), b.begin(), b.end());
    }

private:
    std::array<hop_id, capacity> hops_{};
    std::size_t size_ = 0;
};

} // namespace moqlite::wire::lite
