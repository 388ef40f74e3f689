// Streams that a client has sent as early data (0-RTT), with copies of their bytes: if the server rejects them, the
// same streams are opened again under the same ids, and the same bytes sent, so that no handler needs to know.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/session/output.hpp>
#include <optional>
#include <vector>

namespace moqlite::ngtcp2::detail {

struct early_stream {
    stream_id id{};
    std::vector<std::byte> bytes;
    bool fin = false;
    std::optional<app_error> reset{}, stopped{};
    // After a rejection.
    bool opened = false, done = false; ///< Sent again.
    std::size_t sent = 0;
    std::uint64_t acked = 0;
};

class early_streams {
public:
    static constexpr std::size_t most_streams = 64;
    static constexpr std::size_t most_bytes = 64 * 1024; ///< Of all; the rest waits for the handshake.

    [[nodiscard]] bool has_room_for_stream() const noexcept { return all_.size() < most_streams; }
    [[nodiscard]] bool has_room_for(std::size_t bytes) const noexcept { return bytes_ + bytes <= most_bytes; }

    void opened(stream_id id) { all_.push_back({.id = id, .bytes = {}}); }
    /// The first `n` bytes of `w`, and its FIN if that is all, were sent.
    void written(const write_stream& w, std::size_t n) {
        auto* s = find(w.stream);
        if (s == nullptr) return;
        s->fin = s->fin || (w.fin && n == w.size);
        bytes_ += n;
        for (const auto& piece : w.data) {
            const auto part = piece.first(std::min(n, piece.size()));
            s->bytes.insert(s->bytes.end(), part.begin(), part.end());
            n -= part.size();
        }
    }
    [[nodiscard]] early_stream* find(stream_id id) noexcept {
        const auto found = std::ranges::find(all_, id, &early_stream::id);
        return found == all_.end() ? nullptr : &*found;
    }
    [[nodiscard]] std::vector<early_stream>& all() noexcept { return all_; }

    void acked(stream_id id, std::uint64_t n) noexcept {
        if (auto* s = find(id)) s->acked += n;
    }
    /// QUIC has no more use for the copies of this stream.
    void closed(stream_id id) noexcept {
        if (auto* s = find(id)) s->done = true, s->acked = s->bytes.size();
    }
    /// QUIC has no more use for any copy.
    [[nodiscard]] bool is_over() const noexcept {
        return std::ranges::all_of(all_, [](const early_stream& s) { return s.done && s.acked >= s.bytes.size(); });
    }

    bool rejected = false;
    bool sending_again = false;  ///< Some of it is left.
    bool refused_stream = false; ///< A handler asked for a stream meanwhile.

private:
    std::vector<early_stream> all_; ///< In the order of their ids, by direction.
    std::size_t bytes_ = 0;
};

} // namespace moqlite::ngtcp2::detail
