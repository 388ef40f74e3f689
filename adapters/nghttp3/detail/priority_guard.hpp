// What nghttp3 before 1.10 must not be given: it aborts the process where its input ends just behind the element id of
// a PRIORITY_UPDATE (RFC 9218 section 7.2), which a packet's end may do by chance, and a peer by intent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <nghttp3/nghttp3.h>
#include <vector>

namespace moqlite::nghttp3::detail {

/// Reads the peer's control stream before nghttp3 does, and keeps the last byte of such an id until the next byte
/// comes.
class priority_guard {
public:
    static constexpr bool needed = NGHTTP3_VERSION_NUM < 0x010a00;

    /// What nghttp3 may have of `bytes`, the next ones of the stream: valid until the next call.
    [[nodiscard]] byte_view pass(byte_view bytes) {
        if constexpr (!needed) return bytes;
        out_.assign(held_.begin(), held_.end());
        held_.clear();
        out_.insert(out_.end(), bytes.begin(), bytes.end());
        for (const auto b : bytes) read(static_cast<std::uint8_t>(b));
        if (at_ == part::value && fresh_ && !out_.empty()) {
            held_.push_back(out_.back());
            out_.pop_back();
        }
        return out_;
    }

private:
    enum class part { stream_type, type, length, element, value, rest };

    /// Whether `b` was the last byte of a variable-length integer, which is then in number_.
    bool number_ends_with(std::uint8_t b) noexcept {
        if (more_ == 0 && !inside_) {
            more_ = (1u << (b >> 6)) - 1;
            number_ = b & 0x3f;
        } else {
            number_ = number_ << 8 | b;
            --more_;
        }
        inside_ = more_ != 0;
        return !inside_;
    }
    void read(std::uint8_t b) noexcept {
        fresh_ = false;
        if (at_ == part::value || at_ == part::rest) {
            if (--left_ == 0) at_ = part::type;
            return;
        }
        if (at_ == part::element) --left_;
        if (!number_ends_with(b)) return; // An id that is longer than its frame ends the connection in nghttp3.
        switch (at_) {
        case part::stream_type: at_ = part::type; break;
        case part::type:
            is_update_ = number_ == 0xf0700 || number_ == 0xf0701;
            at_ = part::length;
            break;
        case part::length:
            left_ = number_;
            at_ = left_ == 0 ? part::type : is_update_ ? part::element : part::rest;
            break;
        case part::element:
            at_ = left_ == 0 ? part::type : part::value;
            fresh_ = true;
            break;
        case part::value:
        case part::rest: break;
        }
    }

    std::vector<std::byte> out_;
    std::vector<std::byte> held_; ///< At most one.
    part at_ = part::stream_type;
    std::uint64_t number_ = 0;
    std::uint64_t left_ = 0; ///< Bytes of the frame.
    unsigned more_ = 0;      ///< Bytes of the number.
    bool inside_ = false;    ///< A number.
    bool is_update_ = false;
    bool fresh_ = false; ///< The byte before is the last of an element id.
};

} // namespace moqlite::nghttp3::detail
