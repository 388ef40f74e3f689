// What a peer may publish and subscribe to.
#pragma once

#include <string>
#include <vector>

namespace moqlite {

/// The permissions of a session, decided by the application. Names on the wire are relative to `root`; below it the
/// peer may publish and subscribe to names with one of these prefixes ("" is everything).
struct scope {
    std::string root;
    std::vector<std::string> publish{""};
    std::vector<std::string> subscribe{""};
};

} // namespace moqlite
