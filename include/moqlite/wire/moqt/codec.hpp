// Encodes and decodes one control message: Type, a length of 16 bits, and the body, draft-14 §9. Each message M has
// beside it, as moq-lite's have:
//   void read(reader&, const dialect&, M&, const limits&)
//   void write(writer&, const draft&, const M&)
//   std::uint64_t message_type(const draft&, const M&)
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/limits.hpp>
#include <moqlite/core/result.hpp>
#include <moqlite/wire/message.hpp>
#include <moqlite/wire/moqt/draft.hpp>
#include <moqlite/wire/reader.hpp>
#include <moqlite/wire/writer.hpp>
#include <vector>

namespace moqlite::wire::moqt {

/// The longest body that its length can tell.
inline constexpr std::size_t max_body = 65535;

/// Parses the message at the front of a control stream's bytes.
[[nodiscard]] constexpr taken<typed_framed> take_message(const draft& d, byte_view in) noexcept {
    auto rest = in;
    const auto type = read_integer(d.form, rest);
    if (!type || rest.size() < 2) return {};
    const auto high = std::to_integer<std::size_t>(rest[0]);
    const auto size = high << 8 | std::to_integer<std::size_t>(rest[1]);
    rest = rest.subspan(2);
    if (rest.size() < size) return {};
    return typed_framed{*type, rest.first(size), in.size() - rest.size() + size};
}

/// Decodes the message in `body`, which its views alias. The caller checks its type, and tells by `message` what only
/// the type says.
template <class M>
[[nodiscard]] result<M> decode(
    const dialect& d, byte_view body, M message = {}, const limits& bounds = default_limits) noexcept {
    reader in{body, d.rules.form};
    read(in, d, message, bounds);
    if (const auto error = in.finish(); error != errc::ok) return error;
    return message;
}

/// Appends the whole message, or nothing at all.
template <class M>
[[nodiscard]] errc encode(const draft& d, const M& message, std::vector<std::byte>& out) {
    writer to{out, d.form};
    to.varint(message_type(d, message));
    const auto length = out.size();
    to.u8(0);
    to.u8(0);
    write(to, d, message);
    const auto size = out.size() - length - 2;
    if (size > max_body) to.fail(errc::message_too_large);
    if (to.error() != errc::ok) {
        to.rollback();
        return to.error();
    }
    out[length] = static_cast<std::byte>(size >> 8);
    out[length + 1] = static_cast<std::byte>(size & 0xff);
    return errc::ok;
}

/// What a request asks for. Up to draft-14 each kind has answers with types of their own.
enum class request_kind : std::uint8_t {
    subscribe,
    track_status,
    publish,
    fetch,
    publish_namespace,
    subscribe_namespace,
    subscribe_tracks,
};

namespace detail {

/// Answers name their request where they share a stream.
[[nodiscard]] inline std::uint64_t read_answered(reader& in, const dialect& d) noexcept {
    return d.rules.request_streams ? 0 : in.varint();
}
inline void write_answered(writer& out, const draft& d, std::uint64_t request) {
    if (!d.request_streams) out.varint(request);
}

} // namespace detail

} // namespace moqlite::wire::moqt
