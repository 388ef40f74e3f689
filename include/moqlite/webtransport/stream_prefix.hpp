// What begins a stream of WebTransport, and tells it from those of HTTP/3 (draft-ietf-webtrans-http3 §4.1, §4.2).
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

/// The first varint of a stream of WebTransport. The id of its session follows: that of the CONNECT stream.
[[nodiscard]] constexpr std::uint64_t stream_signal(direction kind) noexcept {
    return kind == direction::uni ? 0x54 : 0x41;
}

/// Whether a stream of this id can carry the request that makes a session.
[[nodiscard]] constexpr bool can_be_session(stream_id id) noexcept {
    return initiator_of(id) == role::client && direction_of(id) == direction::bidi;
}

/// The most bytes that we write before a stream's payload.
inline constexpr std::size_t stream_prefix_size_max = 2 + wire::varint_size_max;

/// Writes what begins a stream that we open, and returns the bytes used. The peer's half of it begins without.
/// Precondition: `out` has room for stream_prefix_size_max.
constexpr std::size_t write_stream_prefix(direction kind, stream_id session, std::span<std::byte> out) noexcept {
    const auto size = wire::write_varint(stream_signal(kind), out);
    return size + wire::write_varint(number(session), out.subspan(size));
}

/// More bytes are needed to tell.
struct undecided_stream {
    bool operator==(const undecided_stream&) const = default;
};

/// One of WebTransport. `payload` is what is left of the bytes just given.
struct session_stream {
    stream_id session{};
    byte_view payload;
};

/// One of HTTP/3, of this type or beginning with this frame: give its library `held`, which came before, then all of
/// the bytes just given.
struct http3_stream {
    std::uint64_t type = 0;
    byte_view held; ///< The peek's own.
};

/// A unidirectional one that ended before it said what it is: nothing is to be done (RFC 9114 §6.2).
struct empty_stream {
    bool operator==(const empty_stream&) const = default;
};

using peeked_stream = std::variant<undecided_stream, session_stream, http3_stream, empty_stream, violation>;

/// Looks at the first bytes of one stream that the peer opened, until they tell what it is.
class stream_peek {
public:
    constexpr explicit stream_peek(stream_id id) noexcept : id_(id) {}

    /// The next bytes of the stream. Not to be called again once it has told.
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

    /// Bytes that it has taken and not told about.
    [[nodiscard]] constexpr std::size_t held() const noexcept { return size_; }

private:
    [[nodiscard]] constexpr peeked_stream unfinished(bool fin) const noexcept {
        if (!fin) return undecided_stream{};
        byte_view rest{held_.data(), size_};
        if (direction_of(id_) == direction::uni && !wire::read_varint(rest)) return empty_stream{};
        // An HTTP/3 library may take a request without a byte for an error of the connection.
        if (size_ == 0 && can_be_session(id_)) return violation::empty_request;
        return violation::prefix_truncated;
    }

    [[nodiscard]] constexpr peeked_stream not_of_webtransport(std::uint64_t type, std::size_t before) const noexcept {
        // HTTP/3 itself has no bidirectional streams that a server opens (RFC 9114 §6.1).
        if (direction_of(id_) == direction::bidi && initiator_of(id_) == role::server)
            return violation::unexpected_server_stream;
        return http3_stream{type, byte_view{held_.data(), before}};
    }

    stream_id id_;
    std::size_t size_ = 0;
    std::array<std::byte, 2 * wire::varint_size_max> held_{}; ///< Both varints, in the longest form that is legal.
};

} // namespace moqlite::webtransport
