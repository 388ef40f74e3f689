// Groups that arrive, on streams of the peer or in answer to a FETCH: parsed, and reported or collected.
#pragma once

#include <algorithm>
#include <moqlite/core/result.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/session/detail/subscription.hpp>
#include <moqlite/session/detail/subscription_table.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/wire/lite/fetch.hpp>
#include <moqlite/wire/lite/group.hpp>
#include <utility>

namespace moqlite::detail {

class incoming_groups {
public:
    incoming_groups(context& c, subscription_table& subscriptions) noexcept : c_(c), subscriptions_(subscriptions) {}

    /// The returned id identifies the group in events.
    result<group_id> fetch(
        const track_ref& track, group_sequence sequence, moqlite::priority priority, const frame_range& frames) {
        const auto broadcast = c_.names.relative_published(track.broadcast);
        if (!broadcast) return errc::out_of_scope;
        const wire::lite::fetch message{
            c_.names.written_path(*broadcast), track.track, priority, sequence, frames.first, frames.last};
        if (const auto why = c_.encodable(message); why != errc::ok) return why;
        if (const auto why = c_.may_request(); why != errc::ok) return why;
        groups_.make_room();
        fetches_.make_room();
        auto& stream = c_.open_control(control_kind::fetch_out, wire::lite::bidi_type::fetch, message);
        stream.owner = next_fetch_++;
        auto& g = groups_.make();
        g.name = group_id{fetch_mark | stream.owner};
        g.sequence = sequence;
        g.fetch = &stream;
        g.frame = g.first = number(frames.first);
        if (frames.last) g.last = number(*frames.last);
        g.at = incoming_group::stage::header;
        stream.fetching = &g;
        fetches_.insert(stream.owner, g);
        return g.name;
    }

    result<void> collect(group_id id, group_ref log) {
        incoming_group* g = group(id);
        if (g == nullptr || g->at == incoming_group::stage::ended) return errc::not_found;
        if (!log || log->size() != 0 || log->ended() != group::state::open) return errc::invalid_argument;
        if (number(log->first_object()) != g->first) return errc::invalid_argument;
        if (has_timestamps(c_.frames) && !has_timestamps(log->format())) return errc::unsupported;
        if (g->frame != g->first || g->at != incoming_group::stage::header) return errc::invalid_argument;
        g->collect(std::move(log), c_);
        return {};
    }

    result<void> release(group_id id, std::uint64_t bytes) {
        incoming_group* g = group(id);
        if (g == nullptr) return errc::not_found;
        if (bytes > g->unreleased) return errc::invalid_argument;
        g->unreleased -= bytes;
        c_.out.give_credit(*g, bytes);
        return {};
    }

    result<void> stop(group_id id, app_error code) {
        incoming_group* g = group(id);
        if (g == nullptr || g->at == incoming_group::stage::ended) return errc::not_found;
        subscription* s = g->of;
        refuse(*g, code);
        if (control_stream* request = g->fetch; request != nullptr && !request->is_bound()) {
            remove(*g);
            c_.drop_control(*request, code);
        }
        if (s != nullptr && s->fin_arrived && s->groups.empty()) subscriptions_.end_cleanly(*s);
        return {};
    }

    // Facts about streams.

    incoming_group& open(stream_id id) {
        auto& g = groups_.make();
        g.id = id;
        g.name = group_id{number(id)};
        return g;
    }
    /// The stream has not identified its group in time.
    void timed_out(incoming_group& g) { reject(g, errc::stream_timeout); }
    [[nodiscard]] std::size_t size() const noexcept { return groups_.size(); }
    void destroy(incoming_group& g) {
        if (g.at != incoming_group::stage::ended) cut(g, app_error::cancel);
        remove(g);
    }
    /// Parses until there is an event or `in` is empty. True: the stream is not a group but the peer's SETUP, whose
    /// remaining bytes are `in`.
    bool parse(incoming_group& g, byte_view& in) {
        while (c_.events.empty() && !c_.closing) {
            switch (g.at) {
            case incoming_group::stage::prefix: {
                bool setup = false;
                if (!parse_prefix(g, in, setup)) return setup;
                break;
            }
            case incoming_group::stage::header:
                if (!parse_header(g, in)) return false;
                break;
            case incoming_group::stage::payload:
                if (!parse_payload(g, in)) return false;
                break;
            case incoming_group::stage::ended: in = {}; return false;
            }
        }
        return false;
    }

    /// Their FIN, after all bytes were parsed.
    void finished(incoming_group& g) {
        g.fin_arrived = true;
        if (g.fetch != nullptr) g.fetch->read_ended();
        if (g.at == incoming_group::stage::ended) return;
        if (g.at == incoming_group::stage::header && g.partial_size == 0)
            return close_group(g, true, app_error::cancel);
        c_.emit(stream_rejected{g.id, errc::stream_ended_early});
        cut(g, wire_code(errc::stream_ended_early));
    }
    void was_reset(incoming_group& g, app_error code) {
        g.fin_arrived = true;
        if (g.at != incoming_group::stage::ended) cut(g, code);
    }
    /// Ends groups because the connection has ended, until one is reported; false: none is left.
    bool end_one(app_error code) {
        for (incoming_group* g = groups_.first(); g != nullptr; g = groups_.first()) {
            if (g->of != nullptr) g->of->fin_arrived = false; // The subscription no longer ends cleanly.
            const bool reported = g->at != incoming_group::stage::ended;
            if (reported) cut(*g, code);
            if (g->fetch == nullptr) c_.streams.erase(g->id); // Commands no longer find it.
            remove(*g);
            if (!c_.events.empty()) return true;
        }
        return false;
    }

    // The end of a group's subscription.

    void refuse(incoming_group& g, app_error code) {
        if (g.at == incoming_group::stage::ended) return;
        if (!g.fin_arrived) stop_stream(g, code);
        if (g.log) g.log->abort(code);
        leave(g);
    }
    /// Ends a subscription that did not end cleanly, or may not have, with its arriving groups.
    void end(subscription& s, bool finished, app_error code) {
        s.groups.for_each([&](incoming_group& g) {
            if (!g.fin_arrived) c_.out.stop(g.id, code);
            cut(g, code);
        });
        subscriptions_.close(s, finished, code);
    }
    void cut(incoming_group& g, app_error code) {
        if (g.log) g.log->abort(code);
        if (g.of == nullptr && g.fetch == nullptr) return leave(g);
        close_group(g, false, code);
    }

private:
    incoming_group* group(group_id id) noexcept {
        if ((number(id) & fetch_mark) != 0) return fetches_.find(number(id) & ~fetch_mark);
        auto* found = c_.streams.find(stream_id{number(id)});
        return found != nullptr ? found->incoming() : nullptr;
    }
    bool parse_prefix(incoming_group& g, byte_view& in, bool& setup) {
        std::size_t kept = 0;
        const auto view = g.join(in, kept);
        const auto type = wire::lite::take_uni_type(c_.dialect, view);
        if (type.status == wire::progress::error) return reject(g, type.error), in = {}, false;
        if (!type) return credit_read(g, in.size()), g.keep(in), false;
        if (type->type == wire::lite::uni_type::setup) {
            credit_read(g, type->size - kept);
            in = in.subspan(type->size - kept);
            setup = true;
            return false;
        }
        const auto message =
            wire::lite::take_message(c_.dialect, view.subspan(type->size), wire::lite::group_size_max(c_.dialect));
        if (message.status == wire::progress::error) return reject(g, message.error), in = {}, false;
        if (!message) return credit_read(g, in.size()), g.keep(in), false;
        const auto header = wire::lite::decode<wire::lite::group_header>(c_.dialect, message->body, c_.bounds);
        const auto fresh = type->size + message->size - kept;
        in = in.subspan(fresh);
        credit_read(g, fresh);
        g.partial_size = 0;
        if (!header) return reject(g, header.error()), in = {}, false;
        return begin(g, *header);
    }
    bool begin(incoming_group& g, const wire::lite::group_header& header) {
        g.list_hook<silent_tag>::unlink();
        subscription* s = subscriptions_.find(subscribe_id{header.subscription});
        if (s == nullptr && header.subscription < subscriptions_.next_id())
            return refuse(g, app_error::cancel), true; // We have unsubscribed.
        if (s == nullptr) return reject(g, errc::unknown_subscription), true;
        ++s->opened;
        if (!may_arrive(*s, header.sequence)) return reject(g, errc::group_out_of_range), true;
        if (s->has_ended_before(header.sequence)) return reject_beyond_end(g, *s), true;
        if (!s->may_start(header.sequence, header.frame_start)) return reject(g, errc::bad_frame_range), true;
        if (s->by_sequence.find(number(header.sequence)) != nullptr) return reject(g, errc::duplicate_group), true;
        g.of = s;
        g.sequence = header.sequence;
        g.frame = g.first = number(header.frame_start);
        ++s->accounted;
        s->groups.push_back(g);
        s->by_sequence.insert(number(g.sequence), g);
        s->list_hook<quiet_tag>::unlink();
        g.at = incoming_group::stage::header;
        s->beyond = std::max(s->beyond, next(g.sequence));
        s->first = std::min(s->first.value_or(g.sequence), g.sequence);
        if (s->answered && !s->start_reported) subscriptions_.report_start(*s, g.sequence);
        c_.emit(group_opened{g.name, s->id, g.sequence, {}, header.frame_start});
        return true;
    }

    /// It was requested, or comes before it will be: its credit is withheld like that of all others.
    [[nodiscard]] bool may_arrive(const subscription& s, group_sequence sequence) const noexcept {
        const bool is_beyond = s.highest && *s.highest < sequence;
        return subscription_table::covers(s, sequence) || (is_beyond && may_ignore_group_end(c_.dialect));
    }

    bool parse_header(incoming_group& g, byte_view& in) {
        if (in.empty() && g.partial_size == 0) return false;
        if (g.partial_size == 0) g.began = c_.now;
        std::size_t kept = 0;
        const auto view = g.join(in, kept);
        const auto header = wire::lite::take_frame_header(c_.frames, view, c_.bounds.frame);
        if (header.status == wire::progress::error) return reject(g, header.error), in = {}, false;
        if (!header) return credit_read(g, in.size()), g.keep(in), false;
        const auto time = wire::lite::apply_delta(g.time, header->delta);
        if (!time) return reject(g, errc::timestamp_out_of_range), in = {}, false;
        if (g.frame > g.last) return reject(g, errc::bad_frame_range), in = {}, false;
        const auto fresh = header->consumed - kept;
        in = in.subspan(fresh);
        credit_read(g, fresh);
        g.partial_size = 0;
        g.time = *time;
        g.size = header->size;
        g.offset = 0;
        g.at = incoming_group::stage::payload;
        if (g.log) {
            if (!has_timestamps(c_.frames)) g.time = arrival_time(c_.epoch, g.began);
            if (const auto begun = g.log->begin_frame(g.time, g.size, in.size()); !begun)
                return reject(g, begun.error()), in = {}, false;
            if (g.size == 0) next_frame(g);
        } else if (g.size == 0) {
            c_.emit(frame_data{g.name, g.subscriber(), g.sequence, {}, object_id{g.frame}, 0, 0, g.time, {}});
            next_frame(g);
        }
        return true;
    }
    bool parse_payload(incoming_group& g, byte_view& in) {
        if (in.empty()) return false;
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), g.size - g.offset));
        const auto data = in.first(n);
        in = in.subspan(n);
        if (g.log) {
            if (const auto done = g.log->append_payload(data); !done) return reject(g, done.error()), in = {}, false;
            g.collected += n;
            g.unreleased += n;
            g.taken();
        } else {
            c_.emit(
                frame_data{g.name, g.subscriber(), g.sequence, {}, object_id{g.frame}, g.size, g.offset, g.time, data});
            if (g.of != nullptr && g.of->options.end)
                g.unreleased += n;
            else
                credit_read(g, n);
        }
        g.offset += n;
        if (g.offset == g.size) next_frame(g);
        return true;
    }
    static void next_frame(incoming_group& g) noexcept {
        ++g.frame;
        g.at = incoming_group::stage::header;
    }
    void credit_read(incoming_group& g, std::size_t n) { c_.out.give_credit(g, n); }

    /// The peer broke a rule on it: stops the stream and reports the group if it was open.
    void reject(incoming_group& g, errc why) {
        c_.emit(stream_rejected{g.id, why});
        stop_stream(g, wire_code(why));
        if (g.at != incoming_group::stage::prefix) return cut(g, wire_code(why));
        leave(g);
    }
    /// The publisher has contradicted its END: from moq-lite-06 on that fails the track.
    void reject_beyond_end(incoming_group& g, subscription& s) {
        constexpr auto why = errc::group_out_of_range;
        reject(g, why);
        if (!must_send_end(c_.dialect)) return;
        if (s.stream != nullptr) {
            c_.abandon_reading(*s.stream, wire_code(why));
            c_.out.abandon(*s.stream, wire_code(why));
        }
        s.fin_arrived = false; // It no longer ends cleanly.
        end(s, false, wire_code(why));
    }
    /// Stops reading the stream.
    void stop_stream(incoming_group& g, app_error code) {
        g.fetch != nullptr ? c_.abandon_reading(*g.fetch, code) : c_.out.stop(g.id, code);
    }
    void close_group(incoming_group& g, bool complete, app_error code) {
        if (complete && g.log) static_cast<void>(g.log->finish());
        subscription* s = g.of;
        c_.emit(group_closed{g.name, g.subscriber(), g.sequence, complete, code});
        leave(g);
        if (s != nullptr && s->fin_arrived && s->groups.empty()) subscriptions_.end_cleanly(*s);
    }
    void leave(incoming_group& g) {
        g.at = incoming_group::stage::ended;
        g.list_hook<silent_tag>::unlink();
        g.release_log();
        if (g.of != nullptr) g.of->by_sequence.erase(number(g.sequence));
        g.of = nullptr;
        g.list_hook<of_subscription_tag>::unlink();
        if (g.fetch != nullptr && !c_.closing) c_.out.finish(*g.fetch);
    }
    void remove(incoming_group& g) {
        if (g.fetch != nullptr) fetches_.erase(g.fetch->owner);
        groups_.destroy(g);
    }

    static constexpr std::uint64_t fetch_mark = std::uint64_t{1} << 63; ///< Stream ids never have this bit.
    context& c_;
    subscription_table& subscriptions_;
    object_pool<incoming_group> groups_;
    pointer_table<incoming_group> fetches_;
    std::uint64_t next_fetch_ = 0;
};

} // namespace moqlite::detail
