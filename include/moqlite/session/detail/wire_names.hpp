// Names of broadcasts and prefixes, as the application has them and as they travel.
#pragma once

#include <cstddef>
#include <moqlite/core/path.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/session/scope.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::detail {

struct wire_names {
    /// `longest`: a name, in bytes.
    wire_names(version v, std::size_t longest) noexcept
        : slashes(has_slash_dialect(v)), dialect_(v), longest_(longest) {}

    scope allowed;
    std::string url_root; ///< Of a client: the path that the server puts in front of our names.
    bool slashes;         ///< Names go out with them: the peer writes them so, or has written none yet.

    /// The whole name of what the wire calls `relative`; in `into`, which the view aliases.
    std::string_view whole(std::string_view relative, std::string& into) {
        normal_.clear();
        path::normalise(relative, normal_);
        path::join(allowed.root, normal_, into);
        return into;
    }
    [[nodiscard]] bool fits(std::string_view name) const noexcept { return name.size() <= longest_; }
    /// The same of a path, where slashes at its ends mean nothing.
    [[nodiscard]] bool fits_path(std::string_view name) const noexcept {
        if (name.starts_with('/')) name.remove_prefix(1);
        if (name.ends_with('/')) name.remove_suffix(1);
        return fits(name);
    }
    /// The peer has written a path or prefix of its own; it will be answered in the same dialect.
    void saw_path(std::string_view written) noexcept {
        if (has_slash_dialect(dialect_)) slashes = written.starts_with('/');
    }
    /// `name`, a path relative to the root, as the peer wants to read it; good until the next one.
    std::string_view written_path(std::string_view name) {
        if (!slashes) return name;
        return slashed_.assign(1, '/').append(name);
    }
    /// The same of a prefix.
    std::string_view written_prefix(std::string_view name) {
        if (!slashes || name.empty()) return written_path(name);
        return slashed_.assign(1, '/').append(name).append(1, '/');
    }
    /// The name on the wire of `whole_path`; nullopt: not below the root.
    [[nodiscard]] std::optional<std::string_view> relative(std::string_view whole_path) const noexcept {
        return path::strip(whole_path, allowed.root);
    }
    /// True if one of `prefixes`, which are relative to the root, begins `name`, which is too.
    [[nodiscard]] static bool covered(const std::vector<std::string>& prefixes, std::string_view name) noexcept {
        for (const auto& p : prefixes)
            if (path::strip(name, p)) return true;
        return false;
    }

private:
    version dialect_;
    std::size_t longest_;
    std::string normal_;
    std::string slashed_; ///< Not shared with event views: commands, which write it, may answer them.
};

} // namespace moqlite::detail
