// moq-lite sessions over WebTransport: as session_test.cpp over QUIC.
#include "webtransport_pair.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <functional>
#include <memory>
#include <moqlite/link/session_handler.hpp>
#include <moqlite/session/acceptor.hpp>

namespace moqlite::test::webtransport_session_test {

namespace {

/// One side's session, on any connection.
struct party {
    link::accept_function accept(role side) {
        return [this, side](link::connection& c, time_point now) -> std::unique_ptr<link::handler> {
            connection = &c;
            if (!acceptor{side}.make(c.alpn(), {}, now, session)) return nullptr;
            const auto handle = [this](const event& e) {
                if (on_event) on_event(e);
                if (const auto* f = std::get_if<frame_data>(&e)) payload.append(as_text(f->data));
                if (const auto* g = std::get_if<group_closed>(&e)) groups += g->complete ? 1 : 0;
                if (const auto* s = std::get_if<session_closed>(&e)) closed = *s, reason = s->reason;
            };
            return std::make_unique<link::session_handler<any_session*, decltype(handle)>>(&*session, handle);
        };
    }

    std::optional<any_session> session;
    link::connection* connection = nullptr;
    std::function<void(const event&)> on_event;
    std::string payload;
    int groups = 0;
    std::optional<session_closed> closed;
    std::string reason;
};

/// A client that subscribes to a track of a server.
struct stage {
    explicit stage(std::vector<std::string> protocols, int groups, std::size_t size, pair_options options = {})
        : pair{std::move(options)} {
        pair.serve([this](const nghttp3::request& r) { return accept_with(r, publisher.accept(role::server)); });
        publisher.on_event = [this, groups, size](const event& e) { publish(e, groups, size); };
        pair.ask_with(viewer.accept(role::client), std::move(protocols));
        REQUIRE(pair.run([&] { return viewer.session && publisher.session; }));
        REQUIRE(viewer.session->subscribe({"room", "video"}, {.max_age = complete_age}));
        viewer.connection->wake();
    }
    void publish(const event& e, int groups, std::size_t size) {
        auto& s = *publisher.session;
        if (std::holds_alternative<setup_received>(e)) static_cast<void>(s.admit({}));
        const auto* r = std::get_if<subscribe_requested>(&e);
        if (r == nullptr) return;
        REQUIRE(s.accept(r->request));
        for (int i = 0; i < groups; ++i) {
            auto g = s.open_group(r->request, group_sequence{static_cast<std::uint64_t>(i)}).value();
            const auto bytes = noise(size, static_cast<std::uint64_t>(i));
            expected += bytes;
            REQUIRE(g->write_frame(timestamp{0}, as_bytes(bytes)));
            REQUIRE(g->finish());
        }
        REQUIRE(s.finish(r->request));
    }

    webtransport_pair pair;
    party viewer, publisher;
    std::string expected;
};

} // namespace

TEST_CASE("a subscription over WebTransport receives every group, on each version", "[webtransport]") {
    const std::string name = GENERATE("moq-lite-03", "moq-lite-04", "moq-lite-05");
    stage s{{name}, 20, 50'000};
    REQUIRE(s.pair.run([&] { return s.viewer.groups == 20; }));
    CHECK(s.viewer.payload.size() == s.expected.size());
    CHECK(s.viewer.connection->alpn() == name);
}

TEST_CASE("the client's preferred version is used over WebTransport", "[webtransport]") {
    stage s{{"moq-lite-04", "moq-lite-05", "moq-lite-03"}, 1, 1000};
    REQUIRE(s.pair.run([&] { return s.viewer.groups == 1; }));
    CHECK(s.viewer.connection->alpn() == "moq-lite-04");
    CHECK(s.viewer.payload == s.expected);
}

TEST_CASE("a group larger than every window arrives byte for byte over WebTransport", "[webtransport]") {
    stage s{{"moq-lite-05"}, 1, 12'000'000};
    REQUIRE(s.pair.run([&] { return s.viewer.groups == 1; }, 600s));
    CHECK(s.viewer.payload == s.expected);
}

TEST_CASE("a lossy path delays groups over WebTransport and loses none", "[webtransport]") {
    pair_options options;
    options.drop = [n = 0](std::string&) mutable { return ++n % 13 == 0; };
    stage s{{"moq-lite-05"}, 20, 20'000, std::move(options)};
    REQUIRE(s.pair.run([&] { return s.viewer.groups == 20; }, 600s));
    CHECK(s.viewer.payload.size() == s.expected.size());
}

TEST_CASE("a session's close code and reason are reported by the other session over WebTransport", "[webtransport]") {
    stage s{{"moq-lite-05"}, 1, 100};
    s.publisher.session->close(app_error::unauthorized, "not you");
    s.publisher.connection->wake();
    REQUIRE(s.pair.run([&] { return s.viewer.closed && s.publisher.closed; }));
    CHECK(s.viewer.reason == "not you");
    CHECK(s.viewer.closed->code == app_error::unauthorized);
    REQUIRE(s.pair.run([&] { return s.pair.is_over(); }));
}

TEST_CASE("a session has the facts of the connection beneath", "[webtransport]") {
    webtransport_pair pair;
    const auto [client, server] = pair.session();
    std::string why;
    CHECK(client->connection.tls().peer_fingerprint == ngtcp2::fingerprint(test_identity(), why).value());
    CHECK(client->connection.tls().version == "TLS 1.3");
    CHECK(server->connection.tls().server_name == "localhost");
    CHECK(client->connection.local() == pair.client.address);
    CHECK(server->connection.local() == pair.server.address);
    CHECK(client->connection.stats().rtt.value() >= 10ms);
}

TEST_CASE("200 sessions leave nothing behind", "[webtransport]") {
    webtransport_pair pair;
    for (int i = 0; i < 200; ++i) {
        const auto [client, server] = pair.session();
        client->send(direction::bidi, noise(3000));
        server->send(direction::uni, noise(3000));
        pair.run_for(30ms);
        auto* who = i % 2 == 0 ? client : server;
        if (i % 5 == 0)
            pair.client.endpoint.close_all(app_error::cancel, "bye");
        else
            who->connection.close(app_error{static_cast<std::uint64_t>(i)}, "bye");
        REQUIRE(pair.run([&] { return pair.is_over(); }));
    }
    CHECK(pair.server_counts->sessions == 200);
    CHECK(pair.server_counts->failed_connections == 0);
    pair.run_for(60s);
    CHECK(pair.server.endpoint.closing() == 0);
}

} // namespace moqlite::test::webtransport_session_test
