// Reads the fields of one complete message body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/wire/integers.hpp>
#include <moqlite/wire/utf8.hpp>
#include <string_view>

namespace moqlite::wire {

/// A cursor over a message body; any bytes are valid input. The first error sticks, and from then on every field reads
/// as 0 or empty. Call finish() once at the end. Returned views alias the body.
class reader {
public:
    constexpr explicit reader(byte_view body, integers form = integers::quic) noexcept : in_(body), form_(form) {}

    /// An integer, of which the session can count on 62 bits.
    [[nodiscard]] constexpr std::uint64_t varint() noexcept {
        if (!in_.empty() && in_.front() < std::byte{0x40}) { // One byte in every form.
            const auto value = std::to_integer<std::uint64_t>(in_.front());
            in_ = in_.subspan(1);
            return value;
        }
        const auto value = read_integer(form_, in_);
        if (!value) fail(errc::message_too_short);
        if (value > varint_max) fail(errc::value_too_large);
        return error_ == errc::ok ? *value : 0;
    }

    [[nodiscard]] constexpr std::uint8_t u8() noexcept {
        const auto byte = bytes(1);
        return byte.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(byte[0]);
    }

    /// One byte; any value other than 0 is true.
    [[nodiscard]] constexpr bool boolean() noexcept { return u8() != 0; }

    /// The next `size` bytes, or none if there are fewer.
    [[nodiscard]] constexpr byte_view bytes(std::uint64_t size) noexcept {
        if (size > in_.size()) {
            fail(errc::message_too_short);
            return {};
        }
        const auto out = in_.first(as_size(size));
        in_ = in_.subspan(out.size());
        return out;
    }

    /// All remaining bytes.
    [[nodiscard]] constexpr byte_view rest() noexcept { return bytes(in_.size()); }

    /// The same, without taking them.
    [[nodiscard]] constexpr byte_view remaining() const noexcept { return in_; }

    /// A length, then UTF-8 text.
    [[nodiscard]] std::string_view string() noexcept { return text(bytes(varint())); }

    /// All remaining bytes, as UTF-8 text.
    [[nodiscard]] std::string_view rest_as_text() noexcept { return text(rest()); }

    /// Rejects the body for a reason beyond its syntax. Only the first error is kept.
    constexpr void fail(errc why) noexcept {
        if (error_ != errc::ok) return;
        error_ = why;
        in_ = {};
    }

    [[nodiscard]] constexpr errc error() const noexcept { return error_; }

    /// The first error; message_too_long if bytes remain; else ok.
    [[nodiscard]] constexpr errc finish() const noexcept {
        if (error_ == errc::ok && !in_.empty()) return errc::message_too_long;
        return error_;
    }

private:
    [[nodiscard]] std::string_view text(byte_view bytes) noexcept {
        const auto out = as_text(bytes);
        if (is_utf8(out)) return out;
        fail(errc::bad_utf8);
        return {};
    }

    byte_view in_;
    integers form_;
    errc error_ = errc::ok;
};

} // namespace moqlite::wire
