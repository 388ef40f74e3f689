// Subscribes to one track and writes its payload to a file or pipe.
#pragma once

#include "client_program.hpp"
#include "descriptor.hpp"
#include "log.hpp"
#include "statistics.hpp"
#include "text.hpp"

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <moqlite/asio/reader.hpp>
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

class watcher final : public client_program {
public:
    explicit watcher(const watch_options&);

    /// Returns the exit code.
    [[nodiscard]] int run();

private:
    boost::asio::awaitable<void> work() override;
    void over(const asio::session_end&) override;
    void ending(int code, const std::string& why) override;

    void wait_for_the_rest(const std::string& why, unsigned idle, std::uint64_t steps_before);
    void not_subscribed(const asio::error_code&);
    void cut_off(const asio::error_code&);
    void tell_restarts();
    boost::asio::awaitable<void> write_groups();
    boost::asio::awaitable<void> write_group(asio::group_reader&);
    [[nodiscard]] bool write(byte_view& bytes);
    boost::asio::awaitable<void> wait_for_output();
    [[nodiscard]] std::optional<std::string> gap();
    boost::asio::awaitable<bool> passes(std::string gap);
    [[nodiscard]] bool is_cut_off() const { return reader_.is_cut_off() || reader_.restarts() != restarts_; }
    [[nodiscard]] bool precedes_track(const lost_groups&) const;
    void frame_done(timestamp);
    [[nodiscard]] std::string progress();
    [[nodiscard]] std::string last_group() const;
    void print_statistics() const;

    watch_options options_;
    descriptor output_;
    boost::asio::steady_timer wait_; ///< For the output, or for what follows a loss.
    progress_line progress_;
    asio::track_reader reader_;
    bool subscribed_ = false;     ///< Or refused.
    std::uint64_t restarts_ = 0;  ///< As of the group that was opened last.
    std::uint64_t steps_ = 0;     ///< Grows while there is something to write.
    std::size_t written_ = 0;     ///< Bytes since others could run.
    bool is_full_ = false;        ///< The output takes no more.
    std::uint64_t timescale_ = 0; ///< 0: not known.
    watch_statistics stats_;
    speed speed_;
};

} // namespace moqlite::programs
