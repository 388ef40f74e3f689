#include "watcher.hpp"

#include "exit_code.hpp"
#include "text.hpp"

#include <boost/asio/post.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <moqlite/asio/clock.hpp>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

namespace moqlite::programs {

namespace {

constexpr std::size_t slice = 1024 * 1024; ///< Bytes written before returning to the loop.
constexpr std::uint64_t microseconds = 1'000'000;
/// A loss may be the first sign of the session's end, which is a different failure: wait for it.
constexpr auto loss_delay = std::chrono::milliseconds{200};
/// Seconds to wait for a new publisher without --timeout: the broadcast's end may be reported a moment after its
/// subscription's.
constexpr double replacement_time = 0.05;

} // namespace

watcher::watcher(const watch_options& options)
    : options_{options},
      link_{options.client, {}, *this},
      output_{link_.io().get_executor()},
      wait_timer_{link_.io()},
      timer_{link_.io()},
      answer_timer_{link_.io()},
      progress_{link_.io().get_executor(), !options.client.quiet, [this] { return progress(); }} {}

int watcher::run() {
    if (!output_.open_output(options_.output)) {
        progress_.stop();
        spdlog::error("{}", output_.why());
        return exit_failure;
    }
    return link_.run();
}

void watcher::connected() {
    connected_ = true;
    limit_wait();
    if (const auto watching = link_.get().watch(options_.client.broadcast); !watching)
        link_.finish(exit_failure,
            "cannot watch " + options_.client.broadcast + ": " + std::string{to_string(watching.error())});
}

/// Writes what has arrived, as far as the output takes it; the rest will be requested again.
void watcher::parted() {
    while (const auto piece = reader_ && !gap_ ? reader_->next() : std::nullopt)
        if (!write_piece(*piece)) break;
    if (reader_) {
        resume_ = reader_->position();
        groups_before_ += reader_->groups_read();
        if (const auto last = reader_->last_complete_group()) last_complete_ = last;
    }
    reader_.reset();
    asked_.reset();
    timer_at_.reset();
    asked_for_.reset();
    gap_ = connected_ = false;
    restarts_ = 0;
    for (auto* timer : {&wait_timer_, &timer_, &answer_timer_}) timer->cancel();
}

void watcher::limit_wait() {
    if (options_.timeout <= 0) return;
    wait_timer_.expires_after(to_duration(options_.timeout));
    wait_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error)
            link_.finish(exit_failure,
                fmt::format("{} was not announced within {} s", options_.client.broadcast, options_.timeout));
    });
}

void watcher::on_event(const event& e, time_point now) {
    if (reader_) {
        reader_->handle(e, now);
        follow();
    }
    report_losses();
    if (!link_.finishing()) std::visit([this](const auto& what) { on(what); }, e);
}

/// A publisher that was cut off is replaced by another: losses at its end are no gaps.
void watcher::follow() {
    if (gap_ && reader_->following() && !link_.moving()) {
        gap_ = false;
        wait_timer_.cancel();
    }
    if (reader_->restarts() == restarts_) return;
    restarts_ = reader_->restarts();
    if (!link_.moving())
        spdlog::info("{} was cut off; subscribing to the new broadcast of that name", options_.client.broadcast);
}

/// Limits the time until a subscription is answered.
void watcher::limit_request() {
    if (options_.request_timeout <= 0 || reader_->answered() || asked_for_ == reader_->restarts()) {
        if (reader_->answered() && std::exchange(asked_for_, std::nullopt)) answer_timer_.cancel();
        return;
    }
    asked_for_ = reader_->restarts();
    answer_timer_.expires_after(to_duration(options_.request_timeout));
    answer_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error && reader_ && !reader_->answered())
            link_.finish(exit_no_answer,
                fmt::format("request timeout: no answer to the subscription to {} {} within {} s",
                    printable(options_.client.broadcast), printable(options_.client.track), options_.request_timeout));
    });
}

void watcher::on(const broadcast_available& e) {
    // Subscribe only when announced: the relay's cache may still have an earlier broadcast of that name.
    // A session whose peer has sent GOAWAY takes no request; its successor reports the broadcast, too.
    if (reader_ || link_.moving() || e.path != options_.client.broadcast) return;
    wait_timer_.cancel();
    subscribe();
}

void watcher::on(const subscription_accepted& e) {
    spdlog::info(
        "subscribed to {} {} from group {}", options_.client.broadcast, options_.client.track, number(e.start));
    if (e.publisher)
        spdlog::debug("the publisher's priority {}, {}, max latency {} ms", e.publisher->priority,
            e.publisher->ordered ? "ordered" : "unordered", e.publisher->max_age.count());
}

void watcher::subscribe() {
    track_reader_options o{.mode = options_.live ? reading::live : reading::complete};
    if (options_.max_age) o.patience = std::chrono::milliseconds{*options_.max_age};
    if (options_.from) o.start = group_sequence{*options_.from};
    if (resume_ && !options_.live) {
        o.start = resume_->sequence;
        o.skip = resume_->bytes;
    }
    o.follow = to_duration(options_.timeout > 0 ? options_.timeout : replacement_time);
    o.bounds.read_ahead = options_.read_ahead;
    reader_.emplace(link_.get(), std::move(o));
    if (const auto query = link_.get().request_track(track())) asked_ = *query;
    if (const auto started = reader_->start(track()); !started)
        link_.finish(exit_failure, "cannot subscribe: " + std::string{to_string(started.error())});
}

void watcher::on(const watch_ended& e) {
    // session_closed reports the reason; the successor of a session is asked again.
    if (reader_ || link_.moving() || link_.get().is_closed()) return;
    link_.finish(exit_failure, fmt::format("the relay refused to report whether {} is announced: {}",
                                   printable(options_.client.broadcast), to_text(e.code)));
}

void watcher::on(const track_info_received& e) {
    if (asked_ == e.query) timescale_ = e.info.timescale;
}

/// Writes what has arrived completely. A track that had ended by then is complete.
void watcher::on(const session_closed&) {
    while (const auto piece = reader_ && !gap_ ? reader_->next() : std::nullopt)
        if (!write_piece(*piece)) break;
    report_losses();
    if (reader_ && reader_->finished()) end_if_over();
}

void watcher::turn(time_point) {
    if (!reader_) return;
    if (!scheduled_) write_out();
    follow();
    limit_request();
    end_if_over();
}

/// Writes what has arrived in order, as far as the output takes it.
void watcher::write_out() {
    for (std::size_t written = 0; written < slice;) {
        const auto piece = reader_->next();
        report_losses();
        if (!piece || gap_ || !write_piece(*piece)) return set_timer();
        written += piece->data.size();
    }
    later([this](auto resume) { boost::asio::post(link_.io(), resume); });
}

/// Lets `when` call write_out() again.
template <class When>
void watcher::later(When when) {
    if (std::exchange(scheduled_, true)) return;
    when([this] {
        scheduled_ = false;
        if (link_.finishing() || !reader_) return;
        write_out();
        end_if_over();
        link_.wake(); // Written bytes return credit.
    });
}

/// False: the output is blocked or has failed.
bool watcher::write_piece(const reader::piece& piece) {
    auto done = transfer{};
    if (!piece.data.empty()) done = output_.write(piece.data);
    if (done.what == transfer::state::failed) link_.finish(exit_failure, output_.why());
    if (done.what == transfer::state::waiting) later([this](auto resume) { output_.when_ready(resume); });
    if (done.what != transfer::state::done) return false;
    stats_.bytes += done.bytes;
    if (piece.offset + done.bytes == piece.size) frame_done(piece.time);
    reader_->consume(done.bytes);
    return true;
}

void watcher::frame_done(timestamp time) {
    ++stats_.frames;
    if (timescale_ != microseconds) return;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto us =
        std::chrono::duration_cast<std::chrono::microseconds>(now).count() - static_cast<std::int64_t>(time);
    stats_.latency_us.add(us > 0 ? static_cast<std::uint64_t>(us) : 0); // Clocks may differ.
}

void watcher::end_if_over() {
    if (link_.finishing()) return;
    if (const auto code = reader_->failed()) {
        if (link_.moving()) return; // The successor may have the track.
        const bool unanswered = !reader_->answered() && *code == app_error::timeout;
        link_.finish(unanswered ? exit_no_answer : exit_failure, "the subscription ended: " + to_text(*code));
    } else if (reader_->finished() && !gap_) {
        const bool written = output_.close();
        link_.finish(written ? exit_ok : exit_failure, output_.why());
    }
}

void watcher::report_losses() {
    while (const auto lost = reader_ && !link_.finishing() ? reader_->poll_lost() : std::nullopt) report(*lost);
}

/// The track begins later than requested: no loss, as the publisher may never have had earlier groups.
bool watcher::precedes_track(const lost_groups& lost) const {
    return lost.code == app_error::not_found && options_.from && !resume_ && reader_->restarts() == 0 &&
           reader_->groups_read() == 0 && number(lost.first) == *options_.from;
}

void watcher::report(const lost_groups& lost) {
    if (precedes_track(lost))
        return spdlog::info("{} {} begins with group {}, the oldest available", printable(options_.client.broadcast),
            printable(options_.client.track), number(lost.last) + 1);
    const auto first = number(lost.first);
    const auto last = number(lost.last);
    stats_.lost += last - first + 1;
    const auto which = first == last ? fmt::format("group {}", first) : fmt::format("groups {} to {}", first, last);
    const auto line = fmt::format("{} lost: {}", which, to_text(lost.code));
    if (options_.live || (reader_->following() && !link_.moving())) return spdlog::info("{}", line);
    // The output ends before the gap.
    if (std::exchange(gap_, true) || link_.moving()) return;
    wait_timer_.expires_after(loss_delay);
    wait_timer_.async_wait([this, line](const boost::system::error_code& error) {
        if (!error) link_.finish(exit_groups_lost, line);
    });
}

std::string watcher::last_group() const {
    auto last = last_complete_;
    if (reader_ && reader_->last_complete_group()) last = reader_->last_complete_group();
    if (!reader_ && !last) return {};
    return last ? fmt::format("; the last complete group is {}", number(*last)) : "; no group is complete";
}

void watcher::set_timer() {
    const auto at = reader_->deadline();
    if (at == timer_at_) return;
    timer_at_ = at;
    timer_.cancel();
    if (!at) return;
    timer_.expires_at(asio::to_steady(*at));
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return; // Rescheduled.
        timer_at_.reset();
        if (link_.finishing() || !reader_) return;
        reader_->tick(asio::now());
        report_losses();
        if (!scheduled_) write_out();
        end_if_over();
        link_.wake();
    });
}

void watcher::ending(int code, const std::string& why) {
    wait_timer_.cancel();
    timer_.cancel();
    answer_timer_.cancel();
    progress_.stop();
    if (code != exit_ok) spdlog::error("{}{}", why, last_group());
    if (options_.stats) print_statistics();
}

void watcher::print_statistics() const {
    const auto milliseconds = [](std::optional<double> us) -> nlohmann::ordered_json {
        if (!us) return nullptr;
        return std::round(*us) / 1000;
    };
    const nlohmann::ordered_json all{{"groups", groups_before_ + (reader_ ? reader_->groups_read() : 0)},
        {"frames", stats_.frames}, {"bytes", stats_.bytes}, {"lost", stats_.lost},
        {"latency_ms", {{"p50", milliseconds(stats_.latency_us.quantile(0.5))},
                           {"p99", milliseconds(stats_.latency_us.quantile(0.99))}}}};
    std::fprintf(stderr, "%s\n", all.dump().c_str());
}

std::string watcher::progress() {
    if (!connected_) return "connecting to " + options_.client.url;
    if (!reader_) return "waiting for " + options_.client.broadcast;
    const auto size = size_text(static_cast<double>(stats_.bytes));
    const auto lost = stats_.lost != 0 ? fmt::format(", {} lost", stats_.lost) : std::string{};
    return fmt::format("{}  {}  {} groups{}", size, speed_.text(stats_.bytes, asio::now()),
        groups_before_ + reader_->groups_read(), lost);
}

} // namespace moqlite::programs
