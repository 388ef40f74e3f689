// What a peer may publish and subscribe to.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace moqlite {

/// The permissions of a session, decided by the application. Names on the wire are relative to `root`; below it the
/// peer may publish and subscribe to names with one of these prefixes ("" is everything).
struct scope {
    std::string root{};
    std::vector<std::string> publish{""};
    std::vector<std::string> subscribe{""};
    /// The root of what the peer publishes, if not `root`: peers with roots of their own cannot take each other's
    /// names, nor ours.
    std::optional<std::string> publish_root{};

    [[nodiscard]] const std::string& root_of_published() const noexcept { return publish_root ? *publish_root : root; }
};

} // namespace moqlite
