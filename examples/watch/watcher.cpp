#include "watcher.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <moqlite/asio/clock.hpp>
#include <moqlite/asio/error.hpp>
#include <nlohmann/json.hpp>
#include <utility>

namespace moqlite::programs {

namespace {

namespace net = boost::asio;
constexpr auto result = net::as_tuple(net::use_awaitable);

constexpr std::size_t slice = 1024 * 1024; ///< Bytes written before others run.
constexpr std::uint64_t microseconds = 1'000'000;
/// A loss may be the first sign of the end of the publisher, or of the session, which is a different failure: wait.
constexpr auto loss_delay = std::chrono::milliseconds{200};
/// Seconds to wait for a new publisher without --timeout: the broadcast's end may be reported a moment after its
/// subscription's.
constexpr double replacement_time = 0.05;

limits bounds_of(const watch_options& o) {
    limits bounds;
    bounds.read_ahead = o.read_ahead;
    bounds.memory = std::max<std::size_t>(bounds.memory, 4 * bounds.read_ahead);
    bounds.cache = 256 * 1024; // It serves nobody else, and memory that is used again stays in the processor's cache.
    return bounds;
}

} // namespace

watcher::watcher(const watch_options& options)
    : client_program{options.client, bounds_of(options)},
      options_{options},
      output_{io().get_executor()},
      wait_{io()},
      progress_{io().get_executor(), !options.client.quiet, [this] { return progress(); }} {}

int watcher::run() {
    if (output_.open_output(options_.output)) return client_program::run();
    progress_.stop();
    spdlog::error("{}", output_.why());
    return exit_failure;
}

net::awaitable<void> watcher::work() {
    asio::subscribe_request how{.mode = options_.live ? reading::live : reading::complete};
    if (options_.max_age) how.patience = std::chrono::milliseconds{*options_.max_age};
    if (options_.from) how.start = group_sequence{*options_.from};
    how.timeout = to_duration(options_.timeout);
    how.answer = to_duration(options_.request_timeout);
    how.follow = to_duration(options_.timeout > 0 ? options_.timeout : replacement_time);
    const asio::track_name track{options_.client.broadcast, options_.client.track};
    auto [error, reader] = co_await session().async_subscribe(track, how, result);
    if (error) co_return not_subscribed(error);
    reader_ = std::move(reader);
    subscribed_ = true;
    reader_.async_info([this](const asio::error_code& failed, const track_info& info) {
        if (!failed) timescale_ = info.timescale;
    });
    tell_restarts();
    co_await write_groups();
}

void watcher::not_subscribed(const asio::error_code& error) {
    if (const auto end = session().ended()) return finish(exit_failure, end->text);
    if (error == net::error::timed_out)
        return finish(
            exit_failure, fmt::format("{} was not announced within {} s", options_.client.broadcast, options_.timeout));
    subscribed_ = true;
    cut_off(error);
}

void watcher::cut_off(const asio::error_code& error) {
    const bool unanswered = error == errc::stream_timeout && (!reader_ || !remote_code(error));
    if (!unanswered || remote_code(error) || options_.request_timeout <= 0)
        return finish(unanswered ? exit_no_answer : exit_failure, "the subscription ended: " + error.message());
    finish(exit_no_answer,
        fmt::format("request timeout: no answer to the subscription to {} {} within {} s",
            printable(options_.client.broadcast), printable(options_.client.track), options_.request_timeout));
}

void watcher::tell_restarts() {
    if (const auto first = reader_.first_group())
        spdlog::info(
            "subscribed to {} {} from group {}", options_.client.broadcast, options_.client.track, number(*first));
    reader_.async_restarted([this](const asio::error_code& error) {
        if (error || finishing()) return;
        spdlog::info("{} was cut off; subscribing to the new broadcast of that name", options_.client.broadcast);
        tell_restarts();
    });
}

net::awaitable<void> watcher::write_groups() {
    while (!finishing()) {
        auto [error, group] = co_await reader_.async_next_group(result);
        ++steps_;
        if (auto line = gap(); line && !co_await passes(*std::move(line))) co_return;
        if (error) co_return cut_off(error);
        restarts_ = reader_.restarts();
        if (!group) {
            const bool written = output_.close();
            co_return finish(written ? exit_ok : exit_failure, output_.why());
        }
        co_await write_group(*group);
    }
}

/// Writes what has arrived in order, as fast as the output takes it. Most parts are here when the one before has been
/// written, so that nothing is waited for.
net::awaitable<void> watcher::write_group(asio::group_reader& group) {
    while (!finishing()) {
        auto part = group.next_part();
        if (!part) {
            auto [error, next] = co_await group.async_next_part(result);
            if (error || !next) co_return;
            part = next;
        }
        ++steps_;
        if (auto line = gap(); line && !co_await passes(*std::move(line))) co_return;
        for (auto bytes = part->bytes; !write(bytes);) {
            if (finishing()) co_return;
            co_await wait_for_output();
        }
        if (part->ends_frame()) frame_done(part->time);
    }
}

/// True: all of it is written. Else the output is full or has failed, or others are to run.
bool watcher::write(byte_view& bytes) {
    while (!bytes.empty() && written_ < slice) {
        const auto done = output_.write(bytes);
        if (done.what == transfer::state::failed) finish(exit_failure, output_.why());
        is_full_ = done.what == transfer::state::waiting;
        if (done.what != transfer::state::done) return false;
        bytes = bytes.subspan(done.bytes);
        stats_.bytes += done.bytes;
        written_ += done.bytes;
    }
    return bytes.empty();
}

net::awaitable<void> watcher::wait_for_output() {
    written_ = 0;
    if (!std::exchange(is_full_, false)) co_return co_await net::post(io(), net::use_awaitable);
    wait_.expires_at(std::chrono::steady_clock::time_point::max());
    output_.when_ready([this] { wait_.cancel(); });
    co_await wait_.async_wait(result);
}

void watcher::frame_done(timestamp time) {
    ++stats_.frames;
    if (timescale_ != microseconds) return;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto us =
        std::chrono::duration_cast<std::chrono::microseconds>(now).count() - static_cast<std::int64_t>(time);
    stats_.latency_us.add(us > 0 ? static_cast<std::uint64_t>(us) : 0); // Clocks may differ.
}

/// The track begins later than requested: no loss, as the publisher may never have had earlier groups.
bool watcher::precedes_track(const lost_groups& lost) const {
    return lost.code == app_error::not_found && options_.from && reader_.restarts() == 0 &&
           reader_.groups_read() == 0 && number(lost.first) == *options_.from;
}

/// Reports what was lost, up to a gap that the output must not have.
std::optional<std::string> watcher::gap() {
    while (const auto lost = reader_.lost()) {
        if (precedes_track(*lost)) {
            spdlog::info("{} {} begins with group {}, the oldest available", printable(options_.client.broadcast),
                printable(options_.client.track), number(lost->last) + 1);
            continue;
        }
        const auto first = number(lost->first);
        const auto last = number(lost->last);
        stats_.lost += last - first + 1;
        const auto which = first == last ? fmt::format("group {}", first) : fmt::format("groups {} to {}", first, last);
        auto line = fmt::format("{} lost: {}", which, to_text(lost->code));
        if (!options_.live && !is_cut_off()) return line;
        spdlog::info("{}", line);
    }
    return std::nullopt;
}

/// A publisher that was cut off is replaced by another: losses at its end are no gaps. False: the output ends.
net::awaitable<bool> watcher::passes(std::string gap) {
    wait_.expires_after(loss_delay);
    co_await wait_.async_wait(result);
    if (!is_cut_off()) finish(exit_groups_lost, gap);
    if (!finishing()) spdlog::info("{}", gap);
    co_return !finishing();
}

/// What has arrived completely is written; a track that had ended by then is complete.
void watcher::over(const asio::session_end& how) { wait_for_the_rest(how.text, 0, steps_); }

void watcher::wait_for_the_rest(const std::string& why, unsigned idle, std::uint64_t steps_before) {
    constexpr unsigned most = 16; // Turns of the loop in which nothing was written.
    if (finishing()) return;
    if (steps_ != steps_before) idle = 0;
    if (idle == most) return finish(exit_failure, why);
    net::post(io(), [this, why, idle, steps = steps_] { wait_for_the_rest(why, idle + 1, steps); });
}

std::string watcher::last_group() const {
    if (!subscribed_) return {};
    const auto last = reader_.last_complete_group();
    return last ? fmt::format("; the last complete group is {}", number(*last)) : "; no group is complete";
}

void watcher::ending(int code, const std::string& why) {
    wait_.cancel();
    progress_.stop();
    if (code != exit_ok) spdlog::error("{}{}", why, last_group());
    if (options_.stats) print_statistics();
}

void watcher::print_statistics() const {
    const auto milliseconds = [](std::optional<double> us) -> nlohmann::ordered_json {
        if (!us) return nullptr;
        return std::round(*us) / 1000;
    };
    const nlohmann::ordered_json all{{"groups", reader_.groups_read()}, {"frames", stats_.frames},
        {"bytes", stats_.bytes}, {"lost", stats_.lost},
        {"latency_ms", {{"p50", milliseconds(stats_.latency_us.quantile(0.5))},
                           {"p99", milliseconds(stats_.latency_us.quantile(0.99))}}}};
    std::fprintf(stderr, "%s\n", all.dump().c_str());
}

std::string watcher::progress() {
    if (!session()) return "connecting to " + options_.client.url;
    if (!reader_) return "waiting for " + options_.client.broadcast;
    const auto size = size_text(static_cast<double>(stats_.bytes));
    const auto lost = stats_.lost != 0 ? fmt::format(", {} lost", stats_.lost) : std::string{};
    return fmt::format(
        "{}  {}  {} groups{}", size, speed_.text(stats_.bytes, asio::now()), reader_.groups_read(), lost);
}

} // namespace moqlite::programs
