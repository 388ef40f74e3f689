// Finds fields that nghttp3 drops: it silently ignores a field whose value has a forbidden character, and a request
// whose Origin is dropped would look like one without.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/wire/varint.hpp>
#include <nghttp3/nghttp3.h>
#include <string_view>

namespace moqlite::nghttp3::detail {

/// Decodes the first field section of a request stream beside nghttp3_conn, which has the same bytes. Without a dynamic
/// table a section is self-contained. nghttp3_conn reports its errors.
class field_scan {
public:
    explicit field_scan(const nghttp3_mem* memory) noexcept {
        const bool made = nghttp3_qpack_decoder_new(&decoder_, 0, 0, memory) == 0 &&
                          nghttp3_qpack_stream_context_new(&context_, 0, memory) == 0;
        if (!made) give_up();
    }
    ~field_scan() {
        if (context_ != nullptr) nghttp3_qpack_stream_context_del(context_);
        if (decoder_ != nullptr) nghttp3_qpack_decoder_del(decoder_);
    }
    field_scan(const field_scan&) = delete;
    field_scan& operator=(const field_scan&) = delete;

    /// Takes the next bytes of the stream, from its first on.
    void receive(byte_view in) noexcept {
        while (!done_ && !in.empty()) {
            if (left_ == 0 && !begin_frame(in)) return;
            const auto piece = in.first(static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size())));
            in = in.subspan(piece.size());
            left_ -= piece.size();
            if (is_headers_) decode(piece, left_ == 0);
        }
    }
    [[nodiscard]] bool is_done() const noexcept { return done_; }
    /// An Origin is empty or has a forbidden character; or the section could not be decoded.
    [[nodiscard]] bool has_bad_origin() const noexcept { return bad_origin_; }

private:
    /// Reads type and length of the next frame that has a payload. False: more bytes are needed.
    bool begin_frame(byte_view& in) noexcept {
        constexpr std::uint64_t headers_frame = 0x01;
        while (!in.empty() && !done_) {
            head_[head_size_++] = in.front();
            in = in.subspan(1);
            byte_view read{head_.data(), head_size_};
            const auto type = wire::read_varint(read);
            const auto length = type ? wire::read_varint(read) : std::nullopt;
            if (!length) continue;
            head_size_ = 0;
            left_ = *length;
            is_headers_ = *type == headers_frame;
            done_ = is_headers_ && left_ == 0;
            if (left_ != 0) return true;
        }
        return false;
    }

    void decode(byte_view in, bool last) noexcept {
        do {
            nghttp3_qpack_nv field{};
            std::uint8_t flags = 0;
            const auto* at = reinterpret_cast<const std::uint8_t*>(in.data());
            const auto n = nghttp3_qpack_decoder_read_request(decoder_, context_, &field, &flags, at, in.size(), last);
            if (n < 0 || (flags & NGHTTP3_QPACK_DECODE_FLAG_BLOCKED) != 0) return give_up();
            in = in.subspan(static_cast<std::size_t>(n));
            if ((flags & NGHTTP3_QPACK_DECODE_FLAG_EMIT) != 0) look_at(field);
            if ((flags & NGHTTP3_QPACK_DECODE_FLAG_FINAL) != 0) done_ = true;
            if (n == 0 && (flags & NGHTTP3_QPACK_DECODE_FLAG_EMIT) == 0) return;
        } while (!done_);
    }

    /// Usually nghttp3_conn has found the same fault; after a failed allocation the Origin counts as bad.
    void give_up() noexcept { done_ = bad_origin_ = true; }

    void look_at(nghttp3_qpack_nv& field) noexcept {
        const auto text = [](nghttp3_rcbuf* b) {
            const auto v = nghttp3_rcbuf_get_buf(b);
            return std::string_view{reinterpret_cast<const char*>(v.base), v.len};
        };
        const auto value = nghttp3_rcbuf_get_buf(field.value);
        if (text(field.name) == "origin" && (value.len == 0 || nghttp3_check_header_value(value.base, value.len) == 0))
            bad_origin_ = true;
        nghttp3_rcbuf_decref(field.name);
        nghttp3_rcbuf_decref(field.value);
    }

    nghttp3_qpack_decoder* decoder_ = nullptr;
    nghttp3_qpack_stream_context* context_ = nullptr;
    std::array<std::byte, 2 * wire::varint_size_max> head_{}; ///< Type and length of the next frame.
    std::size_t head_size_ = 0;
    std::uint64_t left_ = 0; ///< Bytes of payload.
    bool is_headers_ = false;
    bool done_ = false;
    bool bad_origin_ = false;
};

} // namespace moqlite::nghttp3::detail
