// Announcements: PUBLISH_NAMESPACE and SUBSCRIBE_NAMESPACE with their ends, draft-14 §9.23 to §9.31.
#pragma once

#include <cstdint>
#include <moqlite/wire/moqt/codec.hpp>
#include <moqlite/wire/moqt/control.hpp>
#include <moqlite/wire/moqt/parameters.hpp>
#include <moqlite/wire/moqt/track_namespace.hpp>
#include <moqlite/wire/moqt/typed_parameters.hpp>
#include <optional>
#include <string_view>

namespace moqlite::wire::moqt {

struct publish_namespace {
    std::uint64_t request = 0;
    track_namespace space{};
    parameter_list parameters{};

    friend bool operator==(const publish_namespace&, const publish_namespace&) = default;
};

/// The publisher withdraws it.
struct publish_namespace_done {
    track_namespace space{};

    friend bool operator==(const publish_namespace_done&, const publish_namespace_done&) = default;
};

/// The receiver no longer wants it.
struct publish_namespace_cancel {
    track_namespace space{};
    std::uint64_t code = 0;
    std::string_view reason = {};

    friend bool operator==(const publish_namespace_cancel&, const publish_namespace_cancel&) = default;
};

struct subscribe_namespace {
    std::uint64_t request = 0;
    track_namespace prefix{};
    parameter_list parameters{};

    friend bool operator==(const subscribe_namespace&, const subscribe_namespace&) = default;
};

struct unsubscribe_namespace {
    track_namespace prefix{};
    std::optional<std::uint64_t> request{}; ///< quirks::namespace_by_request: it may be this instead; never written.

    friend bool operator==(const unsubscribe_namespace&, const unsubscribe_namespace&) = default;
};

// Draft-18: what SUBSCRIBE_NAMESPACE and SUBSCRIBE_TRACKS are told, on their streams.

/// SUBSCRIBE_TRACKS: a PUBLISH is wanted for each track below the prefix.
struct subscribe_tracks {
    std::uint64_t request = 0;
    track_namespace prefix{};
    parameter_list parameters{};

    friend bool operator==(const subscribe_tracks&, const subscribe_tracks&) = default;
};

/// NAMESPACE, or NAMESPACE_DONE: below the prefix that was asked for, this is published, or no longer.
struct namespace_change {
    bool is_done = false;
    track_namespace suffix{};

    friend bool operator==(const namespace_change&, const namespace_change&) = default;
};

/// PUBLISH_BLOCKED: a track below the prefix of which no PUBLISH could be sent.
struct publish_blocked {
    full_track_name suffix{};

    friend bool operator==(const publish_blocked&, const publish_blocked&) = default;
};

[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const subscribe_tracks&) noexcept { return 0x51; }
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const namespace_change& m) noexcept {
    return m.is_done ? 0x0e : 0x08;
}
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const publish_blocked&) noexcept { return 0x0f; }
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const publish_namespace&) noexcept { return 0x06; }
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const publish_namespace_done&) noexcept {
    return 0x09;
}
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const publish_namespace_cancel&) noexcept {
    return 0x0c;
}
[[nodiscard]] constexpr std::uint64_t message_type(const draft& d, const subscribe_namespace&) noexcept {
    return d.request_streams ? 0x50 : 0x11;
}
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const unsubscribe_namespace&) noexcept { return 0x14; }

namespace detail {

/// The fields that a prefix has at least.
[[nodiscard]] constexpr std::size_t least_prefix(const dialect& d) noexcept {
    return d.rules.request_streams || d.reads.empty_prefix ? 0 : 1;
}

} // namespace detail

inline void read(reader& in, const dialect& d, publish_namespace& m, const limits& bounds) noexcept {
    m.request = in.varint();
    m.space = detail::read_namespace(in, 1, bounds);
    m.parameters = detail::read_parameters(in, d.rules, parameter_scope::publish_namespace);
}
inline void write(writer& out, const draft& d, const publish_namespace& m) {
    out.varint(m.request);
    detail::write_namespace(out, m.space, 1);
    detail::write_parameters(out, d, m.parameters);
}

inline void read(reader& in, const dialect&, publish_namespace_done& m, const limits& bounds) noexcept {
    m.space = detail::read_namespace(in, 1, bounds);
}
inline void write(writer& out, const draft&, const publish_namespace_done& m) {
    detail::write_namespace(out, m.space, 1);
}

inline void read(reader& in, const dialect&, publish_namespace_cancel& m, const limits& bounds) noexcept {
    m.space = detail::read_namespace(in, 1, bounds);
    m.code = in.varint();
    m.reason = detail::read_reason(in);
}
inline void write(writer& out, const draft&, const publish_namespace_cancel& m) {
    detail::write_namespace(out, m.space, 1);
    out.varint(m.code);
    detail::write_reason(out, m.reason);
}

inline void read(reader& in, const dialect& d, subscribe_namespace& m, const limits& bounds) noexcept {
    m.request = in.varint();
    m.prefix = detail::read_namespace(in, detail::least_prefix(d), bounds);
    m.parameters = detail::read_parameters(in, d.rules, parameter_scope::subscribe_namespace);
}
inline void write(writer& out, const draft& d, const subscribe_namespace& m) {
    out.varint(m.request);
    detail::write_namespace(out, m.prefix, 0);
    detail::write_parameters(out, d, m.parameters);
}

inline void read(reader& in, const dialect& d, subscribe_tracks& m, const limits& bounds) noexcept {
    m.request = in.varint();
    m.prefix = detail::read_namespace(in, 0, bounds);
    m.parameters = detail::read_parameters(in, d.rules, parameter_scope::subscribe_tracks);
}
inline void write(writer& out, const draft& d, const subscribe_tracks& m) {
    out.varint(m.request);
    detail::write_namespace(out, m.prefix, 0);
    detail::write_parameters(out, d, m.parameters);
}

inline void read(reader& in, const dialect&, namespace_change& m, const limits& bounds) noexcept {
    m.suffix = detail::read_namespace(in, 0, bounds);
}
inline void write(writer& out, const draft&, const namespace_change& m) { detail::write_namespace(out, m.suffix, 0); }

inline void read(reader& in, const dialect&, publish_blocked& m, const limits& bounds) noexcept {
    m.suffix.space = detail::read_namespace(in, 0, bounds);
    m.suffix.name = detail::read_bytes(in);
}
inline void write(writer& out, const draft&, const publish_blocked& m) {
    detail::write_namespace(out, m.suffix.space, 0);
    out.string(m.suffix.name);
}

inline void read(reader& in, const dialect& d, unsubscribe_namespace& m, const limits& bounds) noexcept {
    auto id = in;
    const auto request = id.varint();
    const bool whole = d.reads.namespace_by_request && id.finish() == errc::ok;
    if (whole) m.request = request;
    auto tuple = in;
    m.prefix = detail::read_namespace(tuple, detail::least_prefix(d), bounds);
    in = tuple.finish() == errc::ok || !whole ? tuple : id;
    if (tuple.finish() != errc::ok) m.prefix = {};
}
inline void write(writer& out, const draft&, const unsubscribe_namespace& m) {
    detail::write_namespace(out, m.prefix, 0);
}

} // namespace moqlite::wire::moqt
