#include "detail/probe_state.hpp"
#include "detail/session_state.hpp"

#include <algorithm>
#include <moqlite/asio/error.hpp>
#include <new>

namespace moqlite::asio {

namespace detail {

probe_state::probe_state(std::shared_ptr<session_state> of, std::optional<std::uint64_t> target)
    : of_(std::move(of)), executor_(of_->executor()), target_(target) {
    of_->of()->add(static_cast<waiter&>(*this));
}

void probe_state::leave() noexcept {
    next_.abort();
    if (const auto of = std::exchange(of_, nullptr)) of->leave_probe(*this);
}

// The probes of a session.

void session_state::add(const std::shared_ptr<probe_state>& p) {
    if (how_) return p->end(*how_);
    probes_.push_back(p);
    const auto before = std::exchange(probe_target_, largest_target());
    ask_probe(before != probe_target_ ? probe_target_ : std::nullopt);
}

/// On a session that replaces a lost one.
void session_state::begin_probe() { ask_probe(probe_target_); }

/// The largest target of the live probes; nullopt: none has one.
std::optional<std::uint64_t> session_state::largest_target() const noexcept {
    std::optional<std::uint64_t> most;
    for (const auto& each : probes_)
        if (const auto p = each.lock()) most = std::max(most, p->target());
    return most;
}

void session_state::ask_probe(std::optional<std::uint64_t> target) {
    auto* s = of_->relay().session(key);
    if (probes_.empty() || s == nullptr || s->is_closed()) return;
    const auto begun = s->probe(target);
    if (!begun && begun.error() != errc::already_answered) end_probes(make_error(begun.error()));
    of_->wake();
}

void session_state::end_probes(error_code how) {
    for (const auto& each : std::exchange(probes_, {}))
        if (const auto p = each.lock()) p->end(how);
}

void session_state::leave_probe(const probe_state& gone) noexcept {
    const auto left = std::erase_if(probes_, [&](const auto& each) {
        const auto p = each.lock();
        return !p || p.get() == &gone;
    });
    const auto before = std::exchange(probe_target_, largest_target());
    if (left == 0 || (!probes_.empty() && before == probe_target_)) return;
    try {
        // No message takes a target back: where none is left, the probe begins again without one.
        auto* s = of_->relay().session(key);
        if (s != nullptr && !probe_target_) s->stop_probe();
        ask_probe(probe_target_);
    } catch (const std::bad_alloc&) {
        // The peer keeps the earlier target.
    }
    of_->wake();
}

void session_state::handle(const event& e) {
    if (on_probe) return on_probe(e);
    if (const auto* refused = std::get_if<watch_ended>(&e)) return announcements_refused(refused->code);
    if (const auto* refused = std::get_if<announcements_cut_off>(&e)) return handle(*refused);
    if (const auto* r = std::get_if<path_reported>(&e)) {
        for (const auto& each : probes_)
            if (const auto p = each.lock()) p->reported({r->bitrate, r->rtt});
    } else if (const auto* w = std::get_if<bitrate_wanted>(&e)) {
        wanted_ = w->bitrate;
        report_wanted();
    } else if (const auto* n = std::get_if<probe_ended>(&e)) {
        // Another session may replace one that ends.
        const auto* s = of_->relay().session(key);
        if (s != nullptr && !s->is_closed())
            end_probes(n->code == app_error::cancel ? error_code{} : make_error(n->code));
    }
}

void session_state::wanted_bitrate(completion<std::uint64_t> done) {
    if (how_) return done(*how_ ? *how_ : make_error(errc::closed), {});
    if (wanting_) return done(make_error(errc::too_many_requests), {});
    wanting_ = std::move(done);
    wanting_.on_cancel([self = weak_from_this()] {
        if (const auto here = self.lock()) here->wanting_.abort();
    });
    report_wanted();
}

void session_state::report_wanted() {
    if (wanting_ && wanted_) std::exchange(wanting_, {})({}, *std::exchange(wanted_, std::nullopt));
}

} // namespace detail

probe& probe::operator=(probe&& other) noexcept {
    leave();
    state_ = std::move(other.state_);
    return *this;
}

void probe::leave() noexcept {
    if (const auto state = std::exchange(state_, nullptr)) state->leave();
}

void probe::next(const std::shared_ptr<detail::probe_state>& state,
    detail::completion<std::optional<probe_report>>::handler handler) {
    state->next({std::move(handler), state->executor()});
}

probe session::probe(std::optional<std::uint64_t> target) {
    if (!state_) return {};
    auto made = std::make_shared<detail::probe_state>(state_, target);
    state_->add(made);
    return asio::probe{std::move(made)};
}

void session::wanted_bitrate(
    const std::shared_ptr<detail::session_state>& state, detail::completion<std::uint64_t>::handler handler) {
    state->wanted_bitrate({std::move(handler), state->executor()});
}

} // namespace moqlite::asio
