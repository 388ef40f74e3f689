// The subscriber's half of a session: subscriptions, their updates, and the publisher's answers.
#pragma once

#include <algorithm>
#include <moqlite/core/result.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/session/detail/incoming_groups.hpp>
#include <moqlite/session/detail/subscription.hpp>
#include <moqlite/session/detail/subscription_table.hpp>
#include <moqlite/wire/lite/subscribe_response.hpp>
#include <optional>
#include <utility>
#include <variant>

namespace moqlite::detail {

class subscribing {
public:
    explicit subscribing(context& c) noexcept : c_(c), subscriptions_(c), groups_(c, subscriptions_) {}

    [[nodiscard]] incoming_groups& groups() noexcept { return groups_; }

    result<subscribe_id> subscribe(const track_ref& track, const subscribe_options& options) {
        const auto broadcast = c_.names.relative_published(track.broadcast);
        if (!broadcast) return errc::out_of_scope;
        const wire::lite::subscribe message{
            subscriptions_.next_id(), c_.names.written_path(*broadcast), track.track, options};
        if (const auto why = c_.encodable(message); why != errc::ok) return why;
        if (const auto why = c_.may_request(); why != errc::ok) return why;
        subscriptions_.make_room();
        auto& stream = c_.open_control(control_kind::subscribe_out, wire::lite::bidi_type::subscribe, message);
        auto& s = subscriptions_.add(options);
        s.stream = &stream;
        stream.owner = number(s.id);
        return s.id;
    }

    result<void> update(subscribe_id id, const subscribe_changes& changes) {
        subscription* s = subscriptions_.find(id);
        // After its FIN the publisher does not read our updates.
        if (s == nullptr || s->stream == nullptr || s->fin_arrived) return errc::not_found;
        const auto options = changes.applied_to(s->options);
        if (s->options == options) return {};
        if (const auto why = c_.encodable(wire::lite::subscribe_update{options}); why != errc::ok) return why;
        const auto served = s->served.raised_to(options);
        if (served.is_before(options.start, options.frame_start)) return errc::bad_frame_range;
        s->served = served;
        s->options = options;
        s->note_frame_start();
        if (changes.start) s->new_start = changes.start;
        write_soon(*s);
        if (s->lowest && changes.start) s->lowest = std::min(*s->lowest, *changes.start);
        if (!options.end)
            s->highest.reset();
        else if (s->highest)
            s->highest = std::max(*s->highest, *options.end);
        return {};
    }

    result<void> repeat_update(subscribe_id id) {
        subscription* s = subscriptions_.find(id);
        if (s == nullptr || s->stream == nullptr || s->fin_arrived) return errc::not_found;
        s->repeats = true;
        write_soon(*s);
        return {};
    }

    /// Writes the updates since the last pump, coalesced into one message per subscription; none while the previous one
    /// is still unsent.
    void write_updates() {
        for (; !updates_.empty(); updates_.pop_front()) { // Removed after it is written, which allocates.
            auto& s = updates_.front();
            if (s.stream == nullptr || s.fin_arrived) continue;
            s.update_waits = s.stream->out.unsent() != 0;
            if (!s.update_waits) write_update(s);
        }
    }
    /// All bytes of a subscribe stream of ours have been written.
    void request_sent(const control_stream& stream) {
        subscription* s = subscriptions_.find(subscribe_id{stream.owner});
        if (s == nullptr || !std::exchange(s->update_waits, false) || s->fin_arrived) return;
        write_update(*s);
    }

    result<void> unsubscribe(subscribe_id id, app_error code) {
        subscription* s = subscriptions_.find(id);
        if (s == nullptr) return errc::not_found;
        std::size_t stops = 2; // Allocates first: a half-ended subscription would be found again.
        s->groups.for_each([&](incoming_group&) { ++stops; });
        c_.out.make_room(stops);
        s->groups.for_each([&](incoming_group& g) { groups_.refuse(g, code); });
        // A FIN ends the subscription, or a reset if there is a code; further answers of the publisher are not read.
        control_stream* stream = s->stream;
        if (stream != nullptr && stream->is_bound() && code == app_error::cancel) {
            c_.out.finish(*stream);
            c_.abandon_reading(*stream, code);
        } else if (stream != nullptr) {
            c_.drop_control(*stream, code);
        }
        subscriptions_.forget(*s);
        return {};
    }

    /// Whether a group of that sequence was requested.
    [[nodiscard]] bool wants(subscribe_id id, group_sequence sequence) noexcept {
        const subscription* s = subscriptions_.find(id);
        return s != nullptr && subscription_table::covers(*s, sequence) && !s->has_ended_before(sequence);
    }

    // Answers of the publisher.

    /// Parses one answer from the front of `in`.
    wire::taken<std::size_t> parse(control_stream& stream, byte_view in) {
        const auto message = wire::lite::take_typed_message(
            c_.dialect, in, c_.bounds.control_message, wire::lite::subscribe_response_types(c_.dialect));
        if (message.status == wire::progress::error) return message.error;
        if (!message) return {};
        if (const auto why = response(stream, *message); why != errc::ok) return why;
        return message->size;
    }
    errc response(control_stream& stream, const wire::typed_framed& message) {
        subscription* s = subscriptions_.find(subscribe_id{stream.owner});
        if (s == nullptr) return errc::ok;
        const auto decoded = wire::lite::decode_subscribe_response(c_.dialect, message, c_.bounds);
        if (!decoded) return decoded.error();
        if (const auto* ok = std::get_if<wire::lite::subscribe_ok>(&*decoded)) {
            subscriptions_.accepted(*s, *ok);
        } else if (has_options_in_ok(c_.dialect) && !s->answered) {
            return errc::response_before_ok;
        } else if (const auto* end = std::get_if<wire::lite::subscribe_end>(&*decoded)) {
            return end_arrived(stream, *s, *end);
        } else if (const auto* drop = std::get_if<wire::lite::subscribe_drop>(&*decoded)) {
            if (drop->end < drop->start) return errc::group_out_of_range;
            s->accounted += number(drop->end) - number(drop->start) + 1;
            c_.emit(groups_dropped{s->id, drop->start, drop->end, drop->code.received(c_.codes.of(stream))});
        }
        return errc::ok;
    }
    errc end_arrived(control_stream& stream, subscription& s, const wire::lite::subscribe_end& end) {
        if (s.beyond > end.group) {
            if (must_send_end(c_.dialect)) return errc::group_out_of_range;
            // In earlier versions only the message fails: some publishers have sent the last group instead.
            c_.emit(stream_rejected{stream.id, errc::group_out_of_range});
            return errc::ok;
        }
        s.end = end.group;
        if (has_stream_count(c_.dialect)) s.streams = end.streams;
        c_.emit(subscription_end_known{s.id, end.group});
        return errc::ok;
    }
    /// The peer's side of a subscribe stream of ours has ended.
    void stream_ended(control_stream& stream, bool finished, app_error code) {
        if (subscription* s = subscriptions_.find(subscribe_id{stream.owner})) {
            if (finished && must_send_end(c_.dialect) && !s->end) {
                c_.emit(stream_rejected{stream.id, errc::end_missing});
                return groups_.end(*s, false, wire_code(errc::end_missing));
            }
            s->fin_arrived = finished;
            // Groups that still arrive were sent before the FIN.
            if (finished && !s->groups.empty()) return;
            finished ? subscriptions_.end_cleanly(*s) : groups_.end(*s, false, code);
        }
    }
    /// A subscribe stream of ours has closed.
    void stream_gone(control_stream& stream) {
        subscription* s = subscriptions_.find(subscribe_id{stream.owner});
        if (s == nullptr) return;
        s->stream = nullptr;
        if (!s->fin_arrived) return groups_.end(*s, false, app_error::cancel);
        if (s->groups.empty()) subscriptions_.end_cleanly(*s);
    }
    [[nodiscard]] std::optional<time_point> quiet_until() const noexcept { return subscriptions_.quiet_until(); }
    void end_quiet() { subscriptions_.end_quiet(); }
    /// Ends one group or subscription because the connection has ended; false: none is left.
    bool end_one(app_error code) {
        if (groups_.end_one(code)) return true;
        if (subscription* s = subscriptions_.first()) {
            // A publisher that ends the track, and then the session without error, has sent everything.
            const bool well = s->list_hook<quiet_tag>::linked() && c_.closing->by_peer && code == app_error::cancel;
            return groups_.end(*s, well, code), true;
        }
        return false;
    }

private:
    void write_soon(subscription& s) {
        if (!s.list_hook<update_tag>::linked() && !s.update_waits) updates_.push_back(s);
        c_.ready.mark();
    }
    void write_update(subscription& s) {
        if (!s.repeats && s.options == s.requested && !s.new_start) return;
        static_cast<void>(c_.send(*s.stream, wire::lite::subscribe_update{s.options}));
        s.repeats = false;
        s.requested = s.options;
        s.new_start.reset(); // The options keep it: without a start some publishers return to the latest group.
    }

    context& c_;
    subscription_table subscriptions_;
    incoming_groups groups_;
    list<subscription, update_tag> updates_; ///< Subscriptions with an update to write.
};

} // namespace moqlite::detail
