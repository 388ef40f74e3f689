// PROBE, in both roles: a publisher reports its measurements of the path, a subscriber asks for them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <moqlite/core/result.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/session/detail/take.hpp>
#include <moqlite/wire/lite/probe.hpp>
#include <moqlite/wire/lite/setup.hpp>
#include <optional>

namespace moqlite::detail {

class probing {
public:
    explicit probing(context& c) noexcept : c_(c) {}

    // The publisher's side.

    /// The peer asks for reports. A second request replaces the first.
    void request_arrived(control_stream& s) {
        s.kind = control_kind::probe_in;
        s.first_arrived();
        if (peer_probe_ != nullptr) c_.out.finish(*peer_probe_);
        peer_probe_ = &s;
        reported_.reset();
        report();
    }
    /// Target bitrates, of which some peers send none; what is no PROBE is ignored, since a reset ends some peers.
    wire::taken<std::size_t> target_arrived(byte_view in) {
        const auto used = take_one(c_, in, [&](byte_view body) {
            const auto m = wire::lite::decode<wire::lite::probe>(c_.dialect, body, c_.bounds);
            if (m && m->bitrate) c_.emit(bitrate_wanted{*m->bitrate});
            return errc::ok;
        });
        return used.status == wire::progress::error ? wire::taken<std::size_t>{in.size()} : used;
    }
    void peer_left(control_stream& s) {
        if (peer_probe_ == &s) peer_probe_ = nullptr;
        c_.out.finish(s);
    }
    /// When a report is due even though nothing has changed.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept {
        if (peer_probe_ == nullptr || !reported_) return std::nullopt;
        return reported_at_ + interval_max;
    }
    /// Reports the measurements, if they have changed significantly.
    void report() {
        const bool known = c_.path.rtt > duration{} || c_.path.rate != 0;
        if (!known)
            reported_.reset(); // No report is due before the next measurement, which then counts as significant.
        if (peer_probe_ == nullptr || !known || (reported_ && !is_significant())) return;
        reported_ = c_.path;
        reported_at_ = c_.now;
        if (peer_probe_->out.unsent() != 0) return; // The last report is still unsent: skip this one.
        wire::lite::probe message;
        if (c_.path.rate != 0) message.bitrate = std::min(c_.path.rate, wire::varint_max);
        if (c_.path.rtt > duration{}) message.rtt = std::chrono::duration_cast<milliseconds>(c_.path.rtt);
        static_cast<void>(c_.send(*peer_probe_, message));
    }

    // The subscriber's side.

    /// Asks, once it is known that the publisher reports; errc::unsupported: it does not.
    result<void> start(std::optional<std::uint64_t> target) {
        if (our_probe_ != nullptr || start_pending_) {
            if (!target) return errc::already_answered;
            target_ = target;
            if (our_probe_ != nullptr) send_target();
            return {};
        }
        target_ = target;
        if (c_.peer_leaves) return errc::going_away;
        if (!has_setup(c_.dialect) || peer_reports_.value_or(false)) return open(), result<void>{};
        if (peer_reports_.has_value()) return errc::unsupported;
        start_pending_ = true;
        return {};
    }
    void stop() {
        start_pending_ = false;
        control_stream* s = std::exchange(our_probe_, nullptr);
        if (s == nullptr) return;
        if (!s->is_bound()) return c_.drop_control(*s, app_error::cancel);
        c_.out.finish(*s);
        c_.abandon_reading(*s, app_error::cancel);
    }
    void set_peer_level(wire::lite::probe_level level) {
        peer_reports_ = level != wire::lite::probe_level::none;
        if (!start_pending_) return;
        const bool opens = *peer_reports_ && !c_.peer_leaves;
        opens ? open() : c_.emit(probe_ended{*peer_reports_ ? app_error::going_away : app_error::unsupported});
        start_pending_ = false;
    }
    errc report_arrived(byte_view body) {
        const auto m = wire::lite::decode<wire::lite::probe>(c_.dialect, body, c_.bounds);
        if (!m) return m.error();
        c_.emit(path_reported{m->bitrate, m->rtt});
        return errc::ok;
    }
    void ended(control_stream& s, app_error code) {
        if (our_probe_ != &s) return;
        our_probe_ = nullptr;
        c_.out.finish(s);
        c_.emit(probe_ended{code});
    }
    /// The connection has ended; false: no probe was open.
    bool end(app_error code) {
        peer_probe_ = nullptr;
        if (std::exchange(our_probe_, nullptr) == nullptr && !std::exchange(start_pending_, false)) return false;
        c_.emit(probe_ended{code});
        return true;
    }

private:
    void open() {
        our_probe_ = &c_.open_control(control_kind::probe_out, wire::lite::bidi_type::probe);
        if (target_) send_target();
    }
    void send_target() {
        if (our_probe_->out.unsent() < c_.bounds.control_unsent / 2)
            static_cast<void>(c_.send(*our_probe_, wire::lite::probe{.bitrate = std::min(*target_, wire::varint_max)}));
    }
    /// A change by a quarter is significant; for the rate the threshold falls as the last report ages (moq-lite-wire
    /// §9.8).
    [[nodiscard]] bool is_significant() const noexcept {
        const auto age = c_.now - reported_at_;
        if (age < interval_min) return false;
        if (age >= interval_max) return true;
        const auto share = [](auto now, auto before) {
            const auto a = static_cast<double>(now), b = static_cast<double>(before);
            return b == 0 ? (a == 0 ? 0.0 : 1.0) : std::max(a - b, b - a) / b;
        };
        const auto left = 1 - std::chrono::duration<double>(age) / std::chrono::duration<double>(interval_max);
        const auto rate = share(c_.path.rate, reported_->rate);
        return share(c_.path.rtt.count(), reported_->rtt.count()) >= quarter || (rate != 0 && rate >= quarter * left);
    }

    static constexpr double quarter = 0.25;
    static constexpr duration interval_min = std::chrono::milliseconds{100};
    static constexpr duration interval_max = std::chrono::seconds{10};
    context& c_;
    control_stream* peer_probe_ = nullptr;
    std::optional<path_facts> reported_; ///< The last report.
    time_point reported_at_{};
    control_stream* our_probe_ = nullptr;
    std::optional<std::uint64_t> target_; ///< Of our probe.
    bool start_pending_ = false;          ///< start() was called before it was known whether the publisher reports.
    std::optional<bool> peer_reports_;    ///< From the peer's SETUP.
};

} // namespace moqlite::detail
