// Sessions with peers, and the connections beneath them.
#include "detail/peers_state.hpp"

#include <algorithm>
#include <moqlite/asio/clock.hpp>
#include <moqlite/asio/error.hpp>

namespace moqlite::asio::detail {

namespace {

/// Dials of both sides that are answered within this time may have crossed; later the peer has lost the older one.
constexpr duration crossing = std::chrono::seconds{10};
/// How long a spare connection is left to the peer, and how long we wait for the one that the peer prefers.
constexpr duration settling = std::chrono::seconds{3};

} // namespace

std::shared_ptr<session_state> peers_state::find(const peer_key& key) const {
    const auto found = links_.find(key);
    if (found == links_.end() || !found->second.session->is_open() || found->second.session->is_closing()) return {};
    return found->second.session;
}

std::vector<peer_key> peers_state::connected() const {
    std::vector<peer_key> all;
    for (const auto& [key, each] : links_)
        if (find(key)) all.push_back(key);
    return all;
}

peers_state::link& peers_state::link_of(const peer_key& key) {
    if (const auto found = links_.find(key); found != links_.end()) {
        if (find(key)) return found->second;
        end(found->second, {}); // It was closing.
    }
    auto& made = links_.try_emplace(key, executor()).first->second;
    made.session = std::make_shared<session_state>(of_);
    made.session->read_root = key.text();
    made.session->publish_root = here_root;
    made.session->on_end = [weak = weak_from_this(), key, whose = made.session.get()] {
        if (const auto here = weak.lock()) here->forget(key, whose);
    };
    return made;
}

/// The session of this peer is over.
void peers_state::forget(const peer_key& key, const session_state* whose) {
    const auto found = links_.find(key);
    if (found == links_.end() || found->second.session.get() != whose) return;
    auto gone = links_.extract(found);
    for (const auto& address : gone.mapped().addresses) {
        const auto at = addresses_.find(address);
        if (at != addresses_.end() && at->second == key) addresses_.erase(at);
    }
    for (auto& each : gone.mapped().connections) close(each, app_error::cancel, {});
}

void peers_state::end(link& l, error_code error) {
    const auto session = l.session; // forget() destroys the link.
    session->end(error);
}

void peers_state::close(connection& c, app_error code, std::string_view reason) {
    if (!std::exchange(c.is_closing, true)) c.on->close(code, reason);
}

/// Whichever connection its session is on, the peer hears of what is for it alone.
result<void> peers_state::let_in(const peer_key& key, const session_ref& by) {
    of_->relay().alone(by->key, link_of(key).session->alone());
    return of_->relay().admit(by->key, scope_of(key));
}

/// Adds a connection that was admitted.
void peers_state::join(const peer_key& key, const session_ref& by, bool outbound) {
    auto& l = link_of(key);
    watch(key, by);
    by->on_goaway = [of = std::weak_ptr{l.session}](const std::string& uri) {
        if (const auto s = of.lock()) s->left(uri);
    };
    by->on_probe = [of = std::weak_ptr{l.session}, its = by->key](const event& e) {
        if (const auto s = of.lock(); s && s->key == its) s->handle(e);
    };
    l.connections.push_back({by, outbound, asio::now(), false});
    settle(key, l);
}

/// Reports the end of a connection, once.
void peers_state::watch(const peer_key& key, const session_ref& by) {
    by->on_end = [before = std::move(by->on_end), weak = weak_from_this(), key, its = std::weak_ptr{by}] {
        if (before) before();
        const auto here = weak.lock();
        const auto which = its.lock();
        if (here && which) here->ended(key, which);
    };
}

/// Both ends choose the same of two connections that crossed: that of the lower key. Of several from one end it keeps
/// its first; which that is only this end knows, so the other one keeps two for a while, and uses the newer.
peers_state::connection* peers_state::choose(const peer_key& key, link& l) {
    connection *in = nullptr, *out = nullptr;
    for (auto& each : l.connections) {
        if (each.is_closing || !each.on->is_open()) continue;
        if (!each.outbound) in = &each;
        if (each.outbound && out == nullptr) out = &each;
    }
    if (in == nullptr || out == nullptr) return in != nullptr ? in : out;
    const auto apart = in->since - out->since;
    if (apart > crossing || apart < -crossing) return apart > duration{} ? in : out;
    return own_ < key ? out : in;
}

void peers_state::settle(const peer_key& key, link& l) {
    auto* best = choose(key, l);
    if (best == nullptr) return;
    // Closing may report the end of another at once.
    const auto on = best->on;
    const bool outbound = best->outbound;
    const bool moved = std::exchange(l.session->key, on->key) != on->key;
    l.session->protocol = on->protocol;
    l.session->path = on->path;
    l.session->remote = on->remote;
    l.session->local = on->local;
    l.session->tls = on->tls;
    l.session->is_webtransport = on->is_webtransport;
    std::size_t spare = 1;
    for (std::size_t i = l.connections.size(); i-- != 0;) {
        auto& each = l.connections[i];
        if (each.is_closing || each.on == on) continue;
        if (!outbound && !each.outbound && spare != 0) {
            --spare;
            l.timer.expires_after(settling);
            l.timer.async_wait([weak = weak_from_this(), key, left = each.on](const error_code& error) {
                const auto here = weak.lock();
                const auto found = here && !error ? here->links_.find(key) : decltype(here->links_.end()){};
                if (!here || error || found == here->links_.end()) return;
                for (auto& c : found->second.connections)
                    if (c.on == left && c.on->key != found->second.session->key)
                        here->close(c, connection_superseded, "another connection is kept");
            });
            continue;
        }
        close(each, connection_superseded, "another connection is kept");
    }
    if (moved) l.session->begin_probe();
    of_->wake();
}

/// A connection has ended: with it the session, or not, if the two ends have settled on another one.
void peers_state::ended(const peer_key& key, const session_ref& which) {
    const auto waiting = undecided_.find(key);
    if (const auto a = waiting != undecided_.end() ? waiting->second.lock() : nullptr) std::erase(a->waiting, which);
    const auto found = links_.find(key);
    if (found == links_.end()) return;
    auto& l = found->second;
    const auto at = std::ranges::find(l.connections, which, &connection::on);
    if (at == l.connections.end()) return;
    const bool by_us = at->is_closing;
    l.connections.erase(at);
    const auto how = which->how().value_or(error_code{});
    if (l.session->is_closing()) {
        if (which->key == l.session->key) end(l, how);
        return;
    }
    if (by_us) return;
    const auto code = remote_code(how);
    const bool superseded = code == static_cast<std::uint64_t>(connection_superseded);
    const bool lost = how && !code;
    if (choose(key, l) != nullptr) {
        if (!superseded && !lost) l.last = how; // If it ends the session, the others end, too.
        return settle(key, l);
    }
    superseded ? wait(key, l, how) : end(l, l.last.value_or(how));
}

/// The peer prefers a connection that we have not seen yet.
void peers_state::wait(const peer_key& key, link& l, error_code why) {
    l.timer.expires_after(settling);
    l.timer.async_wait([weak = weak_from_this(), key, why, whose = std::weak_ptr{l.session}](const error_code& error) {
        const auto here = weak.lock();
        const auto s = whose.lock();
        if (error || !here || !s) return;
        const auto found = here->links_.find(key);
        if (found == here->links_.end() || found->second.session != s) return;
        if (here->choose(key, found->second) == nullptr) here->end(found->second, why);
    });
}

} // namespace moqlite::asio::detail
