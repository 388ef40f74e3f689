// An application that watches, and its state of announcements.
#pragma once

#include "endpoint.hpp"

#include <set>
#include <string>
#include <string_view>

namespace moqlite::sim {

struct belief {
    explicit belief(endpoint<>& e) : at(e) {
        at.on([this](const event& what) {
            if (const auto* come = std::get_if<broadcast_available>(&what); come != nullptr && come->watch == id)
                paths.insert(std::string(come->path));
            if (const auto* gone = std::get_if<broadcast_ended>(&what); gone != nullptr && gone->watch == id)
                paths.erase(std::string(gone->path));
            if (const auto* all = std::get_if<announcements_synced>(&what); all != nullptr && all->watch == id)
                synced = true;
        });
    }
    void watch(std::string_view prefix) { id = at->watch(prefix).value(); }

    endpoint<>& at;
    watch_id id{UINT64_MAX};
    std::set<std::string> paths;
    bool synced = false;
};

} // namespace moqlite::sim
