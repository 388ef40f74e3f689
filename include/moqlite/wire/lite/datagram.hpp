// A QUIC datagram, moq-lite-05: a whole group of one frame.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/wire/lite/codec.hpp>
#include <vector>

namespace moqlite::wire::lite {

struct datagram {
    std::uint64_t subscription = 0; ///< Subscribe ID, chosen by the subscriber.
    group_sequence sequence = {};
    moqlite::timestamp timestamp = {}; ///< Absolute, not a delta.
    byte_view payload = {};

    friend constexpr bool operator==(const datagram& a, const datagram& b) noexcept {
        return a.subscription == b.subscription && a.sequence == b.sequence && a.timestamp == b.timestamp &&
               std::equal(a.payload.begin(), a.payload.end(), b.payload.begin(), b.payload.end());
    }
};

inline void read(reader& in, version v, datagram& m, const limits&) noexcept {
    if (!has_datagrams(v)) return in.fail(errc::unsupported);
    m.subscription = in.varint();
    m.sequence = group_sequence{in.varint()};
    m.timestamp = timestamp{in.varint()};
    m.payload = in.rest();
}

/// Appends the whole datagram, which has no length of its own, or nothing at all.
[[nodiscard]] inline errc encode(version v, const datagram& m, std::vector<std::byte>& out) {
    if (!has_datagrams(v)) return errc::unsupported;
    writer to{out, integers_of(v)};
    to.varint(m.subscription);
    to.varint(number(m.sequence));
    to.varint(static_cast<std::uint64_t>(m.timestamp));
    to.bytes(m.payload);
    if (to.error() != errc::ok) to.rollback();
    return to.error();
}

} // namespace moqlite::wire::lite
