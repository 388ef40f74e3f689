// Where an object is in its track, and which part of a track a subscription wants, draft-14 §1.4.2 and §5.1.2.
#pragma once

#include <compare>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/wire/reader.hpp>
#include <moqlite/wire/writer.hpp>
#include <optional>

namespace moqlite::wire::moqt {

struct location {
    group_sequence group{};
    object_id object{};

    friend constexpr auto operator<=>(const location&, const location&) = default;
};

/// In which order groups are sent.
enum class group_order : std::uint8_t { publishers = 0, ascending = 1, descending = 2 };

/// Where a subscription begins.
enum class filter_start : std::uint8_t {
    next_group = 1,  ///< After the largest group.
    next_object = 2, ///< After the largest object ("Largest Object").
    absolute = 3,    ///< At `start`.
};

/// The part of a track that a subscription wants.
struct location_filter {
    filter_start from = filter_start::next_object;
    location start{};                             ///< If absolute.
    std::optional<group_sequence> end_group = {}; ///< The last group. Only where `from` is absolute.

    friend constexpr bool operator==(const location_filter&, const location_filter&) = default;
};

namespace detail {

constexpr std::uint64_t absolute_range = 4; ///< The filter type of an absolute start with an end.

/// A flag, for which other values break the protocol.
[[nodiscard]] inline bool read_flag(reader& in) noexcept {
    const auto value = in.u8();
    if (value > 1) in.fail(errc::bad_flag);
    return value == 1;
}

/// `least`: what the message does not leave open.
[[nodiscard]] inline group_order read_order(reader& in, group_order least) noexcept {
    const auto value = in.u8();
    if (value < static_cast<std::uint8_t>(least) || value > static_cast<std::uint8_t>(group_order::descending))
        in.fail(errc::bad_choice);
    return in.error() == errc::ok ? static_cast<group_order>(value) : least;
}

inline void write_order(writer& out, group_order order, group_order least) {
    if (order < least) return out.fail(errc::bad_choice);
    out.u8(static_cast<std::uint8_t>(order));
}

[[nodiscard]] inline location read_location(reader& in) noexcept {
    const auto group = in.varint();
    return {group_sequence{group}, object_id{in.varint()}};
}

inline void write_location(writer& out, const location& where) {
    out.varint(number(where.group));
    out.varint(number(where.object));
}

/// A flag, and the location if it is set.
[[nodiscard]] inline std::optional<location> read_largest(reader& in) noexcept {
    if (!read_flag(in)) return std::nullopt;
    return read_location(in);
}

inline void write_largest(writer& out, const std::optional<location>& largest) {
    out.boolean(largest.has_value());
    if (largest) write_location(out, *largest);
}

/// An end before the start is left to the session, which refuses the request alone (INVALID_RANGE).
[[nodiscard]] inline location_filter read_filter(reader& in) noexcept {
    location_filter filter;
    const auto type = in.varint();
    if (type < 1 || type > absolute_range) in.fail(errc::bad_choice);
    if (in.error() != errc::ok) return filter;
    filter.from = type == absolute_range ? filter_start::absolute : static_cast<filter_start>(type);
    if (filter.from == filter_start::absolute) filter.start = read_location(in);
    if (type == absolute_range) filter.end_group = group_sequence{in.varint()};
    return filter;
}

inline void write_filter(writer& out, const location_filter& filter) {
    const bool absolute = filter.from == filter_start::absolute;
    if (filter.end_group && !absolute) return out.fail(errc::unsupported);
    out.varint(filter.end_group ? absolute_range : static_cast<std::uint64_t>(filter.from));
    if (absolute) write_location(out, filter.start);
    if (filter.end_group) out.varint(number(*filter.end_group));
}

} // namespace detail

} // namespace moqlite::wire::moqt
