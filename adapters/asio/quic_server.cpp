#include "detail/loop.hpp"

#include <functional>
#include <memory>
#include <moqlite/asio/host_port.hpp>
#include <moqlite/asio/quic_server.hpp>

namespace moqlite::asio {

class quic_server::state final : public detail::loop {
    using loop::loop;
};

quic_server::quic_server(boost::asio::any_io_executor executor, options o)
    : state_{std::make_shared<state>(std::move(executor), std::move(o))} {}

quic_server::~quic_server() { state_->stop(); }

bool quic_server::listen(
    std::string_view where, ngtcp2::tls configuration, link::accept_function accept, std::string& why) {
    const auto parsed = parse_host_port(where, 0, why);
    if (!parsed) return false;
    const auto local =
        parsed->host.empty() ? detail::any_address(parsed->port) : link::address::parse(parsed->host, parsed->port);
    if (!local) {
        why = "cannot listen on \"" + parsed->host + "\": it is not an IP address";
        return false;
    }
    if (!state_->open(*local, why)) return false;
    state_->endpoint().serve(std::move(configuration), std::move(accept));
    return true;
}

const link::address& quic_server::local_address() const { return state_->local(); }

void quic_server::renew(ngtcp2::tls configuration) { state_->endpoint().renew(std::move(configuration)); }

void quic_server::refuse() { state_->endpoint().refuse(); }

void quic_server::shutdown(app_error code, std::string_view reason, duration grace, std::function<void()> done) {
    state_->shutdown(code, reason, grace, std::move(done));
}

void quic_server::resume() { state_->turn(); }

ngtcp2::endpoint& quic_server::endpoint() { return state_->endpoint(); }
const socket_stats& quic_server::stats() const { return state_->stats(); }

} // namespace moqlite::asio
