// The inputs and outputs of a session that has no transport: none arrive, and none are made.
#pragma once

#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/session/output.hpp>
#include <moqlite/session/transport.hpp>
#include <optional>

namespace moqlite::detail {

struct without_transport {
    void stream_received(stream_id, byte_view, bool, time_point) noexcept {}
    void stream_reset(stream_id, app_error, time_point) noexcept {}
    void stream_stopped(stream_id, app_error, time_point) noexcept {}
    void stream_writable(stream_id, time_point) noexcept {}
    void stream_acked(stream_id, std::uint64_t, time_point) noexcept {}
    void stream_closed(stream_id, std::optional<app_error>, time_point) noexcept {}
    void streams_available(direction, time_point) noexcept {}
    void datagram_received(byte_view, time_point) noexcept {}
    void path_measured(const path_facts&, time_point) noexcept {}
    void tick(time_point) noexcept {}
    [[nodiscard]] std::optional<output> poll_output() noexcept { return std::nullopt; }
    void stream_opened(direction, std::optional<stream_id>) noexcept {}
    void stream_written(stream_id, std::size_t) noexcept {}
    void flushed() noexcept {}
    [[nodiscard]] std::optional<time_point> deadline() const noexcept { return std::nullopt; }
};

} // namespace moqlite::detail
