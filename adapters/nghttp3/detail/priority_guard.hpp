// A workaround for nghttp3 before 1.10, which aborts the process when its input ends right after the element id of a
// PRIORITY_UPDATE (RFC 9218 section 7.2). Packets can end there by chance, or by intent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <nghttp3/nghttp3.h>
#include <optional>
#include <utility>
#include <vector>

namespace moqlite::nghttp3::detail {

/// Parses the peer's control stream before nghttp3 does, and holds back the last byte of such an id until the next byte
/// arrives.
class priority_guard {
public:
    static constexpr bool needed = NGHTTP3_VERSION_NUM < 0x010a00;

    /// The bytes to pass to nghttp3 when `bytes` have arrived: valid until the next call.
    [[nodiscard]] byte_view pass(byte_view bytes) {
        out_.clear();
        if (const auto held = std::exchange(held_, std::nullopt)) out_.push_back(*held);
        out_.insert(out_.end(), bytes.begin(), bytes.end());
        for (const auto b : bytes) read(static_cast<std::uint8_t>(b));
        if (at_ == part::value && !out_.empty()) {
            held_ = out_.back();
            out_.pop_back();
        }
        return out_;
    }

private:
    /// The next byte's place; `value`: the first byte of a PRIORITY_UPDATE behind its element id.
    enum class part { stream_type, type, length, element, value, payload };
    static constexpr std::uint64_t priority_update = 0xf0700;

    void read(std::uint8_t b) noexcept {
        if (at_ == part::value || at_ == part::payload) {
            at_ = --left_ == 0 ? part::type : part::payload;
            return;
        }
        if (at_ == part::element) --left_; // An id that is longer than its frame ends the connection in nghttp3.
        if (number_ends_with(b)) number_read();
    }
    /// Whether `b` was the last byte of a variable-length integer, which is then in number_.
    bool number_ends_with(std::uint8_t b) noexcept {
        const bool begins = more_ == 0;
        number_ = begins ? b & 0x3fu : number_ << 8 | b;
        more_ = begins ? (1u << (b >> 6)) - 1 : more_ - 1;
        return more_ == 0;
    }
    void number_read() noexcept {
        switch (at_) {
        case part::stream_type: at_ = part::type; break;
        case part::type:
            is_update_ = number_ == priority_update;
            at_ = part::length;
            break;
        case part::length:
            left_ = number_;
            at_ = left_ == 0 ? part::type : is_update_ ? part::element : part::payload;
            break;
        case part::element: at_ = left_ == 0 ? part::type : part::value; break;
        case part::value:
        case part::payload: break;
        }
    }

    std::vector<std::byte> out_;
    std::optional<std::byte> held_;
    part at_ = part::stream_type;
    std::uint64_t number_ = 0;
    std::uint64_t left_ = 0; ///< Bytes of the frame.
    unsigned more_ = 0;      ///< Bytes of the number.
    bool is_update_ = false;
};

} // namespace moqlite::nghttp3::detail
