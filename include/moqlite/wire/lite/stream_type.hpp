// The first varint of every stream, moq-lite-05 §5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/wire/integers.hpp>
#include <moqlite/wire/message.hpp>
#include <moqlite/wire/writer.hpp>
#include <optional>
#include <vector>

namespace moqlite::wire::lite {

enum class bidi_type : std::uint64_t { announce = 1, subscribe, fetch, probe, goaway, track };
enum class uni_type : std::uint64_t { group = 0, setup };

/// The type of a bidirectional stream, if the version defines it. Every version defines FETCH.
[[nodiscard]] constexpr std::optional<bidi_type> bidi_type_from(version v, std::uint64_t value) noexcept {
    const auto type = static_cast<bidi_type>(value);
    switch (type) {
    case bidi_type::announce:
    case bidi_type::subscribe:
    case bidi_type::fetch:
    case bidi_type::probe: return type;
    case bidi_type::goaway: return has_goaway(v) ? std::optional{type} : std::nullopt;
    case bidi_type::track: return has_track_info(v) ? std::optional{type} : std::nullopt;
    }
    return std::nullopt;
}

/// The type of a unidirectional stream, if the version defines it.
[[nodiscard]] constexpr std::optional<uni_type> uni_type_from(version v, std::uint64_t value) noexcept {
    const auto type = static_cast<uni_type>(value);
    switch (type) {
    case uni_type::group: return type;
    case uni_type::setup: return has_setup(v) ? std::optional{type} : std::nullopt;
    }
    return std::nullopt;
}

/// A stream's type and its encoded size.
template <class Type>
struct stream_prefix {
    Type type = {};
    std::size_t size = 0;
};

/// Parses the type that begins a bidirectional stream, or errc::unknown_stream_type.
[[nodiscard]] constexpr taken<stream_prefix<bidi_type>> take_bidi_type(version v, byte_view in) noexcept {
    auto rest = in;
    const auto value = read_integer(integers_of(v), rest);
    if (!value) return {};
    const auto type = bidi_type_from(v, *value);
    if (!type) return errc::unknown_stream_type;
    return stream_prefix<bidi_type>{*type, in.size() - rest.size()};
}

/// Parses the type that begins a unidirectional stream, or errc::unknown_stream_type.
[[nodiscard]] constexpr taken<stream_prefix<uni_type>> take_uni_type(version v, byte_view in) noexcept {
    auto rest = in;
    const auto value = read_integer(integers_of(v), rest);
    if (!value) return {};
    const auto type = uni_type_from(v, *value);
    if (!type) return errc::unknown_stream_type;
    return stream_prefix<uni_type>{*type, in.size() - rest.size()};
}

/// One byte in every version.
inline void encode(bidi_type type, std::vector<std::byte>& out) {
    writer{out}.varint(static_cast<std::uint64_t>(type));
}

inline void encode(uni_type type, std::vector<std::byte>& out) { writer{out}.varint(static_cast<std::uint64_t>(type)); }

} // namespace moqlite::wire::lite
