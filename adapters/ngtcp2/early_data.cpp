// Session tickets, and early data (0-RTT) on both sides.
#include "detail/endpoint_state.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace moqlite::ngtcp2::detail {

namespace {

constexpr std::string_view http3 =
    "h3"; // Its SETTINGS must be remembered, too (RFC 9114 §7.2.4.2), which nghttp3 does not.

const std::uint8_t* bytes_of(byte_view b) noexcept { return reinterpret_cast<const std::uint8_t*>(b.data()); }

std::array<std::uint64_t, 4> numbers_in(byte_view limits) noexcept {
    std::array<std::uint64_t, 4> out{};
    std::memcpy(out.data(), limits.data(), std::min(limits.size(), sizeof out));
    return out;
}

} // namespace

// Tickets.

// Sealed in a ticket, and read by machines of the same kind only.
std::array<std::byte, 32> remembered_limits(const connection_state& c) {
    const auto& o = c.endpoint.options;
    const std::array<std::uint64_t, 4> limits{o.connection_window, o.stream_window, o.uni_streams, o.bidi_streams};
    std::array<std::byte, 32> out{};
    static_assert(sizeof limits == sizeof out);
    std::memcpy(out.data(), limits.data(), sizeof out);
    return out;
}

bool allows_early_data(
    connection_state& c, byte_view limits, std::string_view alpn, std::span<const std::uint8_t, 32> hello) noexcept {
    if (limits.size() != sizeof(std::array<std::uint64_t, 4>) || alpn == http3) return false;
    const auto then = numbers_in(limits), now = numbers_in(remembered_limits(c));
    if (!std::ranges::equal(then, now, std::less_equal<>{})) return false;
    replay_guard::hello h;
    std::ranges::copy(hello, h.begin());
    try {
        return c.endpoint.replays.is_new(h, c.endpoint.now);
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void ticket_received(connection_state& c, byte_view session) noexcept {
    if (!c.tickets || c.tickets->left == 0 || c.ending) return;
    --c.tickets->left;
    try {
        std::array<std::uint8_t, 256> parameters;
        const auto size = ngtcp2_conn_encode_0rtt_transport_params(c.conn, parameters.data(), parameters.size());
        if (size < 0) return;
        const auto encoded = std::as_bytes(std::span{parameters}.first(static_cast<std::size_t>(size)));
        const auto made = encode({c.tickets->rules, c.tickets->server_name, c.protocol,
            {encoded.begin(), encoded.end()}, {session.begin(), session.end()}});
        if (made.empty()) return;
        c.endpoint.tickets.put(c.tickets->key, {bytes_of(made), made.size()});
        if (c.tickets->on_ticket) c.tickets->on_ticket(made);
    } catch (const std::bad_alloc&) {
        c.endpoint.out_of_memory(c);
    } catch (...) { // The caller is C.
        c.endpoint.end(c, {NGTCP2_INTERNAL_ERROR, false, false, "an exception was thrown by on_ticket"});
    }
}

void endpoint_state::resume_session(connection_state& c, const target& to, const tls_rules& rules) {
    if (to.resume == resumption::none) return;
    c.tickets = std::make_unique<client_tickets>(client_tickets{c.server, rules.text, to.server_name, to.on_ticket});
    for (const auto& name : to.alpn) c.tickets->key += '\n' + name;
    c.tickets->key += '\n' + rules.text;
    std::vector<std::byte> bytes = to.ticket;
    if (bytes.empty()) {
        const auto kept = tickets.take(c.tickets->key);
        const auto view = std::as_bytes(std::span{kept});
        bytes.assign(view.begin(), view.end());
    }
    const auto found = decode_ticket(bytes);
    if (!found || found->rules != rules.text || found->server_name != to.server_name) return;
    if (std::ranges::find(to.alpn, found->alpn) == to.alpn.end()) return;
    bool early = to.resume == resumption::early_data && found->alpn != http3;
    if (!resume(*c.crypto, found->session, early) || !early) return;
    if (ngtcp2_conn_decode_and_set_0rtt_transport_params(
            c.conn, bytes_of(found->parameters), found->parameters.size()) != 0)
        return;
    c.early = std::make_unique<early_streams>();
    c.facts.early = link::early_data::pending;
    c.protocol = found->alpn;
}

// Early data.

void connection_state::learn_facts() {
    describe(*crypto, facts);
    if (own_role == role::client && !link::address::parse(handshake->server_name, 0))
        facts.server_name = lower_case(handshake->server_name); // An address is never sent (RFC 6066 §3).
}

void connection_state::begin_early(std::string_view alpn) {
    facts.early = link::early_data::pending;
    protocol = alpn;
    learn_facts();
    handler = handshake->accept(*this, endpoint.now);
    if (!handler) endpoint.end(*this, {close_code(app_error::unauthorized), true, false, "not accepted"});
}

// Before this, ngtcp2 has acknowledged nothing; after it, it knows no stream, and gives the same ids again.
bool connection_state::settle_early() {
    if (has_early_data(*crypto)) {
        facts.early = link::early_data::accepted;
        early.reset();
        return true;
    }
    facts.early = link::early_data::rejected;
    const auto chosen = chosen_alpn(*crypto);
    if (chosen != protocol) {
        endpoint.end(*this, {NGTCP2_CRYPTO_ERROR + 120, false, false,
                                "the server has rejected early data, and chose " + printable(chosen) + " instead of " +
                                    protocol + "; connect again"});
        return false;
    }
    if (ngtcp2_conn_tls_early_data_rejected(conn) != 0) return false;
    early->rejected = early->sending_again = true;
    return true;
}

void connection_state::send_early_again() {
    for (auto& s : early->all()) {
        const auto raw = static_cast<std::int64_t>(number(s.id));
        if (!s.opened) {
            std::int64_t id = -1;
            const int rv = direction_of(s.id) == direction::uni ? ngtcp2_conn_open_uni_stream(conn, &id, nullptr)
                                                                : ngtcp2_conn_open_bidi_stream(conn, &id, nullptr);
            if (rv != 0) return; // The server grants fewer streams than before.
            assert(id == raw);
            s.opened = true;
            if (s.stopped) stop(s.id, *s.stopped);
        }
        if (s.done) continue;
        if (s.reset) {
            s.done = true;
            ngtcp2_conn_shutdown_stream_write(conn, 0, raw, wire_code(*s.reset));
            continue;
        }
        const byte_view rest = byte_view{s.bytes}.subspan(s.sent);
        const auto taken = endpoint.writer.write({s.id, {&rest, 1}, rest.size(), s.fin});
        if (!taken) return;
        s.sent += *taken;
        if (s.sent != s.bytes.size()) return;
        s.done = true;
    }
    early->sending_again = false;
    if (!handler || !early->refused_stream) return;
    handler->streams_available(direction::uni, endpoint.now);
    handler->streams_available(direction::bidi, endpoint.now);
}

} // namespace moqlite::ngtcp2::detail
