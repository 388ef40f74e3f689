// Publishes a file as a track, or collects a track in a file, as client or server on OpenSSL's own QUIC.
#include "link.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <list>
#include <map>
#include <moqlite/session/track_reader.hpp>
#include <netdb.h>
#include <poll.h>
#include <stdexcept>
#include <utility>

namespace moqlite::openssl {

constexpr auto usage = "usage: moqlite-openssl_quic connect|listen HOST PORT PEM publish|watch BROADCAST TRACK FILE\n"
                       "PEM: to listen, a certificate and its key; to connect, the CAs to trust, or - for any\n";

void require(bool good, const std::string& otherwise) {
    if (!good) throw std::runtime_error{otherwise};
}

/// Group n of what it publishes is the n-th part of the file, so that it can be made for each subscriber.
struct user {
    track_ref track;
    std::fstream* file;
    bool publishes, done = false;
    std::optional<track_reader<session>> reader{};     ///< Of what it watches.
    std::map<request_id, std::uint64_t> next_groups{}; ///< Of its subscribers; UINT64_MAX: none.

    void on_event(session& s, const event& e, time_point now) {
        if (reader) reader->handle(e, now);
        if (std::holds_alternative<setup_received>(e)) {
            if (s.side() == role::server) (void)s.admit({});
            require(publishes ? bool{s.announce(track.broadcast)} : bool{s.watch(track.broadcast)}, "not a name");
        } else if (const auto* there = std::get_if<broadcast_available>(&e); there && !reader) {
            if (there->path != track.broadcast) return;
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
    /// False: not now.
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

std::string alpns() {
    std::string out;
    for (const auto v : default_versions) out += static_cast<char>(alpn(v).size()) + std::string{alpn(v)};
    return out;
}

int choose_alpn(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in, unsigned n, void* ours) {
    const auto& all = *static_cast<std::string*>(ours);
    const auto* first = reinterpret_cast<const unsigned char*>(all.data());
    const int found = SSL_select_next_proto(const_cast<unsigned char**>(out), size, first, unsigned(all.size()), in, n);
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// A listener, or a connection to be made.
ssl_ptr make_endpoint(bool listens, const char* host, const char* port, const char* pem, int& fd) {
    const addrinfo hints{listens ? AI_PASSIVE : 0, AF_UNSPEC, SOCK_DGRAM, 0, 0, nullptr, nullptr, nullptr};
    addrinfo* found = nullptr;
    require(::getaddrinfo(host, port, &hints, &found) == 0, "cannot resolve " + std::string{host});
    fd = ::socket(found->ai_family, SOCK_DGRAM, 0);
    require((listens ? ::bind : ::connect)(fd, found->ai_addr, found->ai_addrlen) == 0, "cannot bind or connect");
    ::freeaddrinfo(found);

    static std::string names = alpns();
    SSL_CTX* tls = SSL_CTX_new(listens ? OSSL_QUIC_server_method() : OSSL_QUIC_client_method());
    const bool any = listens || pem == std::string_view{"-"};
    require(listens ? SSL_CTX_use_certificate_chain_file(tls, pem) == 1 &&
                          SSL_CTX_use_PrivateKey_file(tls, pem, SSL_FILETYPE_PEM) == 1
                    : any || SSL_CTX_load_verify_file(tls, pem) == 1,
        "cannot use " + std::string{pem});
    SSL_CTX_set_verify(tls, any ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_alpn_select_cb(tls, choose_alpn, &names);
    SSL_CTX_set_alpn_protos(tls, reinterpret_cast<unsigned char*>(names.data()), unsigned(names.size()));
    ssl_ptr made{listens ? SSL_new_listener(tls, 0) : SSL_new(tls)};
    SSL_CTX_free(tls);
    SSL_set_fd(made.get(), fd);
    if (!listens && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(made.get()), host) != 1) {
        SSL_set1_host(made.get(), host);
        SSL_set_tlsext_host_name(made.get(), host);
    }
    return made;
}

void run(bool listens, bool publishes, char** args) {
    std::fstream file{args[8], std::ios::binary | (publishes ? std::ios::in : std::ios::out | std::ios::trunc)};
    require(file.is_open(), "cannot open " + std::string{args[8]});
    int fd = -1;
    auto endpoint = make_endpoint(listens, args[2], args[3], args[4], fd);
    SSL* const top = endpoint.get();
    const track_ref track{args[6], args[7]};
    std::list<link<user>> links;
    const auto add = [&](ssl_ptr c) { links.emplace_back(std::move(c), track, &file, publishes); };
    listens ? void(std::printf("listening\n")) : add(std::move(endpoint));
    for (std::fflush(stdout);;) {
        SSL_handle_events(top);
        while (listens && links.size() < (publishes ? 64u : 1u) && SSL_get_accept_connection_queue_len(top) != 0)
            add(ssl_ptr{SSL_accept_connection(top, SSL_ACCEPT_CONNECTION_NO_BLOCK)});
        const time_point now{std::chrono::steady_clock::now().time_since_epoch()};
        auto next = now + std::chrono::hours{1};
        for (auto at = links.begin(); at != links.end();) {
            const auto l = at++;
            try {
                next = std::min(next, l->turn(now));
                const bool closed = l->active && l->active->is_closed();
                if (l->user.done && (!listens || (closed && !publishes))) return; // A publisher leaves when it knows.
                if (closed) links.erase(l);
            } catch (const std::exception& e) {
                if (!listens) throw;
                std::fprintf(stderr, "moqlite-openssl_quic: a client: %s\n", e.what());
                links.erase(l);
            }
        }
        timeval t{};
        int never = 0;
        SSL_get_event_timeout(top, &t, &never);
        const auto wanted = std::chrono::seconds{t.tv_sec} + std::chrono::microseconds{t.tv_usec};
        if (never == 0) next = std::min(next, now + wanted);
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::max(next - now, duration{}));
        pollfd socket{fd, static_cast<short>(SSL_net_write_desired(top) != 0 ? POLLIN | POLLOUT : POLLIN), 0};
        ::poll(&socket, 1, static_cast<int>(left.count()));
    }
}

} // namespace moqlite::openssl

int main(int argc, char** argv) try {
    const std::string how = argc == 9 ? argv[1] : "", what = argc == 9 ? argv[5] : "";
    if ((how != "connect" && how != "listen") || (what != "publish" && what != "watch"))
        return std::fputs(moqlite::openssl::usage, stderr), 2;
    moqlite::openssl::run(how == "listen", what == "publish", argv);
} catch (const std::exception& e) {
    std::fprintf(stderr, "moqlite-openssl_quic: %s\n", e.what());
    return 1;
}
