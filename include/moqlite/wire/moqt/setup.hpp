// CLIENT_SETUP and SERVER_SETUP, draft-14 §9.3: the first messages of a session, which choose its version. SETUP,
// draft-18 §10.3: where the connection has chosen it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/wire/moqt/codec.hpp>
#include <moqlite/wire/moqt/parameters.hpp>
#include <span>

namespace moqlite::wire::moqt {

struct client_setup {
    /// Versions beyond these are not kept: the server takes the first that it speaks, and none has more.
    static constexpr std::size_t max_versions = 32;

    std::array<std::uint64_t, max_versions> offered{};
    std::size_t versions = 0; ///< Preferred first.
    parameter_list parameters{};

    [[nodiscard]] constexpr std::span<const std::uint64_t> list() const noexcept {
        return std::span{offered}.first(versions);
    }
    friend bool operator==(const client_setup& a, const client_setup& b) noexcept {
        return std::ranges::equal(a.list(), b.list()) && a.parameters == b.parameters;
    }
};

struct server_setup {
    std::uint64_t version = 0; ///< Selected.
    parameter_list parameters{};

    friend bool operator==(const server_setup&, const server_setup&) = default;
};

/// The first message of each side's control stream, and its stream type.
struct setup {
    static constexpr std::uint64_t type = 0x2f00;

    byte_view options = {}; ///< Pairs.

    friend bool operator==(const setup& a, const setup& b) noexcept { return as_text(a.options) == as_text(b.options); }
};

[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const setup&) noexcept { return setup::type; }
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const client_setup&) noexcept { return 0x20; }
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const server_setup&) noexcept { return 0x21; }

inline void read(reader& in, const dialect& d, client_setup& m, const limits&) noexcept {
    const auto count = in.varint();
    for (std::uint64_t i = 0; i < count && in.error() == errc::ok; ++i) {
        const auto version = in.varint();
        if (in.error() == errc::ok && m.versions < client_setup::max_versions) m.offered[m.versions++] = version;
    }
    m.parameters = detail::read_parameters(in, d.rules, detail::once_in_setup);
}
inline void write(writer& out, const draft&, const client_setup& m) {
    out.varint(m.versions);
    for (auto version : m.list()) out.varint(version);
    detail::write_parameters(out, m.parameters);
}

inline void read(reader& in, const dialect& d, setup& m, const limits&) noexcept {
    m.options = detail::read_pairs(in, d.rules, detail::once_in_setup, UINT64_MAX, false);
}
inline void write(writer& out, const draft&, const setup& m) { out.bytes(m.options); }

inline void read(reader& in, const dialect& d, server_setup& m, const limits&) noexcept {
    m.version = in.varint();
    m.parameters = detail::read_parameters(in, d.rules, detail::once_in_setup);
}
inline void write(writer& out, const draft&, const server_setup& m) {
    out.varint(m.version);
    detail::write_parameters(out, m.parameters);
}

} // namespace moqlite::wire::moqt
