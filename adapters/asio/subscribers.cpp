// Who subscribes to a track that is written here: how far they are, who comes and leaves, and who has everything.
#include "detail/writer_state.hpp"

#include <algorithm>
#include <chrono>
#include <moqlite/asio/error.hpp>
#include <utility>

namespace moqlite::asio {

namespace detail {

void origin_state::check_room() {
    for (auto i = rooming_.begin(); i != rooming_.end();) (*i++)->check(); // Which may leave.
}

/// Writers that subscribers may find or wait for.
template <class F>
void origin_state::for_each_writer(F&& f) {
    for (const auto& [name, w] : writers_)
        if (w != nullptr) f(*w);
    for (const auto& w : finishing_) f(*w);
}

void origin_state::sessions_move() {
    for_each_writer([](writer_state& w) { w.session_moves(); });
}

void origin_state::sessions_moved(duration return_time) {
    for_each_writer([&](writer_state& w) { w.session_moved(return_time); });
}

bool writer_state::has_room() {
    const bool waits = returning_ || mode_ == writing::complete;
    if (!core_ || (waits && subscribers_ == 0) || !core_->has_room(now())) return false;
    const auto most = track_writer_options{}.unsent_max;
    return owned_.empty() || std::ranges::any_of(owned_,
                                 [&](request_id id) { return of_->relay().has_room(of_->publishing_key(), id, most); });
}

void writer_state::await_room(completion<> done) {
    if (rooming_) return done(make_error(errc::too_many_requests));
    if (!core_ || finished_) return done(make_error(errc::closed));
    rooming_ = std::move(done);
    rooming_.on_cancel([self = weak_from_this()] {
        const auto here = self.lock();
        if (!here) return;
        here->of_->leave_room(*here);
        here->rooming_.abort();
    });
    of_->await_room(*this);
    check();
}

void writer_state::changed(const subscriber_change& what) {
    if (changing_) return std::exchange(changing_, {})({}, what);
    if (changes_.size() == of_->bounds().subscriber_changes) changes_.pop();
    changes_.push(what);
}

void writer_state::await_change(completion<subscriber_change> done) {
    if (changing_) return done(make_error(errc::too_many_requests), {});
    if (!changes_.empty()) return done({}, changes_.pop());
    if (!core_ || is_over()) return done(make_error(errc::closed), {});
    changing_ = std::move(done);
    changing_.on_cancel([self = weak_from_this()] {
        if (const auto here = self.lock()) here->changing_.abort();
    });
}

void writer_state::await_delivery(completion<> done) {
    if (delivering_) return done(make_error(errc::too_many_requests));
    if (!core_) return done(make_error(errc::closed));
    if (is_over()) return done({});
    delivering_ = std::move(done);
    delivering_.on_cancel([self = weak_from_this()] {
        if (const auto here = self.lock()) here->delivering_.abort();
    });
}

void writer_state::end_if_over() {
    if (!is_over()) return;
    if (changing_) std::exchange(changing_, {})(make_error(errc::closed), {});
    if (delivering_) std::exchange(delivering_, {})({});
    of_->release(shared_from_this());
}

void writer_state::session_moves() {
    moving_ = true;
    moved_.reset();
    if (core_ && mode_ == writing::complete) core_->keep_recent();
}

void writer_state::session_moved(duration return_time) {
    if (!moving_) return;
    moved_.emplace(of_->executor(), std::chrono::duration_cast<std::chrono::steady_clock::duration>(return_time));
    moved_->async_wait([self = weak_from_this()](const error_code& error) {
        const auto here = self.lock();
        if (error || !here) return;
        here->moving_ = here->returning_ = false;
        here->check();
        here->end_if_over();
    });
}

} // namespace detail

bool track_writer::has_room() const { return state_ && state_->has_room(); }
std::size_t track_writer::subscribers() const noexcept { return state_ ? state_->subscribers() : 0; }
std::uint64_t track_writer::undelivered() const noexcept { return state_ ? state_->undelivered() : 0; }

void track_writer::await_room(
    const std::shared_ptr<detail::writer_state>& state, detail::completion<>::handler handler) {
    state->await_room({std::move(handler), state->executor()});
}

void track_writer::await_change(
    const std::shared_ptr<detail::writer_state>& state, detail::completion<subscriber_change>::handler handler) {
    state->await_change({std::move(handler), state->executor()});
}

void track_writer::await_delivery(
    const std::shared_ptr<detail::writer_state>& state, detail::completion<>::handler handler) {
    state->await_delivery({std::move(handler), state->executor()});
}

} // namespace moqlite::asio
