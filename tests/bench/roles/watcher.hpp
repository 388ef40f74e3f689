// One subscriber of the bench: its session and figures.
#pragma once

#include "frame_head.hpp"
#include "roles.hpp"

#include <moqlite/link/connection.hpp>
#include <moqlite/link/handler.hpp>
#include <moqlite/session/read_ahead.hpp>
#include <moqlite/session/session.hpp>
#include <moqlite/session/track_reader.hpp>
#include <optional>
#include <set>
#include <vector>

namespace moqlite::bench {

/// The totals of all watchers of a process.
struct tally {
    std::uint64_t frames = 0, bytes = 0, first = 0, began = 0, lost = 0, wrong = 0;
    unsigned accepted = 0, ended = 0, closed = 0;
    std::vector<float> latencies; ///< ms, since the last answer.
};

/// Forwards everything but stream credit.
class stingy {
public:
    explicit stingy(link::connection& to) noexcept : to_{to} {}
    std::optional<stream_id> open(direction d) { return to_.open(d); }
    std::optional<std::size_t> write(const write_stream& w) { return to_.write(w); }
    void reset(stream_id id, app_error code) { to_.reset(id, code); }
    void stop(stream_id id, app_error code) { to_.stop(id, code); }
    void credit(stream_id, std::uint64_t) {}
    void close(app_error code, std::string_view reason) { to_.close(code, reason); }
    void flush() { to_.flush(); }

private:
    link::connection& to_;
};

class watcher final : public link::handler {
public:
    /// Subscribes.
    watcher(const watcher_role& plan, const std::vector<std::byte>& expected, tally& counts, link::connection& on,
        time_point now);

    void stream_received(stream_id id, byte_view bytes, bool fin, time_point now) override;
    void stream_reset(stream_id id, app_error code, time_point now) override;
    void stream_stopped(stream_id id, app_error code, time_point now) override;
    void stream_writable(stream_id id, time_point now) override;
    void stream_acked(stream_id id, std::uint64_t n, time_point now) override;
    void stream_closed(stream_id id, std::optional<app_error> code, time_point now) override;
    void streams_available(direction kind, time_point now) override;
    void pump(link::connection& to, time_point now) override;
    [[nodiscard]] std::optional<time_point> deadline() const override { return session_.deadline(); }
    void tick(time_point now) override;
    void on_closed(const link::closed& how, time_point now) override;

    /// Consumes up to `bytes` (watching::drained); returns how many.
    std::size_t drain(std::size_t bytes, time_point now);

private:
    void take_events(time_point now);
    void on(const subscription_accepted&, time_point);
    void on(const group_opened&, time_point);
    void on(const group_closed&, time_point);
    void on(const groups_dropped&, time_point);
    void on(const frame_data&, time_point now);
    void on(const subscription_ended&, time_point);
    void on(const session_closed&, time_point);
    template <class Other>
    void on(const Other&, time_point) {}
    void raise_cap(time_point now);
    void take_piece(std::uint64_t frame_size, std::uint64_t offset, byte_view data, time_point now);
    void frame_done(const frame_head& head, time_point now);

    const watcher_role& plan_;
    const std::vector<std::byte>& expected_;
    tally& tally_;
    link::connection& connection_;
    session session_;
    std::optional<track_reader<session>> reader_;
    std::optional<subscribe_id> subscription_;
    subscribe_options asked_;
    read_ahead ahead_{limits{}};
    std::set<group_sequence> open_; ///< Groups that are arriving (capped).
    group_sequence lowest_{};       ///< All before it are done (capped).
    head_collector head_;
    bool began_ = false;
    std::uint64_t next_frame_ = 0; ///< By its number (drained).
};

} // namespace moqlite::bench
