// PROBE, both ways: a publisher tells what it has measured of the path, a subscriber asks for that.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <moqlite/core/result.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/wire/lite/probe.hpp>
#include <moqlite/wire/lite/setup.hpp>
#include <optional>

namespace moqlite::detail {

class probing {
public:
    explicit probing(context& c) noexcept : c_(c) {}

    // The publisher's side.

    /// The peer asks for reports. Whoever asks again is told there.
    void asked(control_stream& s) {
        s.kind = control_kind::probe_in;
        s.first_arrived();
        if (asker_ != nullptr) c_.out.finish(*asker_);
        asker_ = &s;
        told_.reset();
        report();
    }
    void peer_left(control_stream& s) {
        if (asker_ == &s) asker_ = nullptr;
        c_.out.finish(s);
    }
    /// When a report is due even though nothing moved.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept {
        if (asker_ == nullptr || !told_) return std::nullopt;
        return told_at_ + longest;
    }
    /// Says what was measured, if that is news.
    void report() {
        const bool known = c_.path.rtt > duration{} || c_.path.rate != 0;
        if (!known) told_.reset(); // Nothing is due before something is measured again, and that is news.
        if (asker_ == nullptr || !known || (told_ && !is_news())) return;
        told_ = c_.path;
        told_at_ = c_.now;
        if (asker_->out.unsent() != 0) return; // It does not read them: the next may do.
        wire::lite::probe message;
        if (c_.path.rate != 0) message.bitrate = std::min(c_.path.rate, wire::varint_max);
        if (c_.path.rtt > duration{}) message.rtt = std::chrono::duration_cast<milliseconds>(c_.path.rtt);
        static_cast<void>(c_.send(*asker_, message));
    }

    // The subscriber's side.

    /// Asks, as soon as it is known that the publisher can tell; errc::unsupported: it cannot.
    result<void> start() {
        if (ours_ != nullptr || wanted_) return errc::already_answered;
        if (!has_setup(c_.dialect) || can_tell_.value_or(false)) return open(), result<void>{};
        if (can_tell_.has_value()) return errc::unsupported;
        wanted_ = true;
        return {};
    }
    void stop() {
        wanted_ = false;
        control_stream* s = std::exchange(ours_, nullptr);
        if (s == nullptr) return;
        if (!s->is_bound()) return c_.drop_control(*s, app_error::cancel);
        c_.out.finish(*s);
        c_.abandon_reading(*s, app_error::cancel);
    }
    void peer_said(wire::lite::probe_level level) {
        can_tell_ = level != wire::lite::probe_level::none;
        if (!wanted_) return;
        *can_tell_ ? open() : c_.emit(probe_ended{app_error::unsupported});
        wanted_ = false;
    }
    errc report_arrived(byte_view body) {
        const auto m = wire::lite::decode<wire::lite::probe>(c_.dialect, body, c_.bounds);
        if (!m) return m.error();
        c_.emit(path_reported{m->bitrate, m->rtt});
        return errc::ok;
    }
    void ended(control_stream& s, app_error code) {
        if (ours_ != &s) return;
        ours_ = nullptr;
        c_.out.finish(s);
        c_.emit(probe_ended{code});
    }
    /// The connection has ended; false: nothing was asked.
    bool end(app_error code) {
        asker_ = nullptr;
        if (std::exchange(ours_, nullptr) == nullptr && !std::exchange(wanted_, false)) return false;
        c_.emit(probe_ended{code});
        return true;
    }

private:
    void open() { ours_ = &c_.open_control(control_kind::probe_out, wire::lite::bidi_type::probe); }
    /// A quarter more or less is; of the rate ever less as the last report gets old (moq-lite-wire §9.8).
    [[nodiscard]] bool is_news() const noexcept {
        const auto age = c_.now - told_at_;
        if (age < shortest) return false;
        if (age >= longest) return true;
        const auto share = [](auto now, auto before) {
            const auto a = static_cast<double>(now), b = static_cast<double>(before);
            return b == 0 ? (a == 0 ? 0.0 : 1.0) : std::max(a - b, b - a) / b;
        };
        const auto left = 1 - std::chrono::duration<double>(age) / std::chrono::duration<double>(longest);
        const auto rate = share(c_.path.rate, told_->rate);
        return share(c_.path.rtt.count(), told_->rtt.count()) >= quarter || (rate != 0 && rate >= quarter * left);
    }

    static constexpr double quarter = 0.25;
    static constexpr duration shortest = std::chrono::milliseconds{100};
    static constexpr duration longest = std::chrono::seconds{10};
    context& c_;
    control_stream* asker_ = nullptr;
    std::optional<path_facts> told_; ///< What was reported last.
    time_point told_at_{};
    control_stream* ours_ = nullptr;
    bool wanted_ = false;          ///< Asked for before it was known whether the publisher can tell.
    std::optional<bool> can_tell_; ///< As its SETUP says.
};

} // namespace moqlite::detail
