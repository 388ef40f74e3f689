// What a watch of ours knows of the peer's announcements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/containers/id_table.hpp>
#include <moqlite/containers/list.hpp>
#include <moqlite/containers/tree.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/session/detail/control_stream.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::detail {

struct refused_tag;

/// A path that the peer has announced and not ended.
struct announced_path : tree_hook, list_hook<refused_tag> {
    explicit announced_path(std::string n) noexcept : name(std::move(n)) {}
    std::string name;        ///< Relative to the root.
    std::uint64_t id = 0;    ///< Its announce id, where the version has them.
    bool reported = false;   ///< As available.
    bool chain_known = true; ///< Its last update was not refused.
    /// It is beyond our bounds: it is never reported, but others may build on it.
    [[nodiscard]] bool refused() const noexcept { return list_hook<refused_tag>::linked(); }
    /// Its hops without the peer, where later announcements may build on them; or all hops of one above the prefix.
    std::vector<hop_id> chain;
};
struct name_of_path {
    std::string_view operator()(const announced_path& p) const noexcept { return p.name; }
};

/// Our interest in the broadcasts below a prefix.
struct watch : list_hook<owned_tag> {
    watch_id id{};
    control_stream* stream = nullptr;
    std::string prefix;    ///< Relative to the root.
    std::string asked;     ///< The prefix in our request: the same, or the one above it (wire_names::asked_prefix()).
    bool hidden = false;   ///< It wants hidden broadcasts, too.
    bool answered = false; ///< ANNOUNCE_OK has arrived.
    bool synced = false;
    bool is_full = false;           ///< An announcement was refused for that, and none accepted since.
    std::uint64_t initial_left = 0; ///< Announcements of the initial set that have not arrived yet.
    hop_id publisher{};             ///< The peer's own hop, which its announcements omit.
    tree<announced_path, std::string_view, name_of_path> live;
    std::size_t live_bytes = 0;                ///< Bytes of those that are not refused, each with the root.
    pointer_table<announced_path> ids;         ///< The same by announce id, where the version has them.
    list<announced_path, refused_tag> refused; ///< The latest refused ones among them, where others may build on them.
    std::size_t refused_count = 0;             ///< Number of these.
    /// Refused announcements of which nothing is kept and that the peer has not ended. Their ids are not known: an END
    /// or UPDATE of any earlier unknown id counts as one of theirs.
    std::size_t forgotten = 0;
    std::uint64_t next_announce = 0; ///< The id of the next ANNOUNCE_START.
};

} // namespace moqlite::detail
