// SETUP, the only message of each side's setup stream, moq-lite-05: parameters in any order.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/wire/lite/codec.hpp>
#include <optional>
#include <string_view>

namespace moqlite::wire::lite {

/// How a publisher can help to find the available bitrate. A level unknown to us reads as increase.
enum class probe_level : std::uint64_t { none, report, increase };

/// What the client will do. A role unknown to us reads as both.
enum class peer_role : std::uint64_t { both, publisher, subscriber };

/// A peer's parameters. One that it did not send has its default here.
struct setup {
    probe_level probe = probe_level::none;
    /// Path and query; only from clients, where the connection has no URL. Empty means none, but older peers refuse
    /// that.
    std::optional<std::string_view> path = {};
    peer_role role = peer_role::both;       ///< Only from clients.
    std::optional<std::uint64_t> cost = {}; ///< Cost of the link; 0 is a valid cost.
    hop_id origin = {};                     ///< The peer's own hop id, 0 if it has none.

    friend constexpr bool operator==(const setup&, const setup&) = default;
};

namespace detail {

enum class setup_parameter : std::uint64_t { probe = 1, path, role, cost, origin };

/// Capacity for the ids seen, to find duplicates.
inline constexpr std::size_t setup_parameters_max = 64;

/// A varint that fills `value` exactly.
[[nodiscard]] constexpr std::uint64_t sole_varint(reader& in, version v, byte_view value) noexcept {
    reader inside{value, integers_of(v)};
    const auto out = inside.varint();
    if (inside.finish() != errc::ok) in.fail(errc::parameter_size);
    return out;
}

inline void read_parameter(reader& in, version v, setup& m, std::uint64_t id, byte_view value) noexcept {
    switch (static_cast<setup_parameter>(id)) {
    case setup_parameter::probe:
        m.probe = static_cast<probe_level>(
            std::min(sole_varint(in, v, value), static_cast<std::uint64_t>(probe_level::increase)));
        break;
    case setup_parameter::path: {
        reader inside{value};
        m.path = inside.rest_as_text();
        if (inside.error() != errc::ok) in.fail(inside.error());
        break;
    }
    case setup_parameter::role: {
        const auto role = sole_varint(in, v, value);
        const bool known = role <= static_cast<std::uint64_t>(peer_role::subscriber);
        m.role = known ? static_cast<peer_role>(role) : peer_role::both;
        break;
    }
    case setup_parameter::cost: m.cost = sole_varint(in, v, value); break;
    case setup_parameter::origin: m.origin = hop_id{sole_varint(in, v, value)}; break;
    }
}

inline void write_parameter(writer& out, setup_parameter id, std::uint64_t value) {
    out.varint(static_cast<std::uint64_t>(id));
    out.prefixed([&] { out.varint(value); });
}

} // namespace detail

inline void read(reader& in, version v, setup& m, const limits& bounds) noexcept {
    if (!has_setup(v)) return in.fail(errc::unsupported);
    std::array<std::uint64_t, detail::setup_parameters_max> seen{};
    const auto count = in.varint();
    if (count > std::min(bounds.setup_parameters, seen.size())) return in.fail(errc::too_many_parameters);

    for (std::size_t i = 0; i < count && in.error() == errc::ok; ++i) {
        const auto id = in.varint();
        const auto end = seen.begin() + static_cast<std::ptrdiff_t>(i);
        if (std::find(seen.begin(), end, id) != end) return in.fail(errc::duplicate_parameter);
        *end = id;
        const auto value = in.bytes(in.varint());
        if (in.error() == errc::ok) detail::read_parameter(in, v, m, id, value);
    }
}

inline void write(writer& out, version v, const setup& m) {
    using detail::setup_parameter;
    if (!has_setup(v)) return out.fail(errc::unsupported);
    const bool probe = m.probe != probe_level::none;
    const bool role = m.role != peer_role::both;
    const bool origin = m.origin != hop_id{};
    out.varint(std::uint64_t{probe} + m.path.has_value() + role + m.cost.has_value() + origin);

    if (probe) detail::write_parameter(out, setup_parameter::probe, static_cast<std::uint64_t>(m.probe));
    if (m.path) {
        out.varint(static_cast<std::uint64_t>(setup_parameter::path));
        out.string(*m.path);
    }
    if (role) detail::write_parameter(out, setup_parameter::role, static_cast<std::uint64_t>(m.role));
    if (m.cost) detail::write_parameter(out, setup_parameter::cost, *m.cost);
    if (origin) detail::write_parameter(out, setup_parameter::origin, number(m.origin));
}

} // namespace moqlite::wire::lite
