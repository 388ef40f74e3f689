#include "publisher.hpp"

#include "exit_code.hpp"
#include "text.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <moqlite/asio/clock.hpp>
#include <type_traits>
#include <utility>

namespace moqlite::programs {

namespace {

constexpr std::size_t slice = 512 * 1024; ///< Bytes read before returning to the loop.
constexpr std::size_t mebibyte = 1024 * 1024;
/// Time for subscribers to reach the relay's successor.
constexpr auto resubscribe_time = std::chrono::seconds{3};

session_options for_session(slab_pool& memory) {
    session_options o{.pool = &memory, .reports_path = true};
    o.bounds.live_backlog = 8 * mebibyte; // As much again is kept for late subscribers.
    return o;
}

} // namespace

publisher::publisher(const publish_options& options)
    : options_{options},
      memory_{48 * mebibyte + 2 * options.frame_size},
      link_{options.client, for_session(memory_), *this},
      input_{link_.io().get_executor()},
      timer_{link_.io()},
      flush_timer_{link_.io()},
      resubscribe_timer_{link_.io()},
      progress_{link_.io().get_executor(), !options.client.quiet, [this] { return progress(); }},
      pace_{options.rate},
      frame_(options.frame_size) {}

int publisher::run() {
    if (!input_.open_input(options_.input)) {
        progress_.stop();
        spdlog::error("{}", input_.why());
        return exit_failure;
    }
    return link_.run();
}

void publisher::connected() {
    track_writer_options o{.group_frames = options_.group_frames, .info = {.timescale = 1'000'000}};
    if (options_.wait_subscriber) o.mode = writing::complete, o.hold_max *= 2;
    if (track_)
        await_resubscription();
    else
        track_.emplace(link_.get(), track_ref{options_.client.broadcast, options_.client.track}, memory_, o);
    if (const auto announced = link_.get().announce(options_.client.broadcast); !announced)
        return link_.finish(exit_failure,
            "cannot announce " + options_.client.broadcast + ": " + std::string{to_string(announced.error())});
    schedule_step();
}

/// A new session: former subscribers will request the groups that they have not received.
void publisher::await_resubscription() {
    track_->attach(link_.get());
    resubscribe_timer_.expires_after(resubscribe_time);
    resubscribe_timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        awaits_resubscription_ = false;
        finish_if_done();
    });
}

void publisher::parted() {
    awaits_resubscription_ = awaits_resubscription_ || track_->has_subscribers();
    resubscribe_timer_.cancel();
    track_->detach();
}

void publisher::on_event(const event& e, time_point) {
    if (track_->handle(e))
        report(e);
    else if (const auto* refused = std::get_if<announcements_cut_off>(&e))
        return announcement_refused(*refused);
    else if (std::holds_alternative<goaway_received>(e) && link_.moving() && options_.wait_subscriber)
        return track_->keep_recent();
    else
        return refuse_other(e);
    finish_if_done();
}

void publisher::report(const event& e) {
    if (const auto* subscribed = std::get_if<subscribe_requested>(&e)) {
        if (const auto start = track_->next_for(subscribed->request))
            spdlog::info("new subscriber, from group {}", number(*start));
    } else if (const auto* lost = std::get_if<group_lost>(&e)) {
        spdlog::debug("group {} was not delivered: {}", number(lost->sequence), to_text(lost->code));
    } else if (const auto* ended = std::get_if<request_ended>(&e)) {
        const bool has_reason = ended->code && *ended->code != app_error::cancel;
        spdlog::info("a subscriber {}{}", ended->delivered ? "received everything" : "left",
            has_reason ? ": " + to_text(*ended->code) : "");
    }
}

/// We have one track.
void publisher::refuse_other(const event& e) {
    std::visit(
        [this](const auto& what) {
            using kind = std::decay_t<decltype(what)>;
            if constexpr (std::is_same_v<kind, subscribe_requested> || std::is_same_v<kind, track_requested> ||
                          std::is_same_v<kind, fetch_requested>)
                static_cast<void>(link_.get().reject(what.request, app_error::not_found));
        },
        e);
}

/// Existing subscribers are still served, but no new one will arrive.
void publisher::announcement_refused(const announcements_cut_off& e) {
    const auto why = fmt::format(
        "the relay refused the announcement of {}: {}", printable(options_.client.broadcast), to_text(e.code));
    if (track_->has_subscribers() || link_.moving()) return spdlog::warn("{}", why);
    link_.finish(exit_failure, why);
}

void publisher::turn(time_point) {
    // Acknowledgements or the last pump may have made room, or a subscriber may have arrived.
    if (blocked_) schedule_step();
}

/// Posted, so that the network is served in between.
void publisher::schedule_step() {
    if (std::exchange(scheduled_, true)) return;
    boost::asio::post(link_.io(), [this] {
        scheduled_ = false;
        step();
    });
}

/// Moves frames from the input to the track until it blocks; whatever unblocks it calls schedule_step().
void publisher::step() {
    for (std::size_t moved = 0; moved < slice; moved += frame_.size()) {
        if (link_.finishing() || track_->ended()) return;
        const auto now = asio::now();
        if (!may_read(now) || !fill(now) || !may_send() || !send(now)) return;
    }
    schedule_step();
}

bool publisher::may_read(time_point now) {
    const bool nobody = options_.wait_subscriber && !track_->has_subscribers();
    if (nobody || (idle_ && pace_.due(now) < now)) pace_.restart(now);
    idle_ = nobody;
    // A live source with a rate does not wait for subscribers.
    const bool waits = options_.wait_subscriber || !pace_.is_paced();
    blocked_ = nobody || (waits && !track_->attached());
    return !blocked_;
}

/// One frame is read before there is room for it: it may be the end, after which nobody wants more.
bool publisher::may_send() {
    const bool waits = options_.wait_subscriber || !pace_.is_paced();
    const bool only_ends = at_end_ && filled_ == 0;
    blocked_ = waits && !only_ends && !track_->has_room(asio::now());
    return !blocked_;
}

/// When the frame being read is sent, full or not.
time_point publisher::latest() const noexcept {
    return begun_ + std::chrono::duration_cast<duration>(std::chrono::duration<double>{options_.max_delay});
}

/// True: a frame is ready, or the input has ended.
bool publisher::fill(time_point now) {
    while (filled_ < frame_.size() && !at_end_) {
        const auto got = input_.read(std::span{frame_}.subspan(filled_));
        if (filled_ == 0) begun_ = now;
        filled_ += got.bytes;
        if (got.what == transfer::state::ended) at_end_ = true;
        if (got.what == transfer::state::waiting) {
            if (filled_ != 0 && latest() <= now) return true;
            wait_for_input(now);
            return false;
        }
        if (got.what == transfer::state::failed) {
            link_.finish(exit_failure, input_.why());
            return false;
        }
    }
    return true;
}

void publisher::wait_for_input(time_point now) {
    idle_ = true;
    input_.when_ready([this] { schedule_step(); });
    if (filled_ == 0) return;
    flush_timer_.expires_at(asio::to_steady(std::min(latest(), now + std::chrono::hours{1})));
    flush_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) schedule_step();
    });
}

/// False: too early, or the input has ended.
bool publisher::send(time_point now) {
    if (filled_ != 0) {
        const auto due = pace_.due(now);
        if (due > now) {
            timer_.expires_at(asio::to_steady(due));
            timer_.async_wait([this](const boost::system::error_code& error) {
                if (!error) schedule_step();
            });
            return false;
        }
        track_->write(unix_microseconds(due, now), std::span{frame_}.first(filled_));
        pace_.next(due);
        ++frames_;
        bytes_ += filled_;
        filled_ = 0;
    }
    if (at_end_) track_->end();
    link_.wake();
    finish_if_done();
    return !at_end_;
}

void publisher::finish_if_done() {
    if (track_->ended() && !track_->has_subscribers() && !awaits_resubscription_) link_.finish(exit_ok);
}

void publisher::ending(int code, const std::string& why) {
    timer_.cancel();
    flush_timer_.cancel();
    resubscribe_timer_.cancel();
    static_cast<void>(input_.close());
    progress_.stop();
    if (code != exit_ok) return spdlog::error("{}", why);
    spdlog::info(
        "published {} groups, {} frames, {}", track_->groups(), frames_, size_text(static_cast<double>(bytes_)));
    if (const auto n = track_->undelivered(); n != 0)
        spdlog::warn("nobody received {} of {} groups", n, track_->groups());
}

std::string publisher::progress() {
    if (!track_) return "connecting to " + options_.client.url;
    const auto size = size_text(static_cast<double>(bytes_));
    return fmt::format("{}  {}  {} groups{}", size, speed_.text(bytes_, asio::now()), track_->groups(),
        track_->has_subscribers() ? "" : "  (nobody is subscribed)");
}

} // namespace moqlite::programs
