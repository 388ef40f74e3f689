// How connections end, and their closing period.
#include "detail/endpoint_state.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

namespace moqlite::ngtcp2::detail {

endpoint_state::endpoint_state(endpoint_options o, link::sink& s)
    : options{std::move(o)}, out{s}, writer{s}, unvalidated{options.unvalidated} {
    std::uint64_t key = 0;
    random(std::as_writable_bytes(std::span{&key, 1}));
    if (options.reset_key)
        reset_secret = *options.reset_key;
    else
        random(reset_secret);
    random(std::as_writable_bytes(std::span{token_secret}));
    routes = decltype(routes){16, cid_hash{key}};
    sources.rekey(key);
    replays.rekey(key);
    for (auto* a : {&resets, &refusals, &negotiations, &retries}) a->rekey(key);
    reset_tokens = decltype(reset_tokens){0, cid_hash{key}};
    memory_bound = memory_bound_for(options);
    constexpr std::size_t least = 64; // A small endpoint has few clients, which may share an address.
    per_source = options.per_address != 0 ? options.per_address : std::max(options.connections / 4, least);
    half_open_per_source = std::min(per_source, std::max(options.handshakes / 4, least));
    probes = probes_for(options.packet_size);
}

endpoint_state::~endpoint_state() = default;

void endpoint_state::random(std::span<std::byte> out_bytes) {
    if (options.random) return options.random(out_bytes);
    draw(out_bytes);
}

ngtcp2_cid endpoint_state::new_cid() {
    ngtcp2_cid cid{};
    cid.datalen = cid_length;
    random(std::as_writable_bytes(std::span{cid.data, cid_length}));
    cid.data[0] = options.shard;
    return cid;
}

void endpoint_state::stateless_reset_token(const ngtcp2_cid& cid, std::uint8_t* to) {
    const auto* key = reinterpret_cast<const std::uint8_t*>(reset_secret.data());
    ngtcp2_crypto_generate_stateless_reset_token(to, key, reset_secret.size(), &cid);
}

connection_state& endpoint_state::adopt(std::unique_ptr<connection_state> c) {
    c->spare_end = std::make_unique<link::closed>(link::closed{NGTCP2_INTERNAL_ERROR, false, false, "out of memory"});
    // Reserved on both lists, so that a connection can become ready and end without an allocation.
    const auto wanted = connections.size() + 1;
    for (auto* each : {&waiting, &pumping})
        if (each->capacity() < wanted) each->reserve(2 * wanted);
    c->index = connections.size();
    connections.push_back(std::move(c));
    return *connections.back();
}

void endpoint_state::ready(connection_state& c) noexcept {
    if (c.queued) return;
    c.queued = true;
    waiting.push_back(&c);
    if (waiting.size() != 1) return;
    try {
        out.ready();
    } catch (const std::bad_alloc&) { // The next datagram or deadline starts a turn anyway.
    }
}

void endpoint_state::out_of_memory(connection_state& c) noexcept {
    if (c.ending) return;
    c.ending = std::move(c.spare_end);
    ++ending;
    sources.leave(c);
    ready(c);
}

void endpoint_state::end(connection_state& c, link::closed how, bool silent) {
    if (c.ending) return;
    if (!c.spare_end) c.spare_end = std::make_unique<link::closed>(); // Not adopted yet.
    *c.spare_end = std::move(how);
    c.ending = std::move(c.spare_end);
    c.silent = silent;
    ++ending;
    sources.leave(c);
    ready(c);
}

void endpoint_state::fail(connection_state& c, int error) {
    const bool silent = error == NGTCP2_ERR_IDLE_CLOSE || error == NGTCP2_ERR_DROP_CONN || error == NGTCP2_ERR_RETRY ||
                        error == NGTCP2_ERR_RECV_VERSION_NEGOTIATION || error == NGTCP2_ERR_DRAINING ||
                        error == NGTCP2_ERR_CLOSING ||
                        (error == NGTCP2_ERR_HANDSHAKE_TIMEOUT && c.own_role == role::server); // Not validated.
    end(c, explain(c, error), silent);
    // The peer's close also counts when our own close was decided but not sent.
    if (error == NGTCP2_ERR_DRAINING) c.draining = c.silent = true;
}

void endpoint_state::send_close(connection_state& c, const link::closed& how) {
    ngtcp2_ccerr error;
    ngtcp2_ccerr_default(&error);
    const auto* text = reinterpret_cast<const std::uint8_t*>(how.reason.data());
    if (how.application)
        ngtcp2_ccerr_set_application_error(&error, how.code, text, how.reason.size());
    else
        ngtcp2_ccerr_set_transport_error(&error, how.code, text, how.reason.size());
    const auto space = writer.scratch();
    ngtcp2_path_storage path;
    ngtcp2_path_storage_zero(&path);
    ngtcp2_pkt_info info{};
    const auto n = ngtcp2_conn_write_connection_close(
        c.conn, &path.path, &info, space.data(), NGTCP2_MAX_UDP_PAYLOAD_SIZE, &error, to_ngtcp2(now));
    if (n <= 0) return; // There are no keys yet, or the amplification limit is reached.
    const auto packet = std::as_bytes(space.first(static_cast<std::size_t>(n)));
    c.bound = link::address{path.path.local.addr, path.path.local.addrlen};
    c.peer = link::address{path.path.remote.addr, path.path.remote.addrlen};
    writer.send(c.bound, c.peer, info.ecn, packet);
    remember(c, packet, info.ecn);
}

void endpoint_state::retire(connection_state& c) {
    c.queued = true; // Nothing makes it ready again from here on.
    --ending;
    const link::closed how = std::move(*c.ending);
    const auto if_there_is_memory = [](auto action) {
        try {
            action();
        } catch (const std::bad_alloc&) { // The connection ends without this step.
        }
    };
    if_there_is_memory([&] {
        if (!c.silent)
            send_close(c, how);
        else if (c.draining)
            remember(c, {}, 0);
    });
    drop_routes(c);
    for (const auto& token : c.reset_tokens) reset_tokens.erase(token);
    timers.remove(c);
    if_there_is_memory([&] { report_end(c, how); });
    const std::size_t at = c.index;
    if (at + 1 != connections.size()) {
        std::swap(connections[at], connections.back());
        connections[at]->index = at;
    }
    connections.pop_back();
}

void endpoint_state::drop_routes(const connection_state& c) noexcept {
    try {
        for (const auto& id : ids_of(c))
            if (const auto r = routes.find(id); r != routes.end() && r->second.live == &c) routes.erase(r);
    } catch (const std::bad_alloc&) { // Slower, but needs no memory.
        std::erase_if(routes, [&c](const auto& r) { return r.second.live == &c; });
    }
}

void endpoint_state::report_end(connection_state& c, const link::closed& how) {
    if (c.handler) {
        c.handler->on_closed(how, now);
    } else if (c.handshake) {
        if (c.own_role == role::server) {
            const bool yielded = how.code == NGTCP2_CONNECTION_REFUSED && !how.application; // Too many to log.
            if ((!c.silent && !yielded) || how.by_peer)
                log(link::log_level::info, "handshake with " + to_string(c.peer) + " failed: " + how.reason);
        }
        if (c.handshake->failed) c.handshake->failed(how);
    }
}

std::vector<cid_key> endpoint_state::ids_of(const connection_state& c) {
    std::vector<ngtcp2_cid> ids(ngtcp2_conn_get_scid(c.conn, nullptr));
    ngtcp2_conn_get_scid(c.conn, ids.data());
    std::vector<cid_key> keys;
    for (const auto& id : ids) keys.emplace_back(id);
    if (c.own_role == role::server) keys.push_back(c.first_dcid); // Unknown to ngtcp2 until it has read that packet.
    return keys;
}

void endpoint_state::remember(connection_state& c, std::span<const std::byte> packet, std::uint8_t ecn) {
    if (closing_records.size() >= options.connections) return;
    auto f = std::make_unique<closing_record>();
    f->ids = ids_of(c);
    f->packet.assign(packet.begin(), packet.end());
    f->local = c.bound;
    f->remote = c.peer;
    f->ecn = ecn;
    f->index = closing_records.size();
    auto& made = *closing_records.emplace_back(std::move(f));
    try {
        for (const auto& id : made.ids) routes[id] = {nullptr, &made};
        constexpr duration longest = std::chrono::seconds{10};
        const duration pto{static_cast<duration::rep>(ngtcp2_conn_get_pto(c.conn))};
        timers.set(made, now + std::min(3 * pto, longest));
    } catch (const std::bad_alloc&) {
        forget(made);
    }
}

void endpoint_state::forget(closing_record& f) {
    for (const auto& id : f.ids)
        if (const auto r = routes.find(id); r != routes.end() && r->second.gone == &f) routes.erase(r);
    timers.remove(f);
    const std::size_t at = f.index;
    if (at + 1 != closing_records.size()) {
        std::swap(closing_records[at], closing_records.back());
        closing_records[at]->index = at;
    }
    closing_records.pop_back();
}

void endpoint_state::warn_rarely(time_point& next, std::string_view line) const {
    if (now < next) return;
    next = now + std::chrono::seconds{60};
    log(link::log_level::warning, line);
}

void endpoint_state::log(link::log_level level, std::string_view line) const {
    if (options.log) options.log(level, line);
}

} // namespace moqlite::ngtcp2::detail
