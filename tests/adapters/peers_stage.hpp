// Peers on one thread, on loopback.
#pragma once

#include "api_stage.hpp"

#include <boost/asio/ip/udp.hpp>
#include <memory>
#include <moqlite/asio/peers.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace moqlite::test::peers_stage {

using namespace api_stage;

/// A peer that listens, on a free port unless told.
struct node : moq::peers {
    explicit node(stage& s, moq::peers_options o = {}, const std::string& where = "127.0.0.1:0")
        : peers(s.io.get_executor(), std::move(o)) {
        REQUIRE(key());
        REQUIRE(!listen(where));
    }
    [[nodiscard]] std::string at() const { return addresses().front(); }
    [[nodiscard]] std::size_t sessions() const { return origin().stats().sessions; }
};

/// Results of operations, in the order in which they came.
struct outcomes {
    std::vector<error_code> errors;
    std::vector<moq::session> sessions;
    auto handler() {
        return [this](error_code e, moq::session s) {
            errors.push_back(e);
            sessions.push_back(std::move(s));
        };
    }
    [[nodiscard]] std::size_t size() const { return errors.size(); }
};

inline net::awaitable<moq::session> connect(node& from, const node& to) {
    co_return co_await from.async_connect(to.at(), net::use_awaitable);
}
inline net::awaitable<void> connect_error(node& from, std::string to, moq::peer_request how = {}) {
    co_await from.async_connect(std::move(to), how, net::use_awaitable);
}
inline net::awaitable<moq::incoming_peer> arrives(moq::incoming_peers& at) {
    auto next = co_await at.async_next(net::use_awaitable);
    if (!next) throw std::runtime_error{"no peer"};
    co_return std::move(*next);
}
/// The first frame of what `of` publishes.
inline net::awaitable<std::string> read(moq::session& of, moq::track_name what) {
    auto reader = co_await of.async_subscribe(std::move(what), net::use_awaitable);
    co_return co_await first(reader);
}
inline moq::peers_options known_as(const moq::identity& who) { return {.who = who}; }
inline moq::identity an_identity() {
    std::string why;
    return moq::generate_identity({.names = {"peer"}}, why).value();
}
/// Which answers nothing.
struct silent_port {
    explicit silent_port(net::io_context& io) : socket(io, {net::ip::address_v4::loopback(), 0}) {}
    [[nodiscard]] std::string at() const { return "127.0.0.1:" + std::to_string(socket.local_endpoint().port()); }
    net::ip::udp::socket socket;
};

} // namespace moqlite::test::peers_stage
