// Two sessions joined in memory: everything that QUIC carries, without a network.
#include "sim/print.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <functional>
#include <map>
#include <moqlite/session/checking_transport.hpp>
#include <moqlite/session/memory_transport.hpp>
#include <string>
#include <utility>
#include <vector>

namespace moqlite::test::memory_transport_test {

namespace {

using namespace std::chrono_literals;
using list = std::vector<std::string>;

/// A session at one end. Both directions of the contract are checked.
struct end {
    end(memory_transport& w, role r, version v, session_options o, time_point now)
        : is(r, v, std::move(o), now), books(r), checked(is, books), wire(w, books), raw(w) {}
    session* operator->() { return &is; }

    void drain() {
        while (const auto e = checked.poll_event()) {
            said.push_back(text(*e));
            if (on_event) on_event(*e);
        }
    }
    bool deliver(time_point now) {
        return raw.deliver(checked, now, [this] { drain(); });
    }
    bool send() {
        const bool all = pump(checked, wire);
        drain();
        return all;
    }
    [[nodiscard]] std::size_t count(std::string_view word) const {
        return static_cast<std::size_t>(
            std::count_if(said.begin(), said.end(), [&](const auto& l) { return l.starts_with(word); }));
    }

    session is;
    contract_checker<> books;
    checking_session<session> checked;
    checking_transport<memory_transport> wire;
    memory_transport& raw;
    std::function<void(const event&)> on_event;
    list said;
};

/// A subscriber, the client, and a publisher.
struct scene {
    explicit scene(memory_link_options o = {}, version v = version::lite_05)
        : link(o),
          client(link.client, role::client, v, {}, now),
          server(link.server, role::server, v, {.pool = &pool}, now) {
        client.on_event = [this](const event& e) {
            if (const auto* f = std::get_if<frame_data>(&e)) {
                received[number(f->sequence)] += as_text(f->data);
                if (on_frame) on_frame(*f);
            }
        };
        server.on_event = [this](const event& e) {
            if (std::holds_alternative<setup_received>(e)) REQUIRE(server->admit({}));
            if (const auto* s = std::get_if<subscribe_requested>(&e)) {
                REQUIRE(server->accept(s->request, group_sequence{0}));
                requests.push_back(s->request);
            }
        };
        run();
    }
    /// One turn of both.
    bool turn() {
        client.send(), server.send();
        const bool there = client.deliver(now);
        return server.deliver(now) || there;
    }
    void run() {
        for (int i = 0; turn(); ++i) REQUIRE(i < 10'000);
    }
    void pass(duration d) {
        now += d;
        for (auto* e : {&client, &server}) e->checked.tick(now), e->drain();
        run();
    }
    request_id subscribed(std::string_view track, const subscribe_options& o = {}) {
        REQUIRE(client->subscribe({"room", track}, o));
        run();
        return requests.back();
    }
    /// A group that is whole, of one frame.
    group_ref publish(request_id to, std::uint64_t n, std::string_view payload) {
        auto g = server->open_group(to, group_sequence{n}).value();
        REQUIRE(g->write_frame(timestamp{0}, as_bytes(payload)));
        REQUIRE(g->finish());
        return g;
    }

    time_point now{1s};
    slab_pool pool{limits{}.memory};
    memory_link link;
    end client;
    end server;
    std::vector<request_id> requests;
    std::map<std::uint64_t, std::string> received;
    std::function<void(const frame_data&)> on_frame;
};

} // namespace

TEST_CASE("sessions of every version talk in memory, byte for byte", "[session][memory transport]") {
    scene s{{}, GENERATE(from_range(all_versions))};
    const auto r = s.subscribed("video");
    for (std::uint64_t n = 0; n != 20; ++n) s.publish(r, n, std::string(1000 * n, static_cast<char>('a' + n)));
    s.run();
    for (std::uint64_t n = 0; n != 20; ++n) CHECK(s.received[n] == std::string(1000 * n, static_cast<char>('a' + n)));
    CHECK(s.server.count("group_delivered") == 20);
    REQUIRE(s.server->finish(r));
    s.run();
    s.pass(1s); // Before moq-lite-05 a FIN does not mean that everything has arrived.
    CHECK(s.client.count("subscription_ended 0 finished") == 1);
    CHECK(s.pool.in_use() == 0);
}

TEST_CASE("a memory link reads bytes in place", "[session][memory transport]") {
    scene s;
    const auto r = s.subscribed("video");
    const auto g = s.server->open_group(r, group_sequence{0}).value();
    REQUIRE(g->write_frame(timestamp{0}, as_bytes("where am I")));
    const std::byte* seen = nullptr;
    s.on_frame = [&](const frame_data& f) { seen = f.data.data(); };
    s.run();
    group_reader reader;
    wake_queue nobody;
    reader.attach(g, nobody);
    std::array<byte_view, 4> ranges;
    const auto l = reader.lend(ranges, 100);
    REQUIRE(l.ranges == 1);
    CHECK(seen == ranges[0].data() + (l.bytes - 10));
}

TEST_CASE("the window of a stream slows its writer", "[session][memory transport]") {
    scene s{{.stream_window = 1000}};
    const auto r = s.subscribed("video", {.end = group_sequence{0}}); // Capped: credit is given by release().
    s.publish(r, 0, std::string(5000, 'x'));
    group_id id{};
    std::size_t unread = 0;
    s.on_frame = [&](const frame_data& f) { id = f.group, unread += f.data.size(); };
    s.run();
    CHECK(s.received[0].size() <= 1000);
    while (s.received[0].size() != 5000) {
        REQUIRE(unread != 0);
        REQUIRE(s.client->release(id, std::exchange(unread, 0)));
        s.run();
    }
    CHECK(s.received[0] == std::string(5000, 'x'));
}

TEST_CASE(
    "the window of the connection slows its writer, and what is urgent comes first", "[session][memory transport]") {
    scene s{{.connection_window = 2000}};
    const auto film = s.subscribed("film", {.priority = 1});
    const auto sound = s.subscribed("sound", {.priority = 9});
    s.publish(film, 0, std::string(10'000, 'f'));
    CHECK_FALSE(s.server.send());
    const auto g = s.server->open_group(sound, group_sequence{7}).value();
    REQUIRE(g->write_frame(timestamp{0}, as_bytes(std::string(3000, 's'))));
    s.turn(); // Earlier writes arrive first.
    CHECK(s.received[0].size() < 2000);
    s.turn(), s.turn();
    CHECK(s.received[7].size() == 3000);
    CHECK(s.received[0].size() < 4000);
    s.run();
    CHECK(s.received[0].size() == 10'000);
}

TEST_CASE("many small pieces are bounded by their number", "[session][memory transport]") {
    scene s{{.pieces = 64}};
    const auto r = s.subscribed("video");
    const auto g = s.server->open_group(r, group_sequence{0}).value();
    for (std::uint64_t i = 0; i != 1000; ++i) {
        REQUIRE(g->write_frame(timestamp{i}, as_bytes("x")));
        if (!s.server.send()) break;
        REQUIRE(i < 64);
    }
    s.run();
    CHECK_FALSE(s.received[0].empty());
}

TEST_CASE("a stream that has closed makes room for another", "[session][memory transport]") {
    scene s{{.bidi_streams = 2, .uni_streams = 2}};
    const auto r = s.subscribed("video");
    for (std::uint64_t n = 0; n != 50; ++n) s.publish(r, n, "x");
    s.run();
    CHECK(s.received.size() == 50);
    for (std::uint64_t i = 1; i != 10; ++i) {
        REQUIRE(s.client->unsubscribe(subscribe_id{i - 1}));
        static_cast<void>(s.subscribed("video"));
        CHECK(s.requests.size() == i + 1);
    }
}

TEST_CASE("resets and stops reach the other side", "[session][memory transport]") {
    scene s;
    const auto r = s.subscribed("video");
    const auto g = s.server->open_group(r, group_sequence{0}).value();
    REQUIRE(g->write_frame(timestamp{0}, as_bytes("x")));
    group_id id{};
    s.on_frame = [&](const frame_data& f) { id = f.group; };
    s.run();
    SECTION("a group is aborted") {
        g->abort(app_error::old);
        s.run();
        CHECK(s.client.count("group_closed 7 of 0 sequence 0 old") == 1);
    }
    SECTION("a group is aborted before its written bytes arrive") {
        REQUIRE(g->write_frame(timestamp{1}, as_bytes("y")));
        s.server.send();
        g->abort(app_error::old);
        s.server.send();
        s.run();
        CHECK(s.received[0] == "x");
        CHECK(s.client.count("group_closed 7 of 0 sequence 0 old") == 1);
    }
    SECTION("a group is stopped") {
        REQUIRE(s.client->stop(id, app_error::cancel));
        s.run();
        CHECK(s.server.count("group_lost 0 sequence 0 cancel") == 1);
    }
    SECTION("a group is stopped while more of it is in flight") {
        REQUIRE(g->write_frame(timestamp{1}, as_bytes("y")));
        REQUIRE(g->finish());
        s.server.send();
        REQUIRE(s.client->stop(id, app_error::cancel));
        s.client.send();
        s.run();
        CHECK(s.received[0] == "x");
    }
    SECTION("a request is rejected") {
        REQUIRE(s.server->reject(r, app_error::not_found));
        s.run();
        CHECK(s.client.count("subscription_ended 0 not_found") == 1);
    }
    s.run();
    CHECK_FALSE(s.client->is_closed());
}

TEST_CASE("datagrams cross, as many as may wait", "[session][memory transport]") {
    scene s{{.datagrams = 3}};
    const auto r = s.subscribed("video");
    for (std::uint64_t n = 0; n != 5; ++n)
        REQUIRE(s.server->serve_datagram(r, group_sequence{n}, timestamp{0}, as_bytes("x")));
    s.run();
    CHECK(s.client.count("group_datagram") == 3);
}

TEST_CASE("closing one end reports the reason, and a cut is reported to both", "[session][memory transport]") {
    scene s;
    const auto r = s.subscribed("video");
    s.publish(r, 0, "x");
    SECTION("closed") {
        s.server->close(app_error::timeout, "enough");
        s.server.drain();
        s.server.send();
        s.client.on_event = [](const event& e) {
            if (const auto* end = std::get_if<session_closed>(&e)) CHECK(end->reason == "enough");
        };
        s.run();
        CHECK(s.client.said.back() == "session_closed timeout peer_closed by peer");
    }
    SECTION("cut") {
        s.server.send();
        s.link.cut("unplugged");
        s.run();
        for (auto* e : {&s.client, &s.server}) CHECK(e->said.back() == "session_closed transport transport_closed");
    }
    CHECK_FALSE(s.turn());
    CHECK(s.pool.in_use() == 0);
}

TEST_CASE("ends with something to do are on their list, and no others", "[session][memory transport]") {
    const time_point now{1s};
    ready_list ready;
    memory_link link{{}, {&ready, 1}, {&ready, 2}};
    end client{link.client, role::client, version::lite_05, {.ready = &ready, .key = 1}, now};
    end server{link.server, role::server, version::lite_05, {.ready = &ready, .key = 2}, now};
    server.on_event = [&](const event& e) {
        if (std::holds_alternative<setup_received>(e)) REQUIRE((server->admit({}) && server->announce("cam")));
    };
    REQUIRE(client->watch(""));
    for (int i = 0; const auto key = ready.pop(); ++i) {
        REQUIRE(i < 100);
        auto& e = *key == 1 ? client : server;
        e.deliver(now);
        e.send();
    }
    CHECK(client.count("broadcast_available 0 cam") == 1);
    CHECK_FALSE(client.deliver(now));
    CHECK_FALSE(server.deliver(now));
}

} // namespace moqlite::test::memory_transport_test
