// Our control stream: nghttp3 writes it, but does not know of all that we have to say in SETTINGS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/link/connection.hpp>
#include <vector>

namespace moqlite::nghttp3::detail {

/// What nghttp3 wants to send on it is copied, completed, and sent from here; to nghttp3 it is sent and
/// acknowledged at once, so that its lengths and those on the wire never meet.
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
    std::deque<std::vector<std::byte>> pieces_; ///< Until they are acknowledged.
    std::size_t written_ = 0;                   ///< Of them all.
    std::uint64_t acked_ = 0;                   ///< Of the first.
    bool begun_ = false;
    bool blocked_ = false;
};

} // namespace moqlite::nghttp3::detail
