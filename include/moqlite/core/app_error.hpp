// Codes of streams and sessions: what they mean to us, and the numbers that stand for it in each dialect.
#pragma once

#include <array>
#include <cstdint>
#include <moqlite/core/version.hpp>
#include <optional>
#include <string_view>

namespace moqlite {

/// The list in which a number has its meaning. The same number means something else in another.
enum class code_registry : std::uint8_t {
    none,    ///< Not known: a bare number, as transports deliver it.
    ours,    ///< The vocabulary of this library; not a number on the wire yet.
    lite,    ///< One list for streams and sessions, before moq-lite-06 (moq-net 0.2).
    stream,  ///< RESET_STREAM, STOP_SENDING and SUBSCRIBE_DROP from moq-lite-06 on.
    session, ///< CONNECTION_CLOSE and WT_CLOSE_SESSION from moq-lite-06 on.
    // gomoqt's lists, one for each kind of stream.
    gomoqt_announce,
    gomoqt_subscribe,
    gomoqt_fetch,
    gomoqt_probe,
    gomoqt_group,
    gomoqt_session,
};

/// The code of a reset, stop or close: a meaning of ours, or a number in its registry. Two codes are equal if they mean
/// the same. Of a peer's code act only on cancel or not; the rest is for people to read.
class app_error {
public:
    /// The numbers are those of code_registry::lite; the last ones are not on that list.
    enum meaning : std::uint8_t {
        cancel = 0,
        required_extension = 1,
        old = 2,
        timeout = 3,
        transport = 4,
        decode = 5,
        unauthorized = 6,
        version = 9,
        unexpected_stream = 10,
        bounds_exceeded = 11,
        duplicate = 12,
        not_found = 13,
        wrong_size = 14,
        protocol_violation = 15,
        unexpected_message = 16,
        unsupported = 17,
        dropped = 24,
        closed = 25,
        lagged = 26,
        frame_too_large = 27,
        timestamp_mismatch = 29,
        unroutable = 30,
        evicted = 31,
        internal = 200,
        delivery_timeout,
        going_away,
        goaway_timeout,
        group_too_large,
        unknown = 255, ///< The number is the application's (64 and above), or on no list.
    };

    constexpr app_error() noexcept = default;
    /// A code of ours. Implicit: a meaning is a code.
    constexpr app_error(meaning what) noexcept;
    /// A bare number; where we send it, its meaning is that of code_registry::lite.
    constexpr explicit app_error(std::uint64_t number) noexcept;
    /// A number as a peer sent it.
    constexpr app_error(code_registry list, std::uint64_t number) noexcept;

    [[nodiscard]] constexpr code_registry registry() const noexcept { return registry_; }
    [[nodiscard]] constexpr meaning means() const noexcept { return meaning_; }
    /// The number on the wire; of a code of ours that of code_registry::lite.
    [[nodiscard]] constexpr explicit operator std::uint64_t() const noexcept { return number_; }

    /// The code as it is sent in a registry. Application codes, and numbers of that registry, stay as they are; a
    /// number that is on no list becomes the registry's general error.
    [[nodiscard]] constexpr app_error in(code_registry list) const noexcept;
    /// A peer's code, which was sent in `list`. What a transport reports by itself (a code of ours) stays.
    [[nodiscard]] constexpr app_error received(code_registry list) const noexcept {
        return registry_ == code_registry::ours ? *this : app_error{list, number_};
    }

    friend constexpr bool operator==(const app_error& a, const app_error& b) noexcept {
        if (a.meaning_ != b.meaning_) return false;
        return a.meaning_ != unknown || (a.number_ == b.number_ && a.list() == b.list());
    }

private:
    static constexpr std::uint64_t first_of_applications = 64;

    constexpr app_error(code_registry list, std::uint64_t number, meaning what) noexcept
        : number_(number), registry_(list), meaning_(what) {}
    /// The list that an unknown number is missing from; application codes belong to all.
    [[nodiscard]] constexpr code_registry list() const noexcept {
        const bool any = number_ >= first_of_applications || registry_ == code_registry::none;
        return any ? code_registry::lite : registry_;
    }

    std::uint64_t number_ = 0;
    code_registry registry_ = code_registry::ours;
    meaning meaning_ = cancel;
};

namespace detail {

/// How a meaning is sent.
struct meaning_row {
    app_error::meaning what;
    std::string_view name;
    std::uint8_t lite, stream, session;
};

// 0x03 in the stream column: a session's error that has hit one stream.
inline constexpr std::array meaning_table{
    meaning_row{app_error::cancel, "cancel", 0, 0x01, 0x00},
    meaning_row{app_error::required_extension, "required_extension", 1, 0x03, 0x03},
    meaning_row{app_error::old, "old", 2, 0x34, 0x01},
    meaning_row{app_error::timeout, "timeout", 3, 0x31, 0x11},
    meaning_row{app_error::transport, "transport", 4, 0x03, 0x01},
    meaning_row{app_error::decode, "decode", 5, 0x12, 0x03},
    meaning_row{app_error::unauthorized, "unauthorized", 6, 0x03, 0x02},
    meaning_row{app_error::version, "version", 9, 0x03, 0x15},
    meaning_row{app_error::unexpected_stream, "unexpected_stream", 10, 0x00, 0x03},
    meaning_row{app_error::bounds_exceeded, "bounds_exceeded", 11, 0x00, 0x03},
    meaning_row{app_error::duplicate, "duplicate", 12, 0x03, 0x03},
    meaning_row{app_error::not_found, "not_found", 13, 0x33, 0x03},
    meaning_row{app_error::wrong_size, "wrong_size", 14, 0x37, 0x03},
    meaning_row{app_error::protocol_violation, "protocol_violation", 15, 0x03, 0x03},
    meaning_row{app_error::unexpected_message, "unexpected_message", 16, 0x03, 0x03},
    meaning_row{app_error::unsupported, "unsupported", 17, 0x00, 0x03},
    meaning_row{app_error::dropped, "dropped", 24, 0x03, 0x01},
    meaning_row{app_error::closed, "closed", 25, 0x03, 0x01},
    meaning_row{app_error::lagged, "lagged", 26, 0x05, 0x11},
    meaning_row{app_error::frame_too_large, "frame_too_large", 27, 0x38, 0x03},
    meaning_row{app_error::timestamp_mismatch, "timestamp_mismatch", 29, 0x39, 0x03},
    meaning_row{app_error::unroutable, "unroutable", 30, 0x36, 0x01},
    meaning_row{app_error::evicted, "evicted", 31, 0x35, 0x01},
    meaning_row{app_error::internal, "internal", 24, 0x00, 0x01},
    meaning_row{app_error::delivery_timeout, "delivery_timeout", 2, 0x02, 0x01},
    meaning_row{app_error::going_away, "going_away", 25, 0x04, 0x01},
    // The old list has no number for the end of a drain, which closed with 0.
    meaning_row{app_error::goaway_timeout, "goaway_timeout", 0, 0x04, 0x10},
    meaning_row{app_error::group_too_large, "group_too_large", 11, 0x32, 0x03},
};

/// A number that a registry defines, and what it means to us.
struct code_row {
    code_registry list;
    std::uint8_t number;
    app_error::meaning what;
    std::string_view name;
};

// The list before moq-lite-06 also has the numbers of app_error::meaning, under the same names.
inline constexpr std::array code_table{
    code_row{code_registry::lite, 18, app_error::internal, "encode"},
    code_row{code_registry::lite, 19, app_error::bounds_exceeded, "too_many_parameters"},
    code_row{code_registry::lite, 20, app_error::protocol_violation, "invalid_role"},
    code_row{code_registry::lite, 21, app_error::version, "unknown_alpn"},

    code_row{code_registry::stream, 0x00, app_error::internal, "internal"},
    code_row{code_registry::stream, 0x01, app_error::cancel, "cancel"},
    code_row{code_registry::stream, 0x02, app_error::delivery_timeout, "delivery_timeout"},
    code_row{code_registry::stream, 0x03, app_error::closed, "session_closed"},
    code_row{code_registry::stream, 0x04, app_error::going_away, "going_away"},
    code_row{code_registry::stream, 0x05, app_error::lagged, "too_far_behind"},
    code_row{code_registry::stream, 0x12, app_error::decode, "malformed_track"},
    code_row{code_registry::stream, 0x31, app_error::timeout, "control_timeout"},
    code_row{code_registry::stream, 0x32, app_error::group_too_large, "group_too_large"},
    code_row{code_registry::stream, 0x33, app_error::not_found, "not_found"},
    code_row{code_registry::stream, 0x34, app_error::old, "old"},
    code_row{code_registry::stream, 0x35, app_error::evicted, "evicted"},
    code_row{code_registry::stream, 0x36, app_error::unroutable, "unroutable"},
    code_row{code_registry::stream, 0x37, app_error::wrong_size, "wrong_size"},
    code_row{code_registry::stream, 0x38, app_error::frame_too_large, "frame_too_large"},
    code_row{code_registry::stream, 0x39, app_error::timestamp_mismatch, "timestamp_mismatch"},

    code_row{code_registry::session, 0x00, app_error::cancel, "no_error"},
    code_row{code_registry::session, 0x01, app_error::internal, "internal"},
    code_row{code_registry::session, 0x02, app_error::unauthorized, "unauthorized"},
    code_row{code_registry::session, 0x03, app_error::protocol_violation, "protocol_violation"},
    code_row{code_registry::session, 0x06, app_error::decode, "key_value_formatting"},
    code_row{code_registry::session, 0x10, app_error::goaway_timeout, "goaway_timeout"},
    code_row{code_registry::session, 0x11, app_error::timeout, "timeout"},
    code_row{code_registry::session, 0x15, app_error::version, "version"},

    // Its 0, "internal", is also what its streams end with when nobody is interested any more: no error to us.
    code_row{code_registry::gomoqt_announce, 0x3, app_error::cancel, "uninterested"},
    code_row{code_registry::gomoqt_announce, 0x0, app_error::cancel, "internal"},
    code_row{code_registry::gomoqt_announce, 0x1, app_error::duplicate, "duplicated_broadcast"},
    code_row{code_registry::gomoqt_announce, 0x2, app_error::decode, "invalid_announce_status"},
    code_row{code_registry::gomoqt_announce, 0x4, app_error::unauthorized, "banned_prefix"},
    code_row{code_registry::gomoqt_announce, 0x5, app_error::protocol_violation, "invalid_prefix"},
    code_row{code_registry::gomoqt_subscribe, 0x0, app_error::cancel, "internal"},
    code_row{code_registry::gomoqt_subscribe, 0x1, app_error::protocol_violation, "invalid_range"},
    code_row{code_registry::gomoqt_subscribe, 0x2, app_error::duplicate, "duplicate_id"},
    code_row{code_registry::gomoqt_subscribe, 0x3, app_error::not_found, "not_found"},
    code_row{code_registry::gomoqt_subscribe, 0x3, app_error::unroutable, "not_found"},
    code_row{code_registry::gomoqt_subscribe, 0x4, app_error::unauthorized, "unauthorized"},
    code_row{code_registry::gomoqt_subscribe, 0x5, app_error::timeout, "timeout"},
    code_row{code_registry::gomoqt_fetch, 0x0, app_error::cancel, "internal"},
    code_row{code_registry::gomoqt_fetch, 0x1, app_error::timeout, "timeout"},
    code_row{code_registry::gomoqt_probe, 0x0, app_error::cancel, "internal"},
    code_row{code_registry::gomoqt_probe, 0x1, app_error::timeout, "timeout"},
    code_row{code_registry::gomoqt_probe, 0x2, app_error::unsupported, "not_supported"},
    code_row{code_registry::gomoqt_group, 0x4, app_error::cancel, "subscribe_canceled"},
    code_row{code_registry::gomoqt_group, 0x0, app_error::cancel, "internal"},
    code_row{code_registry::gomoqt_group, 0x2, app_error::protocol_violation, "out_of_range"},
    code_row{code_registry::gomoqt_group, 0x3, app_error::old, "expired"},
    code_row{code_registry::gomoqt_group, 0x3, app_error::evicted, "expired"},
    code_row{code_registry::gomoqt_group, 0x3, app_error::lagged, "expired"},
    code_row{code_registry::gomoqt_group, 0x3, app_error::delivery_timeout, "expired"},
    code_row{code_registry::gomoqt_group, 0x5, app_error::dropped, "publish_aborted"},
    code_row{code_registry::gomoqt_group, 0x6, app_error::closed, "closed_session"},
    code_row{code_registry::gomoqt_group, 0x7, app_error::not_found, "invalid_subscribe_id"},
    code_row{code_registry::gomoqt_session, 0x00, app_error::cancel, "no_error"},
    code_row{code_registry::gomoqt_session, 0x01, app_error::internal, "internal"},
    code_row{code_registry::gomoqt_session, 0x02, app_error::unauthorized, "unauthorized"},
    code_row{code_registry::gomoqt_session, 0x03, app_error::protocol_violation, "protocol_violation"},
    code_row{code_registry::gomoqt_session, 0x05, app_error::decode, "parameter_length_mismatch"},
    code_row{code_registry::gomoqt_session, 0x06, app_error::bounds_exceeded, "too_many_subscribe"},
    code_row{code_registry::gomoqt_session, 0x10, app_error::goaway_timeout, "goaway_timeout"},
    code_row{code_registry::gomoqt_session, 0x12, app_error::version, "unsupported_version"},
    code_row{code_registry::gomoqt_session, 0x13, app_error::internal, "setup_failed"},
};

[[nodiscard]] constexpr const meaning_row* row_of(app_error::meaning what) noexcept {
    for (const auto& row : meaning_table)
        if (row.what == what) return &row;
    return nullptr;
}
[[nodiscard]] constexpr const code_row* row_of(code_registry list, std::uint64_t number) noexcept {
    for (const auto& row : code_table)
        if (row.list == list && row.number == number) return &row;
    return nullptr;
}

[[nodiscard]] constexpr app_error::meaning meaning_of(code_registry list, std::uint64_t number) noexcept {
    if (const auto* row = row_of(list, number)) return row->what;
    const bool numbers_of_ours = list == code_registry::lite || list == code_registry::none;
    if (numbers_of_ours && number < app_error::internal)
        if (const auto* row = row_of(app_error::meaning{static_cast<std::uint8_t>(number)})) return row->what;
    return app_error::unknown;
}

[[nodiscard]] constexpr std::uint8_t general_error(code_registry list) noexcept {
    switch (list) {
    case code_registry::session:
    case code_registry::gomoqt_session: return 0x1;
    case code_registry::none:
    case code_registry::ours:
    case code_registry::lite: return app_error::dropped;
    default: return 0;
    }
}

[[nodiscard]] constexpr std::uint8_t number_of(app_error::meaning what, code_registry list) noexcept {
    const auto* row = row_of(what);
    if (row == nullptr) return general_error(list);
    switch (list) {
    case code_registry::none:
    case code_registry::ours:
    case code_registry::lite: return row->lite;
    case code_registry::stream: return row->stream;
    case code_registry::session: return row->session;
    default: break;
    }
    // Its session codes differ little from those of moq-lite-06.
    if (list == code_registry::gomoqt_session && row->session == 0x03) return 0x03;
    for (const auto& each : code_table)
        if (each.list == list && each.what == what) return each.number;
    return general_error(list);
}

} // namespace detail

constexpr app_error::app_error(meaning what) noexcept
    : number_(what < internal ? std::uint64_t{what} : detail::number_of(what, code_registry::ours)), meaning_(what) {}
constexpr app_error::app_error(std::uint64_t number) noexcept : app_error(code_registry::none, number) {}
constexpr app_error::app_error(code_registry list, std::uint64_t number) noexcept
    : number_(number), registry_(list), meaning_(detail::meaning_of(list, number)) {}

constexpr app_error app_error::in(code_registry list) const noexcept {
    const bool bare = registry_ == code_registry::none && list == code_registry::lite;
    if (registry_ == list || bare || (meaning_ == unknown && number_ >= first_of_applications))
        return {list, number_, meaning_};
    return {list, detail::number_of(meaning_, list), meaning_ == unknown ? internal : meaning_};
}

/// Our name of a meaning; "" for unknown.
[[nodiscard]] constexpr std::string_view to_string(app_error::meaning what) noexcept {
    const auto* row = detail::row_of(what);
    return row != nullptr ? row->name : std::string_view{};
}

/// The number's name in its registry, or "" if it is on no list. A log adds the number itself.
[[nodiscard]] constexpr std::string_view to_string(const app_error& code) noexcept {
    if (const auto* row = detail::row_of(code.registry(), static_cast<std::uint64_t>(code))) return row->name;
    const bool numbers_of_ours = code.registry() <= code_registry::lite;
    return numbers_of_ours ? to_string(code.means()) : std::string_view{};
}

/// The registry of a session's code. Before moq-lite-06 gomoqt has its own.
[[nodiscard]] constexpr code_registry session_codes(version v, bool gomoqt = false) noexcept {
    if (has_two_registries(v)) return code_registry::session;
    return gomoqt ? code_registry::gomoqt_session : code_registry::lite;
}
/// The registry of a stream's code; `own` is gomoqt's list for this kind of stream.
[[nodiscard]] constexpr code_registry stream_codes(
    version v, std::optional<code_registry> own = std::nullopt) noexcept {
    return has_two_registries(v) ? code_registry::stream : own.value_or(code_registry::lite);
}

} // namespace moqlite
