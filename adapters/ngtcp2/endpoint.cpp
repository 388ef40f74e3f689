// endpoint's members: connecting, timers, turns.
#include "detail/endpoint_state.hpp"

namespace moqlite::ngtcp2 {

namespace detail {

void endpoint_state::turn(connection_state& c) {
    if (!c.path.is_idle()) c.path.look(c.sample(), probes, now);
    turning = &c;
    writer.begin(c.conn, c.path, to_ngtcp2(now));
    if (c.early && !c.ending)
        contain(c, [&] {
            if (!c.handler) c.begin_early(std::string{c.protocol});
            if (c.early->sending_again) c.send_early_again();
        });
    if (c.handler && !c.ending)
        contain(c, [&] {
            if (const auto id = std::exchange(c.interrupted, std::nullopt)) c.handler->stream_writable(*id, now);
            c.handler->pump(c, now);
            c.interrupted = writer.interrupted();
        });
    int error = 0;
    contain(c, [&] { error = writer.end(); });
    if (writer.current() != nullptr) writer.abandon();
    turning = nullptr;
    if (writer.large() != 0 && !c.ending) c.path.sent(writer.large(), c.sample(), now);
    if (writer.exhausted()) ready(c);
    // A server needs no TLS after the handshake: no tickets are sent, and ngtcp2 does the key updates.
    if (c.crypto != nullptr && c.own_role == role::server && !c.handshake) forget_tls(c);
    contain(c, [&] {
        if (error != 0) fail(c, error);
        bound_memory(c);
        if (!c.ending) schedule(c);
    });
}

void endpoint_state::forget_tls(connection_state& c) {
    ngtcp2_conn_set_tls_native_handle(c.conn, nullptr);
    c.crypto.reset();
}

void endpoint_state::schedule(connection_state& c) {
    auto when = to_time(ngtcp2_conn_get_expiry(c.conn));
    if (c.handler)
        if (const auto theirs = c.handler->deadline(); theirs && (!when || *theirs < *when)) when = theirs;
    if (const auto gap = c.unheard.deadline(); gap && (!when || *gap < *when)) when = gap;
    if (when)
        timers.set(c, *when);
    else
        timers.remove(c);
}

/// Runs one connection's due timers; its pump sets the next deadline.
void endpoint_state::due(connection_state& c) {
    ready(c);
    if (c.ending) return;
    const auto ts = to_ngtcp2(now);
    if (ngtcp2_conn_get_expiry(c.conn) <= ts)
        if (const int rv = ngtcp2_conn_handle_expiry(c.conn, ts); rv != 0) return fail(c, rv);
    stop_unheard(c);
    if (!c.handler) return;
    if (const auto theirs = c.handler->deadline(); theirs && *theirs <= now) c.handler->tick(now);
}

} // namespace detail

endpoint::endpoint(endpoint_options options, link::sink& out)
    : state_{std::make_unique<detail::endpoint_state>(std::move(options), out)} {}

endpoint::~endpoint() = default;

void endpoint::serve(tls configuration, link::accept_function accept) {
    state_->server = std::move(configuration);
    state_->accepted = std::move(accept);
    state_->refusing = false;
}

void endpoint::renew(tls configuration) {
    if (state_->server) state_->server = std::move(configuration); // Each handshake holds its own.
}

void endpoint::refuse() {
    state_->refusing = state_->refusing || state_->server.has_value();
    state_->server.reset();
}

link::connection* endpoint::connect(const tls& configuration, const target& to, link::accept_function accept,
    link::failed_function failed, std::string& why, time_point t) {
    auto& s = *state_;
    s.at(t);
    if (s.connections.size() >= s.options.connections) {
        why = "too many connections";
        return nullptr;
    }
    const ngtcp2_cid scid = s.new_cid();
    auto made = s.make_client(to, scid, why);
    if (!made || !start_tls(*made, configuration.get(), to.server_name, to.alpn, why)) return nullptr;
    std::string offered;
    for (const auto& name : to.alpn) offered += (offered.empty() ? "" : ", ") + name;
    made->handshake = std::make_unique<detail::opening>(
        detail::opening{configuration, std::move(accept), std::move(failed), to.server_name, std::move(offered)});
    s.resume_session(*made, to, detail::rules_of(configuration.get()));
    auto& c = s.adopt(std::move(made));
    s.contain(c, [&] { s.routes[detail::cid_key{scid}] = {&c, nullptr}; });
    s.ready(c);
    return &c;
}

void endpoint::expire(time_point t) {
    auto& s = *state_;
    s.at(t);
    while (auto* next = s.timers.top()) {
        if (next->due > s.now) break;
        s.timers.remove(*next);
        if (next->what == detail::timed::kind::closing_record)
            s.forget(*static_cast<detail::closing_record*>(next));
        else
            s.contain(*static_cast<detail::connection_state*>(next),
                [&] { s.due(*static_cast<detail::connection_state*>(next)); });
    }
}

bool endpoint::pump(time_point t) {
    auto& s = *state_;
    s.at(t);
    // Connections that become ready from here on are pumped in the next turn.
    s.pumping.swap(s.waiting);
    for (std::size_t i = 0; i < s.pumping.size(); ++i) { // A handler may connect, which grows this list.
        auto* c = s.pumping[i];
        c->queued = false;
        if (c->ending) {
            s.retire(*c);
        } else if (s.writer.full()) {
            c->queued = true;
            s.waiting.push_back(c);
        } else {
            s.turn(*c); // If it decides to end, it is ready again, and retired in the next turn.
        }
    }
    s.pumping.clear();
    return !s.waiting.empty() && !s.writer.full();
}

void endpoint::writable() { state_->writer.writable(); }

std::optional<time_point> endpoint::deadline() const {
    if (const auto* next = state_->timers.top()) return next->due;
    return std::nullopt;
}

void endpoint::close_all(app_error code, std::string_view reason) {
    // Closing only marks: no connection leaves the list before the next pump.
    for (const auto& c : state_->connections) {
        state_->contain(*c, [&] {
            if (c->handler && !c->ending)
                c->handler->leave(*c, code, reason);
            else
                c->close(code, reason);
        });
    }
}

std::size_t endpoint::connections() const { return state_->connections.size() - state_->ending; }

std::size_t endpoint::closing() const { return state_->closing_records.size() + state_->ending; }

} // namespace moqlite::ngtcp2
