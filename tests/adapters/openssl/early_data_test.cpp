// Early data (0-RTT): accepted and rejected.
#include "../resuming_pair.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <set>

namespace moqlite::test::early_data_test {

using link::early_data;
using ngtcp2::resumption;
using ngtcp2::ticket_keys;

namespace {

/// Each stream of a client with its text.
const std::vector<std::pair<direction, std::string>> requests{{direction::bidi, "subscribe"}, {direction::uni, "setup"},
    {direction::bidi, ""}, {direction::bidi, noise(3000)}, {direction::uni, noise(500, 7)}};

void send_all(recorder& from) {
    for (const auto& [kind, text] : requests) from.send(kind, text);
}
/// The server has every stream as it was sent, under the same id.
bool has_all(const recorder& sender, const recorder& receiver) {
    if (sender.opened.size() != requests.size()) return false;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const auto found = receiver.received.find(sender.opened[i]);
        if (found == receiver.received.end() || !found->second.fin) return false;
        CHECK(found->second.bytes == requests[i].second);
    }
    return receiver.received.size() == requests.size();
}
/// Ends the server's half of each request that has arrived, so that its place is free again.
void answer(recorder& to, std::set<stream_id>& answered) {
    for (const auto& [id, in] : to.received)
        if (in.fin && direction_of(id) == direction::bidi && answered.insert(id).second) {
            to.sent[id] = {};
            to.connection.wake();
        }
}
bool all_acked(const recorder& sender) {
    for (const auto& [id, out] : sender.sent)
        if (out.acked != out.bytes.size()) return false;
    return true;
}

/// A client with a ticket has begun, and has sent its requests.
struct scene : resuming_pair {
    explicit scene(pair_options o = {}, const std::function<void(scene&)>& meanwhile = {})
        : resuming_pair{std::move(o), keys()} {
        learn();
        server.handlers.clear();
        client.handlers.clear();
        if (meanwhile) meanwhile(*this);
        begin(to_server());
        REQUIRE(client.handlers.size() == 1);
        send_all(*client.handlers[0]);
    }
    static ticket_keys keys() { return ticket_keys::random(); }
    [[nodiscard]] recorder& sender() { return *client.handlers[0]; }
    [[nodiscard]] bool arrived() { return !server.handlers.empty() && has_all(sender(), *server.handlers[0]); }
};

} // namespace

TEST_CASE("early data arrives with the first packets, before the handshake is complete") {
    scene s;
    const auto start = s.now;
    CHECK(s.sender().connection.tls().early == early_data::pending);
    CHECK(s.sender().connection.tls().peer_fingerprint.size() == 64);
    CHECK(s.sender().connection.alpn() == "moq-lite-05");
    REQUIRE(s.run([&] { return !s.server.handlers.empty(); }, 1s));
    CHECK(s.now - start < 10ms); // One way takes 5 ms.
    CHECK(s.server.handlers[0]->connection.tls().early == early_data::pending);
    s.server.handlers[0]->send(direction::bidi, "an answer at once");
    REQUIRE(s.run([&] { return s.arrived() && s.sender().received.size() == 1; }, 1s));
    CHECK(s.now - start < 40ms);
    s.run_for(100ms);
    CHECK(s.sender().connection.tls().early == early_data::accepted);
    CHECK(s.server.handlers[0]->connection.tls().early == early_data::accepted);
    CHECK(s.client.handlers.size() == 1);
    CHECK(s.server.handlers.size() == 1);
    CHECK(all_acked(s.sender()));
}

TEST_CASE("early data that is rejected is sent again, on the same streams, and no handler notices") {
    const auto why = GENERATE("other keys", "option off", "no tickets", "limits lowered");
    CAPTURE(why);
    scene s{{}, [&](scene& at) {
                const std::string_view reason{why};
                if (reason == "other keys")
                    at.server.endpoint.renew(resuming_pair::with_tickets(ticket_keys::random()));
                if (reason == "option off")
                    at.server.endpoint.renew(resuming_pair::with_tickets(ticket_keys::random(), false));
                if (reason == "no tickets") at.server.endpoint.renew(server_tls());
                if (reason == "limits lowered") {
                    at.options.server.bidi_streams = 1;
                    at.options.server.uni_streams = 1;
                    at.options.server.stream_window = 100;
                    at.options.server.connection_window = 2000;
                    at.restart_server();
                }
            }};
    std::set<stream_id> answered;
    REQUIRE(s.run(
        [&] {
            if (!s.server.handlers.empty()) answer(*s.server.handlers[0], answered);
            return s.arrived();
        },
        20s));
    CHECK(s.sender().connection.tls().early == early_data::rejected);
    CHECK(s.server.handlers[0]->connection.tls().early == early_data::none);
    s.run_for(1s);
    CHECK(all_acked(s.sender()));
    CHECK(s.client.handlers.size() == 1);
    CHECK(s.client.failures.empty());
    // The connection goes on as any other.
    s.sender().send(direction::bidi, noise(100'000));
    s.server.handlers[0]->send(direction::uni, noise(100'000));
    REQUIRE(s.run([&] {
        answer(*s.server.handlers[0], answered);
        const auto& got = s.server.handlers[0]->received;
        const bool all = got.size() == requests.size() + 1 && all_acked(s.sender()) &&
                         s.client.handlers[0]->opened.size() == requests.size() + 1;
        return all && s.sender().received[stream_id{3}].bytes.size() == 100'000; // The server's first one.
    }));
    CHECK_FALSE(s.client.ends[1]->has_value());
}

TEST_CASE("lowered limits: a ticket remembers those under which it was issued") {
    // With the same keys, so that only the limits differ.
    const auto keys = ticket_keys::shared({std::byte{9}});
    pair_options high;
    high.server.bidi_streams = 200;
    resuming_pair before{high, keys};
    before.learn();
    for (const std::uint64_t limit : {199u, 200u, 201u}) {
        pair_options o;
        o.server.bidi_streams = limit;
        resuming_pair after{o, keys};
        auto to = after.to_server();
        to.ticket = before.tickets.at(0);
        const auto& c = after.finish(to);
        CHECK(c.tls().resumed);
        CHECK(c.tls().early == (limit < 200 ? early_data::rejected : early_data::accepted));
    }
}

TEST_CASE("what was reset or stopped early is so after a rejection, too") {
    scene s{{}, [](scene& at) { at.server.endpoint.renew(server_tls()); }};
    auto& from = s.sender();
    s.run_for(1ms);
    REQUIRE(from.opened.size() == requests.size());
    from.in_pump([&](link::connection& c) {
        c.reset(from.opened[3], app_error{7});
        c.stop(from.opened[0], app_error{8});
    });
    s.run_for(1s);
    auto& to = *s.server.handlers.at(0);
    CHECK(to.received[from.opened[3]].reset == app_error{7});
    CHECK(to.sent[from.opened[0]].stopped == app_error{8});
    CHECK(to.received[from.opened[1]].bytes == "setup");
}

TEST_CASE("more than early data may be waits for the handshake, whether accepted or not") {
    const bool rejected = GENERATE(false, true);
    pair_options o;
    resuming_pair s{o};
    s.learn();
    if (rejected) s.server.endpoint.renew(server_tls());
    s.begin(s.to_server());
    auto& from = *s.client.handlers.back();
    for (int i = 0; i < 200; ++i) from.send(direction::uni, noise(2000, static_cast<std::uint64_t>(i + 1)));
    REQUIRE(s.run([&] { return s.server.handlers.size() == 2 && from.closed_streams.size() == 200; }, 60s));
    for (int i = 0; i < 200; ++i)
        CHECK(s.server.handlers[1]->received[from.opened[static_cast<std::size_t>(i)]].bytes ==
              noise(2000, static_cast<std::uint64_t>(i + 1)));
    CHECK(from.connection.tls().early == (rejected ? early_data::rejected : early_data::accepted));
}

TEST_CASE("a server that does not accept the connection says so once") {
    int asked = 0;
    resuming_pair pair;
    std::string why;
    const auto tls = ngtcp2::tls::server({.alpn = {"moq-lite-05"},
                                             .who = test_identity(),
                                             .tickets = ticket_keys::shared({std::byte{6}}),
                                             .early_data = true},
        why);
    pair.server.endpoint.serve(tls.value(), [&](link::connection& c, time_point now) -> std::unique_ptr<link::handler> {
        if (++asked == 1) return pair.server.accept()(c, now);
        return nullptr;
    });
    pair.learn();
    REQUIRE(asked == 1);
    pair.begin(pair.to_server());
    send_all(*pair.client.handlers.back());
    pair.run_for(1s);
    CHECK(asked == 2);
    REQUIRE(pair.client.ends.back()->has_value());
    CHECK(pair.client.ends.back()->value().reason == "not accepted");
}

TEST_CASE("early data survives a Retry") {
    const auto keys = ticket_keys::shared({std::byte{5}});
    resuming_pair before{{}, keys};
    before.learn();
    pair_options o;
    o.server.retry = true;
    bool seen = false;
    o.drop = [&](std::string& packet) { return seen = seen || is_retry(packet), false; };
    resuming_pair after{o, keys};
    auto to = after.to_server();
    to.ticket = before.tickets.at(0);
    after.begin(to);
    send_all(*after.client.handlers.at(0));
    REQUIRE(after.run(
        [&] { return !after.server.handlers.empty() && has_all(*after.client.handlers[0], *after.server.handlers[0]); },
        1s));
    after.run_for(100ms);
    CHECK(seen);
    CHECK(after.client.handlers[0]->connection.tls().early == early_data::accepted);
    CHECK(after.client.handlers.size() == 1);
}

TEST_CASE("no early data without being asked, on h3, or with a ticket that does not allow it") {
    resuming_pair pair{{}, {}, false};
    pair.learn();
    auto& c = pair.finish(pair.to_server());
    CHECK(c.tls().resumed);
    CHECK(c.tls().early == early_data::none);

    resuming_pair willing;
    willing.learn();
    CHECK(willing.finish(willing.to_server(resumption::resume)).tls().early == early_data::none);
    auto h3 = willing.to_server();
    h3.alpn = {"h3"};
    CHECK_FALSE(willing.finish(h3).tls().resumed);
    auto& again = willing.finish(h3);
    CHECK(again.tls().resumed);
    CHECK(again.tls().early == early_data::none);
}

TEST_CASE("a server that chooses another protocol ends the connection, and the next one is good") {
    resuming_pair pair;
    auto to = pair.to_server();
    to.alpn = {"moq-lite-05", "moq-lite-04"};
    pair.finish(to);
    pair.server.endpoint.renew(resuming_pair::with_tickets(ticket_keys::random(), true, {"moq-lite-04"}));
    pair.begin(to);
    REQUIRE(pair.client.handlers.size() == 2);
    pair.run_for(1s);
    REQUIRE(pair.client.ends[1]->has_value());
    CHECK(pair.client.ends[1]->value().reason ==
          "the server has rejected early data, and chose moq-lite-04 instead of moq-lite-05; connect again");
    CHECK(pair.client.handlers.size() == 2);
    pair.begin(to);
    pair.run_for(1s);
    REQUIRE(pair.client.handlers.size() == 3);
    CHECK(pair.client.handlers[2]->connection.alpn() == "moq-lite-04");
}

TEST_CASE("a handshake that fails after early data was sent is reported to the handler") {
    pair_options o;
    bool gone = false;
    o.drop = [&](std::string&) { return gone; };
    scene s{o, [&](scene&) { gone = true; }};
    s.run_for(60s);
    REQUIRE(s.client.ends.at(1)->has_value());
    CHECK(s.client.ends[1]->value().reason == "handshake timeout");
    CHECK(s.client.failures.empty());
    CHECK(s.client.endpoint.connections() == 0);
}

} // namespace moqlite::test::early_data_test
