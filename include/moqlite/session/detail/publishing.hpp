// The publisher's half of a session: the peer's requests, and the groups that serve them.
#pragma once

#include <algorithm>
#include <cassert>
#include <moqlite/core/result.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/session/detail/datagram_queue.hpp>
#include <moqlite/session/detail/request.hpp>
#include <moqlite/wire/lite/fetch.hpp>
#include <moqlite/wire/lite/subscribe_response.hpp>

namespace moqlite::detail {

class publishing {
public:
    explicit publishing(context& c) noexcept : c_(c), datagrams_(c) {}

    // Commands.

    result<void> accept(request_id id, std::optional<group_sequence> start, moqlite::priority publisher) {
        incoming_request* r = subscriber(id);
        if (r == nullptr) return errc::not_found;
        if (r->ok_written) return errc::already_answered;
        r->accepted = true;
        r->publisher = publisher;
        rank(*r);
        if (!start)
            r->groups.for_each([&](served_group& s) { start = std::min(start.value_or(s.sequence()), s.sequence()); });
        if (start || has_options_in_ok(c_.dialect)) write_ok(*r, start);
        return {};
    }
    result<void> answer_track(request_id id, const track_info& info) {
        incoming_request* r = find(id);
        if (r == nullptr || r->kind != request_kind::track) return errc::not_found;
        if (const auto why = c_.send(*r->stream, info); why != errc::ok) return why;
        c_.finish(*r->stream);
        forget(*r);
        return {};
    }
    result<void> reject(request_id id, app_error code) {
        incoming_request* r = find(id);
        if (r == nullptr) return errc::not_found;
        lose_all(*r, code);
        c_.abandon_reading(*r->stream, code);
        c_.abandon_writing(*r->stream, code);
        forget(*r);
        return {};
    }
    result<void> serve(request_id id, group_ref g) {
        incoming_request* r = find(id);
        if (r == nullptr || r->kind == request_kind::track || !g) return errc::not_found;
        if (r->finishing) return errc::already_answered;
        if (const auto why = servable(*r, *g); why != errc::ok) return why;
        const auto sequence = g->sequence();
        auto& s = served_.make(*r, sequence);
        if (r->kind == request_kind::fetch)
            s.stream = r->stream->id;
        else
            s.prefix_size = static_cast<std::uint8_t>(wire::lite::write_group_prefix({r->wire_id, sequence}, s.prefix));
        const bool skip_times = has_timestamps(g->dialect()) && !has_timestamps(c_.dialect);
        s.attach(std::move(g), c_.wake, skip_times);
        r->groups.push_back(s);
        ++r->group_count;
        r->finishing = r->kind == request_kind::fetch;
        begin(s);
        if (r->accepted && !r->ok_written) write_ok(*r, sequence);
        bound_backlog(*r);
        return {};
    }
    result<void> serve_datagram(request_id id, group_sequence sequence, timestamp time, byte_view payload) {
        incoming_request* r = subscriber(id);
        if (r == nullptr) return errc::not_found;
        if (r->finishing) return errc::already_answered;
        auto why = wanted(*r, sequence);
        if (why == errc::ok) why = datagrams_.push({r->wire_id, sequence, time, payload});
        return why == errc::ok ? result<void>{} : why;
    }
    result<void> drop(request_id id, group_sequence first, group_sequence last, app_error code) {
        incoming_request* r = subscriber(id);
        if (r == nullptr) return errc::not_found;
        if (last < first) return errc::invalid_argument;
        write_drop(*r, first, last, code);
        return {};
    }
    result<void> end_track(request_id id, group_sequence end) {
        incoming_request* r = subscriber(id);
        if (r == nullptr) return errc::not_found;
        if (r->end_written) return errc::already_answered;
        r->end_written = true;
        if (has_subscribe_end(c_.dialect)) return c_.send(*r->stream, wire::lite::subscribe_end{end});
        return {};
    }
    result<void> finish(request_id id) {
        incoming_request* r = subscriber(id);
        if (r == nullptr) return errc::not_found;
        // An ended track without groups needs no OK, except where everything begins with it.
        if (has_options_in_ok(c_.dialect) && !r->ok_written) write_ok(*r, std::nullopt);
        r->finishing = true;
        finish_if_delivered(*r);
        return {};
    }
    [[nodiscard]] std::uint64_t unsent(request_id id) {
        std::uint64_t sum = 0;
        if (incoming_request* r = find(id))
            r->groups.for_each([&](served_group& g) { sum += g.lost ? 0 : g.unsent(); });
        return sum;
    }

    // The peer's requests. Each returns errc::ok or the rule that was broken.

    errc subscribe_arrived(control_stream& stream, byte_view body) {
        const auto m = wire::lite::decode<wire::lite::subscribe>(c_.dialect, body, c_.bounds);
        if (!m) return m.error();
        if (!c_.fits_path(m->broadcast) || !c_.fits(m->track)) return errc::name_too_long;
        c_.saw_path(m->broadcast);
        if (by_wire_id_.find(m->id) != nullptr) return errc::duplicate_subscription;
        if (!may_have(m->broadcast)) return errc::unauthorized;
        auto& r = make(stream, request_kind::subscribe);
        r.wire_id = m->id;
        r.options = m->options;
        r.capped = r.options.end.has_value();
        by_wire_id_.insert(r.wire_id, &r);
        rank(r);
        c_.emit(subscribe_requested{r.id, {c_.whole(m->broadcast, c_.path_scratch), m->track}, m->options});
        c_.emit(groups_wanted{r.id, m->options.end});
        return errc::ok;
    }
    errc update_arrived(control_stream& stream, byte_view body) {
        const auto m = wire::lite::decode<wire::lite::subscribe_update>(c_.dialect, body, c_.bounds);
        if (!m) return m.error();
        incoming_request* r = find(request_id{stream.owner});
        if (r == nullptr) return errc::ok;
        const auto start = m->options.start ? m->options.start : r->options.start;
        const auto before = r->options.end;
        // Once there is a Group End it can only be raised: what was sent before is not asked for again.
        const auto raised = [&]() -> std::optional<group_sequence> {
            if (!r->capped || !m->options.end) return m->options.end;
            return r->options.end ? std::max(r->options.end, m->options.end) : std::nullopt;
        }();
        r->options = m->options;
        r->options.start = start;
        r->options.end = raised;
        r->capped = r->capped || raised.has_value();
        rank(*r);
        if (before.has_value() != raised.has_value()) recount(*r);
        c_.emit(subscribe_updated{r->id, r->options});
        if (before != raised) c_.emit(groups_wanted{r->id, r->options.end});
        return errc::ok;
    }
    errc track_arrived(control_stream& stream, byte_view body) {
        const auto m = wire::lite::decode<wire::lite::track>(c_.dialect, body, c_.bounds);
        if (!m) return m.error();
        if (!c_.fits_path(m->broadcast) || !c_.fits(m->name)) return errc::name_too_long;
        if (!may_have(m->broadcast)) return errc::unauthorized;
        auto& r = make(stream, request_kind::track);
        c_.emit(track_requested{r.id, {c_.whole(m->broadcast, c_.path_scratch), m->name}});
        return errc::ok;
    }
    errc fetch_arrived(control_stream& stream, byte_view body) {
        const auto m = wire::lite::decode<wire::lite::fetch>(c_.dialect, body, c_.bounds);
        if (!m) return m.error();
        if (!c_.fits_path(m->broadcast) || !c_.fits(m->track)) return errc::name_too_long;
        if (!may_have(m->broadcast)) return errc::unauthorized;
        auto& r = make(stream, request_kind::fetch);
        r.options = {.priority = m->priority, .start = m->group, .end = m->group};
        rank(r);
        c_.emit(fetch_requested{r.id, {c_.whole(m->broadcast, c_.path_scratch), m->track}, m->group, m->priority});
        return errc::ok;
    }
    /// The subscriber has ended its side: it wants no more.
    void peer_left(control_stream& stream) {
        incoming_request* r = find(request_id{stream.owner});
        if (r == nullptr) return;
        // Our FIN is on its way and may arrive yet, unless the stream was given up.
        if (r->finishing && r->group_count == 0 && stream.kind == control_kind::subscribe_in) return;
        lose_all(*r, app_error::cancel);
        c_.finish(stream);
        end(*r, false);
    }
    /// Both sides of a request stream are done.
    void stream_gone(control_stream& stream, bool clean) {
        incoming_request* r = find(request_id{stream.owner});
        if (r == nullptr) return;
        // Some reset their side of a FETCH when they have it all.
        const bool fetched = fetched_whole(*r) && (clean || r->groups.front().unacked() == 0);
        const bool delivered = fetched || (clean && r->finishing && r->group_count == 0);
        if (delivered && r->group_count != 0) c_.emit(group_delivered{r->id, r->groups.front().sequence()});
        lose_all(*r, app_error::cancel);
        end(*r, delivered);
    }
    /// Who has asked for a group has cut off its stream.
    void fetch_left(control_stream& stream, app_error code) {
        incoming_request* r = find(request_id{stream.owner});
        if (r == nullptr) return;
        // Our FIN is on its way: whoever has read all ends its side as it likes.
        if (!stream.write_ended && fetched_whole(*r)) return;
        end_fetch(*r, code);
    }
    /// All of it has arrived, and the other side was not ended for long.
    void fetch_overdue(control_stream& stream) {
        c_.abandon_reading(stream, app_error::cancel);
        stream_gone(stream, true);
    }
    /// The group that is sent on a request's own stream; nullptr: none.
    served_group* on_stream(const control_stream& stream) noexcept {
        if (stream.kind != control_kind::fetch_in) return nullptr;
        incoming_request* r = find(request_id{stream.owner});
        return r == nullptr || r->groups.empty() ? nullptr : &r->groups.front();
    }

    // Sending.

    /// Streams that groups wait for.
    [[nodiscard]] std::size_t unbound() const noexcept { return scheduler_.unbound(); }

    std::optional<byte_view> next_datagram() { return datagrams_.pop(); }
    /// Groups that have grown, ended or been evicted since the last pump.
    void take_woken() {
        while (group_reader* reader = c_.wake.woken.pop_front()) {
            auto& s = static_cast<served_group&>(*reader);
            if (s.lost) continue;
            if (s.evicted()) {
                lose(s, *s.evicted(), true);
                continue;
            }
            if (s.source()->ended() == group::state::aborted) {
                lose(s, s.source()->abort_code(), true);
                continue;
            }
            begin(s);
        }
    }
    /// What to write next, bound to a stream; nullptr: nothing can be.
    served_group* next(ring<stream_id>& ids) {
        auto* item = scheduler_.top(!ids.empty());
        if (item == nullptr) return nullptr;
        auto& s = static_cast<served_group&>(*item);
        if (!s.stream) {
            scheduler_.remove(s);
            s.stream = ids.pop();
            c_.streams.insert(number(*s.stream), &s);
            scheduler_.add(s, scheduler::lane::bound);
        }
        return &s;
    }
    /// The ranges to write for it, and whether FIN follows them.
    write_stream lend(served_group& s, std::span<byte_view> out) {
        std::size_t count = 0;
        std::size_t size = 0;
        if (s.prefix_written < s.prefix_size) {
            out[count++] = byte_view{s.prefix}.first(s.prefix_size).subspan(s.prefix_written);
            size = out[0].size();
        }
        const auto l = s.lend(out.subspan(count), most_at_once);
        count += l.ranges;
        size += l.bytes;
        const bool fin = l.all && s.source()->ended() == group::state::finished;
        return {*s.stream, out.first(count), size, fin};
    }
    void written(served_group& s, std::size_t offered, std::size_t n, bool fin) {
        assert((offered != 0 || fin) && "what is scheduled has something to write");
        if (n == 0 && offered != 0) {
            s.blocked = true;
            if (!s.request->options.end) c_.mark_blocked(s);
            scheduler_.remove(s);
            return;
        }
        scheduler_.served(s);
        const auto of_prefix = std::min<std::size_t>(n, static_cast<std::size_t>(s.prefix_size - s.prefix_written));
        s.prefix_written = static_cast<std::uint8_t>(s.prefix_written + of_prefix);
        s.wrote(n - of_prefix);
        if (fin && n == offered) s.fin_written = true;
        if (s.fin_written || nothing_to_write(s)) {
            scheduler_.remove(s);
            s.fin_written ? await_end(s) : s.wait();
        }
    }
    void acked(served_group& s, std::uint64_t n) {
        const auto of_prefix =
            std::min<std::uint64_t>(n, static_cast<std::uint64_t>(s.prefix_written - s.prefix_acked));
        s.prefix_acked = static_cast<std::uint8_t>(s.prefix_acked + of_prefix);
        if (!s.lost && n > of_prefix) s.acked(n - of_prefix);
        if (!s.request->options.end) c_.progress = c_.now;
        if (s.lost || s.unacked() != 0 || !nothing_to_write(s)) return;
        owe(s, false);
        await_end(s);
    }
    void writable(served_group& s) {
        if (!s.blocked || s.lost) return;
        s.blocked = false;
        s.list_hook<blocked_tag>::unlink();
        if (!s.request->options.end) c_.progress = c_.now;
        schedule(s);
    }
    void stopped(served_group& s, app_error code) {
        if (!s.lost) lose(s, code, false);
    }
    void closed(served_group& s, std::optional<app_error> code) {
        auto& r = *s.request;
        if (!s.lost) {
            if (!code && s.fin_written)
                c_.emit(group_delivered{r.id, s.sequence()});
            else
                c_.emit(group_lost{r.id, s.sequence(), code.value_or(app_error::cancel)});
        }
        destroy(s);
        finish_if_delivered(r);
    }

    /// One thing that the end of the connection ends; false: nothing is left.
    bool end_one() {
        incoming_request* r = requests_.first();
        if (r == nullptr) return false;
        while (!r->groups.empty()) destroy(r->groups.front());
        end(*r, false);
        return true;
    }
    /// Groups of requests that have left; destroyed with their streams.
    void release_all() {
        while (served_group* s = served_.first()) destroy(*s);
    }

private:
    incoming_request* find(request_id id) noexcept {
        auto* found = by_id_.find(number(id));
        return found != nullptr ? *found : nullptr;
    }
    bool may_have(std::string_view wire_path) {
        path::normalise(wire_path, c_.path_scratch);
        return context::covered(c_.allowed.subscribe, c_.path_scratch);
    }
    incoming_request* subscriber(request_id id) noexcept {
        incoming_request* r = find(id);
        return r != nullptr && r->kind == request_kind::subscribe ? r : nullptr;
    }
    [[nodiscard]] static errc wanted(const incoming_request& r, group_sequence sequence) noexcept {
        if (r.options.end && sequence > *r.options.end) return errc::beyond_group_end;
        return r.options.start && sequence < *r.options.start ? errc::before_group_start : errc::ok;
    }
    /// What keeps a group from being sent for a request.
    [[nodiscard]] errc servable(const incoming_request& r, const group& g) const noexcept {
        const auto sequence = g.sequence();
        if (const auto why = wanted(r, sequence); why != errc::ok) return why;
        if (!has_timestamps(g.dialect()) && has_timestamps(c_.dialect)) return errc::unsupported;
        if (g.lost_head() != 0) return errc::not_found;
        if (g.ended() == group::state::aborted) return errc::group_ended;
        return number(sequence) > wire::varint_max ? errc::value_too_large : errc::ok;
    }
    incoming_request& make(control_stream& stream, request_kind kind) {
        auto& r = requests_.make();
        r.id = request_id{next_id_++};
        r.kind = kind;
        r.stream = &stream;
        stream.owner = number(r.id);
        by_id_.insert(number(r.id), &r);
        return r;
    }
    void forget(incoming_request& r) {
        by_id_.erase(number(r.id));
        if (r.kind == request_kind::subscribe) by_wire_id_.erase(r.wire_id);
        assert(r.groups.empty());
        requests_.destroy(r);
    }
    void end(incoming_request& r, bool delivered) {
        c_.emit(request_ended{r.id, delivered});
        forget(r);
    }
    void rank(incoming_request& r) {
        scheduler_.rank(r.groups_to_send, {r.options.priority, r.publisher, r.options.ordered});
    }
    void schedule(served_group& s) {
        if (s.scheduled() || s.blocked || s.lost || s.fin_written) return;
        scheduler_.add(s, s.stream ? scheduler::lane::bound : scheduler::lane::unbound);
        c_.ready.mark();
    }
    [[nodiscard]] static bool nothing_to_write(const served_group& s) noexcept {
        return s.prefix_written == s.prefix_size && s.unsent() == 0 &&
               (s.fin_written || s.source()->ended() != group::state::finished);
    }
    void begin(served_group& s) {
        if (nothing_to_write(s)) return s.wait(); // Of a FETCH, which has no prefix.
        owe(s, true);
        schedule(s);
    }
    /// Who has all that was fetched is given as long to end its side as for a first message.
    void await_end(served_group& s) {
        auto& stream = *s.request->stream;
        if (fetched_whole(*s.request) && s.unacked() == 0 && !stream.read_ended) c_.expect_message(stream);
    }
    // Only what nobody holds back by a cap counts towards a stall.
    void owe(served_group& s, bool yes) noexcept {
        yes = yes && !s.request->options.end;
        if (s.owes == yes) return;
        s.owes = yes;
        yes ? static_cast<void>(++c_.owing) : c_.settled();
    }
    void recount(incoming_request& r) {
        r.groups.for_each([&](served_group& s) {
            owe(s, !s.lost && (s.unacked() != 0 || !nothing_to_write(s)));
            s.list_hook<blocked_tag>::unlink();
            if (s.blocked && !r.options.end) c_.mark_blocked(s);
        });
    }

    void write_ok(incoming_request& r, std::optional<group_sequence> first) {
        r.ok_written = true;
        auto options = r.options;
        options.priority = r.publisher;
        options.start = first;
        static_cast<void>(c_.send(*r.stream, wire::lite::subscribe_ok{first.value_or(group_sequence{}), options}));
        // Not everybody reads a start in what may as well be an echo of the request.
        const bool later = has_options_in_ok(c_.dialect) && first && r.options.start && *r.options.start < *first;
        if (later) write_drop(r, *r.options.start, group_sequence{number(*first) - 1}, app_error::not_found);
    }
    void write_drop(incoming_request& r, group_sequence first, group_sequence last, app_error code) {
        if (!r.ok_written) write_ok(r, first);
        static_cast<void>(c_.send(*r.stream, wire::lite::subscribe_drop{first, last, code}));
    }

    /// Gives up on delivering it: what was not sent will not be.
    void lose(served_group& s, app_error code, bool tell) {
        auto& r = *s.request;
        if (s.scheduled()) scheduler_.remove(s);
        owe(s, false);
        s.list_hook<blocked_tag>::unlink();
        s.lost = true;
        const auto sequence = s.sequence();
        c_.emit(group_lost{r.id, sequence, code});
        if (r.kind == request_kind::fetch) return end_fetch(r, code);
        if (tell) write_drop(r, sequence, sequence, code);
        if (s.stream) {
            c_.reset(*s.stream, code);
            s.detach();
        } else {
            destroy(s);
            finish_if_delivered(r);
        }
    }
    void lose_all(incoming_request& r, app_error code) {
        const bool own_streams = r.kind == request_kind::subscribe;
        r.groups.for_each([&](served_group& s) {
            const bool sent = s.lost || (s.fin_written && s.unacked() == 0);
            if (s.stream && own_streams && !sent) c_.reset(*s.stream, code);
            if (s.stream && own_streams) c_.streams.erase(number(*s.stream));
            destroy(s);
        });
    }
    [[nodiscard]] static bool fetched_whole(incoming_request& r) noexcept {
        return r.kind == request_kind::fetch && !r.groups.empty() && r.groups.front().fin_written;
    }
    void end_fetch(incoming_request& r, app_error code) {
        lose_all(r, code);
        c_.abandon_reading(*r.stream, code);
        c_.abandon_writing(*r.stream, code);
        end(r, false);
    }
    void destroy(served_group& s) {
        if (s.scheduled()) scheduler_.remove(s);
        owe(s, false);
        --s.request->group_count;
        served_.destroy(s);
    }
    void finish_if_delivered(incoming_request& r) {
        if (r.finishing && r.group_count == 0) c_.finish(*r.stream);
    }
    /// A live reader slows nobody: beyond the bound the oldest group goes, never the latest.
    void bound_backlog(incoming_request& r) {
        if (r.options.end) return;
        for (;;) {
            std::uint64_t unsent = 0;
            served_group* oldest = nullptr;
            served_group* latest = nullptr;
            std::size_t waiting = 0;
            r.groups.for_each([&](served_group& s) {
                if (s.lost) return;
                if (latest == nullptr || s.sequence() > latest->sequence()) latest = &s;
                if (nothing_to_write(s)) return;
                ++waiting;
                unsent += s.unsent();
                if (oldest == nullptr || s.sequence() < oldest->sequence()) oldest = &s;
            });
            const bool over = unsent > c_.bounds.live_backlog || waiting > c_.bounds.live_groups;
            if (!over || oldest == nullptr || oldest == latest) return;
            lose(*oldest, app_error::lagged, true);
        }
    }

    static constexpr std::size_t most_at_once = 64 * 1024;
    context& c_;
    scheduler scheduler_;
    object_pool<incoming_request> requests_;
    object_pool<served_group> served_;
    id_table<incoming_request*> by_id_;
    id_table<incoming_request*> by_wire_id_;
    datagram_queue datagrams_;
    std::uint64_t next_id_ = 0;
};

} // namespace moqlite::detail
