#include "watcher.hpp"

#include "endpoints.hpp"

#include <algorithm>
#include <cstring>
#include <moqlite/asio/clock.hpp>
#include <variant>

namespace moqlite::bench {

watcher::watcher(const watcher_role& plan, const std::vector<std::byte>& expected, tally& counts, link::connection& on,
    time_point now)
    : plan_{plan},
      expected_{expected},
      tally_{counts},
      connection_{on},
      session_{role::client, version_of(on), {}, now} {
    const track_ref track{"bench", plan.track};
    if (plan.how == watching::drained) {
        reader_.emplace(session_, track_reader_options{.start = group_sequence{0}});
        static_cast<void>(reader_->start(track));
        return;
    }
    asked_.priority = 128;                 // As in track_reader.
    asked_.max_age = milliseconds{60'000}; // Nothing is too old, however busy the machine is.
    // There OK may omit the start; a TRACK is answered before the first group.
    if (has_options_in_ok(session_.negotiated())) asked_.start = group_sequence{0};
    if (plan.how == watching::capped) {
        asked_.ordered = true;
        asked_.max_age = milliseconds{86'400'000};
        // From the first group on, so that there is a Group End from the beginning.
        asked_.start = group_sequence{0};
        asked_.end = group_sequence{ahead_.distance() - 1};
    }
    if (const auto id = session_.subscribe(track, asked_)) subscription_ = *id;
}

void watcher::stream_received(stream_id id, byte_view bytes, bool fin, time_point now) {
    session_.stream_received(id, bytes, fin, now);
    take_events(now);
}
void watcher::stream_reset(stream_id id, app_error code, time_point now) {
    session_.stream_reset(id, code, now);
    take_events(now);
}
void watcher::stream_stopped(stream_id id, app_error code, time_point now) {
    session_.stream_stopped(id, code, now);
    take_events(now);
}
void watcher::stream_writable(stream_id id, time_point now) {
    session_.stream_writable(id, now);
    take_events(now);
}
void watcher::stream_acked(stream_id id, std::uint64_t n, time_point now) {
    session_.stream_acked(id, n, now);
    take_events(now);
}
void watcher::stream_closed(stream_id id, std::optional<app_error> code, time_point now) {
    session_.stream_closed(id, code, now);
    take_events(now);
}
void watcher::streams_available(direction kind, time_point now) {
    session_.streams_available(kind, now);
    take_events(now);
}
void watcher::pump(link::connection& to, time_point now) {
    if (plan_.gives_credit) {
        moqlite::pump(session_, to);
    } else {
        stingy less{to};
        moqlite::pump(session_, less);
    }
    take_events(now);
}
void watcher::tick(time_point now) {
    session_.tick(now);
    take_events(now);
}
void watcher::on_closed(const link::closed& how, time_point now) {
    session_.connection_closed({how.app_code(), how.by_peer, how.reason}, now);
    take_events(now);
}

void watcher::take_events(time_point now) {
    while (auto e = session_.poll_event()) {
        if (reader_) reader_->handle(*e, now);
        std::visit([&](const auto& what) { on(what, now); }, *e);
    }
}

void watcher::on(const subscription_accepted& e, time_point now) {
    ++tally_.accepted;
    lowest_ = e.start;
    raise_cap(now);
}

/// Group End as credit: counted from the oldest group that is not done.
void watcher::raise_cap(time_point now) {
    if (plan_.how != watching::capped) return;
    const group_sequence wanted{number(open_.empty() ? lowest_ : *open_.begin()) + ahead_.distance() - 1};
    if (!ahead_.worth_it(*asked_.end, wanted)) return;
    ahead_.raised(*asked_.end, now);
    asked_.end = wanted;
    static_cast<void>(session_.update(*subscription_, {.end = wanted}));
}

void watcher::on(const group_opened& e, time_point now) {
    if (plan_.how != watching::capped) return;
    ahead_.group_opened(e.sequence, true, now); // Received bytes are used at once.
    open_.insert(e.sequence);
}
void watcher::on(const group_closed& e, time_point now) {
    if (!e.complete) ++tally_.lost;
    if (plan_.how != watching::capped) return;
    open_.erase(e.sequence);
    ahead_.group_closed(e.sequence, plan_.plan.size * plan_.plan.group, now);
    lowest_ = std::max(lowest_, next(e.sequence));
    raise_cap(now);
}
void watcher::on(const groups_dropped& e, time_point now) {
    tally_.lost += number(e.last) - number(e.first) + 1;
    lowest_ = std::max(lowest_, next(e.last));
    raise_cap(now);
}
void watcher::on(const subscription_ended&, time_point) { ++tally_.ended; }
void watcher::on(const session_closed&, time_point) { ++tally_.closed; }

void watcher::on(const frame_data& e, time_point now) {
    if (reader_) return;
    take_piece(e.size, e.offset, e.data, now);
    if (plan_.how == watching::capped) static_cast<void>(session_.release(e.group, e.data.size()));
}

void watcher::take_piece(std::uint64_t frame_size, std::uint64_t offset, byte_view data, time_point now) {
    tally_.bytes += data.size();
    head_.add(offset, data);
    if (offset + data.size() == frame_size) frame_done(head_.get(), now);
}

void watcher::frame_done(const frame_head& head, time_point) {
    ++tally_.frames;
    if (!began_) {
        began_ = true;
        ++tally_.began;
        tally_.first += head.sequence;
    }
    const auto late = asio::now().time_since_epoch().count() - head.due;
    tally_.latencies.push_back(static_cast<float>(late) / 1e6F);
}

std::size_t watcher::drain(std::size_t bytes, time_point now) {
    std::size_t used = 0;
    while (used < bytes) {
        const auto p = reader_->next();
        if (!p) break;
        const auto data = p->data.first(std::min(p->data.size(), bytes - used));
        // Only the head differs between frames.
        const auto same_from = std::max<std::uint64_t>(frame_head_size, p->offset) - p->offset;
        if (same_from < data.size()) {
            const auto at = static_cast<std::size_t>(same_from);
            const auto* want = expected_.data() + p->offset + at;
            if (std::memcmp(data.data() + at, want, data.size() - at) != 0) ++tally_.wrong;
        }
        take_piece(p->size, p->offset, data, now);
        if (p->offset + data.size() == p->size && head_.get().sequence != next_frame_++) ++tally_.wrong;
        used += data.size();
        reader_->consume(data.size());
    }
    while (const auto l = reader_->poll_lost()) tally_.lost += number(l->last) - number(l->first) + 1;
    if (used != 0) connection_.wake();
    return used;
}

} // namespace moqlite::bench
