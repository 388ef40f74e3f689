#include "log.hpp"

#include <cstdio>
#include <functional>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <unistd.h>
#include <utility>

namespace moqlite::programs {

namespace {

bool is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

spdlog::level::level_enum level_of(link::log_level level, log_style style) {
    switch (level) {
    case link::log_level::debug: return spdlog::level::debug;
    case link::log_level::info: return style == log_style::tool ? spdlog::level::debug : spdlog::level::info;
    case link::log_level::warning: return style == log_style::tool ? spdlog::level::info : spdlog::level::warn;
    case link::log_level::error: return spdlog::level::err;
    }
    return spdlog::level::info;
}

} // namespace

void start_log(const std::string& name, log_style style, spdlog::level::level_enum level) {
    auto logger = spdlog::stderr_color_st(name);
    if (style == log_style::service)
        logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
    else
        // Erase the progress line first.
        logger->set_pattern(std::string{is_terminal() ? "\r\033[K" : ""} + "%n: %^%l%$: %v");
    logger->set_level(level);
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
}

link::log_function adapter_log(log_style style) {
    return [style](link::log_level level, std::string_view line) { spdlog::log(level_of(level, style), "{}", line); };
}

progress_line::progress_line(boost::asio::any_io_executor executor, bool wanted, std::function<std::string()> text)
    : timer_{std::move(executor)}, text_{std::move(text)}, on_{wanted && is_terminal()} {
    if (on_) again();
}

void progress_line::again() {
    timer_.expires_after(std::chrono::milliseconds{200});
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        show(false);
        again();
    });
}

void progress_line::show(bool last) { std::fprintf(stderr, "\r%s\033[K%s", text_().c_str(), last ? "\n" : ""); }

void progress_line::stop() {
    if (!std::exchange(on_, false)) return;
    timer_.cancel();
    show(true);
}

} // namespace moqlite::programs
