// Subscribes to one track and writes its payload to a file or pipe.
#pragma once

#include "client_link.hpp"
#include "descriptor.hpp"
#include "log.hpp"
#include "statistics.hpp"
#include "text.hpp"

#include <cstdint>
#include <moqlite/session/track_reader.hpp>
#include <optional>
#include <string>

namespace moqlite::programs {

struct watch_options {
    client_options client;
    std::string output = "-";
    std::optional<std::uint64_t> from;
    bool live = false;
    std::optional<std::uint64_t> max_age; ///< Milliseconds.
    std::uint64_t read_ahead = limits{}.read_ahead;
    double timeout = 0;          ///< Seconds until the broadcast must be announced; 0: no limit.
    double request_timeout = 10; ///< Seconds until a subscription must be answered; 0: no limit.
    bool stats = false;
};

class watcher final : public client_user {
public:
    explicit watcher(const watch_options&);

    /// Returns the exit code.
    [[nodiscard]] int run();

private:
    using reader = track_reader<session>;

    void connected() override;
    void parted() override;
    void on_event(const event&, time_point now) override;
    void turn(time_point now) override;
    void ending(int code, const std::string& why) override;

    void limit_wait();
    void limit_request();
    void follow();
    void subscribe();
    void on(const broadcast_available&);
    void on(const subscription_accepted&);
    void on(const watch_ended&);
    void on(const track_info_received&);
    void on(const session_closed&);
    template <class Other>
    void on(const Other&) {}

    void write_out();
    template <class When>
    void later(When when);
    [[nodiscard]] bool write_piece(const reader::piece&);
    void frame_done(timestamp time);
    void end_if_over();
    void report_losses();
    void report(const lost_groups&);
    [[nodiscard]] bool precedes_track(const lost_groups&) const;
    void set_timer();
    [[nodiscard]] track_ref track() const { return {options_.client.broadcast, options_.client.track}; }
    [[nodiscard]] std::string progress();
    [[nodiscard]] std::string last_group() const;
    void print_statistics() const;

    watch_options options_;
    client_link link_;
    descriptor output_;
    boost::asio::steady_timer wait_timer_;   ///< Until the broadcast must be announced; later, loss_delay.
    boost::asio::steady_timer timer_;        ///< The reader's.
    boost::asio::steady_timer answer_timer_; ///< Until the subscription must be answered.
    progress_line progress_;
    std::optional<reader> reader_;
    std::optional<track_position> resume_;        ///< Where the previous session's reader stopped.
    std::uint64_t groups_before_ = 0;             ///< Read by earlier readers.
    std::optional<group_sequence> last_complete_; ///< Of the previous reader.
    std::optional<std::uint64_t> asked_for_;      ///< restarts() of the reader whose answer is pending.
    std::uint64_t restarts_ = 0;
    std::optional<query_id> asked_; ///< The request for the track's timescale.
    std::uint64_t timescale_ = 0;   ///< 0: not known.
    watch_statistics stats_;
    std::optional<time_point> timer_at_;
    speed speed_;
    bool connected_ = false;
    bool scheduled_ = false; ///< write_out() will be called.
    bool gap_ = false;       ///< A group is missing, and none may be skipped.
};

} // namespace moqlite::programs
