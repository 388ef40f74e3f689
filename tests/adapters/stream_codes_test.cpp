// The form of our stream codes on native QUIC (moq-lite-wire.md §8.4, §12.29): that of the peer's codes,
// else as its version and dialect imply.
#include "memory_pair.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <functional>
#include <memory>
#include <moqlite/link/error_code.hpp>
#include <moqlite/link/session_handler.hpp>
#include <moqlite/session/any_session.hpp>

namespace moqlite::test::stream_codes_test {

namespace {

constexpr std::uint64_t raw_not_found = 13, mapped_not_found = 0x52e4a40fa8e8;

/// A peer that sees codes as they are on the wire.
struct plain_peer final : recorder {
    using recorder::recorder;
    app_error code_of(std::uint64_t wire) const override { return app_error{wire}; }
};

/// A plain peer as the client of an endpoint.
struct plain_client {
    explicit plain_client(std::string_view alpn, const std::function<void(memory_pair&)>& serve) {
        serve(pair);
        std::string why;
        auto accept = [this](link::connection& made, time_point) {
            auto h = std::make_unique<plain_peer>(made);
            peer = h.get();
            return h;
        };
        const ngtcp2::target to{pair.server.address, pair.client.address, "localhost", {std::string{alpn}}};
        REQUIRE(pair.client.endpoint.connect(client_tls(), to, accept, pair.client.failed(), why, pair.now) != nullptr);
        REQUIRE(pair.run([this] { return peer != nullptr; }));
        pair.run_for(50ms);
    }
    stream_id open(direction kind, const std::string& bytes) {
        std::optional<stream_id> id;
        peer->in_pump([&](link::connection& to) {
            id = to.open(kind);
            peer->sent[*id].bytes = bytes;
            peer->sent[*id].fin = false;
        });
        REQUIRE(pair.run([&] { return id.has_value(); }));
        pair.run_for(50ms);
        return *id;
    }
    void in_pump(const std::function<void(link::connection&)>& action) {
        peer->in_pump(action);
        pair.run_for(50ms);
    }
    /// The code with which the other end reset the stream.
    std::uint64_t reset_code(stream_id id) {
        REQUIRE(pair.run([&] { return peer->received[id].reset.has_value(); }, 5s));
        return number(*peer->received[id].reset);
    }

    memory_pair pair;
    plain_peer* peer = nullptr;
};

/// A session that rejects every request as not found, and a plain client of it.
struct rejecting_session {
    explicit rejecting_session(version v)
        : session{std::in_place_type<moqlite::session>, role::server, v, session_options{}, time_point{1s}},
          client{alpn(v), [this, v](memory_pair& pair) {
                     pair.server.endpoint.serve(
                         server_tls(test_identity(), {std::string{alpn(v)}}), [this](link::connection&, time_point) {
                             const auto on_event = [this](const event& e) { answer(e); };
                             return std::make_unique<link::session_handler<any_session*, decltype(on_event)>>(
                                 &session, on_event);
                         });
                 }} {
        if (has_setup(v)) client.open(direction::uni, std::string("\x01\x01\x00", 3));
    }
    void answer(const event& e) {
        if (std::holds_alternative<setup_received>(e)) CHECK(session.admit({}));
        if (const auto* s = std::get_if<subscribe_requested>(&e))
            CHECK(session.reject(s->request, app_error::not_found));
    }
    /// The code on the wire that rejects a SUBSCRIBE for this path.
    std::uint64_t rejection(const std::string& path) {
        std::string body{static_cast<char>(next_id++)};
        body += static_cast<char>(path.size()) + path + '\x01' + 'v' + std::string(5, '\0');
        return client.reset_code(
            client.open(direction::bidi, std::string{'\x02'} + static_cast<char>(body.size()) + body));
    }

    any_session session;
    plain_client client;
    char next_id = 0;
};

} // namespace

TEST_CASE("stream codes are sent mapped, but raw to a peer that writes paths with slashes", "[dialects §12.29]") {
    const auto [v, path, code] = GENERATE(table<version, std::string, std::uint64_t>({
        {version::lite_03, "room", mapped_not_found},
        {version::lite_03, "/room", mapped_not_found},
        {version::lite_04, "room", mapped_not_found},
        {version::lite_04, "/room", raw_not_found},
        {version::lite_05, "room", mapped_not_found},
        {version::lite_05, "/room", mapped_not_found},
    }));
    rejecting_session s{v};
    CHECK(s.rejection(path) == code);
}

TEST_CASE(
    "stream codes are sent in the form of the peer's last one", "[dialects §12.29][ngtcp2-1.24][dialects §16.2.19]") {
    const auto [v, path] = GENERATE(table<version, std::string>(
        {{version::lite_04, "room"}, {version::lite_04, "/room"}, {version::lite_05, "room"}}));
    rejecting_session s{v};
    const auto implied = s.rejection(path);
    const bool by_stop = GENERATE(false, true);
    const auto show = [&](std::uint64_t wire) {
        const auto id =
            s.client.open(by_stop ? direction::bidi : direction::uni, std::string(1, by_stop ? '\2' : '\0'));
        s.client.in_pump([&](link::connection& c) {
            if (by_stop)
                c.stop(id, app_error{wire});
            else
                c.reset(id, app_error{wire});
        });
    };
    show(0); // A QUIC stack's own code.
    CHECK(s.rejection(path) == implied);
    show(5);
    CHECK(s.rejection(path) == raw_not_found);
    show(0x52e4a40fa8e0);
    CHECK(s.rejection(path) == mapped_not_found);
    show(0);
    CHECK(s.rejection(path) == mapped_not_found);
    show(24);
    CHECK(s.rejection(path) == raw_not_found);
}

TEST_CASE("a reset that repeats the code of our stop shows nothing", "[dialects §12.29][ngtcp2-1.24]") {
    plain_client client{"moq-lite-05", [](memory_pair&) {}};
    auto* server = client.pair.server.handlers.at(0);
    const auto stopped = client.open(direction::uni, noise(100));
    const auto other = client.open(direction::bidi, noise(100));
    server->connection.application_codes(link::code_form::raw);
    server->in_pump([=](link::connection& c) { c.stop(stopped, app_error::not_found); });
    REQUIRE(client.pair.run([&] { return server->received[stopped].reset.has_value(); })); // By the peer's ngtcp2.
    server->connection.application_codes(link::code_form::mapped);
    server->in_pump([=](link::connection& c) { c.reset(other, app_error::not_found); });
    CHECK(client.reset_code(other) == mapped_not_found);
}

} // namespace moqlite::test::stream_codes_test
