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
#include <moqlite/wire/lite/track.hpp>
#include <vector>

namespace moqlite::detail {

/// Bodies: impl/answering.hpp (requests and commands), impl/sending.hpp (groups in flight), impl/backlog.hpp,
/// impl/max_age.hpp.
class publishing {
public:
    explicit publishing(context& c) noexcept : c_(c), datagrams_(c) {}

    // Commands.

    result<void> accept(request_id id, std::optional<group_sequence> start, moqlite::priority publisher);
    result<void> answer_track(request_id id, const track_info& info);
    result<void> set_timescale(request_id id, std::uint64_t timescale);
    result<void> reject(request_id id, app_error code);
    result<void> serve(request_id id, group_ref g);
    result<void> serve_datagram(request_id id, group_sequence sequence, timestamp time, byte_view payload);
    result<void> drop(request_id id, group_sequence first, group_sequence last, app_error code);
    result<void> end_track(request_id id, group_sequence end);
    result<void> finish(request_id id);
    [[nodiscard]] std::uint64_t unsent(request_id id);
    [[nodiscard]] bool takes_more(request_id id) noexcept;

    // The peer's requests. Each returns errc::ok or the broken rule.

    errc subscribe_arrived(control_stream& stream, byte_view body);
    errc update_arrived(control_stream& stream, byte_view body);
    errc track_arrived(control_stream& stream, byte_view body);
    errc fetch_arrived(control_stream& stream, byte_view body);
    /// The subscriber has ended its side, or cut it off with a code: it wants nothing more.
    void peer_left(control_stream& stream, const std::optional<app_error>& code);
    /// Both sides of a request stream have ended; with a code if one of them was cut off.
    void stream_gone(control_stream& stream, const std::optional<app_error>& code);
    /// The peer has cut off the stream of its FETCH.
    void fetch_cut_off(control_stream& stream, app_error code);
    /// The fetched group has arrived, but the peer has not ended its side in time.
    void fetch_overdue(control_stream& stream);
    /// The group that is sent on a request's own stream; nullptr: none.
    served_group* on_stream(const control_stream& stream) noexcept;

    // Sending.

    /// Number of groups that wait for a stream.
    [[nodiscard]] std::size_t unbound() const noexcept { return scheduler_.unbound(); }

    /// An END follows as soon as groups have got their streams.
    [[nodiscard]] bool owes_end() const noexcept { return ends_owed_ != 0; }

    std::optional<byte_view> next_datagram() { return datagrams_.pop(); }
    /// Groups that have grown, ended or been evicted since the last pump.
    void take_woken();
    /// A tick: groups may have become too old.
    void lose_old();
    /// When lose_old() has something to do, if media time passes as ours does; or soon, to date ages.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept {
        if (watched_.empty()) return std::nullopt;
        const auto at = watched_.front().check_at;
        return c_.undated_ages.empty() ? at : std::min(at, c_.now + c_.bounds.latency_min / 8);
    }
    /// The next group to write, bound to a stream; nullptr: none can be written.
    served_group* next(ring<stream_id>& ids);
    /// The ranges to write for a group, and whether FIN follows.
    write_stream lend(served_group& s, std::span<byte_view> out);
    /// It has nothing to lend: it has nothing to write, or there was no memory for that.
    void lent_nothing(served_group& s) {
        if (s.unsent() != 0) return lose(s, wire_code(errc::out_of_memory_limit), true);
        scheduler_.remove(s);
        s.wait();
    }
    void written(served_group& s, std::size_t offered, std::size_t n, bool fin);
    [[nodiscard]] bool acked(served_group& s, std::uint64_t n);
    void writable(served_group& s);
    void write_drops();
    void end_excess_drops();
    void control_written(const control_stream& stream);
    void stopped(served_group& s, app_error code) {
        if (!s.lost) lose(s, code, false);
    }
    void closed(served_group& s, std::optional<app_error> code);

    /// Ends one request because the session has ended; false: none is left. Lent groups stay until release_lent().
    bool end_one() {
        incoming_request* r = requests_.first();
        if (r == nullptr) return false;
        while (!r->groups.empty()) {
            auto& s = r->groups.front();
            c_.out.is_gone() ? destroy(s) : orphan(s);
        }
        end(*r, c_.closing->code);
        return true;
    }
    /// A pump has ended: releases the lent bytes of streams whose reset has been executed.
    void executed() noexcept {
        ++pumps_;
        while (served_group* s = c_.out.next_reset(resetting_)) s->request != nullptr ? s->detach() : destroy(*s);
    }
    /// The transport sends nothing more: no bytes are lent.
    void release_lent() noexcept {
        while (served_group* s = served_.first()) destroy(*s);
    }

private:
    incoming_request* find(request_id id) noexcept { return by_id_.find(number(id)); }
    bool may_read(std::string_view wire_path) {
        path::normalise(wire_path, c_.path_scratch);
        return wire_names::covered(c_.names.allowed.subscribe, c_.path_scratch);
    }
    incoming_request* subscriber(request_id id) noexcept {
        incoming_request* r = find(id);
        return r != nullptr && r->kind == request_kind::subscribe ? r : nullptr;
    }
    [[nodiscard]] static errc wanted(const incoming_request& r, group_sequence sequence) noexcept {
        if (r.options.end && sequence > *r.options.end) return errc::beyond_group_end;
        return r.options.start && sequence < *r.options.start ? errc::before_group_start : errc::ok;
    }
    /// Where the version has no such flag, a reader that wants every group, however old, wants the oldest first; and
    /// where Max Age decides about the start, it begins with the first.
    void infer_order(subscribe_options& o) const noexcept {
        const bool complete = o.max_age >= complete_age;
        if (!has_ordered(c_.dialect)) o.ordered = complete;
        if (has_start_by_age(c_.dialect) && complete && !o.start) o.start = group_sequence{};
    }
    /// Why a group cannot be sent for a request; errc::ok: it can.
    [[nodiscard]] errc servable(const incoming_request& r, const group& g) const noexcept;
    incoming_request& make(control_stream& stream, request_kind kind) {
        auto& r = requests_.make();
        r.id = request_id{next_id_++};
        r.kind = kind;
        r.stream = &stream;
        stream.owner = number(r.id);
        by_id_.insert(number(r.id), r);
        return r;
    }
    void forget(incoming_request& r) {
        by_id_.erase(number(r.id));
        if (r.kind == request_kind::subscribe) by_wire_id_.erase(r.wire_id);
        assert(r.groups.empty());
        pending_drops_ -= r.drops.size();
        ends_owed_ -= r.end_owed ? 1 : 0;
        requests_.destroy(r);
    }
    void end(incoming_request& r, const std::optional<app_error>& code, bool delivered = false) {
        c_.emit(request_ended{r.id, delivered, code});
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
        return s.prefix_written == s.prefix_size && s.unsent() == 0 && (s.fin_written || !s.is_final());
    }
    void begin(served_group& s) {
        const auto why = start(s);
        if (why != errc::ok && why != errc::frame_incomplete) return lose(s, wire_code(why), true);
        account(s);
        if (nothing_to_write(s)) return s.wait(); // For a FETCH, or where the first frame wanted has not arrived.
        schedule(s);
    }
    errc start(served_group& s);
    /// A peer that has the whole fetched group must end its side within the timeout for a first message.
    void await_end(served_group& s);
    /// More groups wait for this peer than its share allows. All peers together may have objects for a quarter of the
    /// memory waiting; slabs filled by others do not reduce a peer's share.
    [[nodiscard]] bool exceeds_share() const noexcept {
        const auto all = c_.pool.limit() / 4;
        const auto left = all - std::min(all, c_.pool.charged());
        return waiting_ >= waiting_min && waiting_ * sizeof(served_group) > left / 16;
    }
    /// Maximum waiting groups of one request, and their bytes.
    struct backlog_bounds {
        std::size_t groups;
        std::uint64_t bytes;
    };
    [[nodiscard]] backlog_bounds bounds_of(const incoming_request& r) const noexcept {
        if (r.options.end) return {c_.bounds.capped_groups, UINT64_MAX};
        return {c_.bounds.live_groups, c_.bounds.live_backlog};
    }
    void recount(incoming_request& r);
    void raise_last(incoming_request& r, group_sequence sequence);

    void write_ok(incoming_request& r, std::optional<group_sequence> first);
    void write_end(incoming_request& r, std::optional<group_sequence> end);
    void write_drop(incoming_request& r, group_sequence first, group_sequence last, app_error code);

    /// Gives up delivery of a group: its unsent rest is not sent.
    void lose(served_group& s, app_error code, bool report);
    void lose_all(incoming_request& r, app_error code);
    /// Detaches a group from its request; its lent bytes stay.
    void orphan(served_group& s);
    /// The same, and keeps it until its queued reset has been executed.
    void keep_until_reset(served_group& s);
    [[nodiscard]] static bool fetched_whole(incoming_request& r) noexcept {
        return r.kind == request_kind::fetch && !r.groups.empty() && r.groups.front().fin_written;
    }
    void end_fetch(incoming_request& r, app_error code);
    void destroy(served_group& s) {
        if (s.request != nullptr) orphan(s);
        free(s);
    }
    void free(served_group& s) noexcept {
        served_.destroy(s);
        c_.pool.uncharge(sizeof(served_group));
    }
    void finish_if_delivered(incoming_request& r) {
        write_end(r, r.end);
        if (r.finishing && r.group_count == 0 && r.drops.empty() && !r.too_many_drops) c_.out.finish(*r.stream);
    }

    // impl/backlog.hpp
    void account(served_group& s);
    void account_growing(incoming_request& r);
    void bound_backlog(incoming_request& r);
    [[nodiscard]] static bool is_latest(const served_group& s) noexcept;
    void forget_backlog(served_group& s) noexcept;

    // impl/max_age.hpp
    [[nodiscard]] std::optional<milliseconds> max_age_of(const incoming_request& r) const noexcept;
    void enter_order(served_group& s) noexcept;
    static void leave_order(served_group& s, bool lost) noexcept;
    [[nodiscard]] static timestamp newest_time(incoming_request& r) noexcept;
    [[nodiscard]] milliseconds age(const served_group& s) noexcept;
    [[nodiscard]] bool is_too_old(const served_group& s) noexcept;
    /// The same of one that the transport could have written before.
    [[nodiscard]] bool is_stuck_and_old(const served_group& s) noexcept {
        return s.waits_since != pumps_ && is_too_old(s);
    }
    void watch_ages(incoming_request& r, bool changed = false);
    [[nodiscard]] bool has_ages(const incoming_request& r) const noexcept;
    [[nodiscard]] time_point next_check(const incoming_request& r) noexcept;

    [[nodiscard]] bool has_room() const noexcept { return c_.out.has_room(); }
    [[nodiscard]] static bool stream_has_room(const incoming_request& r) noexcept {
        return r.stream->out.unsent() < drops_at_once;
    }

    static constexpr std::size_t write_size_max = 64 * 1024;
    static constexpr std::size_t waiting_min = 4;      ///< Groups that may always wait, however little memory is left.
    static constexpr std::size_t growing_at_once = 8;  ///< Growing groups recounted whenever one is served.
    static constexpr std::size_t drops_at_once = 1024; ///< Unsent bytes on one request's stream.
    context& c_;
    scheduler scheduler_;
    object_pool<incoming_request> requests_;
    object_pool<served_group> served_;
    std::size_t waiting_ = 0;                                               ///< Groups in the heaps of all requests.
    std::uint64_t pumps_ = 0;                                               ///< Pumps that have ended.
    indexed_heap<incoming_request, earliest_check, watched_place> watched_; ///< Requests that may lose old groups.
    list<served_group, resetting_tag>
        resetting_; ///< Groups whose lent bytes stay until their resets have been executed.
    pointer_table<incoming_request> by_id_;
    pointer_table<incoming_request> by_wire_id_;
    datagram_queue datagrams_;
    list<incoming_request, recount_tag> to_recount_; ///< Requests with bytes acknowledged since the last pump.
    list<incoming_request, dropping_tag> dropping_;  ///< Requests with drops and room on their stream.
    std::size_t pending_drops_ = 0;                  ///< Ranges of all requests.
    std::size_t ends_owed_ = 0;                      ///< Requests with `end_owed`.
    std::vector<request_id> excess_drops_;           ///< Requests with too many drops.
    std::uint64_t next_id_ = 0;
};

} // namespace moqlite::detail

#include <moqlite/session/detail/impl/answering.hpp>
#include <moqlite/session/detail/impl/backlog.hpp>
#include <moqlite/session/detail/impl/max_age.hpp>
#include <moqlite/session/detail/impl/sending.hpp>
