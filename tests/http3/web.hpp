// WebTransport over a virtual wire, as a transport for tests/conformance.
#pragma once

#include "packets/quic.hpp"

#include <moqlite/nghttp3/client.hpp>
#include <moqlite/nghttp3/server.hpp>

namespace moqlite::packets {

/// In a WebTransport session.
inline constexpr binding webtransport{
    [](version) { return std::vector<std::string>{"h3"}; },
    [](link::accept_function accept) {
        return nghttp3::serve({}, [accept = std::move(accept)](const nghttp3::request& r) {
            return nghttp3::answer{.status = 200, .protocol = r.protocols.at(0), .accept = accept};
        });
    },
    [](version v, link::accept_function accept, link::failed_function failed) {
        nghttp3::client_options o;
        o.authority = "localhost";
        o.protocols = {std::string{alpn(v)}};
        return nghttp3::connect(std::move(o), std::move(accept), std::move(failed));
    },
};

struct web : quic {
    static constexpr std::uint64_t seeds = 30;

    class machine final : public host {
    public:
        machine(sim::world& w, const network_link& l = {}) : host(w, with_room(l), webtransport) {}

    private:
        /// Besides a session's streams: HTTP/3's own, and the request.
        [[nodiscard]] static network_link with_room(network_link l) {
            l.uni_streams += 3;
            l.bidi_streams += 1;
            return l;
        }
    };
};

} // namespace moqlite::packets
