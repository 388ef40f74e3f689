#include "detail/reader_state.hpp"
#include "detail/session_state.hpp"
#include "detail/writer_state.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/system/system_error.hpp>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/peers.hpp>
#include <moqlite/asio/session.hpp>

namespace moqlite::asio {

session& session::operator=(session&& other) noexcept {
    if (owner_ && state_) state_->close(app_error::cancel, {});
    state_ = std::move(other.state_);
    owner_ = std::exchange(other.owner_, false);
    return *this;
}

session::~session() {
    if (owner_ && state_) state_->close(app_error::cancel, {});
}

namespace {

const std::string none;
const link::tls_facts no_tls;

} // namespace

asio::origin session::origin() const { return asio::origin{state_ ? state_->of() : nullptr}; }

broadcast session::publish(std::string_view path) {
    if (!state_) throw boost::system::system_error{make_error(errc::closed), "publish"};
    const auto above = path::join(state_->alone(), state_->publish_root);
    return broadcast{std::make_shared<detail::broadcast_state>(state_->of(), path::normalise(path), above)};
}

void session::close(app_error code, std::string_view reason) {
    if (state_) state_->close(code, reason);
}
std::uint64_t session::number() const noexcept { return state_ ? state_->key : 0; }
bool session::is_open() const noexcept { return state_ && state_->is_open(); }
std::optional<session_end> session::ended() const {
    return state_ && !state_->is_open() ? std::optional{state_->end_of()} : std::nullopt;
}
const std::string& session::protocol() const noexcept { return state_ ? state_->protocol : none; }
bool session::is_webtransport() const noexcept { return state_ && state_->is_webtransport; }
const std::string& session::remote() const noexcept { return state_ ? state_->remote : none; }
const std::string& session::path() const noexcept { return state_ ? state_->path : none; }

session_stats session::stats() const {
    const auto* on = !state_ ? nullptr : state_->of()->connection_of(state_->key);
    return on != nullptr ? on->stats() : session_stats{};
}

const link::tls_facts& session::tls() const noexcept {
    if (!state_) return no_tls;
    // What becomes of early data is known later.
    if (const auto* on = state_->of()->connection_of(state_->key);
        on != nullptr && state_->tls.early != on->tls().early)
        state_->tls = on->tls();
    return state_->tls;
}
const std::string& session::local() const noexcept { return state_ ? state_->local : none; }

asio::announcements session::announcements(std::string_view prefix) const {
    if (!state_) return {};
    auto all = std::make_shared<detail::announcements_state>(state_->of(), prefix, state_->read_root);
    state_->add(all);
    return asio::announcements{std::move(all)};
}

namespace {

track_name below(const detail::session_state& s, const track_name& track) {
    return {path::join(s.read_root, path::normalise(track.broadcast)), track.track};
}

} // namespace

namespace {

/// A subscription to a peer that has two connections for a moment: if the one that it waits on is closed in favour of
/// the other, it is made again there.
struct peer_subscription final : std::enable_shared_from_this<peer_subscription>, detail::waiter {
    peer_subscription(std::shared_ptr<detail::session_state> s, track_name w, const subscribe_request& h)
        : on(std::move(s)), what(std::move(w)), how(h) {
        on->of()->add(static_cast<detail::waiter&>(*this));
    }
    void abandon(detail::dropped_handlers& dropped) override { done.drop(dropped); }
    void start() {
        const auto reader = std::make_shared<detail::reader_state>(on->of(), what, how);
        auto handler = boost::asio::bind_cancellation_slot(stop.slot(), [self = shared_from_this()](
                                                                            error_code error, track_reader got) {
            const auto code = remote_code(error);
            const bool moved = error == errc::closed || error == errc::transport_closed || error == errc::unroutable ||
                               code == static_cast<std::uint64_t>(connection_superseded);
            if (moved && !self->is_cancelled && self->on->is_open() && !self->on->is_closing() && self->retries-- != 0)
                return self->start();
            const bool aborted = error && self->is_cancelled;
            std::exchange(self->done, {})(
                aborted ? error_code{boost::asio::error::operation_aborted} : error, std::move(got));
        });
        reader->start({std::move(handler), on->executor()});
        on->add(reader);
    }
    void cancel() {
        is_cancelled = true; // Also between two of its subscriptions.
        stop.emit(boost::asio::cancellation_type::total);
    }
    std::shared_ptr<detail::session_state> on;
    track_name what;
    subscribe_request how;
    detail::completion<track_reader> done;
    boost::asio::cancellation_signal stop;
    bool is_cancelled = false;
    unsigned retries = 4;
};

} // namespace

void session::subscribe(const std::shared_ptr<detail::session_state>& state, const track_name& track,
    const subscribe_request& how, detail::completion<track_reader>::handler handler) {
    detail::completion<track_reader> done{std::move(handler), state->executor()};
    if (!state->read_root.empty()) {
        const auto made = std::make_shared<peer_subscription>(state, below(*state, track), how);
        made->done = std::move(done);
        made->done.on_cancel([weak = std::weak_ptr{made}] {
            if (const auto here = weak.lock()) here->cancel();
        });
        return made->start();
    }
    const auto reader = std::make_shared<detail::reader_state>(state->of(), track, how);
    reader->start(std::move(done));
    state->add(reader);
}

void session::fetch(const std::shared_ptr<detail::session_state>& state, const track_name& track, group_sequence group,
    detail::completion<group_reader>::handler handler) {
    if (const auto fetching = detail::fetch(state->of(), below(*state, track), group, std::move(handler)))
        state->add(fetching);
}

void session::refused(
    const std::shared_ptr<detail::session_state>& state, detail::completion<app_error>::handler handler) {
    state->refused({std::move(handler), state->executor()});
}

void session::closed(const std::shared_ptr<detail::session_state>& state, detail::completion<>::handler handler) {
    state->closed({std::move(handler), state->executor()});
}

void session::reconnected(const std::shared_ptr<detail::session_state>& state, detail::completion<>::handler handler) {
    state->reconnected({std::move(handler), state->executor()});
}

void session::goaway(
    const std::shared_ptr<detail::session_state>& state, detail::completion<std::string>::handler handler) {
    state->goaway({std::move(handler), state->executor()});
}

} // namespace moqlite::asio
