// Translates the names of broadcasts and prefixes between the application and the wire.
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
    /// `longest`: maximum bytes of a name.
    wire_names(version v, std::size_t longest)
        : slashes(has_slash_dialect(v)), dialect_(v), longest_(longest) {}

    scope allowed;
    std::string url_root; ///< On a client: the path that the server puts in front of our names.
    std::string alone;    ///< Above the broadcasts for this peer alone; empty: there are none.
    bool slashes;         ///< Names are sent with leading slashes: the peer writes them so, or has written none yet.

    /// The whole name of `relative` on the wire; stored in `into`, which the view aliases.
    std::string_view whole(std::string_view relative, std::string& into) {
        normal_.clear();
        path::normalise(relative, normal_);
        path::join(allowed.root, normal_, into);
        return into;
    }
    [[nodiscard]] bool fits(std::string_view name) const noexcept { return name.size() <= longest_; }
    /// The same for a path, whose leading and trailing slashes are ignored.
    [[nodiscard]] bool fits_path(std::string_view name) const noexcept {
        if (name.starts_with('/')) name.remove_prefix(1);
        if (name.ends_with('/')) name.remove_suffix(1);
        return fits(name);
    }
    /// The peer has written a path or prefix of its own; we answer in the same dialect.
    void saw_path(std::string_view written) noexcept {
        if (has_slash_dialect(dialect_)) slashes = written.starts_with('/');
    }
    /// `name`, a path relative to the root, in the peer's dialect; valid until the next call.
    std::string_view written_path(std::string_view name) {
        if (!slashes) return name;
        return slashed_.assign(1, '/').append(name);
    }
    /// The same for a prefix.
    std::string_view written_prefix(std::string_view name) {
        if (!slashes || name.empty()) return written_path(name);
        return slashed_.assign(1, '/').append(name).append(1, '/');
    }
    /// The prefix to ask for, so that the peer announces `name` itself, too, and what is below it: where prefixes end
    /// with a slash, "/x/" is no prefix of "/x", and the one above it is asked for. Not where the last segment begins
    /// with '.': peers that ignore slashes would hide it.
    [[nodiscard]] std::string_view asked_prefix(std::string_view name) const noexcept {
        const auto last = name.rfind('/') + 1; // npos + 1 is 0.
        if (!slashes || name.substr(last).starts_with('.')) return name;
        return name.substr(0, last == 0 ? 0 : last - 1);
    }
    /// The wire name of `whole_path`; nullopt: not below the root, or for another peer alone.
    [[nodiscard]] std::optional<std::string_view> relative(std::string_view whole_path) const noexcept {
        if (path::is_private(whole_path)) {
            const auto its = alone.empty() ? std::nullopt : path::strip(whole_path, alone);
            if (!its) return std::nullopt;
            whole_path = *its;
        }
        return path::strip(whole_path, allowed.root);
    }
    /// The same for what the peer publishes.
    [[nodiscard]] std::optional<std::string_view> relative_published(std::string_view whole_path) const noexcept {
        return path::strip(whole_path, allowed.root_of_published());
    }
    /// True if one of `prefixes` is a prefix of `name`; all are relative to the root.
    [[nodiscard]] static bool covered(const std::vector<std::string>& prefixes, std::string_view name) noexcept {
        for (const auto& p : prefixes)
            if (path::strip(name, p)) return true;
        return false;
    }

private:
    version dialect_;
    std::size_t longest_;
    std::string normal_;
    std::string slashed_; ///< Separate scratch: commands write it, and may be called with event views.
};

} // namespace moqlite::detail
