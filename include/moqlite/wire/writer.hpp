// Writes the fields of messages.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/wire/integers.hpp>
#include <string_view>
#include <vector>

namespace moqlite::wire {

/// Appends to `out`, whose memory is reused. The first error sticks; rollback() then removes the rest.
class writer {
public:
    explicit writer(std::vector<std::byte>& out, integers form = integers::quic) noexcept
        : out_(out), start_(out.size()), form_(form) {}

    void varint(std::uint64_t value) {
        if (value < 0x40) return u8(static_cast<std::uint8_t>(value)); // The same in every form.
        if (value > varint_max) return fail(errc::value_too_large);
        std::array<std::byte, integer_size_max> encoded{};
        bytes(byte_view{encoded}.first(write_integer(form_, value, encoded)));
    }

    void u8(std::uint8_t value) { out_.push_back(std::byte{value}); }
    void boolean(bool value) { u8(value ? 1 : 0); }
    void bytes(byte_view value) { out_.insert(out_.end(), value.begin(), value.end()); }

    /// The length, then the text, which should be UTF-8.
    void string(std::string_view text) {
        varint(text.size());
        bytes(as_bytes(text));
    }

    /// Writes what `body()` writes, with its length in front.
    template <class Body>
    void prefixed(Body&& body) {
        const auto at = out_.size();
        u8(0); // Most lengths have one byte.
        body();
        std::array<std::byte, integer_size_max> encoded{};
        const auto length = byte_view{encoded}.first(write_integer(form_, out_.size() - at - 1, encoded));
        out_[at] = length.front();
        const auto rest = length.subspan(1);
        out_.insert(out_.begin() + static_cast<std::ptrdiff_t>(at) + 1, rest.begin(), rest.end());
    }

    void fail(errc why) noexcept {
        if (error_ == errc::ok) error_ = why;
    }

    [[nodiscard]] errc error() const noexcept { return error_; }

    /// Removes everything that this writer has appended.
    void rollback() { out_.resize(start_); }

private:
    std::vector<std::byte>& out_;
    std::size_t start_;
    integers form_;
    errc error_ = errc::ok;
};

} // namespace moqlite::wire
