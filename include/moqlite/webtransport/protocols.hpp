// The header fields by which client and server negotiate the protocol within a WebTransport session
// (draft-ietf-webtrans-http3 §3.3).
#pragma once

#include <algorithm>
#include <cstddef>
#include <moqlite/core/result.hpp>
#include <moqlite/webtransport/detail/field_cursor.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::webtransport {

/// A client's list, in its order of preference.
inline constexpr std::string_view available_protocols_field = "wt-available-protocols";
/// The server's answer: one of them.
inline constexpr std::string_view protocol_field = "wt-protocol";

/// The field that clients of draft 02 send, and the one that they expect in the answer.
inline constexpr std::pair<std::string_view, std::string_view> draft_request_field{
    "sec-webtransport-http3-draft02", "1"};
inline constexpr std::pair<std::string_view, std::string_view> draft_answer_field{
    "sec-webtransport-http3-draft", "draft02"};

/// Maximum names in a list; a longer list is ignored.
inline constexpr std::size_t protocols_max = 64;

/// Whether this is a valid protocol name: printable ASCII, at least one character.
[[nodiscard]] inline bool is_protocol_name(std::string_view name) noexcept {
    return !name.empty() && std::all_of(name.begin(), name.end(), detail::is_printable);
}

/// Appends another line of a header field that was sent in several.
inline void add_field_line(std::string& field, std::string_view line) {
    if (!field.empty()) field += ", ";
    field += line;
}

/// The names of a `wt-available-protocols` field. nullopt: it is not a list of strings, and is ignored.
[[nodiscard]] inline std::optional<std::vector<std::string>> read_protocols(std::string_view field) {
    std::vector<std::string> names;
    detail::field_cursor in{field};
    in.skip_spaces();
    while (!in.at_end()) {
        if (names.size() == protocols_max || !in.string_item(names.emplace_back())) return std::nullopt;
        in.skip_blanks();
        if (in.at_end()) break;
        if (!in.take(',')) return std::nullopt;
        in.skip_blanks();
        if (in.at_end()) return std::nullopt;
    }
    return names;
}

/// The name in a `wt-protocol` field. nullopt: it is not one string, and is ignored.
[[nodiscard]] inline std::optional<std::string> read_protocol(std::string_view field) {
    std::string name;
    detail::field_cursor in{field};
    in.skip_spaces();
    if (!in.string_item(name)) return std::nullopt;
    in.skip_spaces();
    if (!in.at_end()) return std::nullopt;
    return name;
}

/// The value of a `wt-protocol` field. errc::invalid_argument: not a valid name.
[[nodiscard]] inline result<std::string> write_protocol(std::string_view name) {
    if (!is_protocol_name(name)) return errc::invalid_argument;
    std::string out = "\"";
    for (const char c : name) {
        if (c == '"' || c == '\\') out.push_back('\\');
        out.push_back(c);
    }
    out.push_back('"');
    return out;
}

/// The value of a `wt-available-protocols` field.
[[nodiscard]] inline result<std::string> write_protocols(std::span<const std::string> names) {
    std::string out;
    for (const auto& name : names) {
        const auto item = write_protocol(name);
        if (!item) return item.error();
        add_field_line(out, *item);
    }
    return out;
}

/// The first offered protocol that we support; nullptr: none. To check an answer, a client passes its single name as
/// `offered`.
[[nodiscard]] inline const std::string* select_protocol(
    std::span<const std::string> offered, std::span<const std::string> supported) noexcept {
    const auto found = std::find_if(offered.begin(), offered.end(), [&](const std::string& name) {
        return std::find(supported.begin(), supported.end(), name) != supported.end();
    });
    return found == offered.end() ? nullptr : &*found;
}

} // namespace moqlite::webtransport
