// WebTransport datagrams: QUIC datagrams with a session prefix (RFC 9297 §2.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/wire/varint.hpp>
#include <optional>
#include <span>

namespace moqlite::webtransport {

/// The prefix is a quarter of the session id, since the id of a stream that carries a request is a multiple of 4.
inline constexpr std::uint64_t quarter_stream_id_max = (std::uint64_t{1} << 60) - 1;

struct datagram {
    stream_id session{};
    byte_view payload;
};

/// Maximum bytes before a datagram's payload.
inline constexpr std::size_t datagram_prefix_size_max = wire::varint_size_max;

/// Bytes before the payload of a datagram of this session.
[[nodiscard]] constexpr std::size_t datagram_prefix_size(stream_id session) noexcept {
    return wire::varint_size(number(session) / 4);
}

/// Writes the prefix and returns its size. Precondition: `out` has room for it.
constexpr std::size_t write_datagram_prefix(stream_id session, std::span<std::byte> out) noexcept {
    return wire::write_varint(number(session) / 4, out);
}

/// nullopt: violation::bad_datagram.
[[nodiscard]] constexpr std::optional<datagram> read_datagram(byte_view in) noexcept {
    const auto quarter = wire::read_varint(in);
    if (!quarter || *quarter > quarter_stream_id_max) return std::nullopt;
    return datagram{stream_id{*quarter * 4}, in};
}

} // namespace moqlite::webtransport
