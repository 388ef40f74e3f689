// The state of one connection.
#pragma once

#include "../../common/counted_memory.hpp"
#include "black_hole.hpp"
#include "cid.hpp"
#include "deadlines.hpp"
#include "early_streams.hpp"
#include "tls_library.hpp"
#include "unheard_streams.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <moqlite/containers/list.hpp>
#include <moqlite/link/connection.hpp>
#include <moqlite/ngtcp2/endpoint.hpp>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::ngtcp2::detail {

struct endpoint_state;

[[nodiscard]] inline ngtcp2_tstamp to_ngtcp2(time_point t) noexcept {
    return static_cast<ngtcp2_tstamp>(t.time_since_epoch().count());
}
[[nodiscard]] inline ngtcp2_duration to_ngtcp2(duration d) noexcept { return static_cast<ngtcp2_duration>(d.count()); }

/// The idle timeout that the peer is given: the timer begins anew with the first packet after one received (RFC 9000
/// §10.1), which is our keep-alive, so that both together are the timeout of the options.
[[nodiscard]] inline ngtcp2_duration quic_idle_timeout(const endpoint_options& o) noexcept {
    return to_ngtcp2(o.idle_timeout) / 4 * 3;
}
[[nodiscard]] inline std::optional<time_point> to_time(ngtcp2_tstamp t) noexcept {
    if (t > static_cast<ngtcp2_tstamp>(duration::max().count())) return std::nullopt;
    return time_point{duration{static_cast<duration::rep>(t)}};
}
[[nodiscard]] inline ngtcp2_addr to_ngtcp2(const link::address& a) noexcept {
    // ngtcp2 copies addresses and does not write to ours.
    return {static_cast<ngtcp2_sockaddr*>(const_cast<void*>(a.data())), static_cast<ngtcp2_socklen>(a.size())};
}

/// Of a client that resumes sessions.
struct client_tickets {
    std::string key;         ///< In the endpoint's memory.
    std::string rules;       ///< tls_rules::text: the configuration may be gone when a ticket arrives.
    std::string server_name; ///< That was verified.
    std::function<void(byte_view)> on_ticket;
    unsigned left = 8; ///< Of this connection: a server may send any number.
};

/// State that a connection needs only until its handshake is complete.
struct opening {
    tls configuration; ///< The TLS library's callbacks point into it.
    link::accept_function accept;
    link::failed_function failed;
    std::string server_name;
    std::string alpn; ///< What we offered, for the error message.
};

struct connection_state;
struct half_open_tag;
struct half_open_here_tag;

/// The usage of one source; destroyed with its last connection.
struct source_usage {
    link::address address; ///< Any of its own.
    std::size_t connections = 0;
    std::size_t handshakes = 0;                                            ///< Among them.
    moqlite::detail::list<connection_state, half_open_here_tag> half_open; ///< The oldest first.
};

struct connection_state final : link::connection,
                                timed,
                                moqlite::detail::list_hook<half_open_tag>,
                                moqlite::detail::list_hook<half_open_here_tag> {
    connection_state(endpoint_state& at, role r) : timed{kind::connection}, endpoint{at}, own_role{r} {
        reference.get_conn = [](ngtcp2_crypto_conn_ref* ref) {
            return static_cast<connection_state*>(ref->user_data)->conn;
        };
        reference.user_data = this;
    }
    ~connection_state() override;

    [[nodiscard]] std::optional<stream_id> open(direction) override;
    [[nodiscard]] std::optional<std::size_t> write(const write_stream&) override;
    void reset(stream_id, app_error) override;
    [[nodiscard]] bool can_reset_reliably() const noexcept override;
    void reset_reliably(stream_id, app_error) override;
    void stop(stream_id, app_error) override;
    void credit(stream_id, std::uint64_t bytes) override;
    void close(app_error, std::string_view reason) override;
    void flush() override;
    bool send(byte_view datagram) override;
    void application_codes(link::code_form implied) override { implied_codes = implied; }
    void wake() override;
    [[nodiscard]] role side() const noexcept override { return own_role; }
    [[nodiscard]] std::string_view alpn() const noexcept override { return protocol; }
    [[nodiscard]] const link::address& remote() const noexcept override { return peer; }
    [[nodiscard]] const link::address& local() const noexcept override { return reached.empty() ? bound : reached; }
    [[nodiscard]] const link::tls_facts& tls() const noexcept override { return facts; }
    [[nodiscard]] link::connection_stats stats() const override;
    [[nodiscard]] std::size_t datagram_size() const override;

    endpoint_state& endpoint;
    const role own_role;

    adapters::counted_memory<ngtcp2_mem> memory; ///< Allocator of `conn`.
    ngtcp2_conn* conn = nullptr;
    tls_handle crypto; ///< Null once a server needs it no more.
    ngtcp2_crypto_conn_ref reference{};

    std::unique_ptr<opening> handshake;      ///< Null once it is complete.
    std::unique_ptr<link::handler> handler;  ///< Null until then, or until early data.
    std::unique_ptr<link::closed> ending;    ///< Decided, but not executed yet.
    std::unique_ptr<link::closed> spare_end; ///< Preallocated: the end after a failed allocation.
    bool silent = false;                     ///< End without CONNECTION_CLOSE.
    bool draining = false;                   ///< The peer has closed.

    link::address bound, peer; ///< The path as ngtcp2 knows it.
    link::address reached;     ///< Of a client, whose socket is usually bound to the wildcard.
    link::tls_facts facts;
    black_hole path; ///< What it carries at present.
    [[nodiscard]] path_sample sample() const;
    std::string protocol;
    std::string server;       ///< A client's server, name and port: the key of its token.
    link::qlog_function qlog; ///< Empty: none is written.
    std::string error_detail; ///< More specific than the error that ngtcp2 will report.

    source_usage* from = nullptr; ///< Of an incoming connection, until it ends.
    time_point began{};           ///< Its handshake.

    cid_key first_dcid;                ///< Of a server: where the client's first packets go.
    std::vector<cid_key> reset_tokens; ///< For the ids that a client sends to.

    std::optional<link::code_form> implied_codes; ///< Of streams; nullopt: as the handler gives them.
    std::optional<link::code_form> shown_codes;   ///< By the peer's last code that showed one.
    [[nodiscard]] std::uint64_t wire_code(app_error code) const noexcept {
        return link::to_wire_code(code, implied_codes ? shown_codes.value_or(*implied_codes) : link::code_form::raw);
    }
    /// The code of a close that no session asked for.
    [[nodiscard]] std::uint64_t close_code(app_error code) const noexcept {
        const auto spoken = version_from_alpn(protocol);
        return static_cast<std::uint64_t>(spoken ? code.in(session_codes(*spoken)) : code);
    }
    /// The code of a reset or stop that no session asked for.
    [[nodiscard]] std::uint64_t stream_code(app_error code) const noexcept {
        const auto spoken = version_from_alpn(protocol);
        return wire_code(spoken ? code.in(stream_codes(*spoken)) : code);
    }
    void code_received(std::uint64_t wire) noexcept {
        if (const auto form = link::form_of(wire)) shown_codes = form;
    }

    std::unique_ptr<client_tickets> tickets;
    std::unique_ptr<early_streams> early; ///< Of a client, until nothing of them can be sent again.
    /// Fills in what TLS knows by now.
    void learn_facts();
    /// Drops the copies that are acknowledged.
    void forget_early() noexcept {
        if (early && early->rejected && !early->sending_again && early->is_over()) early.reset();
    }
    /// Makes the handler with what is known before the handshake is complete.
    void begin_early(std::string_view alpn);
    /// A client's handshake is complete. False: the connection ends.
    [[nodiscard]] bool settle_early();
    /// Sends what the server has rejected again, in a turn.
    void send_early_again();
    [[nodiscard]] bool is_early() const noexcept { return facts.early == link::early_data::pending; }

    unheard_streams unheard;
    std::optional<stream_id> interrupted; ///< To be reported writable at the next pump.

    bool queued = false;   ///< On the endpoint's ready list.
    std::size_t index = 0; ///< In the endpoint's connections.
};

/// The state of a connection that an endpoint made.
[[nodiscard]] inline connection_state& state_of(link::connection& c) noexcept {
    return static_cast<connection_state&>(c);
}

/// The callbacks of every connection; its user data is the connection_state.
[[nodiscard]] ngtcp2_callbacks callbacks(role);

/// Why the connection ended, from what an ngtcp2 function returned.
[[nodiscard]] link::closed explain(const connection_state&, int error);
/// A transport error's name (RFC 9000 §20.1), "" if it has none.
[[nodiscard]] std::string_view transport_error_name(std::uint64_t code) noexcept;

} // namespace moqlite::ngtcp2::detail
