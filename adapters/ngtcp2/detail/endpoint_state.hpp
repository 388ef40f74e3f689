// The state of an endpoint.
#pragma once

#include "allowance.hpp"
#include "cid.hpp"
#include "connection_state.hpp"
#include "deadlines.hpp"
#include "packet_writer.hpp"
#include "replay_guard.hpp"
#include "sources.hpp"
#include "ticket.hpp"
#include "token_store.hpp"

#include <memory>
#include <moqlite/ngtcp2/endpoint.hpp>
#include <new>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace moqlite::ngtcp2::detail {

/// Represents a closed connection for three PTO: repeats its CONNECTION_CLOSE, or stays silent if the peer closed, so
/// that late packets do not start a connection.
struct closing_record final : timed {
    closing_record() : timed{kind::closing_record} {}
    std::vector<cid_key> ids;
    std::vector<std::byte> packet; ///< Empty: the peer closed.
    link::address local, remote;
    std::uint8_t ecn = 0;
    std::uint64_t heard = 0; ///< Packets received since.
    std::size_t index = 0;
};

/// A client's first Initial packet, and what its token says of its address.
struct first_packet {
    enum class token : std::uint8_t {
        none,        ///< Or an unknown one.
        from_retry,  ///< Our Retry was answered from this address.
        from_before, ///< Of an earlier connection, by NEW_TOKEN.
        invalid      ///< Of a Retry, but too old, another's, or damaged.
    };
    ngtcp2_pkt_hd header{};
    ngtcp2_cid original{}; ///< The destination id of the client's very first packet, before any Retry.
    token proof = token::none;

    [[nodiscard]] bool is_proved() const noexcept { return proof == token::from_retry || proof == token::from_before; }
};

/// Where a connection id leads.
struct route {
    connection_state* live = nullptr;
    closing_record* gone = nullptr;
};

/// UDP payloads to try for path MTU discovery, in this order, none above `packet_size`.
[[nodiscard]] std::vector<std::uint16_t> probes_for(std::size_t packet_size);

/// The most that ngtcp2 may keep for one connection, in bytes: more than any honest peer needs.
[[nodiscard]] std::size_t memory_bound_for(const endpoint_options&) noexcept;

struct endpoint_state {
    endpoint_state(endpoint_options o, link::sink& s);
    ~endpoint_state();

    // Time.
    time_point now{};
    /// The caller's clock may stand still, but ngtcp2 asserts that it never goes back.
    void at(time_point t) noexcept {
        if (t > now) now = t;
    }

    // Randomness.
    void random(std::span<std::byte>);
    [[nodiscard]] ngtcp2_cid new_cid();
    void stateless_reset_token(const ngtcp2_cid&, std::uint8_t* out);

    // Connections.
    [[nodiscard]] std::unique_ptr<connection_state> make_client(
        const target&, const ngtcp2_cid& scid, std::string& why);
    [[nodiscard]] std::unique_ptr<connection_state> make_server(
        const first_packet&, const ngtcp2_cid& scid, const link::datagram&, std::string& why);
    connection_state& adopt(std::unique_ptr<connection_state>);
    /// Puts it on the ready list and, outside of a turn, asks for one.
    void ready(connection_state&) noexcept;
    /// Ends the connection in the next pump(). The first reason counts.
    void end(connection_state&, link::closed how, bool silent = false);
    /// Ends a connection for which an allocation failed; allocates nothing itself.
    void out_of_memory(connection_state&) noexcept;
    /// Runs one connection's work; std::bad_alloc ends that connection, and no other.
    template <class Action>
    void contain(connection_state& c, Action action) {
        try {
            action();
        } catch (const std::bad_alloc&) {
            out_of_memory(c);
        }
    }
    /// Ends the connection with the error of an ngtcp2 function.
    void fail(connection_state&, int error);

    // Timers.
    void due(connection_state&);

    // Datagrams.
    void feed(connection_state&, const link::datagram&);
    void answer(closing_record&, const link::datagram&);
    void accept(const link::datagram&);
    [[nodiscard]] first_packet judge(const ngtcp2_pkt_hd&, const link::address& from) const;
    /// Handshakes without a token are accepted at present.
    [[nodiscard]] bool takes_unvalidated();
    void send_retry(const link::datagram&, const ngtcp2_pkt_hd&);
    /// Answers an Initial packet with CONNECTION_CLOSE and keeps nothing.
    void refuse(const link::datagram&, const ngtcp2_pkt_hd&, std::uint64_t code);
    /// Makes room for one more handshake of a source; the oldest may yield. False: the client has to retry.
    [[nodiscard]] bool make_room(source_usage*);
    /// Sends a token (NEW_TOKEN) for the client's next connection from `to`.
    void give_token(connection_state&, const link::address& to);
    void refuse_version(const link::datagram&, const ngtcp2_version_cid&);
    /// A short header with an unknown id: a stateless reset for a client's connection, or a stray packet.
    void feed_reset(const link::datagram&);
    void reset(const link::datagram&);

    // Bounds.
    /// Ends a connection for which ngtcp2 holds too much memory.
    void bound_memory(connection_state&);
    /// Ends the streams whose first byte has been missing for too long.
    void stop_unheard(connection_state&);

    // Errors from the kernel.
    /// Ends a handshake that cannot continue.
    void unreachable(connection_state&, int error);

    // Turns.
    void turn(connection_state&);
    void forget_tls(connection_state&);
    /// Destroys a connection whose end was decided.
    void retire(connection_state&);
    void send_close(connection_state&, const link::closed&);
    void drop_routes(const connection_state&) noexcept;
    void report_end(connection_state&, const link::closed&);
    [[nodiscard]] static std::vector<cid_key> ids_of(const connection_state&);
    void remember(connection_state&, std::span<const std::byte> packet, std::uint8_t ecn);
    void forget(closing_record&);
    void schedule(connection_state&);

    void log(link::log_level, std::string_view) const;
    /// Logs at most once a minute.
    void warn_rarely(time_point& next, std::string_view) const;

    [[nodiscard]] std::unique_ptr<connection_state> make(
        role, const ngtcp2_cid& original, const link::address& local, const link::address& remote);

    endpoint_options options;
    link::sink& out;
    packet_writer writer;
    std::unordered_map<cid_key, route, cid_hash> routes;
    std::unordered_map<cid_key, connection_state*, cid_hash> reset_tokens; ///< Of clients' peers.
    deadlines timers;

    std::vector<std::unique_ptr<connection_state>> connections;
    std::vector<std::unique_ptr<closing_record>> closing_records;
    std::vector<connection_state*> waiting; ///< Ready to be pumped.
    connection_state* turning = nullptr;    ///< Its packets are being written.
    std::vector<connection_state*> pumping; ///< Those of the pump under way.
    std::size_t handshakes = 0;             ///< Incoming ones.
    source_table sources{handshakes};       ///< Of incoming connections.
    std::size_t ending = 0;                 ///< Connections whose end was decided.

    std::size_t memory_bound = 0;      ///< Of one connection in ngtcp2.
    std::vector<std::uint16_t> probes; ///< For path MTU discovery, in order.

    std::optional<tls> server;
    link::accept_function accepted;
    bool refusing = false; ///< A server that refuses new connections.
    secret reset_secret{};
    std::uint8_t token_secret[32] = {};
    token_store tokens; ///< Of the servers that we are a client of.
    token_store tickets{ticket::largest};
    replay_guard replays;
    /// Prepares the resumption of a session, perhaps with early data.
    void resume_session(connection_state&, const target&, const tls_rules&);

    // Packets a second to unvalidated addresses: to one, and to all. Many clients may share an address, and reconnect
    // at once when a relay drains.
    allowance_by_source resets{100, 10'000};
    allowance_by_source refusals{1'000, 10'000};
    allowance_by_source negotiations{1'000, 10'000};
    allowance_by_source retries{5'000, 20'000};
    allowance unvalidated;                ///< Handshakes begun without a token.
    std::size_t per_source = 0;           ///< Connections.
    std::size_t half_open_per_source = 0; ///< Handshakes under way.
    time_point pressure_warned{}, full_warned{};
};

} // namespace moqlite::ngtcp2::detail
