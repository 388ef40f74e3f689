#include "publisher.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <moqlite/asio/clock.hpp>
#include <stdexcept>

namespace moqlite::programs {

namespace {

constexpr std::size_t slice = 512 * 1024; ///< Bytes read before returning to the loop.
constexpr std::size_t mebibyte = 1024 * 1024;

limits bounds_for(const publish_options& o) {
    limits bounds;
    bounds.memory = 48 * mebibyte + 2 * o.frame_size;
    bounds.live_backlog = 8 * mebibyte;
    bounds.cache = (o.wait_subscriber ? 16 : 8) * mebibyte; // For late subscribers.
    return bounds;
}

} // namespace

publisher::publisher(const publish_options& options)
    : client_program{options.client, bounds_for(options), false},
      options_{options},
      input_{io().get_executor()},
      timer_{io()},
      progress_{io().get_executor(), !options.client.quiet, [this] { return progress(); }},
      pace_{options.rate},
      frame_(options.frame_size) {}

int publisher::run() {
    if (input_.open_input(options_.input)) return client_program::run();
    progress_.stop();
    spdlog::error("{}", input_.why());
    return exit_failure;
}

boost::asio::awaitable<void> publisher::work() {
    broadcast_ = session().origin().publish(options_.client.broadcast);
    asio::track_options o{.info = {.timescale = 1'000'000}};
    if (options_.wait_subscriber) o.mode = writing::complete, o.hold_max *= 2;
    track_ = broadcast_.track(options_.client.track, o);
    watch_subscribers();
    watch_refusals();
    // A live source with a rate does not wait for subscribers.
    const bool waits = options_.wait_subscriber || !pace_.is_paced();
    for (std::size_t moved = 0; !finishing(); moved += frame_.size()) {
        if (moved >= slice) moved = 0, co_await boost::asio::post(io(), boost::asio::deferred);
        if (options_.wait_subscriber && track_.subscribers() == 0) {
            co_await track_.async_room(boost::asio::deferred);
            pace_.restart(asio::now());
        }
        if (!fill()) {
            co_await input();
            continue;
        }
        if (filled_ == 0) break;
        // One frame is read before there is room for it: it may be the end, after which nobody wants more.
        if (waits && !track_.has_room()) co_await track_.async_room(boost::asio::deferred);
        if (pace_.is_paced()) co_await turn_of_next();
        send();
    }
    static_cast<void>(group_.finish());
    track_.finish();
    co_await track_.async_delivered(boost::asio::deferred);
    finish(exit_ok);
}

void publisher::watch_subscribers() {
    track_.async_subscriber_changed([this](const asio::error_code& error, const asio::subscriber_change& its) {
        if (error) return;
        const auto code = its.code != app_error::cancel ? ": " + to_text(its.code) : "";
        if (its.came)
            spdlog::info("new subscriber, from group {}", its.from);
        else
            spdlog::info("a subscriber {}{}", its.delivered ? "received everything" : "left", code);
        watch_subscribers();
    });
}

/// Existing subscribers are still served, but no new one will arrive.
void publisher::watch_refusals() {
    session().async_announcement_refused([this](const asio::error_code& error, app_error code) {
        if (error) return;
        const auto why = fmt::format(
            "the relay refused the announcement of {}: {}", printable(options_.client.broadcast), to_text(code));
        if (track_.subscribers() == 0) return finish(exit_failure, why);
        spdlog::warn("{}", why);
        watch_refusals();
    });
}

/// When the frame being read is sent, full or not.
time_point publisher::latest() const noexcept {
    return begun_ + std::chrono::duration_cast<duration>(std::chrono::duration<double>{options_.max_delay});
}

/// True: a frame is ready, or the input has ended.
bool publisher::fill() {
    while (filled_ < frame_.size() && !at_end_) {
        const auto got = input_.read(std::span{frame_}.subspan(filled_));
        if (got.what == transfer::state::failed) throw std::runtime_error{input_.why()};
        if (filled_ == 0) begun_ = asio::now();
        filled_ += got.bytes;
        at_end_ = got.what == transfer::state::ended;
        if (got.what == transfer::state::waiting) return filled_ != 0 && latest() <= asio::now();
    }
    return true;
}

/// Waits for more of it, or until the frame is sent without.
boost::asio::awaitable<void> publisher::input() {
    input_.when_ready([this] { timer_.cancel(); });
    const auto at_most = asio::now() + std::chrono::hours{1};
    timer_.expires_at(asio::to_steady(filled_ != 0 ? std::min(latest(), at_most) : at_most));
    co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::deferred));
    if (const auto now = asio::now(); pace_.due(now) < now) pace_.restart(now);
}

boost::asio::awaitable<void> publisher::turn_of_next() {
    // Input that was waited for may wake it early.
    for (auto now = asio::now(); pace_.due(now) > now; now = asio::now()) {
        timer_.expires_at(asio::to_steady(pace_.due(now)));
        co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::deferred));
    }
}

void publisher::send() {
    const auto now = asio::now();
    const auto due = pace_.due(now);
    if (frames_ % options_.group_frames == 0) group_ = track_.open_group();
    // Where there is no memory, the rest of the group is dropped.
    static_cast<void>(group_.write(std::span{frame_}.first(filled_), unix_microseconds(due, now)));
    pace_.next(due);
    if (++frames_ % options_.group_frames == 0) static_cast<void>(group_.finish());
    bytes_ += std::exchange(filled_, 0);
}

void publisher::ending(int code, const std::string& why) {
    timer_.cancel();
    static_cast<void>(input_.close());
    progress_.stop();
    if (code != exit_ok) return spdlog::error("{}", why);
    spdlog::info(
        "published {} groups, {} frames, {}", track_.groups(), frames_, size_text(static_cast<double>(bytes_)));
    if (const auto n = track_.undelivered(); n != 0)
        spdlog::warn("nobody received {} of {} groups", n, track_.groups());
}

std::string publisher::progress() {
    if (!track_) return "connecting to " + options_.client.url;
    const auto size = size_text(static_cast<double>(bytes_));
    return fmt::format("{}  {}  {} groups{}", size, speed_.text(bytes_, asio::now()), track_.groups(),
        track_.subscribers() != 0 ? "" : "  (nobody is subscribed)");
}

} // namespace moqlite::programs
