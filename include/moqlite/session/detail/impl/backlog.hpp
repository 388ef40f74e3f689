// The backlog of a slow subscriber and its bounds: groups and SUBSCRIBE_DROPs. Part of publishing.hpp.
#pragma once

#include <moqlite/session/detail/publishing.hpp>

namespace moqlite::detail {

/// Updates the sums of the request for one group. O(log n).
inline void publishing::account(served_group& s) {
    auto& r = *s.request;
    const bool waits = !s.lost && !nothing_to_write(s);
    if (waits && s.place_waiting == SIZE_MAX) { // All allocations first.
        r.waiting.make_room();
        watched_.make_room();
    }
    const std::uint64_t now = waits ? s.unsent() : 0;
    r.unsent += now - s.counted;
    s.counted = now;
    if (waits == (s.place_waiting != SIZE_MAX)) return;
    waits ? r.waiting.push(s) : r.waiting.erase(s);
    waits ? ++waiting_ : --waiting_;
    if (waits) s.waits_since = pumps_;
    watch_ages(r);
}

/// The counts of groups whose log grows become outdated. A few of them are recounted whenever a group is served, and at
/// each pump after an acknowledgement, so that a request with many of them costs no more than others.
inline void publishing::account_growing(incoming_request& r) {
    for (std::size_t i = std::min(r.growing_count, growing_at_once); i != 0; --i) {
        auto& s = r.growing.take_front();
        if (s.source()->ended() == group::state::open && !s.lost)
            r.growing.push_back(s);
        else
            --r.growing_count;
        account(s);
    }
}

/// Beyond the bound the oldest waiting group is dropped, never the latest: a live reader slows nobody, and a capped one
/// uses no more memory than its bound.
inline void publishing::bound_backlog(incoming_request& r) {
    if (r.kind == request_kind::fetch) return;
    account_growing(r);
    const auto most = bounds_of(r);
    while ((r.unsent > most.bytes || r.waiting.size() > most.groups) && !r.waiting.empty()) {
        auto& oldest = r.waiting.front();
        if (r.waiting.size() == 1 && is_latest(oldest)) return;
        lose(oldest, app_error::lagged, true);
    }
}

inline bool publishing::takes_more(request_id id) noexcept {
    incoming_request* r = find(id);
    if (r == nullptr) return true;
    if (exceeds_share() || served_.size() >= c_.bounds.served_groups / 2) return false;
    const auto most = bounds_of(*r);
    return r->waiting.empty() || (r->waiting.size() < most.groups / 2 && r->unsent < most.bytes / 2);
}

/// Whether it is the latest group of its request that is not lost. Precondition: no other group waits.
inline bool publishing::is_latest(const served_group& s) noexcept {
    bool latest = true;
    s.request->groups.for_each([&](served_group& other) {
        if (!other.lost && s.sequence() < other.sequence()) latest = false;
    });
    return latest;
}

inline void publishing::forget_backlog(served_group& s) noexcept {
    auto& r = *s.request;
    r.unsent -= std::exchange(s.counted, 0);
    if (s.place_waiting != SIZE_MAX) r.waiting.erase(s), --waiting_;
    if (!has_ages(r)) watched_.erase(r);
    if (!s.list_hook<growing_tag>::linked()) return;
    s.list_hook<growing_tag>::unlink();
    --r.growing_count;
}

// SUBSCRIBE_DROP.

inline void publishing::write_drop(incoming_request& r, group_sequence first, group_sequence last, app_error code) {
    if (r.too_many_drops || has_stream_count(c_.dialect)) return; // The number of streams says it.
    if (!r.ok_written) write_ok(r, first);
    if (r.drops.empty() && stream_has_room(r) && has_room())
        return static_cast<void>(
            c_.send(*r.stream, wire::lite::subscribe_drop{first, last, code.in(c_.codes.of(*r.stream))}));
    pending_drops_ -= r.drops.size();
    r.drops.add({first, last, code});
    pending_drops_ += r.drops.size();
    if (!r.list_hook<dropping_tag>::linked() && stream_has_room(r)) dropping_.push_back(r);
    // Ranges with gaps between them cannot be merged. Their number is the publisher's doing, and even a reader that
    // reads its replies has them until its next pump: so this request ends, not the session.
    const auto most = c_.bounds.pending_drops;
    if (r.drops.size() <= most / 4 && pending_drops_ <= most) return;
    pending_drops_ -= r.drops.size();
    r.drops.clear();
    r.list_hook<dropping_tag>::unlink();
    r.too_many_drops = true;
    excess_drops_.push_back(r.id);
    c_.ready.mark();
}

/// Ends the requests with too many waiting drops. Not where that is detected: callers still hold the request there.
inline void publishing::end_excess_drops() {
    while (!excess_drops_.empty()) {
        incoming_request* r = find(excess_drops_.back());
        excess_drops_.pop_back();
        if (r == nullptr) continue;
        c_.abandon_reading(*r->stream, app_error::lagged);
        c_.out.abandon(*r->stream, app_error::lagged);
        lose_all(*r, app_error::lagged);
        end(*r, app_error::lagged);
    }
}

/// Writes drops that were held back, as far as the peer's backlog allows.
inline void publishing::write_drops() {
    while (!dropping_.empty() && has_room()) {
        auto& r = dropping_.front();
        while (!r.drops.empty() && stream_has_room(r) && has_room()) {
            const auto d = r.drops.take();
            --pending_drops_;
            static_cast<void>(
                c_.send(*r.stream, wire::lite::subscribe_drop{d.first, d.last, d.code.in(c_.codes.of(*r.stream))}));
        }
        if (!r.drops.empty() && stream_has_room(r)) return;
        r.list_hook<dropping_tag>::unlink(); // Otherwise control_written() queues it again.
        finish_if_delivered(r);
    }
}

/// Bytes on a request's stream have been written.
inline void publishing::control_written(const control_stream& stream) {
    if (pending_drops_ == 0) return;
    incoming_request* r = stream.kind == control_kind::subscribe_in ? find(request_id{stream.owner}) : nullptr;
    const bool again = r != nullptr && !r->drops.empty() && stream_has_room(*r);
    if (again && !r->list_hook<dropping_tag>::linked()) dropping_.push_back(*r);
    write_drops();
}

} // namespace moqlite::detail
