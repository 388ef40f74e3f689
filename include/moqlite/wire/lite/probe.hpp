// PROBE, moq-lite-05: a publisher's measurements of the path to the subscriber.
#pragma once

#include <algorithm>
#include <cstdint>
#include <moqlite/wire/lite/codec.hpp>
#include <optional>

namespace moqlite::wire::lite {

/// nullopt is "unknown", a 0 on the wire; a measured 0 is therefore sent as 1.
struct probe {
    std::optional<std::uint64_t> bitrate = {}; ///< Bits per second.
    std::optional<milliseconds> rtt = {};      ///< nullopt where the version lacks it.

    friend constexpr bool operator==(const probe&, const probe&) = default;
};

inline void read(reader& in, version v, probe& m, const limits&) noexcept {
    if (const auto bitrate = in.varint(); bitrate != 0) m.bitrate = bitrate;
    if (!has_probe_rtt(v)) return;
    if (const auto rtt = in.varint(); rtt != 0) m.rtt = milliseconds{rtt};
}

inline void write(writer& out, version v, const probe& m) {
    out.varint(m.bitrate ? std::max<std::uint64_t>(*m.bitrate, 1) : 0);
    if (has_probe_rtt(v)) out.varint(m.rtt ? std::max<std::uint64_t>(m.rtt->count(), 1) : 0);
}

} // namespace moqlite::wire::lite
