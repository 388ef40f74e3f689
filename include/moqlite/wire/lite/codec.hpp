// Encodes and decodes one message. Each message M has beside it:
//   void read(reader&, version, M&, const limits&)      its fields, in order;
//   void write(writer&, version, const M&)              the same;
//   std::uint64_t message_type(version, const M&)       if it is a typed message.
// A message that the version does not define is refused with errc::unsupported.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/core/result.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/wire/message.hpp>
#include <moqlite/wire/reader.hpp>
#include <moqlite/wire/writer.hpp>
#include <optional>
#include <string_view>
#include <vector>

namespace moqlite::wire::lite {

/// Messages with a type in front of their length.
template <class M>
concept typed_message = requires(version v, const M& m) {
    { message_type(v, m) } -> std::same_as<std::uint64_t>;
};

/// wire::take_message() with the integers of a version.
[[nodiscard]] constexpr taken<framed> take_message(
    version v, byte_view in, std::size_t max_body = default_limits.control_message) noexcept {
    return wire::take_message(integers_of(v), in, max_body);
}
/// wire::take_typed_message(), likewise.
[[nodiscard]] constexpr taken<typed_framed> take_typed_message(version v, byte_view in,
    std::size_t max_body = default_limits.control_message,
    std::uint64_t types = std::numeric_limits<std::uint64_t>::max()) noexcept {
    return wire::take_typed_message(integers_of(v), in, max_body, types);
}

/// Decodes the message in `body`, which its views alias. The caller checks a typed message's type.
template <class M>
[[nodiscard]] result<M> decode(version v, byte_view body, const limits& bounds = default_limits) noexcept {
    reader in{body, integers_of(v)};
    M message{};
    read(in, v, message, bounds);
    if (const auto error = in.finish(); error != errc::ok) return error;
    return message;
}

/// Appends the whole message, type and length included, or nothing at all.
template <class M>
[[nodiscard]] errc encode(version v, const M& message, std::vector<std::byte>& out) {
    writer to{out, integers_of(v)};
    if constexpr (typed_message<M>) to.varint(message_type(v, message));
    to.prefixed([&] { write(to, v, message); });
    if (to.error() != errc::ok) to.rollback();
    return to.error();
}

namespace detail {

/// Segments of `path` once normalised: runs of characters other than slashes.
[[nodiscard]] constexpr std::size_t path_segments(std::string_view path) noexcept {
    std::size_t count = 0;
    for (std::size_t i = 0; i < path.size(); ++i)
        if (path[i] != '/' && (i == 0 || path[i - 1] == '/')) ++count;
    return count;
}

/// A path as on the wire; the caller normalises it.
[[nodiscard]] inline std::string_view read_path(reader& in, const limits& bounds) noexcept {
    const auto path = in.string();
    const auto most = (path.size() + 1) / 2; // Segments of one character.
    if (most > bounds.path_segments && path_segments(path) > bounds.path_segments) in.fail(errc::too_many_segments);
    return path;
}

/// An optional group or frame: 0 is none, n + 1 is number n.
template <class Id>
[[nodiscard]] std::optional<Id> read_optional(reader& in) noexcept {
    const auto value = in.varint();
    if (value == 0) return std::nullopt;
    return Id{value - 1};
}

template <class Id>
void write_optional(writer& out, std::optional<Id> id) {
    if (!id) return out.varint(0);
    if (number(*id) >= varint_max) return out.fail(errc::value_too_large);
    out.varint(number(*id) + 1);
}

} // namespace detail

} // namespace moqlite::wire::lite
