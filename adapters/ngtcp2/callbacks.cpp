// ngtcp2's callbacks, passed on to the handler.
#include "detail/compat.hpp"
#include "detail/endpoint_state.hpp"

#include <algorithm>
#include <type_traits>

namespace moqlite::ngtcp2::detail {

namespace {

connection_state& at(void* user) noexcept { return *static_cast<connection_state*>(user); }
stream_id id_of(std::int64_t id) noexcept { return stream_id{static_cast<std::uint64_t>(id)}; }

/// A third of QUIC's idle timeout, which is the shorter one of the two ends' (RFC 9000 §10.1), so that two may be lost.
void keep_alive(connection_state& c) {
    auto idle = quic_idle_timeout(c.endpoint.options);
    const auto* peer = ngtcp2_conn_get_remote_transport_params(c.conn);
    if (peer != nullptr && peer->max_idle_timeout != 0)
        idle = idle == 0 ? peer->max_idle_timeout : std::min(idle, peer->max_idle_timeout);
    if (idle != 0) ngtcp2_conn_set_keep_alive_timeout(c.conn, idle / 3);
}

int recv_crypto_data(ngtcp2_conn* conn, ngtcp2_encryption_level level, std::uint64_t offset, const std::uint8_t* data,
    std::size_t size, void* user) {
    // A client has nothing to say in TLS after its Finished (RFC 9001 §4.4, §6).
    if (at(user).crypto == nullptr) return NGTCP2_ERR_CRYPTO;
    return ngtcp2_crypto_recv_crypto_data_cb(conn, level, offset, data, size, user);
}

int handshake_completed(ngtcp2_conn*, void* user) {
    auto& c = at(user);
    keep_alive(c);
    c.learn_facts();
    if (c.early && !c.settle_early()) return 0;
    c.protocol = chosen_alpn(*c.crypto);
    if (c.protocol.empty()) {
        // A server that selects no ALPN supports none of ours (RFC 9001 §8.1).
        c.endpoint.end(c,
            {NGTCP2_CRYPTO_ERROR + 120, false, false, "no common ALPN: the peer chose none of " + c.handshake->alpn});
        return 0;
    }
    auto opening = std::move(c.handshake);
    if (c.own_role == role::server) {
        c.endpoint.sources.complete(c);
        c.endpoint.give_token(c, c.peer);
        if (has_early_data(*c.crypto)) c.facts.early = link::early_data::accepted;
    }
    if (c.handler || c.ending) return 0; // It began with early data, and was perhaps not accepted.
    try {
        c.handler = opening->accept(c, c.endpoint.now);
    } catch (...) {
        c.handshake = std::move(opening); // The failure must be reported.
        throw;
    }
    if (!c.handler) c.endpoint.end(c, {c.close_code(app_error::unauthorized), true, false, "not accepted"});
    return 0;
}

/// Any frame opens a stream, also one without its first byte.
int stream_open(ngtcp2_conn*, std::int64_t id, void* user) {
    auto& c = at(user);
    c.unheard.opened(id_of(id), c.endpoint.now);
    return 0;
}

int recv_stream_data(ngtcp2_conn* conn, std::uint32_t flags, std::int64_t id, std::uint64_t, const std::uint8_t* data,
    std::size_t size, void* user, void*) {
    auto& c = at(user);
    // At once: withheld connection credit would stall every stream.
    ngtcp2_conn_extend_max_offset(conn, size);
    c.unheard.heard(id_of(id));
    if (!c.handler && c.handshake && !c.ending && c.own_role == role::server) c.begin_early(chosen_alpn(*c.crypto));
    if (c.handler)
        c.handler->stream_received(id_of(id), std::as_bytes(std::span{data, size}),
            (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0, c.endpoint.now);
    return 0;
}

int acked_stream_data(ngtcp2_conn*, std::int64_t id, std::uint64_t, std::uint64_t size, void* user, void*) {
    auto& c = at(user);
    if (c.early) c.early->acked(id_of(id), size);
    c.forget_early();
    if (size > 0 && c.handler) c.handler->stream_acked(id_of(id), size, c.endpoint.now);
    return 0;
}

int stream_close(ngtcp2_conn* conn, std::uint32_t flags, std::int64_t id, std::uint64_t code, void* user, void*) {
    auto& c = at(user);
    const stream_id stream = id_of(id);
    if (initiator_of(stream) != c.own_role) {
        if (direction_of(stream) == direction::uni)
            ngtcp2_conn_extend_max_streams_uni(conn, 1);
        else
            ngtcp2_conn_extend_max_streams_bidi(conn, 1);
    }
    if (c.interrupted == stream) c.interrupted.reset();
    c.unheard.heard(stream);
    if (c.early) c.early->closed(stream);
    c.forget_early();
    if (!c.handler) return 0;
    std::optional<app_error> why;
    if ((flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET) != 0) why = c.handler->code_of(code);
    c.handler->stream_closed(stream, why, c.endpoint.now);
    return 0;
}

int stream_reset(ngtcp2_conn*, std::int64_t id, std::uint64_t, std::uint64_t code, void* user, void* stopped) {
    auto& c = at(user);
    if (stopped == nullptr) c.code_received(code); // A QUIC stack answers a stop with the code of the stop.
    c.unheard.heard(id_of(id));
    if (c.handler) c.handler->stream_reset(id_of(id), c.handler->code_of(code), c.endpoint.now);
    return 0;
}

int recv_stop_sending(ngtcp2_conn*, std::int64_t id, std::uint64_t code, void* user, void*) {
    auto& c = at(user);
    c.code_received(code);
    c.unheard.heard(id_of(id));
    if (c.handler) c.handler->stream_stopped(id_of(id), c.handler->code_of(code), c.endpoint.now);
    return 0;
}

int extend_max_stream_data(ngtcp2_conn*, std::int64_t id, std::uint64_t, void* user, void*) {
    auto& c = at(user);
    if (c.handler) c.handler->stream_writable(id_of(id), c.endpoint.now);
    return 0;
}

int extend_max_uni(ngtcp2_conn*, std::uint64_t, void* user) {
    auto& c = at(user);
    if (c.handler) c.handler->streams_available(direction::uni, c.endpoint.now);
    return 0;
}

int extend_max_bidi(ngtcp2_conn*, std::uint64_t, void* user) {
    auto& c = at(user);
    if (c.handler) c.handler->streams_available(direction::bidi, c.endpoint.now);
    return 0;
}

int recv_datagram(ngtcp2_conn*, std::uint32_t, const std::uint8_t* data, std::size_t size, void* user) {
    auto& c = at(user);
    if (c.handler) c.handler->datagram_received(std::as_bytes(std::span{data, size}), c.endpoint.now);
    return 0;
}

int recv_stateless_reset(ngtcp2_conn*, const ngtcp2_pkt_stateless_reset*, void* user) {
    at(user).error_detail = "the peer has lost the state of this connection (stateless reset)";
    return 0;
}

// A stateless reset has no connection id, so a client looks up its token. Servers need no table:
// their clients do not return to the same port.
int peer_id_changed(ngtcp2_conn*, ngtcp2_connection_id_status_type what, std::uint64_t, const ngtcp2_cid*,
    const std::uint8_t* token, void* user) {
    auto& c = at(user);
    if (c.own_role == role::server || token == nullptr) return 0;
    const cid_key key{token, NGTCP2_STATELESS_RESET_TOKENLEN};
    if (what == NGTCP2_CONNECTION_ID_STATUS_TYPE_ACTIVATE) {
        if (c.endpoint.reset_tokens.try_emplace(key, &c).second) c.reset_tokens.push_back(key);
    } else {
        if (std::erase(c.reset_tokens, key) != 0) c.endpoint.reset_tokens.erase(key);
    }
    return 0;
}

void random_bytes(std::uint8_t* out, std::size_t size, const ngtcp2_rand_ctx* context) {
    static_cast<endpoint_state*>(context->native_handle)->random(std::as_writable_bytes(std::span{out, size}));
}

int new_connection_id(ngtcp2_conn*, ngtcp2_cid* cid, std::uint8_t* token, std::size_t, void* user) {
    auto& c = at(user);
    *cid = c.endpoint.new_cid();
    c.endpoint.stateless_reset_token(*cid, token);
    c.endpoint.routes[cid_key{*cid}] = {&c, nullptr};
    return 0;
}

int remove_connection_id(ngtcp2_conn*, const ngtcp2_cid* cid, void* user) {
    at(user).endpoint.routes.erase(cid_key{*cid});
    return 0;
}

int path_validated(ngtcp2_conn*, std::uint32_t flags, const ngtcp2_path* path, const ngtcp2_path*,
    ngtcp2_path_validation_result result, void* user) {
    if (result != NGTCP2_PATH_VALIDATION_RESULT_SUCCESS) return 0;
    auto& c = at(user);
    c.peer = link::address{path->remote.addr, path->remote.addrlen};
    c.bound = link::address{path->local.addr, path->local.addrlen};
    c.path.forget();
    if ((flags & NGTCP2_PATH_VALIDATION_FLAG_NEW_TOKEN) != 0) c.endpoint.give_token(c, c.peer);
    return 0;
}

int recv_new_token(ngtcp2_conn*, const std::uint8_t* token, std::size_t size, void* user) {
    auto& c = at(user);
    c.endpoint.tokens.put(c.server, {token, size});
    return 0;
}

int path_challenge_data(ngtcp2_conn*, std::uint8_t* out, void* user) {
    at(user).endpoint.random(std::as_writable_bytes(std::span{out, NGTCP2_PATH_CHALLENGE_DATALEN}));
    return 0;
}

/// `Callback` for ngtcp2, : no exception may pass through C frames, so it ends the connection.
template <auto Callback>
struct contained;
template <class... Args, int (*Callback)(ngtcp2_conn*, Args...)>
struct contained<Callback> {
    static int call(ngtcp2_conn* conn, Args... args) noexcept {
        try {
            return Callback(conn, args...);
        } catch (...) {
            auto& c = at(user_of(args...));
            c.endpoint.out_of_memory(c);
            return NGTCP2_ERR_CALLBACK_FAILURE;
        }
    }

private:
    /// ngtcp2 passes the connection's user data as the first void pointer.
    template <class First, class... Rest>
    static void* user_of(First first, Rest... rest) noexcept {
        if constexpr (std::is_same_v<First, void*>)
            return first;
        else
            return user_of(rest...);
    }
};

} // namespace

ngtcp2_callbacks callbacks(role side) {
    ngtcp2_callbacks cb{};
    if (side == role::client) {
        cb.client_initial = ngtcp2_crypto_client_initial_cb;
        cb.recv_retry = ngtcp2_crypto_recv_retry_cb;
        cb.recv_new_token = contained<recv_new_token>::call;
    } else {
        cb.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
    }
    cb.recv_crypto_data = contained<recv_crypto_data>::call;
    cb.encrypt = ngtcp2_crypto_encrypt_cb;
    cb.decrypt = ngtcp2_crypto_decrypt_cb;
    cb.hp_mask = ngtcp2_crypto_hp_mask_cb;
    cb.update_key = ngtcp2_crypto_update_key_cb;
    cb.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
    cb.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
    cb.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
    cb.handshake_completed = contained<handshake_completed>::call;
    cb.stream_open = contained<stream_open>::call;
    cb.recv_stream_data = contained<recv_stream_data>::call;
    cb.acked_stream_data_offset = contained<acked_stream_data>::call;
    cb.stream_close = contained<stream_close>::call;
    cb.stream_reset = contained<stream_reset>::call;
    cb.extend_max_stream_data = contained<extend_max_stream_data>::call;
    cb.extend_max_local_streams_uni = contained<extend_max_uni>::call;
    cb.extend_max_local_streams_bidi = contained<extend_max_bidi>::call;
    cb.recv_datagram = contained<recv_datagram>::call;
    cb.recv_stateless_reset = contained<recv_stateless_reset>::call;
    cb.dcid_status = contained<peer_id_changed>::call;
    cb.rand = random_bytes;
    cb.get_new_connection_id = contained<new_connection_id>::call;
    cb.remove_connection_id = contained<remove_connection_id>::call;
    cb.path_validation = contained<path_validated>::call;
    cb.get_path_challenge_data = contained<path_challenge_data>::call;
    set_stop_sending(cb, contained<recv_stop_sending>::call);
    return cb;
}

} // namespace moqlite::ngtcp2::detail
