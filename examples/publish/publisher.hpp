// Reads frames from a file or pipe and publishes them as one track.
#pragma once

#include "client_link.hpp"
#include "descriptor.hpp"
#include "log.hpp"
#include "pace.hpp"
#include "text.hpp"

#include <cstddef>
#include <moqlite/session/track_writer.hpp>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::programs {

struct publish_options {
    client_options client;
    std::string input = "-";
    std::uint64_t frame_size = 16 * 1024;
    std::uint64_t group_frames = 64;
    double rate = 0;
    double max_delay = 0.05; ///< Seconds that the first byte of a frame waits for more.
    bool wait_subscriber = false;
};

class publisher final : public client_user {
public:
    explicit publisher(const publish_options&);

    /// Returns the exit code.
    [[nodiscard]] int run();

private:
    void connected() override;
    void parted() override;
    void on_event(const event&, time_point now) override;
    void turn(time_point now) override;
    void ending(int code, const std::string& why) override;

    void announcement_refused(const announcements_cut_off&);
    void report(const event&);
    void refuse_other(const event&);

    void schedule_step();
    void step();
    [[nodiscard]] bool may_read(time_point now);
    [[nodiscard]] bool may_send();
    [[nodiscard]] bool fill(time_point now);
    void wait_for_input(time_point now);
    [[nodiscard]] time_point latest() const noexcept;
    [[nodiscard]] bool send(time_point now);
    void finish_if_done();
    void await_resubscription();
    [[nodiscard]] std::string progress();

    publish_options options_;
    slab_pool memory_; ///< Must outlive the session and the track.
    client_link link_;
    descriptor input_;
    boost::asio::steady_timer timer_;             ///< Until a frame is due.
    boost::asio::steady_timer flush_timer_;       ///< Until an incomplete frame is sent.
    boost::asio::steady_timer resubscribe_timer_; ///< Time for subscribers to return.
    progress_line progress_;
    std::optional<track_writer<session>> track_;
    pace pace_;
    std::vector<std::byte> frame_;
    std::size_t filled_ = 0;
    time_point begun_{}; ///< When the frame's first byte was read.
    std::uint64_t frames_ = 0;
    std::uint64_t bytes_ = 0;
    speed speed_;
    bool scheduled_ = false;             ///< step() will be called.
    bool blocked_ = false;               ///< By flow control, or without a subscriber.
    bool idle_ = false;                  ///< There was no subscriber or no input.
    bool at_end_ = false;                ///< Of the input.
    bool awaits_resubscription_ = false; ///< Subscribers left with their session, and may return.
};

} // namespace moqlite::programs
