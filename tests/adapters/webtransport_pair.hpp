// A client and a server of WebTransport, in memory and in virtual time.
#pragma once

#include "memory_pair.hpp"

#include <memory>
#include <moqlite/nghttp3/client.hpp>
#include <moqlite/nghttp3/server.hpp>

namespace moqlite::test {

/// An answer that selects the first offered protocol, if any.
inline nghttp3::answer accept_with(const nghttp3::request& r, link::accept_function accept) {
    return {.status = 200, .protocol = r.protocols.empty() ? "" : r.protocols.front(), .accept = std::move(accept)};
}

struct webtransport_pair : memory_pair {
    explicit webtransport_pair(pair_options o = {}) : memory_pair{std::move(o), server_tls(test_identity(), {"h3"})} {
        serve([this](const nghttp3::request& r) { return accept_with(r, server.accept()); });
    }
    void serve(nghttp3::answer_function answer, nghttp3::http_function http = {}, nghttp3::http_limits bounds = {}) {
        server.endpoint.serve(server_tls(test_identity(), {"h3"}),
            nghttp3::serve(
                {.log = keep(server_log), .counts = server_counts, .http = std::move(http), .bounds = bounds},
                [this, answer = std::move(answer)](const nghttp3::request& r) {
                    requests.push_back(r);
                    return answer(r);
                }));
    }
    /// The same for sessions, and `http` for other requests.
    void serve_http(nghttp3::http_function http, nghttp3::http_limits bounds = {}) {
        serve([this](const nghttp3::request& r) { return accept_with(r, server.accept()); }, std::move(http), bounds);
    }
    /// Begins to; see client.handlers and client.failures.
    void ask(std::vector<std::string> protocols = {"moq-lite-05"}, std::string path = "/room?token=1",
        std::string origin = {}) {
        ask_with(client.accept(), std::move(protocols), std::move(path), std::move(origin));
    }
    void ask_with(link::accept_function accept, std::vector<std::string> protocols = {"moq-lite-05"},
        std::string path = "/room?token=1", std::string origin = {}) {
        ask_with({.authority = "localhost:4443",
                     .path = std::move(path),
                     .origin = std::move(origin),
                     .protocols = std::move(protocols)},
            std::move(accept), client.failed());
    }
    void ask_with(nghttp3::client_options o, link::accept_function accept, link::failed_function failed) {
        o.log = keep(client_log);
        o.counts = client_counts;
        open_quic(nghttp3::connect(std::move(o), std::move(accept), std::move(failed)));
    }
    /// A connection whose ALPN is h3, and a handler of the test's.
    void open_quic(link::accept_function accept) {
        std::string why;
        auto* made = client.endpoint.connect(client_tls(), {server.address, client.address, "localhost", {"h3"}},
            std::move(accept), client.failed(), why, now);
        INFO(why);
        REQUIRE(made != nullptr);
    }
    /// Both ends of a session.
    std::pair<recorder*, recorder*> session() {
        const auto before = client.handlers.size();
        ask();
        REQUIRE(run([&] { return client.handlers.size() > before && server.handlers.size() > before; }));
        return {client.handlers.back(), server.handlers.back()};
    }
    /// Both have no connections left, not even closing ones.
    bool is_over() const { return client.endpoint.connections() + server.endpoint.connections() == 0; }

    static link::log_function keep(std::vector<std::string>& where) {
        return [&where](link::log_level level, std::string_view line) {
            if (level > link::log_level::debug) where.emplace_back(line);
        };
    }

    std::vector<nghttp3::request> requests;
    std::vector<std::string> server_log, client_log;
    std::shared_ptr<nghttp3::stats> server_counts = std::make_shared<nghttp3::stats>();
    std::shared_ptr<nghttp3::stats> client_counts = std::make_shared<nghttp3::stats>();
};

} // namespace moqlite::test
