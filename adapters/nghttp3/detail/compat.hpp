// Differences between the supported versions of nghttp3; the only place that checks its version.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nghttp3/nghttp3.h>

static_assert(NGHTTP3_VERSION_NUM >= 0x010800, "moqlite needs nghttp3 1.8 or later");

namespace moqlite::nghttp3::detail {

/// From 1.12 on nghttp3 limits the rate of frames without effect, for which it needs the time.
inline nghttp3_ssize read_stream(nghttp3_conn* conn, std::int64_t id, const std::uint8_t* data, std::size_t size,
    bool fin, [[maybe_unused]] std::uint64_t now) {
#if NGHTTP3_VERSION_NUM >= 0x010c00
    return nghttp3_conn_read_stream2(conn, id, data, size, fin ? 1 : 0, now);
#else
    return nghttp3_conn_read_stream(conn, id, data, size, fin ? 1 : 0);
#endif
}

/// From 1.12 on 1000 ignored frames, or a steady 33 a second, end a connection. They are legal and cost
/// no more than their bytes: memory is bounded otherwise.
inline void set_no_glitch_limit([[maybe_unused]] nghttp3_settings& s) {
#if NGHTTP3_VERSION_NUM >= 0x010c00
    s.glitch_ratelim_burst = s.glitch_ratelim_rate = std::uint64_t{1} << 62;
#endif
}

/// From 1.11 on nghttp3 seeds its tables of streams.
template <class Callback>
void set_rand(nghttp3_callbacks& to, Callback callback) {
#if NGHTTP3_VERSION_NUM >= 0x010b00
    to.rand = callback;
#else
    static_cast<void>(to);
    static_cast<void>(callback);
#endif
}

} // namespace moqlite::nghttp3::detail
