// Capsules (RFC 9297 §3) on a CONNECT stream, which announce the end of a WebTransport session
// (draft-ietf-webtrans-http3 §5.6).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/webtransport/detail/partial_varint.hpp>
#include <moqlite/webtransport/error.hpp>
#include <moqlite/webtransport/error_code.hpp>
#include <moqlite/wire/utf8.hpp>
#include <moqlite/wire/writer.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace moqlite::webtransport {

/// The known capsules. All others are skipped, including those for flow control of sessions, which we never negotiate.
enum class capsule_type : std::uint64_t { close_session = 0x2843, drain_session = 0x78ae };

/// Maximum bytes of the reason in CLOSE.
inline constexpr std::size_t close_reason_max = 1024;

/// The session has ended; nothing follows.
struct close_session {
    app_error code = app_error::cancel;
    std::string reason{};
    bool operator==(const close_session&) const = default;
};

/// The peer asks to end the session soon.
struct drain_session {
    bool operator==(const drain_session&) const = default;
};

using capsule = std::variant<close_session, drain_session>;

/// Appends CLOSE to `out`. A code of more than 32 bits becomes app_error_max; the reason is cut to its longest valid
/// UTF-8 prefix that fits.
void write_close(app_error code, std::string_view reason, std::vector<std::byte>& out);

/// Appends DRAIN to `out`.
void write_drain(std::vector<std::byte>& out);

/// Reads the capsules of a peer, in pieces of any size. Buffers CLOSE only.
class capsule_reader {
public:
    /// Consumes bytes from the front of `in` up to the end of the next known capsule. nullopt: it has consumed all of
    /// them; error() returns a violation, which sticks.
    [[nodiscard]] std::optional<capsule> read(byte_view& in) {
        while (error_ == violation::none && (!in.empty() || ends_here())) {
            if (step_ == step::value) {
                if (auto whole = read_value(in)) return whole;
            } else if (step_ == step::after_close) {
                error_ = violation::data_after_close;
            } else if (const auto number = partial_.take(in)) {
                read_head(*number);
            }
        }
        in = {};
        return std::nullopt;
    }

    /// The stream has ended.
    violation finish() noexcept {
        const bool between = (step_ == step::type && !partial_.begun()) || step_ == step::after_close;
        if (error_ == violation::none && !between) error_ = violation::capsule_truncated;
        return error_;
    }

    [[nodiscard]] violation error() const noexcept { return error_; }

private:
    enum class step : std::uint8_t { type, length, value, after_close };

    /// A capsule that is complete without further bytes.
    [[nodiscard]] bool ends_here() const noexcept { return step_ == step::value && left_ == 0; }

    void read_head(std::uint64_t number) {
        if (step_ == step::type) {
            type_ = capsule_type{number};
            step_ = step::length;
            return;
        }
        left_ = number;
        step_ = step::value;
        if (type_ == capsule_type::close_session && (left_ < code_size || left_ > code_size + close_reason_max))
            error_ = violation::bad_close;
        if (type_ == capsule_type::drain_session && left_ != 0) error_ = violation::bad_drain;
    }

    std::optional<capsule> read_value(byte_view& in) {
        const auto piece = in.first(static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size())));
        in = in.subspan(piece.size());
        left_ -= piece.size();
        if (type_ == capsule_type::close_session) close_.append(as_text(piece));
        if (left_ != 0) return std::nullopt;
        step_ = step::type;
        if (type_ == capsule_type::close_session) return closed();
        if (type_ == capsule_type::drain_session) return drain_session{};
        return std::nullopt;
    }

    std::optional<capsule> closed() {
        step_ = step::after_close;
        std::uint32_t code = 0;
        for (std::size_t i = 0; i < code_size; ++i) code = code << 8 | static_cast<std::uint8_t>(close_[i]);
        close_.erase(0, code_size);
        if (!wire::is_utf8(close_)) {
            error_ = violation::bad_close_reason;
            return std::nullopt;
        }
        return close_session{app_error{code}, std::move(close_)};
    }

    static constexpr std::size_t code_size = 4;

    detail::partial_varint partial_;
    capsule_type type_{};
    std::uint64_t left_ = 0; ///< Bytes of the value not received yet.
    std::string close_;      ///< The value of CLOSE.
    step step_ = step::type;
    violation error_ = violation::none;
};

inline void write_close(app_error code, std::string_view reason, std::vector<std::byte>& out) {
    wire::writer w{out};
    w.varint(static_cast<std::uint64_t>(capsule_type::close_session));
    w.prefixed([&] {
        const auto n = std::min(static_cast<std::uint64_t>(code), static_cast<std::uint64_t>(app_error_max));
        for (int shift = 24; shift >= 0; shift -= 8) w.u8(static_cast<std::uint8_t>(n >> shift & 0xff));
        w.bytes(as_bytes(wire::utf8_prefix(reason, close_reason_max)));
    });
}

inline void write_drain(std::vector<std::byte>& out) {
    wire::writer w{out};
    w.varint(static_cast<std::uint64_t>(capsule_type::drain_session));
    w.varint(0);
}

} // namespace moqlite::webtransport
