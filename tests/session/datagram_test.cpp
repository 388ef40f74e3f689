// Groups of one frame as datagrams.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::datagram_test {

namespace {

/// A recorder that has datagrams.
struct datagram_recorder : recorder {
    using recorder::recorder;
    bool send(byte_view bytes) { return said.push_back("datagram " + to_hex(bytes)), true; }
};
static_assert(datagram_transport<datagram_recorder>);

/// A server with a subscription, 3, to groups 5 to 9 of room/cam video.
struct publisher : subject {
    explicit publisher(limits bounds = {}) : subject(role::server, version::lite_05, {.bounds = bounds}) {
        begin(*this);
        static_cast<void>(receive(0, subscribe_bytes("03", "room/cam", "video", "00 00 00 06 0a")));
        static_cast<void>(outputs());
    }
    result<void> send(std::uint64_t sequence, std::string_view payload = "hi") {
        return (*this)->serve_datagram(request_id{0}, group_sequence{sequence}, timestamp{90000}, as_bytes(payload));
    }
    list sent() {
        datagram_recorder to{role::server};
        pump(**this, to);
        return to.said;
    }
};

} // namespace

TEST_CASE("a datagram names subscription, group and time, and needs no other", "[session][datagram]") {
    publisher server;
    REQUIRE(server.send(7));
    CHECK(server.sent() == list{"datagram 0307"
                                "80015f90"
                                "6869"});
    CHECK(server.sent().empty());
}

TEST_CASE("datagrams that are not wanted, or too large, are refused", "[session][datagram]") {
    publisher server;
    CHECK(server.send(4).error() == errc::before_group_start);
    CHECK(server.send(10).error() == errc::beyond_group_end);
    CHECK(server.send(7, std::string(1200, 'x')).error() == errc::value_too_large);
    CHECK(server.send(7, std::string(1194, 'x')));
    CHECK(server->serve_datagram(request_id{1}, group_sequence{7}, timestamp{}, {}).error() == errc::not_found);
}

TEST_CASE("a subscription that serves nothing more sends no datagrams", "[session][datagram]") {
    publisher server;
    REQUIRE(server->finish(request_id{0}));
    CHECK(server.send(7).error() == errc::already_answered);
}

TEST_CASE("of waiting datagrams the oldest are dropped", "[session][datagram]") {
    publisher server{{.datagrams = 2}};
    for (std::uint64_t n = 5; n < 10; ++n) REQUIRE(server.send(n));
    CHECK(server.sent() == list{"datagram 030880015f906869", "datagram 030980015f906869"});
}

TEST_CASE("on a transport without datagrams they are dropped", "[session][datagram]") {
    publisher server;
    REQUIRE(server.send(7));
    CHECK(server.outputs().empty());
    CHECK(server.sent().empty());
}

TEST_CASE("before moq-lite-05 there are no datagrams", "[session][datagram]") {
    const auto v = GENERATE(version::lite_03, version::lite_04);
    subject server{role::server, v};
    begin(server);
    static_cast<void>(server.receive(0, subscribe_bytes("03", "room/cam", "video")));
    CHECK(server->serve_datagram(request_id{0}, group_sequence{7}, timestamp{}, {}).error() == errc::unsupported);
    server->datagram_received(hex("00 07 01 6869"), server.now);
    CHECK(server.events().empty());
}

TEST_CASE("a datagram of a subscription is reported; others, and malformed ones, are dropped", "[session][datagram]") {
    subject client{role::client};
    begin(client);
    REQUIRE(client->subscribe({"room/cam", "video"}, {.start = group_sequence{5}, .end = group_sequence{9}}));
    const auto receive = [&](std::string_view bytes) {
        const auto data = hex(bytes);
        client->datagram_received(data, client.now);
        return client.events();
    };
    CHECK(receive("00 07 80015f90 6869") == list{"group_datagram 0 sequence 7 time 90000 6869"});
    CHECK(receive("00 07 01") == list{"group_datagram 0 sequence 7 time 1 "});
    CHECK(receive("01 07 01 6869").empty());
    CHECK(receive("00 04 01 6869").empty());
    CHECK(receive("00 0a 01 6869").empty());
    CHECK(receive("00 07").empty());
    CHECK(receive("").empty());
}

} // namespace moqlite::test::datagram_test
