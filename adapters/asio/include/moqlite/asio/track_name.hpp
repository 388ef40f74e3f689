// A broadcast and one of its tracks, by name, owned.
#pragma once

#include <compare>
#include <string>
#include <utility>

namespace moqlite::asio {

struct track_name {
    /// No aggregate: g++ 12 destroys one that is initialised within a co_await expression twice.
    track_name(std::string b, std::string t) noexcept : broadcast(std::move(b)), track(std::move(t)) {}
    std::string broadcast;
    std::string track;
    auto operator<=>(const track_name&) const = default;
};

} // namespace moqlite::asio
