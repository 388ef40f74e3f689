// A publisher's answers on a subscribe stream, moq-lite-05: SUBSCRIBE_OK, _END and _DROP.
#pragma once

#include <cstdint>
#include <moqlite/core/error.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/wire/lite/codec.hpp>
#include <moqlite/wire/lite/subscribe.hpp>
#include <variant>

namespace moqlite::wire::lite {

/// Carries `options` where has_options_in_ok(v), else `group`.
struct subscribe_ok {
    group_sequence group = {}; ///< The first group that will be served.
    subscribe_options options = {};

    friend constexpr bool operator==(const subscribe_ok&, const subscribe_ok&) = default;
};

struct subscribe_end {
    group_sequence group = {}; ///< The first group that will never exist; 0 if there was none.
    std::uint64_t streams = 0; ///< Group streams opened for the subscription. From moq-lite-07 on.

    friend constexpr bool operator==(const subscribe_end&, const subscribe_end&) = default;
};

/// The groups from `start` to `end`, both included, will not be sent.
struct subscribe_drop {
    group_sequence start = {};
    group_sequence end = {};
    app_error code = app_error::cancel;

    friend constexpr bool operator==(const subscribe_drop&, const subscribe_drop&) = default;
};

inline void read(reader& in, version v, subscribe_ok& m, const limits&) noexcept {
    if (has_options_in_ok(v)) return detail::read_options(in, v, m.options);
    m.group = group_sequence{in.varint()};
}

inline void write(writer& out, version v, const subscribe_ok& m) {
    if (has_options_in_ok(v)) return detail::write_options(out, v, m.options);
    out.varint(number(m.group));
}

inline void read(reader& in, version v, subscribe_end& m, const limits&) noexcept {
    if (!has_subscribe_end(v)) return in.fail(errc::unsupported);
    m.group = group_sequence{in.varint()};
    if (has_stream_count(v)) m.streams = in.varint();
}

inline void write(writer& out, version v, const subscribe_end& m) {
    if (!has_subscribe_end(v)) return out.fail(errc::unsupported);
    out.varint(number(m.group));
    if (has_stream_count(v)) out.varint(m.streams);
}

inline void read(reader& in, version v, subscribe_drop& m, const limits&) noexcept {
    if (has_stream_count(v)) return in.fail(errc::unsupported);
    m.start = group_sequence{in.varint()};
    m.end = group_sequence{in.varint()};
    m.code = app_error{in.varint()};
}

inline void write(writer& out, version v, const subscribe_drop& m) {
    if (has_stream_count(v)) return out.fail(errc::unsupported);
    out.varint(number(m.start));
    out.varint(number(m.end));
    out.varint(static_cast<std::uint64_t>(m.code));
}

[[nodiscard]] constexpr std::uint64_t message_type(version, const subscribe_ok&) noexcept { return 0; }
[[nodiscard]] constexpr std::uint64_t message_type(version, const subscribe_end&) noexcept { return 1; }
[[nodiscard]] constexpr std::uint64_t message_type(version v, const subscribe_drop&) noexcept {
    return has_subscribe_end(v) ? 2 : 1;
}

/// The number of message types, for take_typed_message().
[[nodiscard]] constexpr std::uint64_t subscribe_response_types(version v) noexcept {
    return has_stream_count(v) ? 2 : message_type(v, subscribe_drop{}) + 1;
}

using subscribe_response = std::variant<subscribe_ok, subscribe_end, subscribe_drop>;

[[nodiscard]] inline result<subscribe_response> decode_subscribe_response(
    version v, const typed_framed& message, const limits& bounds = default_limits) noexcept {
    const auto as = [](auto decoded) -> result<subscribe_response> {
        if (!decoded) return decoded.error();
        return subscribe_response{*decoded};
    };
    if (message.type >= subscribe_response_types(v)) return errc::unknown_message_type;
    if (message.type == message_type(v, subscribe_ok{})) return as(decode<subscribe_ok>(v, message.body, bounds));
    if (message.type == message_type(v, subscribe_drop{})) return as(decode<subscribe_drop>(v, message.body, bounds));
    return as(decode<subscribe_end>(v, message.body, bounds));
}

} // namespace moqlite::wire::lite
