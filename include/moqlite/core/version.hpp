// The protocol versions, and what each can do. Code asks for a capability, never for a number.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace moqlite {

enum class version : std::uint8_t { lite_03, lite_04, lite_05, lite_06, lite_07_wip };

inline constexpr std::array all_versions{
    version::lite_03, version::lite_04, version::lite_05, version::lite_06, version::lite_07_wip};
/// Versions offered and accepted by default, best first. A work in progress must be named.
inline constexpr std::array default_versions{version::lite_06, version::lite_05, version::lite_04, version::lite_03};

/// The ALPN of native QUIC, and the WebTransport sub-protocol.
[[nodiscard]] constexpr std::string_view alpn(version v) noexcept {
    switch (v) {
    case version::lite_03: return "moq-lite-03";
    case version::lite_04: return "moq-lite-04";
    case version::lite_05: return "moq-lite-05";
    case version::lite_06: return "moq-lite-06";
    case version::lite_07_wip: return "moq-lite-07-wip";
    }
    return {};
}

[[nodiscard]] constexpr std::optional<version> version_from_alpn(std::string_view name) noexcept {
    for (auto v : all_versions)
        if (alpn(v) == name) return v;
    return std::nullopt;
}

// `>=`: later versions keep the feature; `<`: they have dropped it.
[[nodiscard]] constexpr bool has_setup(version v) noexcept { return v >= version::lite_05; }
/// On native QUIC a client can send the path and query of its URL.
[[nodiscard]] constexpr bool has_native_path(version v) noexcept { return has_setup(v); }
[[nodiscard]] constexpr bool has_announce_ok(version v) noexcept { return v >= version::lite_05; }
[[nodiscard]] constexpr bool has_exclude_hop(version v) noexcept {
    return v == version::lite_04 || v == version::lite_05;
}
[[nodiscard]] constexpr bool has_hop_ids(version v) noexcept { return v >= version::lite_04; }
/// The sender adds its own hop to the end of the list (or counts it); in later versions the receiver does.
[[nodiscard]] constexpr bool hops_include_sender(version v) noexcept { return v < version::lite_05; }
/// Announcements have a type and an implicit id (START, END, UPDATE) instead of a status byte.
[[nodiscard]] constexpr bool has_typed_announces(version v) noexcept { return v >= version::lite_06; }
/// A second ACTIVE for a live path replaces it.
[[nodiscard]] constexpr bool has_announce_restart(version v) noexcept { return v == version::lite_05; }
/// Announcements carry the cost of their route, warm and cold.
[[nodiscard]] constexpr bool has_route_cost(version v) noexcept { return v >= version::lite_06; }
/// Subscriptions and tracks say whether their groups are sent oldest first.
[[nodiscard]] constexpr bool has_ordered(version v) noexcept { return v < version::lite_06; }
/// Without a Group Start, Max Age decides where a subscription begins; in earlier versions it begins at the latest
/// group.
[[nodiscard]] constexpr bool has_start_by_age(version v) noexcept { return v >= version::lite_06; }
/// SUBSCRIBE, FETCH and GROUP name frames within their groups.
[[nodiscard]] constexpr bool has_frame_ranges(version v) noexcept { return v >= version::lite_06; }
/// Integers have the length that the leading ones of their first byte give; else that of RFC 9000.
[[nodiscard]] constexpr bool has_leading_ones(version v) noexcept { return v >= version::lite_07_wip; }
/// A request for announcements says whether it wants hidden broadcasts, too.
[[nodiscard]] constexpr bool has_hidden(version v) noexcept { return v >= version::lite_07_wip; }
/// Announcements may name earlier ones with which they share a part of the path or of the hops.
[[nodiscard]] constexpr bool has_announce_bases(version v) noexcept { return v >= version::lite_07_wip; }
/// SUBSCRIBE_END carries the number of group streams, which replaces SUBSCRIBE_DROP.
[[nodiscard]] constexpr bool has_stream_count(version v) noexcept { return v >= version::lite_07_wip; }
/// A subscription that ends without SUBSCRIBE_END has failed.
[[nodiscard]] constexpr bool must_send_end(version v) noexcept { return v >= version::lite_06; }
/// Sessions and streams have error codes of their own; in earlier versions they share one list.
[[nodiscard]] constexpr bool has_two_registries(version v) noexcept { return v >= version::lite_06; }
/// SUBSCRIBE_OK carries the publisher's options, not the first group.
[[nodiscard]] constexpr bool has_options_in_ok(version v) noexcept { return v < version::lite_05; }
[[nodiscard]] constexpr bool has_subscribe_end(version v) noexcept { return v >= version::lite_05; }
/// The FIN of a subscribe stream arrives after every group (from us), or at least after its beginning.
[[nodiscard]] constexpr bool has_fin_after_groups(version v) noexcept { return v >= version::lite_05; }
[[nodiscard]] constexpr bool has_track_info(version v) noexcept { return v >= version::lite_05; }
[[nodiscard]] constexpr bool has_timestamps(version v) noexcept { return v >= version::lite_05; }
[[nodiscard]] constexpr bool has_datagrams(version v) noexcept { return v >= version::lite_05; }
[[nodiscard]] constexpr bool has_probe_rtt(version v) noexcept { return v >= version::lite_04; }
[[nodiscard]] constexpr bool has_goaway(version v) noexcept { return v >= version::lite_04; }

/// One implementation's publisher ignores Group End: what is beyond it arrives all the same.
[[nodiscard]] constexpr bool may_ignore_group_end(version v) noexcept { return v == version::lite_04; }

/// One implementation accepts names only as "/x/y" and prefixes only as "/x/"; the others accept both forms.
[[nodiscard]] constexpr bool has_slash_dialect(version v) noexcept { return v == version::lite_04; }

} // namespace moqlite
