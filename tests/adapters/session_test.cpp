// Sessions over real QUIC, in memory: the binding of the two.
#include "memory_pair.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <functional>
#include <memory>
#include <moqlite/link/session_handler.hpp>
#include <moqlite/session/acceptor.hpp>

namespace moqlite::test::session_test {

namespace {

/// One side's session on a connection of its own, and its events.
struct party {
    link::accept_function accept(role side) {
        return [this, side](link::connection& c, time_point now) -> std::unique_ptr<link::handler> {
            connection = &c;
            if (!acceptor{side}.make(c.alpn(), {}, now, session)) return nullptr;
            const auto handle = [this](const event& e) {
                if (on_event) on_event(e);
                if (const auto* f = std::get_if<frame_data>(&e)) payload.append(as_text(f->data));
                if (const auto* g = std::get_if<group_closed>(&e)) groups += g->complete ? 1 : 0;
                if (const auto* s = std::get_if<session_closed>(&e)) closed = s->reason;
            };
            return std::make_unique<link::session_handler<any_session*, decltype(handle)>>(&*session, handle);
        };
    }

    std::optional<any_session> session;
    link::connection* connection = nullptr;
    std::function<void(const event&)> on_event;
    std::string payload;
    int groups = 0;
    std::optional<std::string> closed;
};

/// A client that subscribes to a track of a server that publishes `groups` groups of `size` bytes.
struct broadcast {
    broadcast(int count, std::size_t size, pair_options options = {}, version v = version::lite_05)
        : pair{std::move(options)} {
        pair.server.endpoint.serve(server_tls(test_identity(), {std::string{alpn(v)}}), publisher.accept(role::server));
        publisher.on_event = [this, count, size](const event& e) { publish(e, count, size); };
        std::string why;
        REQUIRE(pair.client.endpoint.connect(client_tls(),
            {pair.server.address, pair.client.address, "localhost", {std::string{alpn(v)}}},
            viewer.accept(role::client), pair.client.failed(), why, pair.now));
        REQUIRE(pair.run([&] { return viewer.session && publisher.session; }));
        REQUIRE(viewer.session->subscribe({"room", "video"}, {.max_age = complete_age}));
        viewer.connection->wake();
    }

    void publish(const event& e, int count, std::size_t size) {
        auto& s = *publisher.session;
        if (std::holds_alternative<setup_received>(e)) static_cast<void>(s.admit({}));
        const auto* r = std::get_if<subscribe_requested>(&e);
        if (r == nullptr) return;
        REQUIRE(s.accept(r->request));
        for (int i = 0; i < count; ++i) {
            auto g = s.open_group(r->request, group_sequence{static_cast<std::uint64_t>(i)}).value();
            const auto bytes = noise(size, static_cast<std::uint64_t>(i));
            expected += bytes;
            REQUIRE(g->write_frame(timestamp{0}, as_bytes(bytes)));
            REQUIRE(g->finish());
        }
        REQUIRE(s.finish(r->request));
    }

    memory_pair pair;
    party viewer, publisher;
    std::string expected;
};

} // namespace

TEST_CASE("a subscription over QUIC receives every group") {
    const auto v = GENERATE(version::lite_03, version::lite_04, version::lite_05);
    broadcast b{20, 50'000, {}, v};
    REQUIRE(b.pair.run([&] { return b.viewer.groups == 20; }));
    CHECK(b.viewer.payload.size() == b.expected.size());
}

TEST_CASE("a group larger than every window arrives byte for byte") {
    broadcast b{1, 12'000'000};
    REQUIRE(b.pair.run([&] { return b.viewer.groups == 1; }, 600s));
    CHECK(b.viewer.payload == b.expected);
}

TEST_CASE("a lossy path delays groups and loses none") {
    pair_options options;
    options.drop = [n = 0](std::string&) mutable { return ++n % 13 == 0; };
    broadcast b{20, 20'000, std::move(options)};
    REQUIRE(b.pair.run([&] { return b.viewer.groups == 20; }, 600s));
    CHECK(b.viewer.payload.size() == b.expected.size());
}

TEST_CASE("a session's close code and reason are reported by the other session") {
    broadcast b{1, 100};
    b.publisher.session->close(app_error::unauthorized, "not you");
    b.publisher.connection->wake();
    REQUIRE(b.pair.run([&] { return b.viewer.closed && b.publisher.closed; }));
    CHECK(*b.viewer.closed == "not you");
}

TEST_CASE("a connection that dies ends the session with the reason") {
    auto dead = std::make_shared<bool>(false);
    pair_options options;
    options.drop = [dead](std::string&) { return *dead; };
    broadcast b{1, 100, std::move(options)};
    *dead = true;
    REQUIRE(b.pair.run([&] { return b.viewer.closed.has_value(); }));
    CHECK(*b.viewer.closed == "idle timeout");
}

} // namespace moqlite::test::session_test
