// Codes on the wire: each dialect's own numbers, both ways.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::codes_test {

namespace {

using numbers = std::vector<std::uint64_t>;
constexpr auto today = version::lite_06; ///< It has two registries.

struct server : subject {
    explicit server(version v) : subject(role::server, v) { begin(*this); }
};
/// With SUBSCRIBE 0 on stream 0.
struct viewer : subject {
    explicit viewer(version v) : subject(role::client, v) {
        begin(*this);
        REQUIRE((*this)->subscribe({"a", "b"}));
        static_cast<void>(outputs());
    }
};
numbers codes_of(subject& s) {
    s.link.codes.clear();
    static_cast<void>(s.outputs());
    return s.link.codes;
}
std::uint64_t number(const app_error& code) { return static_cast<std::uint64_t>(code); }

/// The last event, of kind E.
template <class E>
E last(subject& s) {
    std::optional<E> found;
    while (const auto e = s.told().poll_event())
        if (const auto* x = std::get_if<E>(&*e)) found = *x;
    REQUIRE(found);
    return *found;
}

} // namespace

TEST_CASE(
    "a refused request is reset with the number of its dialect", "[session][codes][dialects §8.1][dialects §16.1.12]") {
    const auto v = GENERATE(version::lite_03, version::lite_04, version::lite_05, today, version::lite_07_wip);
    server s{v};
    static_cast<void>(s.receive(0, subscribe_bytes(v, "00", "a", "b")));
    REQUIRE(s->reject(request_id{0}, app_error::not_found));
    const std::uint64_t expected = has_two_registries(v) ? 0x33 : 13;
    CHECK(codes_of(s) == numbers{expected, expected}); // STOP_SENDING and RESET_STREAM.
}

TEST_CASE("a session is closed with the number of its dialect", "[session][codes][dialects §8.1][dialects §16.1.12]") {
    const auto v = GENERATE(version::lite_03, version::lite_04, version::lite_05, today, version::lite_07_wip);
    const bool new_codes = has_two_registries(v);
    SECTION("for a violation") {
        subject s{role::client, v};
        begin(s);
        s->close(app_error::protocol_violation, "enough");
        const auto closed = last<session_closed>(s);
        CHECK(number(closed.code) == (new_codes ? 0x3 : 15));
        CHECK(to_string(closed.code) == "protocol_violation");
        CHECK(codes_of(s) == numbers{number(closed.code)});
    }
    SECTION("when it is refused") {
        subject s{role::server, v};
        static_cast<void>(s.outputs());
        static_cast<void>(s.events());
        REQUIRE(s->refuse());
        CHECK(codes_of(s) == numbers{new_codes ? 0x2u : 6u});
    }
    SECTION("without an error") {
        subject s{role::client, v};
        begin(s);
        s->close(app_error::cancel);
        CHECK(codes_of(s) == numbers{0});
    }
    SECTION("with a code of the application's") {
        subject s{role::client, v};
        begin(s);
        s->close(app_error{77});
        CHECK(codes_of(s) == numbers{77});
    }
    SECTION("by a transport on its own") {
        subject s{role::client, v};
        CHECK(number(s->close_code(app_error::goaway_timeout)) == (new_codes ? 0x10 : 0));
    }
}

TEST_CASE("cancelling is 0 before moq-lite-06 and 1 from there on", "[session][codes][dialects §8.1]") {
    const auto v = GENERATE(version::lite_03, version::lite_05, today, version::lite_07_wip);
    viewer client{v};
    CHECK(client.receive(3, group_bytes(v, "00", "07")).size() == 1);
    REQUIRE(client->unsubscribe(subscribe_id{0}));
    const std::uint64_t expected = has_two_registries(v) ? 1 : 0;
    CHECK(codes_of(client) == numbers{expected, expected}); // Of the group, and of the subscription.
}

TEST_CASE("a peer's code keeps its number, and has the name of its registry", "[session][codes][dialects §8.1]") {
    struct row {
        version dialect;
        std::uint64_t sent;
        std::string_view name;
        bool cancel;
    };
    const auto& [v, sent, name, cancel] = GENERATE(row{version::lite_05, 0, "cancel", true},
        row{version::lite_05, 3, "timeout", false}, row{version::lite_05, 0x33, "", false},
        row{version::lite_05, 77, "", false}, row{today, 0, "internal", false}, row{today, 1, "cancel", true},
        row{today, 3, "session_closed", false}, row{today, 13, "", false}, row{today, 0x12, "malformed_track", false},
        row{today, 0x33, "not_found", false}, row{today, 0x2f, "", false}, row{today, 77, "", false});
    viewer client{v};
    client.told().stream_reset(stream_id{0}, app_error{sent}, client.now);
    const auto ended = last<subscription_ended>(client);
    CHECK(number(ended.code) == sent);
    CHECK(to_string(ended.code) == name);
    CHECK((ended.code == app_error::cancel) == cancel);
}

TEST_CASE("the code of a peer's close is read in the sessions' registry", "[session][codes][dialects §8.1]") {
    struct row {
        version dialect;
        std::uint64_t sent;
        std::string_view name;
    };
    const auto& [v, sent, name] =
        GENERATE(row{version::lite_05, 15, "protocol_violation"}, row{version::lite_05, 0, "cancel"},
            row{version::lite_05, 0x33, ""}, row{today, 0, "no_error"}, row{today, 3, "protocol_violation"},
            row{today, 0x10, "goaway_timeout"}, row{today, 0x33, ""}, row{today, 4, ""});
    viewer client{v};
    client.told().connection_closed({app_error{sent}, true, "bye"}, client.now);
    const auto closed = last<session_closed>(client);
    CHECK(number(closed.code) == sent);
    CHECK(to_string(closed.code) == name);
}

TEST_CASE("a connection that is lost has no code of the peer", "[session][codes]") {
    viewer client{today};
    client.told().connection_closed({app_error::transport, false, "idle"}, client.now);
    CHECK(to_string(last<session_closed>(client).code) == "transport");
}

TEST_CASE("gomoqt gets and sends its own numbers", "[session][codes][dialects §8.3]") {
    server s{version::lite_04};
    SECTION("once it is known: a subscriber that writes slashes and counts from 1") {
        static_cast<void>(s.receive(4, subscribe_bytes("01", "/a", "b")));
        static_cast<void>(s.receive(8, subscribe_bytes("02", "/a", "b")));
        static_cast<void>(s.outputs());
        REQUIRE(s->reject(request_id{0}, app_error::not_found));
        CHECK(codes_of(s) == numbers{3, 3});
        REQUIRE(s->open_group(request_id{1}, group_sequence{5}));
        static_cast<void>(s.outputs());
        s.told().stream_stopped(stream_id{3}, app_error{4}, s.now);
        const auto lost = last<group_lost>(s);
        CHECK(to_string(lost.code) == "subscribe_canceled");
        CHECK(lost.code == app_error::cancel);
        s->close(app_error::timeout);
        CHECK(codes_of(s).back() == 1);
    }
    SECTION("and says with them why it leaves") {
        static_cast<void>(s.receive(4, subscribe_bytes("01", "/a", "b")));
        s.told().stream_reset(stream_id{4}, app_error{5}, s.now);
        const auto ended = last<request_ended>(s);
        REQUIRE(ended.code);
        CHECK(to_string(*ended.code) == "timeout");
        CHECK(number(*ended.code) == 5);
    }
    SECTION("and by what it announces: without a hop of its own") {
        REQUIRE(s->watch(""));
        static_cast<void>(s.outputs());
        static_cast<void>(s.receive(server_bidi(0), sized("01 01 61 00")));
        s->close(app_error::version);
        CHECK(codes_of(s) == numbers{0x12});
    }
    SECTION("but not another that writes slashes, such as we do") {
        static_cast<void>(s.receive(4, subscribe_bytes("00", "/a", "b")));
        REQUIRE(s->reject(request_id{0}, app_error::not_found));
        CHECK(codes_of(s) == numbers{13, 13});
    }
    SECTION("nor one that writes none") {
        static_cast<void>(s.receive(4, subscribe_bytes("01", "a", "b")));
        REQUIRE(s->reject(request_id{0}, app_error::not_found));
        CHECK(codes_of(s) == numbers{13, 13});
    }
}

TEST_CASE("the end of a request has the code of the peer that cut it off", "[session][codes][dialects §8.1]") {
    struct row {
        version dialect;
        std::uint64_t sent;
        std::string_view name;
    };
    const auto& [v, sent, name] = GENERATE(row{version::lite_03, 3, "timeout"}, row{version::lite_05, 0, "cancel"},
        row{version::lite_05, 77, ""}, row{today, 0, "internal"}, row{today, 1, "cancel"},
        row{today, 5, "too_far_behind"}, row{today, 0x2f, ""}, row{version::lite_07_wip, 0x33, "not_found"});
    const auto kind = GENERATE(0, 1, 2);
    if (!has_track_info(v) && kind != 0) return; // Nor has it FETCH.
    server s{v};
    static_cast<void>(s.receive(0, kind == 0   ? subscribe_bytes(v, "00", "a", "b")
                                   : kind == 1 ? fetch_bytes(v, "a", "b", "07")
                                               : track_bytes("a", "b")));
    const auto how = GENERATE(0, 1, 2);
    if (how == 0) s.told().stream_reset(stream_id{0}, app_error{sent}, s.now);
    if (how == 1) s.told().stream_stopped(stream_id{0}, app_error{sent}, s.now);
    if (how == 2) s.told().stream_closed(stream_id{0}, app_error{sent}, s.now);
    const auto ended = last<request_ended>(s);
    CHECK_FALSE(ended.delivered);
    REQUIRE(ended.code);
    CHECK(number(*ended.code) == sent);
    CHECK(to_string(*ended.code) == name);
}

TEST_CASE("the end of a request has no code where its peer only ended its side", "[session][codes]") {
    const auto v = GENERATE(version::lite_03, version::lite_05, today);
    server s{v};
    static_cast<void>(s.receive(0, subscribe_bytes(v, "00", "a", "b")));
    s.arrives(0, {}, true);
    CHECK_FALSE(last<request_ended>(s).code);
}

TEST_CASE("the end of a request has the code of the session's end", "[session][codes]") {
    server s{today};
    static_cast<void>(s.receive(0, subscribe_bytes(today, "00", "a", "b")));
    s.told().connection_closed({app_error{2}, true, "who are you"}, s.now);
    const auto ended = last<request_ended>(s);
    REQUIRE(ended.code);
    CHECK(to_string(*ended.code) == "unauthorized");
}

TEST_CASE("who unsubscribes with a code resets, with its number in the dialect", "[session][codes][dialects §8.1]") {
    const auto v = GENERATE(version::lite_03, version::lite_04, version::lite_05, today, version::lite_07_wip);
    viewer client{v};
    CHECK(client.receive(3, group_bytes(v, "00", "07")).size() == 1);
    SECTION("a meaning") {
        REQUIRE(client->unsubscribe(subscribe_id{0}, app_error::lagged));
        const std::uint64_t expected = has_two_registries(v) ? 5 : 26;
        CHECK(codes_of(client) == numbers{expected, expected, expected}); // The group; both sides of the subscription.
    }
    SECTION("or a number of the application's own") {
        REQUIRE(client->unsubscribe(subscribe_id{0}, app_error{77}));
        CHECK(without(client.outputs(), "credit") == list{"stop 3 77", "stop 0 77", "reset 0 77"});
    }
    CHECK(client.events().empty());
    CHECK(client->unsubscribe(subscribe_id{0}, app_error{77}).error() == errc::not_found);
}

TEST_CASE("the code of SUBSCRIBE_DROP is one of the streams' registry", "[session][codes][dialects §8.1]") {
    const auto v = GENERATE(version::lite_05, today);
    const std::string code = v == today ? "35" : "1f"; // Evicted.
    viewer client{v};
    static_cast<void>(client.receive(0, "00 01 05"));
    const auto drop = hex("02 03 05 06 " + code);
    client.arrives(0, drop);
    const auto dropped = last<groups_dropped>(client);
    CHECK(dropped.code == app_error::evicted);
    CHECK(number(dropped.code) == (v == today ? 0x35 : 31));
}

} // namespace moqlite::test::codes_test
