// The subscriber's half of a session: subscriptions, fetches, and groups as they arrive.
#pragma once

#include <algorithm>
#include <moqlite/core/result.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/session/detail/subscription.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/wire/lite/fetch.hpp>
#include <moqlite/wire/lite/group.hpp>
#include <moqlite/wire/lite/subscribe_response.hpp>
#include <string>

namespace moqlite::detail {

class subscribing {
public:
    explicit subscribing(context& c) noexcept : c_(c) {}

    result<subscribe_id> subscribe(const track_ref& track, const subscribe_options& options) {
        const auto broadcast = c_.relative(track.broadcast);
        if (!broadcast) return errc::out_of_scope;
        const wire::lite::subscribe message{next_id_, c_.written_path(*broadcast), track.track, options};
        if (const auto why = c_.encodable(message); why != errc::ok) return why;
        if (!c_.may_open()) return errc::too_many_requests;
        auto& s = subscriptions_.make();
        s.id = subscribe_id{next_id_++};
        s.options = s.requested = options;
        s.lowest = options.start;
        s.highest = options.end;
        s.stream = &c_.open_control(control_kind::subscribe_out, wire::lite::bidi_type::subscribe);
        s.stream->owner = number(s.id);
        by_id_.insert(number(s.id), &s);
        static_cast<void>(c_.send(*s.stream, message));
        return s.id;
    }

    result<void> update(subscribe_id id, const subscribe_options& options) {
        subscription* s = find(id);
        // After its FIN the publisher reads no more of us.
        if (s == nullptr || s->stream == nullptr || s->fin_arrived) return errc::not_found;
        if (s->options == options) return {};
        const auto start = options.start ? options.start : s->options.start;
        if (const auto why = c_.encodable(wire::lite::subscribe_update{options}); why != errc::ok) return why;
        s->options = options;
        s->options.start = start;
        if (options.start) s->new_start = options.start;
        write_soon(*s);
        if (s->lowest && options.start) s->lowest = std::min(*s->lowest, *options.start);
        if (!options.end)
            s->highest.reset();
        else if (s->highest)
            s->highest = std::max(*s->highest, *options.end);
        return {};
    }

    result<void> repeat_update(subscribe_id id) {
        subscription* s = find(id);
        if (s == nullptr || s->stream == nullptr || s->fin_arrived) return errc::not_found;
        s->repeats = true;
        write_soon(*s);
        return {};
    }

    /// Writes what the updates since the last pump come to: one message a subscription, and none while the one before
    /// it is still here.
    void write_updates() {
        while (subscription* s = updates_.pop_front()) {
            if (s->stream == nullptr || s->fin_arrived) continue;
            s->update_waits = s->stream->out.unsent() != 0;
            if (!s->update_waits) write_update(*s);
        }
    }
    /// All that was written on a subscribe stream of ours is on its way.
    void request_sent(const control_stream& stream) {
        subscription* s = find(subscribe_id{stream.owner});
        if (s == nullptr || !std::exchange(s->update_waits, false) || s->fin_arrived) return;
        write_update(*s);
    }

    result<void> unsubscribe(subscribe_id id) {
        subscription* s = find(id);
        if (s == nullptr) return errc::not_found;
        s->groups.for_each([&](incoming_group& g) { refuse(g, app_error::cancel); });
        // A FIN says that we leave; nobody reads what the publisher still answers.
        control_stream* stream = s->stream;
        if (stream != nullptr && stream->bound) {
            c_.finish(*stream);
            c_.abandon_reading(*stream, app_error::cancel);
        } else if (stream != nullptr) {
            c_.drop_control(*stream, app_error::cancel);
        }
        forget(*s);
        return {};
    }

    /// The group comes by the id that is returned.
    result<group_id> fetch(const track_ref& track, group_sequence sequence, moqlite::priority priority) {
        if (!has_fetch(c_.dialect)) return errc::unsupported;
        const auto broadcast = c_.relative(track.broadcast);
        if (!broadcast) return errc::out_of_scope;
        const wire::lite::fetch message{*broadcast, track.track, priority, sequence};
        if (const auto why = c_.encodable(message); why != errc::ok) return why;
        if (!c_.may_open()) return errc::too_many_requests;
        auto& stream = c_.open_control(control_kind::fetch_out, wire::lite::bidi_type::fetch);
        static_cast<void>(c_.send(stream, message));
        stream.owner = next_fetch_++;
        auto& g = groups_.make();
        g.name = group_id{fetch_mark | stream.owner};
        g.sequence = sequence;
        g.fetch = &stream;
        g.at = incoming_group::stage::header;
        stream.fetching = &g;
        fetches_.insert(stream.owner, &g);
        return g.name;
    }

    result<void> collect(group_id id, group_ref log) {
        incoming_group* g = group(id);
        if (g == nullptr || g->at == incoming_group::stage::ended) return errc::not_found;
        if (!log || log->size() != 0 || log->ended() != group::state::open) return errc::invalid_argument;
        if (has_timestamps(c_.dialect) && !has_timestamps(log->dialect())) return errc::unsupported;
        if (g->frame != 0 || g->at != incoming_group::stage::header) return errc::invalid_argument;
        g->log = std::move(log);
        return {};
    }

    result<void> release(group_id id, std::uint64_t bytes) {
        incoming_group* g = group(id);
        if (g == nullptr) return errc::not_found;
        if (bytes > g->unreleased) return errc::invalid_argument;
        g->unreleased -= bytes;
        c_.give_credit(*g, bytes);
        return {};
    }

    result<void> stop(group_id id, app_error code) {
        incoming_group* g = group(id);
        if (g == nullptr || g->at == incoming_group::stage::ended) return errc::not_found;
        subscription* s = g->of;
        refuse(*g, code);
        if (control_stream* request = g->fetch; request != nullptr && !request->bound) {
            remove(*g);
            c_.drop_control(*request, code);
        }
        if (s != nullptr && s->fin_arrived && s->groups.empty()) end_well(*s);
        return {};
    }

    /// Whether a group of that number was asked for.
    [[nodiscard]] bool wants(subscribe_id id, group_sequence sequence) noexcept {
        const subscription* s = find(id);
        return s != nullptr && covers(*s, sequence);
    }

    // Facts about streams.

    incoming_group& open_group_stream(stream_id id) {
        auto& g = groups_.make();
        g.id = id;
        g.name = group_id{number(id)};
        return g;
    }
    /// It has not said in time which group it brings.
    void timed_out(incoming_group& g) { reject(g, errc::stream_timeout); }
    [[nodiscard]] std::size_t open_groups() const noexcept { return groups_.size(); }
    void destroy(incoming_group& g) {
        if (g.at != incoming_group::stage::ended) cut(g, app_error::cancel);
        remove(g);
    }
    /// Parses on until an event is due or `in` is used up. True: the stream turned out to be no
    /// group but a SETUP, whose remaining bytes are `in`.
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
        if (g.fetch != nullptr) g.fetch->read_ended = true;
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

    // Messages on our own request streams; false: the message broke a rule.

    errc response(control_stream& stream, const wire::typed_framed& message) {
        subscription* s = find(subscribe_id{stream.owner});
        if (s == nullptr) return errc::ok;
        const auto decoded = wire::lite::decode_subscribe_response(c_.dialect, message, c_.bounds);
        if (!decoded) return decoded.error();
        if (const auto* ok = std::get_if<wire::lite::subscribe_ok>(&*decoded)) {
            accepted(*s, *ok);
        } else if (has_options_in_ok(c_.dialect) && !s->answered) {
            return errc::response_before_ok;
        } else if (const auto* end = std::get_if<wire::lite::subscribe_end>(&*decoded)) {
            s->end = end->group;
            c_.emit(subscription_end_known{s->id, end->group});
        } else if (const auto* drop = std::get_if<wire::lite::subscribe_drop>(&*decoded)) {
            if (drop->end < drop->start) return errc::group_out_of_range;
            s->accounted += number(drop->end) - number(drop->start) + 1;
            c_.emit(groups_dropped{s->id, drop->start, drop->end, drop->code});
        }
        return errc::ok;
    }
    /// The peer's side of a subscribe stream of ours has ended.
    void stream_ended(control_stream& stream, bool finished, app_error code) {
        if (subscription* s = find(subscribe_id{stream.owner})) {
            s->fin_arrived = finished;
            // What still arrives was sent before the FIN.
            if (finished && !s->groups.empty()) return;
            finished ? end_well(*s) : end(*s, false, code);
        }
    }
    /// A subscribe stream of ours is no more.
    void stream_gone(control_stream& stream) {
        subscription* s = find(subscribe_id{stream.owner});
        if (s == nullptr) return;
        s->stream = nullptr;
        if (!s->fin_arrived) return end(*s, false, app_error::cancel);
        if (s->groups.empty()) end_well(*s);
    }
    /// When a subscription will have been quiet for long enough; nullopt: none is about to end.
    [[nodiscard]] std::optional<time_point> quiet_until() const noexcept {
        if (quiet_.empty()) return std::nullopt;
        return quiet_.front().quiet_since + std::max(3 * c_.path.rtt, c_.bounds.end_of_track);
    }
    /// Ends those that are over: nothing has come after their FIN.
    void end_quiet() {
        for (auto until = quiet_until(); until && *until <= c_.now; until = quiet_until())
            end(quiet_.front(), true, app_error::cancel);
    }
    /// One thing that the end of the connection ends; false: nothing is left.
    bool end_one(app_error code) {
        for (incoming_group* g = groups_.first(); g != nullptr; g = groups_.first()) {
            if (g->of != nullptr) g->of->fin_arrived = false; // It does not end well any more.
            const bool told = g->at != incoming_group::stage::ended;
            if (told) cut(*g, code);
            if (g->fetch == nullptr) c_.streams.erase(number(g->id)); // Commands find it no more.
            remove(*g);
            if (!c_.events.empty()) return true;
        }
        if (subscription* s = subscriptions_.first()) {
            // Who ends a track, and then the session in peace, has sent all.
            const bool well = s->list_hook<quiet_tag>::linked() && c_.closing->by_peer && code == app_error::cancel;
            return end(*s, well, code), true;
        }
        return false;
    }

private:
    subscription* find(subscribe_id id) noexcept {
        auto* found = by_id_.find(number(id));
        return found != nullptr ? *found : nullptr;
    }
    incoming_group* group(group_id id) noexcept {
        if ((number(id) & fetch_mark) != 0) {
            auto* const* fetch = fetches_.find(number(id) & ~fetch_mark);
            return fetch != nullptr ? *fetch : nullptr;
        }
        auto* found = c_.streams.find(number(id));
        if (found == nullptr) return nullptr;
        auto* const* g = std::get_if<incoming_group*>(found);
        return g != nullptr ? *g : nullptr;
    }
    void write_soon(subscription& s) {
        if (!s.list_hook<update_tag>::linked() && !s.update_waits) updates_.push_back(s);
        c_.ready.mark();
    }
    void write_update(subscription& s) {
        auto changed = s.options;
        if (!std::exchange(s.repeats, false) && changed == s.requested && !s.new_start) return;
        s.requested = changed;
        s.new_start.reset(); // It is in the options: without a start some go back to the latest group.
        static_cast<void>(c_.send(*s.stream, wire::lite::subscribe_update{changed}));
    }
    static bool covers(const subscription& s, group_sequence g) noexcept {
        return (!s.lowest || *s.lowest <= g) && (!s.highest || g <= *s.highest);
    }
    void forget(subscription& s) {
        by_id_.erase(number(s.id));
        s.groups.for_each([](incoming_group& g) { g.of = nullptr; });
        subscriptions_.destroy(s);
    }
    void accepted(subscription& s, const wire::lite::subscribe_ok& ok) {
        if (std::exchange(s.answered, true)) return; // Some say it again.
        if (!has_options_in_ok(c_.dialect)) return tell_start(s, ok.group);
        auto start = ok.options.start ? ok.options.start : s.lowest;
        if (!start) start = s.first;
        if (start) tell_start(s, *start); // Else the first that comes is the start.
    }
    void tell_start(subscription& s, group_sequence start) {
        s.start_told = true;
        s.start = start;
        c_.emit(subscription_accepted{s.id, start});
    }
    /// By what its publisher has said, more has to come; where that is not much, some send their FIN before it.
    static bool lacks_groups(const subscription& s) noexcept {
        if (!s.end) return false;
        const auto from = s.start ? s.start : s.first ? s.first : s.options.start; // Without groups there is no OK.
        if (!from) return number(*s.end) != 0;
        const auto end = s.highest ? std::min(number(*s.end), number(*s.highest) + 1) : number(*s.end);
        return end > number(*from) && end - number(*from) > s.accounted;
    }
    /// Its FIN has arrived, and all groups that we know of have ended. Where the FIN may have overtaken
    /// groups, it is over only when nothing came for a while.
    void end_well(subscription& s) {
        if (has_fin_after_groups(c_.dialect) && !lacks_groups(s)) return end(s, true, app_error::cancel);
        s.list_hook<quiet_tag>::unlink();
        s.quiet_since = c_.now;
        quiet_.push_back(s);
    }
    void end(subscription& s, bool finished, app_error code) {
        s.groups.for_each([&](incoming_group& g) {
            if (!g.fin_arrived) c_.stop(g.id, code);
            cut(g, code);
        });
        c_.emit(subscription_ended{s.id, finished, code});
        if (s.stream != nullptr && !c_.closing) c_.finish(*s.stream);
        forget(s);
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
        const auto message = wire::take_message(view.subspan(type->size), 16);
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
        subscription* s = find(subscribe_id{header.subscription});
        if (s == nullptr && header.subscription < next_id_) return refuse(g, app_error::cancel), true; // We left it.
        if (s == nullptr) return reject(g, errc::unknown_subscription), true;
        if (!covers(*s, header.sequence)) return reject(g, errc::group_out_of_range), true;
        if (s->by_sequence.find(number(header.sequence)) != nullptr) return reject(g, errc::duplicate_group), true;
        g.of = s;
        g.sequence = header.sequence;
        ++s->accounted;
        s->groups.push_back(g);
        s->by_sequence.insert(number(g.sequence), &g);
        s->list_hook<quiet_tag>::unlink();
        g.at = incoming_group::stage::header;
        s->first = std::min(s->first.value_or(g.sequence), g.sequence);
        if (s->answered && !s->start_told) tell_start(*s, g.sequence);
        c_.emit(group_opened{g.name, s->id, g.sequence});
        return true;
    }

    bool parse_header(incoming_group& g, byte_view& in) {
        if (in.empty() && g.partial_size == 0) return false;
        if (g.partial_size == 0) g.began = c_.now;
        std::size_t kept = 0;
        const auto view = g.join(in, kept);
        const auto header = wire::lite::take_frame_header(c_.dialect, view, c_.bounds.frame);
        if (header.status == wire::progress::error) return reject(g, header.error), in = {}, false;
        if (!header) return credit_read(g, in.size()), g.keep(in), false;
        const auto time = wire::lite::apply_delta(g.time, header->delta);
        if (!time) return reject(g, errc::timestamp_out_of_range), in = {}, false;
        const auto fresh = header->consumed - kept;
        in = in.subspan(fresh);
        credit_read(g, fresh);
        g.partial_size = 0;
        g.time = *time;
        g.size = header->size;
        g.offset = 0;
        g.at = incoming_group::stage::payload;
        if (g.log) {
            if (!has_timestamps(c_.dialect)) g.time = arrival_time(c_.epoch, g.began);
            if (const auto begun = g.log->begin_frame(g.time, g.size, in.size()); !begun)
                return reject(g, begun.error()), in = {}, false;
            if (g.size == 0) next_frame(g);
        } else if (g.size == 0) {
            c_.emit(frame_data{g.name, g.subscriber(), g.sequence, g.frame, 0, 0, g.time, {}});
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
            credit_read(g, n);
        } else {
            c_.emit(frame_data{g.name, g.subscriber(), g.sequence, g.frame, g.size, g.offset, g.time, data});
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
    void credit_read(incoming_group& g, std::size_t n) { c_.give_credit(g, n); }

    /// The peer broke a rule on it: stops it, and tells what was open.
    void reject(incoming_group& g, errc why) {
        c_.emit(stream_rejected{g.id, why});
        stop_stream(g, wire_code(why));
        if (g.at != incoming_group::stage::prefix) return cut(g, wire_code(why));
        leave(g);
    }
    void refuse(incoming_group& g, app_error code) {
        if (g.at == incoming_group::stage::ended) return;
        if (!g.fin_arrived) stop_stream(g, code);
        if (g.log) g.log->abort(code);
        leave(g);
    }
    void cut(incoming_group& g, app_error code) {
        if (g.log) g.log->abort(code);
        if (g.of == nullptr && g.fetch == nullptr) return leave(g);
        close_group(g, false, code);
    }
    /// Reads no more of it.
    void stop_stream(incoming_group& g, app_error code) {
        g.fetch != nullptr ? c_.abandon_reading(*g.fetch, code) : c_.stop(g.id, code);
    }
    void close_group(incoming_group& g, bool complete, app_error code) {
        if (complete && g.log) static_cast<void>(g.log->finish());
        subscription* s = g.of;
        c_.emit(group_closed{g.name, g.subscriber(), g.sequence, complete, code});
        leave(g);
        if (s != nullptr && s->fin_arrived && s->groups.empty()) end_well(*s);
    }
    void leave(incoming_group& g) {
        g.at = incoming_group::stage::ended;
        g.list_hook<silent_tag>::unlink();
        g.log = {};
        if (g.of != nullptr) g.of->by_sequence.erase(number(g.sequence));
        g.of = nullptr;
        g.list_hook<of_subscription_tag>::unlink();
        if (g.fetch != nullptr && !c_.closing) c_.finish(*g.fetch);
    }
    void remove(incoming_group& g) {
        if (g.fetch != nullptr) fetches_.erase(g.fetch->owner);
        groups_.destroy(g);
    }

    static constexpr std::uint64_t fetch_mark = std::uint64_t{1} << 63; ///< No stream has such an id.
    context& c_;
    object_pool<subscription> subscriptions_;
    object_pool<incoming_group> groups_;
    id_table<subscription*> by_id_;
    list<subscription, quiet_tag> quiet_;    ///< The longest quiet first.
    list<subscription, update_tag> updates_; ///< Those with an update to write.
    id_table<incoming_group*> fetches_;
    std::uint64_t next_id_ = 0;
    std::uint64_t next_fetch_ = 0;
};

} // namespace moqlite::detail
