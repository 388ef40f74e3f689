#include "detail/reader_state.hpp"

#include <boost/asio/post.hpp>
#include <moqlite/asio/error.hpp>

namespace moqlite::asio {

namespace detail {

announcements_state::announcements_state(std::shared_ptr<origin_state> of, std::string_view prefix, std::string root)
    : of_(std::move(of)), root_(std::move(root)) {
    of_->add(static_cast<waiter&>(*this));
    const auto watch = of_->reading().watch(path::join(root_, path::normalise(prefix)));
    if (!watch) return;
    watch_ = *watch;
    of_->add(*watch, *this);
    of_->wake();
}

void announcements_state::handle(announcement what) {
    if (const auto shown = path::strip(what.path, root_); shown && !root_.empty()) what.path = std::string(*shown);
    if (!what.available && !known_.contains(what.path))
        changes_.erase(what.path); // It has come and gone unread.
    else
        changes_[what.path] = what;
    check();
}

void announcements_state::next(
    completion<std::optional<announcement>> done, const std::shared_ptr<announcements_state>& self) {
    if (next_) return done(make_error(errc::too_many_requests), {});
    if (!watch_) return done(make_error(errc::too_many_requests), {});
    next_ = std::move(done);
    next_.on_cancel([weak = std::weak_ptr{self}] {
        if (const auto here = weak.lock()) here->next_.abort();
    });
    check();
    of_->wake();
}

void announcements_state::check() {
    if (!next_) return;
    if (changes_.empty()) {
        if (ended_) std::exchange(next_, {})(*ended_, {});
        return;
    }
    auto first = changes_.extract(changes_.begin());
    auto& what = first.mapped();
    if (what.available)
        known_.insert(what.path);
    else
        known_.erase(what.path);
    std::exchange(next_, {})({}, std::move(what));
}

void announcements_state::session_ended(error_code why) {
    // Its peer's broadcasts end in the same turn: they are reported first.
    boost::asio::post(executor(), [weak = weak_from_this(), why] {
        const auto here = weak.lock();
        if (!here) return;
        here->ended_ = why == errc::closed ? error_code{} : why;
        here->check();
    });
}

void announcements_state::leave() noexcept {
    next_.abort();
    if (!watch_) return;
    of_->remove(*watch_);
    static_cast<void>(of_->reading().unwatch(*std::exchange(watch_, std::nullopt)));
}

} // namespace detail

announcements& announcements::operator=(announcements&& other) noexcept {
    leave();
    state_ = std::move(other.state_);
    return *this;
}

void announcements::next(const std::shared_ptr<detail::announcements_state>& state,
    detail::completion<std::optional<announcement>>::handler handler) {
    state->next({std::move(handler), state->executor()}, state);
}

void announcements::leave() noexcept {
    if (const auto state = std::exchange(state_, nullptr)) state->leave();
}

} // namespace moqlite::asio
