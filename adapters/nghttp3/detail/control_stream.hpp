// Our control stream: nghttp3 writes it, but does not know all of our SETTINGS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/link/connection.hpp>
#include <vector>

namespace moqlite::nghttp3::detail {

/// Copies nghttp3's bytes, adds our SETTINGS, and sends them; nghttp3 sees its bytes sent and acknowledged
/// at once, so that its offsets never have to match those on the wire.
class control_stream {
public:
    void bind(stream_id id) noexcept { id_ = id; }
    [[nodiscard]] stream_id id() const noexcept { return id_; }

    /// False: the first bytes are not SETTINGS.
    [[nodiscard]] bool take(std::vector<std::byte> bytes);
    /// False: the connection takes no more.
    [[nodiscard]] bool write(link::connection&);
    void acked(std::uint64_t n) noexcept;
    void writable() noexcept { blocked_ = false; }

private:
    stream_id id_{};
    std::deque<std::vector<std::byte>> pieces_; ///< Not acknowledged yet.
    std::size_t written_ = 0;                   ///< Bytes of all pieces.
    std::uint64_t acked_ = 0;                   ///< Bytes of the first piece.
    bool begun_ = false;
    bool blocked_ = false;
};

} // namespace moqlite::nghttp3::detail
