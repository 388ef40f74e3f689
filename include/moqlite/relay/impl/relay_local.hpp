// Applications of this process, which publish and subscribe at local ends. Part of relay.hpp.
#pragma once

#include <moqlite/relay/relay.hpp>

namespace moqlite {

inline std::uint64_t relay::add_local(local_session& end) {
    auto p = std::make_unique<peer>();
    const auto key = p->key = next_local_key_++;
    p->session.emplace(std::in_place_type<local_session>, local_options{.bounds = options_.bounds,
                                                              .pool = &pool_,
                                                              .table = &table_,
                                                              .ready = &local_ready_,
                                                              .key = key,
                                                              .hears_private = true,
                                                              .passes_on = true});
    p->session->as<local_session>()->join(end);
    static_cast<void>(p->session->watch_hidden(""));
    peers_.emplace(key, std::move(p));
    ++locals_;
    return key;
}

/// Handles what local ends have commanded. Each one's events come to an end: they command nothing meanwhile.
inline void relay::handle_local(time_point now) {
    while (const auto key = local_ready_.pop()) {
        peer* p = find(*key);
        if (p == nullptr) continue;
        auto& end = *p->session->as<local_session>();
        while (const auto e = end.poll_event()) {
            event its_end;
            // If an allocation fails, it comes again after the repair.
            struct unhandled {
                local_session& at;
                const event* what;
                ~unhandled() {
                    if (what != nullptr) at.put_back(*what);
                }
            } guard{end, &*e};
            if (const auto half = known_request(*p, *e)) {
                static_cast<void>(end.reject(*half, app_error::dropped));
                its_end = request_ended{*half};
                guard.what = &its_end;
            }
            handle(*key, *guard.what, now);
            guard.what = nullptr;
        }
        if (!p->session->is_closed()) continue;
        remove(*key);
        --locals_;
    }
}

/// The request that an event reports, if it is known: then it was handled in part.
inline std::optional<request_id> relay::known_request(peer& p, const event& e) noexcept {
    const auto known = [](auto& table, request_id id) {
        return table.find(number(id)) != nullptr ? std::optional{id} : std::nullopt;
    };
    if (const auto* s = std::get_if<subscribe_requested>(&e)) return known(p.requests, s->request);
    if (const auto* t = std::get_if<track_requested>(&e)) return known(p.waiting_queries, t->request);
    if (const auto* f = std::get_if<fetch_requested>(&e)) return known(p.waiting_fetches, f->request);
    return std::nullopt;
}

/// Calls tell(end, id) if a local end publishes the track, with our subscription to it.
template <class F>
void relay::tell_publisher(const relaying::track& t, F&& tell) {
    peer* p = find(t.upstream);
    auto* end = p != nullptr ? p->session->as<local_session>() : nullptr;
    const auto id = t.subscription ? t.subscription : t.finished;
    if (end != nullptr && id) tell(*end, *id);
}

/// The readers of a track that its publisher has finished have everything, or are gone.
inline void relay::release(relaying::track& t) {
    if (!t.finished) return;
    const auto ended = *t.finished;
    tell_publisher(t, [&](local_session& end, subscribe_id) { static_cast<void>(end.unsubscribe(ended)); });
    t.finished.reset();
}

} // namespace moqlite
