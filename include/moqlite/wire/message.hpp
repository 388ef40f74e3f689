// Finds complete messages at the front of a stream's bytes, moq-lite-05: Length and Body, some with a Type in front.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/wire/integers.hpp>

namespace moqlite::wire {

/// The bounds that apply where the caller passes none.
inline constexpr limits default_limits{};

enum class progress : std::uint8_t { need_more, ok, error };

/// A T parsed from the front of a stream's bytes; or need_more; or an error, which no further bytes can mend.
template <class T>
struct taken {
    progress status = progress::need_more;
    errc error = errc::ok; ///< Not ok if and only if status is error.
    T value{};             ///< Valid only if status is ok.

    constexpr taken() noexcept = default;
    constexpr taken(const T& whole) noexcept : status(progress::ok), value(whole) {}
    constexpr taken(errc why) noexcept : status(progress::error), error(why) {}

    [[nodiscard]] constexpr explicit operator bool() const noexcept { return status == progress::ok; }
    [[nodiscard]] constexpr const T& operator*() const noexcept { return value; }
    [[nodiscard]] constexpr const T* operator->() const noexcept { return &value; }
};

/// One message. `body` aliases the input; `size`, the bytes to consume from the input, includes the Length field.
struct framed {
    byte_view body = {};
    std::size_t size = 0;
};

/// One message with a Type; `size` includes Type and Length.
struct typed_framed {
    std::uint64_t type = 0;
    byte_view body = {};
    std::size_t size = 0;
};

/// Parses the message at the front of `in`. A body above `max_body` is refused before it arrives.
[[nodiscard]] constexpr taken<framed> take_message(
    integers form, byte_view in, std::size_t max_body = default_limits.control_message) noexcept {
    auto rest = in;
    const auto length = read_integer(form, rest);
    if (length.value_or(integer_at_least(form, in)) > max_body) return errc::message_too_large;
    if (!length || rest.size() < *length) return {};
    const auto size = static_cast<std::size_t>(*length);
    return framed{rest.first(size), in.size() - rest.size() + size};
}

/// The same for a message with a type. A type of `types` or above is refused at once.
[[nodiscard]] constexpr taken<typed_framed> take_typed_message(integers form, byte_view in,
    std::size_t max_body = default_limits.control_message,
    std::uint64_t types = std::numeric_limits<std::uint64_t>::max()) noexcept {
    auto rest = in;
    const auto type = read_integer(form, rest);
    if (type.value_or(integer_at_least(form, in)) >= types) return errc::unknown_message_type;
    if (!type) return {};
    const auto message = take_message(form, rest, max_body);
    if (message.status == progress::error) return message.error;
    if (!message) return {};
    return typed_framed{*type, message->body, in.size() - rest.size() + message->size};
}

} // namespace moqlite::wire
