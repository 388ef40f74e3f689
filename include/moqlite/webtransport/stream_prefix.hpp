// The prefix of WebTransport streams, which distinguishes them from those of HTTP/3 (draft-ietf-webtrans-http3 §4.1,
// §4.2).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/webtransport/error.hpp>
#include <moqlite/wire/varint.hpp>
#include <span>
#include <variant>

namespace moqlite::webtransport {

/// The first varint of a WebTransport stream. The session id follows: the id of the CONNECT stream.
[[nodiscard]] constexpr std::uint64_t stream_signal(direction kind) noexcept {
    return kind == direction::uni ? 0x54 : 0x41;
}

/// Whether a stream with this id can carry the request for a session.
[[nodiscard]] constexpr bool can_be_session(stream_id id) noexcept {
    return initiator_of(id) == role::client && direction_of(id) == direction::bidi;
}

/// Maximum bytes that we write before a stream's payload.
inline constexpr std::size_t stream_prefix_size_max = 2 + wire::varint_size_max;

/// Writes the prefix of a stream that we open, and returns its size. The peer's half has no prefix. Precondition: `out`
/// has room for stream_prefix_size_max.
constexpr std::size_t write_stream_prefix(direction kind, stream_id session, std::span<std::byte> out) noexcept {
    const auto size = wire::write_varint(stream_signal(kind), out);
    return size + wire::write_varint(number(session), out.subspan(size));
}

/// More bytes are needed.
struct undecided_stream {
    bool operator==(const undecided_stream&) const = default;
};

/// A WebTransport stream. `payload` is the rest of the bytes passed last.
struct session_stream {
    stream_id session{};
    byte_view payload;
};

/// An HTTP/3 stream with this type or first frame: pass its library `held`, the earlier bytes, then all of the bytes
/// passed last.
struct http3_stream {
    std::uint64_t type = 0;
    byte_view held; ///< Owned by the stream_peek.
};

/// A unidirectional stream that ended before its type: ignore it (RFC 9114 §6.2).
struct empty_stream {
    bool operator==(const empty_stream&) const = default;
};

using peeked_stream = std::variant<undecided_stream, session_stream, http3_stream, empty_stream, violation>;

/// Examines the first bytes of a stream of the peer until they identify it.
class stream_peek {
public:
    constexpr explicit stream_peek(stream_id id) noexcept : id_(id) {}

    /// The next bytes of the stream. Precondition: the stream has not been identified yet.
    [[nodiscard]] constexpr peeked_stream receive(byte_view in, bool fin) noexcept {
        const auto before = size_;
        const auto taken = std::min(in.size(), held_.size() - size_);
        std::copy_n(in.begin(), taken, held_.begin() + static_cast<std::ptrdiff_t>(size_));
        size_ += taken;

        byte_view rest{held_.data(), size_};
        const auto type = wire::read_varint(rest);
        if (!type) return unfinished(fin);
        if (*type != stream_signal(direction_of(id_))) return not_of_webtransport(*type, before);
        const auto session = wire::read_varint(rest);
        if (!session) return unfinished(fin);
        if (!can_be_session(stream_id{*session})) return violation::bad_session_id;
        return session_stream{stream_id{*session}, in.subspan(size_ - rest.size() - before)};
    }

    /// Number of bytes that it has buffered.
    [[nodiscard]] constexpr std::size_t held() const noexcept { return size_; }

private:
    [[nodiscard]] constexpr peeked_stream unfinished(bool fin) const noexcept {
        if (!fin) return undecided_stream{};
        byte_view rest{held_.data(), size_};
        if (direction_of(id_) == direction::uni && !wire::read_varint(rest)) return empty_stream{};
        // An HTTP/3 library may treat a request without bytes as a connection error.
        if (size_ == 0 && can_be_session(id_)) return violation::empty_request;
        return violation::prefix_truncated;
    }

    [[nodiscard]] constexpr peeked_stream not_of_webtransport(std::uint64_t type, std::size_t before) const noexcept {
        // HTTP/3 itself has no server-initiated bidirectional streams (RFC 9114 §6.1).
        if (direction_of(id_) == direction::bidi && initiator_of(id_) == role::server)
            return violation::unexpected_server_stream;
        return http3_stream{type, byte_view{held_.data(), before}};
    }

    stream_id id_;
    std::size_t size_ = 0;
    std::array<std::byte, 2 * wire::varint_size_max> held_{}; ///< Both varints in their longest legal form.
};

} // namespace moqlite::webtransport
