// What a peer is let in to.
#pragma once

#include <string>
#include <vector>

namespace moqlite {

/// What a session may do, decided by the application: names on the wire are relative to `root`, and
/// below it the peer may publish and subscribe to what has one of these prefixes ("" is everything).
struct scope {
    std::string root;
    std::vector<std::string> publish{""};
    std::vector<std::string> subscribe{""};
};

} // namespace moqlite
