// GOAWAY: the relay's successor is dialed at once, and again until it answers.
#include "client_line.hpp"
#include "exit_code.hpp"
#include "text.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <moqlite/asio/clock.hpp>
#include <spdlog/spdlog.h>
#include <utility>

namespace moqlite::programs {

namespace {

// A relay that drains refuses at once, one that is gone is silent or unreachable.
constexpr duration first_pause = std::chrono::milliseconds{100};
constexpr duration longest_pause = std::chrono::milliseconds{500};
constexpr auto attempt_time = std::chrono::seconds{3};
/// Relays that send each other's clients away must not keep them spinning.
constexpr duration between_moves = std::chrono::seconds{1};

} // namespace

void client_link::move_to(std::string_view uri) {
    if (options_.reconnect <= 0 || moving_) return;
    std::string why;
    const auto there = uri.empty() ? std::optional{where_} : parse_url(uri, why);
    if (!there) spdlog::warn("the relay names a successor that cannot be reached: {}", printable(why));
    where_ = there.value_or(where_);
    moving_ = true;
    pause_ = first_pause;
    again_.expires_at(asio::to_steady(std::max(asio::now(), moved_ + between_moves)));
    again_.async_wait([this](const boost::system::error_code& error) {
        if (!error) dial_next();
    });
}

void client_link::dial_next() {
    if (finishing()) return;
    next_ = std::make_unique<line>();
    handshake_.expires_after(attempt_time);
    handshake_.async_wait([this](const boost::system::error_code& error) {
        if (!error) try_again("no answer");
    });
    dial(*next_);
}

void client_link::try_again(const std::string& why) {
    handshake_.cancel();
    discard(std::move(next_));
    if (finishing()) return;
    if (give_up_at_ && asio::now() >= *give_up_at_)
        return finish(
            exit_failure, "cannot connect again within " + fmt::format("{}", options_.reconnect) + " s: " + why);
    spdlog::debug("the relay's successor does not answer yet: {}", why);
    again_.expires_after(pause_);
    pause_ = std::min(2 * pause_, longest_pause);
    again_.async_wait([this](const boost::system::error_code& error) {
        if (!error) dial_next();
    });
}

/// The session is over, for `why`, or is left for another.
void client_link::part(const std::string& why) {
    if (std::exchange(parted_, true)) return;
    user_.parted();
    if (why.empty() || finishing()) return;
    give_up_at_ = asio::now() + std::chrono::duration_cast<duration>(std::chrono::duration<double>{options_.reconnect});
    spdlog::info("session {}; connecting again", why);
}

/// The successor has answered, and is what we are connected to from now on.
void client_link::take_next() {
    part({});
    handshake_.cancel();
    auto before = std::exchange(line_, std::move(next_));
    if (before->client) {
        auto* client = &*before->client;
        farewell_.push_back(std::move(before));
        client->shutdown(app_error::cancel, "moved", farewell_time, [this, client] {
            const auto gone = std::ranges::find_if(
                farewell_, [&](const auto& one) { return one->client && &*one->client == client; });
            if (gone == farewell_.end()) return;
            discard(std::move(*gone));
            farewell_.erase(gone);
        });
    }
    moving_ = parted_ = false;
    give_up_at_.reset();
    moved_ = asio::now();
}

void client_link::discard(std::unique_ptr<line> gone) {
    if (gone) boost::asio::post(io_, [held = std::shared_ptr<line>{std::move(gone)}] {});
}

} // namespace moqlite::programs
