// Publishes a file as a track, or collects a track in a file, as client or server on OpenSSL's own QUIC.
#include "link.hpp"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <list>
#include <moqlite/session/track_reader.hpp>
#include <netdb.h>
#include <poll.h>

using namespace moqlite;
constexpr auto usage = "usage: moqlite-openssl_quic connect|listen HOST PORT PEM publish|watch BROADCAST TRACK FILE\n"
                       "PEM: to listen, a certificate and its key; to connect, the CAs to trust, or - for any\n";

static void require(bool good, const std::string& otherwise) {
    if (!good) throw std::runtime_error{otherwise};
}

/// Group n of a published track is the n-th part of the file, so that each subscriber's groups can be made from it.
struct user {
    track_ref track;
    std::fstream* file;
    bool publishes, done = false;
    std::optional<track_reader<session>> reader{};     ///< Of the track that it watches.
    std::map<request_id, std::uint64_t> next_groups{}; ///< By subscriber; UINT64_MAX: all are served.

    void on_event(session& s, const event& e, time_point now) {
        if (reader) reader->handle(e, now);
        if (std::holds_alternative<setup_received>(e)) {
            if (s.side() == role::server) (void)s.admit({});
            require(publishes ? bool{s.announce(track.broadcast)} : bool{s.watch(track.broadcast)}, "not a name");
        } else if (const auto* b = std::get_if<broadcast_available>(&e); b && !reader && b->path == track.broadcast) {
            reader.emplace(s, track_reader_options{.start = group_sequence{0}});
            require(bool{reader->start(track)}, "cannot subscribe");
        } else if (const auto* asked = std::get_if<track_requested>(&e)) {
            (void)s.answer_track(asked->request, {});
        } else if (const auto* wanted = std::get_if<subscribe_requested>(&e)) {
            const auto start = wanted->options.start.value_or(group_sequence{0});
            if (!publishes || wanted->track != track) return (void)s.reject(wanted->request, app_error::not_found);
            if (s.accept(wanted->request, start)) next_groups[wanted->request] = number(start);
        } else if (const auto* fetched = std::get_if<fetch_requested>(&e)) {
            (void)s.reject(fetched->request, app_error::not_found);
        } else if (const auto* left = std::get_if<request_ended>(&e); left && next_groups.erase(left->request) != 0) {
            done = left->delivered && next_groups.empty();
        } else if (const auto* end = std::get_if<session_closed>(&e)) {
            require(done, "session closed: " + std::string{to_string(end->code)} + ' ' + std::string{end->reason});
        }
    }
    time_point act(session& s, time_point now) {
        for (auto& [request, n] : next_groups)
            while (n != UINT64_MAX && s.takes_more(request) && serve(s, request, n)) continue;
        if (!reader || done) return time_point::max();
        if (const auto due = reader->deadline(); due && *due <= now) reader->tick(now);
        while (const auto piece = reader->next()) {
            *file << as_text(piece->data);
            reader->consume(piece->data.size());
        }
        require(!reader->failed() && !reader->poll_lost(), "the track was cut off, or some of it is lost");
        done = reader->finished();
        require(!done || file->flush(), "cannot write");
        return reader->deadline().value_or(time_point::max());
    }
    /// False: `to` takes no group at present.
    bool serve(session& s, request_id to, std::uint64_t& n) {
        std::array<char, 65536> part;
        file->clear();
        file->seekg(static_cast<std::streamoff>(n * part.size())).read(part.data(), part.size());
        const std::string_view data{part.data(), static_cast<std::size_t>(file->gcount())};
        if (data.empty()) return s.end_track(to, group_sequence{std::exchange(n, UINT64_MAX)}) && s.finish(to);
        const auto g = s.open_group(to, group_sequence{n});
        if (!g) return g.error() == errc::before_group_start && ++n;
        return (*g)->write_frame(timestamp{n++}, as_bytes(data)) && (*g)->finish();
    }
};

/// A listener, or a connection whose handshake has not begun. Sets `fd` to its socket.
static openssl::ssl_ptr make_endpoint(bool listens, const char* host, const char* port, const char* pem, int& fd) {
    const addrinfo hints{listens ? AI_PASSIVE : 0, AF_UNSPEC, SOCK_DGRAM, 0, 0, nullptr, nullptr, nullptr};
    addrinfo* found = nullptr;
    require(::getaddrinfo(host, port, &hints, &found) == 0, "cannot resolve " + std::string{host});
    fd = ::socket(found->ai_family, SOCK_DGRAM, 0);
    require((listens ? ::bind : ::connect)(fd, found->ai_addr, found->ai_addrlen) == 0, "cannot bind or connect");
    ::freeaddrinfo(found);
    static std::string names; // As in the TLS extension: each behind its length.
    for (const auto v : default_versions) names += static_cast<char>(alpn(v).size()) + std::string{alpn(v)};
    static const auto* const ours = reinterpret_cast<const unsigned char*>(names.data());
    const auto choose = [](SSL*, auto** to, auto* n, auto* in, auto m, void*) {
        const int got = SSL_select_next_proto(const_cast<unsigned char**>(to), n, ours, unsigned(names.size()), in, m);
        return got == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
    };
    SSL_CTX* tls = SSL_CTX_new(listens ? OSSL_QUIC_server_method() : OSSL_QUIC_client_method());
    const bool any = listens || pem == std::string_view{"-"};
    const bool good = listens ? SSL_CTX_use_certificate_chain_file(tls, pem) == 1 &&
                                    SSL_CTX_use_PrivateKey_file(tls, pem, SSL_FILETYPE_PEM) == 1
                              : any || SSL_CTX_load_verify_file(tls, pem) == 1;
    require(good, "cannot use " + std::string{pem});
    SSL_CTX_set_verify(tls, any ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_alpn_select_cb(tls, choose, nullptr);
    SSL_CTX_set_alpn_protos(tls, ours, unsigned(names.size()));
    openssl::ssl_ptr made{listens ? SSL_new_listener(tls, 0) : SSL_new(tls)};
    SSL_CTX_free(tls);
    SSL_set_fd(made.get(), fd);
    if (!listens && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(made.get()), host) != 1) {
        SSL_set1_host(made.get(), host);
        SSL_set_tlsext_host_name(made.get(), host);
    }
    return made;
}

int main(int argc, char** argv) try {
    const std::string how = argc == 9 ? argv[1] : "", what = argc == 9 ? argv[5] : "";
    const bool listens = how == "listen", publishes = what == "publish";
    if ((!listens && how != "connect") || (!publishes && what != "watch")) return std::fputs(usage, stderr), 2;
    std::fstream file{argv[8], std::ios::binary | (publishes ? std::ios::in : std::ios::out | std::ios::trunc)};
    require(file.is_open(), "cannot open " + std::string{argv[8]});
    int fd = -1;
    auto endpoint = make_endpoint(listens, argv[2], argv[3], argv[4], fd);
    SSL* const top = endpoint.get();
    std::list<openssl::link<user>> links;
    const auto add = [&](auto c) { links.emplace_back(std::move(c), track_ref{argv[6], argv[7]}, &file, publishes); };
    listens ? void(std::printf("listening\n")) : add(std::move(endpoint));
    for (std::fflush(stdout);;) {
        SSL_handle_events(top);
        while (listens && links.size() < (publishes ? 64u : 1u) && SSL_get_accept_connection_queue_len(top) != 0)
            add(openssl::ssl_ptr{SSL_accept_connection(top, SSL_ACCEPT_CONNECTION_NO_BLOCK)});
        const time_point now{std::chrono::steady_clock::now().time_since_epoch()};
        auto next = now + std::chrono::hours{1};
        for (auto at = links.begin(); at != links.end();) {
            const auto l = at++;
            try {
                next = std::min(next, l->turn(now));
                const bool closed = l->active && l->active->is_closed();
                if (l->user.done && (!listens || (closed && !publishes))) return 0; // A server goes on publishing.
                if (closed) links.erase(l);
            } catch (const std::exception& e) {
                if (!listens) throw;
                std::fprintf(stderr, "moqlite-openssl_quic: a client: %s\n", e.what());
                links.erase(l);
            }
        }
        timeval t{};
        int infinite = 0;
        SSL_get_event_timeout(top, &t, &infinite);
        if (infinite == 0) next = std::min(next, now + std::chrono::microseconds{t.tv_sec * 1'000'000 + t.tv_usec});
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::max(next - now, duration{}));
        pollfd socket{fd, static_cast<short>(SSL_net_write_desired(top) != 0 ? POLLIN | POLLOUT : POLLIN), 0};
        ::poll(&socket, 1, static_cast<int>(left.count()));
    }
} catch (const std::exception& e) {
    std::fprintf(stderr, "moqlite-openssl_quic: %s\n", e.what());
    return 1;
}
