// What an end of a local session reports. Part of local_session.hpp.
#pragma once

#include <algorithm>
#include <moqlite/session/local_session.hpp>

namespace moqlite {

inline std::optional<event> local_session::poll_event() {
    if (reported_ != nullptr) std::exchange(reported_, nullptr)->cursor->consume(reported_bytes_);
    if (auto e = std::exchange(put_back_, std::nullopt); e && complete_names(*e)) return e;
    if (auto e = next_note()) return e;
    if (closed_) {
        if (std::exchange(is_over_, true)) return std::nullopt;
        return *closed_;
    }
    if (auto e = next_of_groups()) return e;
    return next_announcement();
}

/// A request that was withdrawn in the meantime is not reported.
inline std::optional<event> local_session::next_note() {
    while (!notes_.empty()) {
        auto e = notes_.pop();
        if (!complete_names(e)) continue;
        if (auto* d = std::get_if<group_datagram>(&e)) {
            datagram_ = datagrams_.pop();
            if (subscriptions_by_id_.find(number(d->subscription)) == nullptr) continue; // It was left, or is over.
            d->data = datagram_;
        }
        // Its frames, or growth, come next.
        if (const auto* opened = std::get_if<group_opened>(&e))
            if (auto* a = arriving_by_id_.find(number(opened->group))) a->wake();
        return e;
    }
    return std::nullopt;
}

/// Fills in what a note does not hold, since it may be gone. False: it is.
inline bool local_session::complete_names(event& e) {
    const auto name = [&](auto& request, auto* its) {
        if (its == nullptr) return false;
        request.track = {its->broadcast, its->track};
        return true;
    };
    if (auto* s = std::get_if<subscribe_requested>(&e)) return name(*s, served(s->request));
    if (auto* t = std::get_if<track_requested>(&e))
        return is_open() && name(*t, peer_->tracks_by_id_.find(number(t->request)));
    if (auto* f = std::get_if<fetch_requested>(&e))
        return is_open() && name(*f, peer_->fetches_by_id_.find(number(f->request)));
    return true;
}

// Groups.

inline std::optional<event> local_session::next_of_groups() {
    while (group_reader* woken = wake_.woken.pop_front()) {
        auto& a = static_cast<arriving&>(*woken);
        // If an allocation fails, it is looked at again.
        struct unseen {
            arriving* group;
            ~unseen() {
                if (group != nullptr) group->wake();
            }
        } guard{&a};
        auto e = grown(a);
        guard.group = nullptr; // It may be gone.
        if (e) return e;
    }
    return std::nullopt;
}

/// A group has grown, or ended; or more of it is to be reported.
inline std::optional<event> local_session::grown(arriving& a) {
    const auto& g = *a.source();
    if (a.evicted()) return ended(a, false, *a.evicted());
    if (a.how == arriving::use::reported) {
        if (!a.cursor) a.cursor.emplace(a.source());
        if (a.cursor->evicted()) return ended(a, false, *a.cursor->evicted());
        if (const auto p = a.cursor->next()) {
            reported_ = &a;
            reported_bytes_ = p->data.size();
            a.pass();
            a.wake();
            const auto whose = a.of != nullptr ? a.of->id : no_subscription;
            return frame_data{a.id, whose, g.sequence(), g.subgroup(), p->object, p->size, p->offset, p->time, p->data};
        }
    }
    a.pass();
    if (a.how != arriving::use::reported && a.seen != g.size()) {
        a.seen = g.size();
        g.ended() == group::state::open ? a.wait() : a.wake();
        return group_grown{a.id, a.of->id, g.sequence()};
    }
    if (g.ended() != group::state::open) return ended(a, g.ended() == group::state::finished, g.abort_code());
    a.wait();
    return std::nullopt;
}

/// The last event of a group of ours.
inline std::optional<event> local_session::ended(arriving& a, bool complete, app_error code) {
    notes_.make_room(1); // Allocates first: what follows must happen completely.
    peer_->notes_.make_room(2);
    const auto sequence = a.source()->sequence();
    subscription* const s = a.of;
    const group_closed e{
        a.id, s != nullptr ? s->id : no_subscription, sequence, complete, complete ? app_error::cancel : code};
    const request_id request{s != nullptr ? number(s->id) : number(a.id)};
    if (complete && a.how != arriving::use::adopted) a.source()->note_delivered();
    if (complete)
        tell(group_delivered{request, sequence});
    else
        tell(group_lost{request, sequence, code});
    forget(a);
    if (s != nullptr) {
        finish_if_over(*s);
        return e;
    }
    tell(request_ended{request, complete});
    auto& q = *fetches_by_id_.find(number(e.group));
    fetches_by_id_.erase(number(e.group));
    queries_.destroy(q);
    return e;
}

// Announcements.

inline std::optional<event> local_session::next_announcement() {
    while (!pending_.empty()) {
        auto& w = static_cast<watching&>(pending_.front());
        while (auto* e = peer_->table_->next(w)) {
            // If an allocation fails, the table is read again.
            struct unread {
                watching* by;
                ready_entry& reader;
                ~unread() {
                    if (by == nullptr) return;
                    announcements::read_again(*by);
                    reader.mark();
                }
            } guard{&w, ready_};
            auto reported = announced(w, *e);
            guard.by = nullptr;
            if (reported) return reported;
        }
        w.detail::list_hook<detail::pending_tag>::unlink();
        if (!std::exchange(w.synced, true)) return announcements_synced{w.id};
    }
    return std::nullopt;
}

/// A change of one path: what our application has to know of it.
inline std::optional<event> local_session::announced(watching& w, announcements::entry& e) {
    const auto before = announcements::known(w, e);
    const auto below = path::strip(e.path, w.prefix);
    const auto best =
        std::find_if(e.routes.begin(), e.routes.end(), [&](const route& r) { return r.source != w.source; });
    const bool is_hidden = below && !w.hidden && path::is_hidden(*below);
    const bool is_there = best != e.routes.end() && !is_hidden && (hears_private_ || !path::is_private(e.path));
    path_ = e.path;
    const std::pair key{path_, w.id};
    if (!is_there) {
        announcements::entry& gone = e;
        peer_->table_->set_known(w, gone, 0); // This may destroy it.
        available_.erase(key);
        if (before.digest == 0) return std::nullopt;
        return broadcast_ended{w.id, path_};
    }
    // Which publisher it is, so that a successor is reported as one.
    const auto who =
        best->hops.empty() || best->hops.front() == hop_id{} ? best->source + 1 : number(best->hops.front());
    const auto digest = static_cast<std::uint32_t>(who ^ (who >> 32)) | 1;
    hops_ = best->hops;
    const auto cost = best->cost;
    available_.insert(key); // First, as it may throw.
    peer_->table_->set_known(w, e, digest);
    if (before.digest == digest && !before.retracted) return std::nullopt;
    return broadcast_available{w.id, path_, hops_, before.digest != 0, cost};
}

} // namespace moqlite
