// Reads frames from a file or pipe and publishes them as one track.
#pragma once

#include "client_program.hpp"
#include "descriptor.hpp"
#include "log.hpp"
#include "pace.hpp"
#include "text.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <moqlite/asio/broadcast.hpp>
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

class publisher final : public client_program {
public:
    explicit publisher(const publish_options&);

    /// Returns the exit code.
    [[nodiscard]] int run();

private:
    boost::asio::awaitable<void> work() override;
    void ending(int code, const std::string& why) override;

    void watch_subscribers();
    void watch_refusals();
    [[nodiscard]] bool fill();
    [[nodiscard]] time_point latest() const noexcept;
    boost::asio::awaitable<void> input();
    boost::asio::awaitable<void> turn_of_next();
    void send();
    [[nodiscard]] std::string progress();

    publish_options options_;
    descriptor input_;
    boost::asio::steady_timer timer_; ///< Until a frame is due, or input is there.
    progress_line progress_;
    asio::broadcast broadcast_;
    asio::track_writer track_;
    asio::group_writer group_;
    pace pace_;
    std::vector<std::byte> frame_;
    std::size_t filled_ = 0;
    time_point begun_{};  ///< When the frame's first byte was read.
    bool at_end_ = false; ///< Of the input.
    std::uint64_t frames_ = 0;
    std::uint64_t bytes_ = 0;
    speed speed_;
};

} // namespace moqlite::programs
