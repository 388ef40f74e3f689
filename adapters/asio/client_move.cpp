// GOAWAY: connects to the relay's successor at once, and retries until it answers.
#include "detail/client_line.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <memory>
#include <moqlite/asio/clock.hpp>
#include <moqlite/wire/utf8.hpp>
#include <utility>

namespace moqlite::asio {

namespace {

// A draining relay refuses at once; one that has gone is silent or unreachable.
constexpr duration first_pause = std::chrono::milliseconds{100};
constexpr duration longest_pause = std::chrono::milliseconds{500};
constexpr auto attempt_time = std::chrono::seconds{3};
/// Two relays that redirect clients to each other must not make them loop.
constexpr duration between_moves = std::chrono::seconds{1};
constexpr std::size_t longest_reason = 256; ///< Bytes of a peer's text in a log line.

} // namespace

void client_link::move_to(std::string_view uri) {
    if (options_.reconnect <= duration{} || moving_) return;
    std::string why;
    const auto there = uri.empty() ? std::optional{where_} : parse_url(uri, why);
    if (!there)
        log(link::log_level::warning, "the server names an unusable successor: " + wire::loggable(why, longest_reason));
    where_ = there.value_or(where_);
    moving_ = true;
    pause_ = first_pause;
    again_.expires_at(to_steady(std::max(now(), moved_ + between_moves)));
    again_.async_wait(while_here([this](const boost::system::error_code& error) {
        if (!error) dial_next();
    }));
}

void client_link::dial_next() {
    if (closing_) return;
    next_ = std::make_unique<line>();
    handshake_.expires_after(attempt_time);
    handshake_.async_wait(while_here([this, dialed = next_.get()](const boost::system::error_code& error) {
        if (!error && dialed == next_.get()) try_again("no answer"); // Otherwise it has answered while this was queued.
    }));
    dial(*next_);
}

void client_link::try_again(const std::string& why) {
    handshake_.cancel();
    discard(std::move(next_));
    if (closing_) return;
    if (give_up_at_ && now() >= *give_up_at_) {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(options_.reconnect).count();
        return give_up("cannot reconnect within " + std::to_string(seconds) + " s: " + why);
    }
    log(link::log_level::debug, "the server's successor does not answer yet: " + why);
    again_.expires_after(pause_);
    pause_ = std::min(2 * pause_, longest_pause);
    again_.async_wait(while_here([this](const boost::system::error_code& error) {
        if (!error) dial_next();
    }));
}

/// The session is over, or is replaced by another (null).
void client_link::part(const session_closed* how) {
    if (std::exchange(parted_, true)) return;
    if (how != nullptr) give_up_at_ = now() + options_.reconnect;
    user_.parted(how);
}

/// The successor has answered, and becomes the current connection.
void client_link::take_next() {
    part(nullptr);
    handshake_.cancel();
    auto before = std::exchange(line_, std::move(next_));
    if (before->socket) {
        auto* left = &*before->socket;
        closing_lines_.push_back(std::move(before));
        left->shutdown(app_error::cancel, "moved", farewell_time, while_here([this, left] {
            const auto gone = std::ranges::find_if(
                closing_lines_, [&](const auto& one) { return one->socket && &*one->socket == left; });
            if (gone == closing_lines_.end()) return;
            discard(std::move(*gone));
            closing_lines_.erase(gone);
        }));
    }
    moving_ = parted_ = false;
    give_up_at_.reset();
    moved_ = now();
}

void client_link::discard(std::unique_ptr<line> gone) {
    if (gone) boost::asio::post(on_, [held = std::shared_ptr<line>{std::move(gone)}] {});
}

} // namespace moqlite::asio
