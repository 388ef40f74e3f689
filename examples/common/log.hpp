// The programs' log on stderr, and their progress line.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <moqlite/link/log.hpp>
#include <spdlog/spdlog.h>
#include <string>

namespace moqlite::programs {

enum class log_style : std::uint8_t {
    tool,   ///< "moqlite-watch: error: no such file"
    service ///< with a timestamp
};

/// Makes spdlog's default logger write to stderr. Call once, first.
void start_log(const std::string& name, log_style style, spdlog::level::level_enum level);

/// Passes the adapters' log to ours; their info is a tool's debug.
[[nodiscard]] link::log_function adapter_log(log_style style);

/// A line on stderr that is overwritten as it changes; nothing if stderr is not a terminal.
class progress_line {
public:
    /// `text` is called a few times a second.
    progress_line(boost::asio::any_io_executor, bool wanted, std::function<std::string()> text);
    ~progress_line() { stop(); }
    progress_line(const progress_line&) = delete;
    progress_line& operator=(const progress_line&) = delete;

    /// Leaves the last state on the screen.
    void stop();

private:
    void show(bool last);
    void again();

    boost::asio::steady_timer timer_;
    std::function<std::string()> text_;
    bool on_ = false;
};

} // namespace moqlite::programs
