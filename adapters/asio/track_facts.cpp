// What a reader of a track tells beside its groups.
#include "detail/reader_state.hpp"

#include <moqlite/asio/error.hpp>

namespace moqlite::asio {

namespace detail {

void reader_state::restarted(completion<> done) {
    if (restarting_) return done(make_error(errc::too_many_requests));
    if (left_) return done(make_error(errc::closed));
    restarting_ = std::move(done);
    restarting_.on_cancel([self = weak_from_this()] {
        if (const auto here = self.lock()) here->restarting_.abort();
    });
    updated();
}

void reader_state::info(completion<track_info> done) {
    if (asking_) return done(make_error(errc::too_many_requests), {});
    if (left_) return done(make_error(errc::closed), {});
    const auto id = of_->reading().request_track({name_.broadcast, name_.track});
    if (!id) return done(make_error(id.error()), {});
    query_ = *id;
    of_->add(*id, *this);
    asking_ = std::move(done);
    asking_.on_cancel([self = weak_from_this()] {
        if (const auto here = self.lock()) here->stop_asking();
    });
    of_->wake();
}

void reader_state::informed(error_code error, const track_info& info) {
    of_->remove(*std::exchange(query_, std::nullopt));
    if (asking_) std::exchange(asking_, {})(error, info);
}

void reader_state::stop_asking() noexcept {
    if (query_) {
        static_cast<void>(of_->reading().cancel(*query_));
        of_->remove(*std::exchange(query_, std::nullopt));
        of_->wake();
    }
    asking_.abort();
}

} // namespace detail

std::optional<lost_groups> track_reader::lost() { return state_ ? state_->core().poll_lost() : std::nullopt; }
std::uint64_t track_reader::restarts() const noexcept { return state_ ? state_->core().restarts() : 0; }

bool track_reader::is_cut_off() const noexcept {
    return state_ && (state_->core().following() || state_->core().failed());
}
std::optional<group_sequence> track_reader::first_group() const noexcept {
    return state_ ? state_->core().first_group() : std::nullopt;
}
std::uint64_t track_reader::groups_read() const noexcept { return state_ ? state_->core().groups_read() : 0; }
std::optional<group_sequence> track_reader::last_complete_group() const noexcept {
    return state_ ? state_->core().last_complete_group() : std::nullopt;
}

void track_reader::restarted(
    const std::shared_ptr<detail::reader_state>& state, detail::completion<>::handler handler) {
    state->restarted({std::move(handler), state->executor()});
}

void track_reader::info(
    const std::shared_ptr<detail::reader_state>& state, detail::completion<track_info>::handler handler) {
    state->info({std::move(handler), state->executor()});
}

} // namespace moqlite::asio
