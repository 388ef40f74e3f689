// The owner of each stream of an HTTP/3 connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/containers/id_table.hpp>
#include <moqlite/core/ids.hpp>
#include <unordered_map>

namespace moqlite::nghttp3::detail {

/// Small: it is looked up for each write and each acknowledgement.
struct stream {
    enum class owner : std::uint8_t {
        nobody,  ///< Refused, or its session is over.
        unknown, ///< Its type has not arrived yet.
        http3,
        early, ///< A session that does not exist yet.
        session
    };
    owner owned_by = owner::unknown;
    // Of the prefix, on a stream that we opened for a session.
    std::uint8_t unwritten = 0;
    std::uint8_t unacked = 0;
    // A stream whose first bytes QUIC has from the table, and not from the handler, can be reset reliably.
    std::uint8_t copied = 0;
    bool lends = true; ///< QUIC has, or may get, bytes of the handler.
};

/// All that are open, by id. QUIC's limits of streams bound it. References are valid until the next add or erase.
class stream_table {
public:
    /// The first bytes of the handler on a stream.
    using room = std::array<std::byte, 60>;

    /// nullptr: absent.
    [[nodiscard]] stream* find(stream_id id) noexcept { return all_.find(number(id)); }
    /// An absent one is added, as unknown.
    [[nodiscard]] stream& get(stream_id id) {
        auto* found = find(id);
        return found != nullptr ? *found : all_.insert(number(id), {});
    }
    void erase(stream_id id) noexcept {
        all_.erase(number(id));
        if (!rooms_.empty()) rooms_.erase(number(id));
    }
    /// Calls f(stream_id, stream&) on each; f must not add or erase.
    template <class F>
    void for_each(F&& f) {
        all_.for_each([&](std::uint64_t id, stream& s) { f(stream_id{id}, s); });
    }
    /// The room of a stream that can be reset reliably; it stays in place until erase().
    [[nodiscard]] room& room_of(stream_id id) { return rooms_[number(id)]; }

private:
    moqlite::detail::id_table<stream> all_;
    std::unordered_map<std::uint64_t, room> rooms_;
};

} // namespace moqlite::nghttp3::detail
