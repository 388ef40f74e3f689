// A bad announcement is refused alone: the others stay, and both sides get an event.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

namespace moqlite::test::announce_refused_test {

namespace {

std::string many(std::string_view piece, int n) {
    std::string out;
    for (; n != 0; --n) out += piece;
    return out;
}
std::string count(std::size_t n) {
    std::array<std::byte, wire::varint_size_max> form{};
    return to_hex(byte_view{form}.first(wire::write_varint(n, form)));
}

/// A client that watches everything on stream 0, where "good" is announced.
struct watcher : subject {
    explicit watcher(version v, const limits& bounds = {})
        : subject(role::client, v, {.bounds = bounds, .origin = hop_id{5}}) {
        begin(*this);
        REQUIRE((*this)->watch(""));
        static_cast<void>(outputs());
        if (has_announce_ok(v)) static_cast<void>(receive(0, "02 09 00"));
        CHECK(receive(0, announced("good")).front().starts_with("broadcast_available 0 good"));
    }
    /// An announcement; `suffix` in hexadecimal with its length, `hops` with their number.
    [[nodiscard]] std::string raw(std::string_view suffix, std::string_view hops) const {
        const auto v = (*this).negotiated();
        if (has_announce_bases(v))
            return "00" + sized("00 00" + std::string(suffix) + "00" + std::string(hops) + "00 00 00");
        if (has_typed_announces(v)) return "00" + sized(std::string(suffix) + std::string(hops) + "00 00");
        return sized("01" + std::string(suffix) + std::string(hops));
    }
    [[nodiscard]] std::string announced(std::string_view name) const { return raw(wire_text(name), one_hop()); }
    [[nodiscard]] std::string one_hop() const { return has_hop_ids(negotiated()) ? "01 07" : "01"; }
    [[nodiscard]] std::string hops(int n) const {
        return count(static_cast<std::size_t>(n)) + (has_hop_ids(negotiated()) ? many("00", n) : "");
    }
    [[nodiscard]] version negotiated() const { return const_cast<watcher&>(*this)->negotiated(); }
    /// The end of the broadcast that was announced with this number.
    [[nodiscard]] std::string ended(std::string_view name, std::size_t id) const {
        if (has_typed_announces(negotiated())) return "01" + sized(count(id));
        return sized("00" + wire_text(name) + "00");
    }
    void check_alive() {
        CHECK(receive(0, announced("later")).front().starts_with("broadcast_available 0 later"));
        CHECK_FALSE((*this)->is_closed());
    }
};

/// A server whose client requests announcements below "room" on stream 0.
struct announcer : subject {
    explicit announcer(version v) : subject(role::server, v, {.origin = hop_id{9}}) {
        begin(*this);
        CHECK(receive(0, "01" + sized(wire_text("room") + (has_exclude_hop(v) ? "00" : ""))).empty());
        REQUIRE((*this)->announce("room/cam"));
        static_cast<void>(outputs());
    }
};

} // namespace

TEST_CASE("an announcement that breaks a rule is refused alone and reported, and the others stay",
    "[session][announce][regression][dialects §16.1.3]") {
    const auto v = GENERATE(from_range(quic_versions));
    CAPTURE(alpn(v));
    watcher client{v};
    std::string bad;
    std::string why;
    SECTION("33 hops") {
        bad = client.raw(wire_text("bad"), client.hops(33));
        why = "too_many_hops";
    }
    SECTION("a name that is not UTF-8") {
        bad = client.raw("02 61 ff", client.one_hop());
        why = "bad_utf8";
    }
    SECTION("a name that is too long") {
        bad = client.raw(wire_text(std::string(4097, 'x')), client.one_hop());
        why = "name_too_long";
    }
    SECTION("too many segments") {
        bad = client.raw(wire_text(many("a/", 33) + "a"), client.one_hop());
        why = "too_many_segments";
    }
    SECTION("a hop twice") {
        if (!has_hop_ids(v)) return;
        bad = client.raw(wire_text("bad"), "03 07 08 07");
        why = "duplicate_hop";
    }
    SECTION("bytes behind its end") {
        bad = client.raw(wire_text("bad"), client.one_hop() + "00");
        why = "message_too_long";
    }
    SECTION("bytes that miss") {
        bad = has_typed_announces(v) ? "00 02 05 61" : "03 01 05 61";
        why = "message_too_short";
    }
    CHECK(client.receive(0, bad) == list{"stream_rejected 0 " + why});
    CHECK(without(client.outputs(), "credit").empty());
    client.check_alive();
}

TEST_CASE(
    "what replaces a live announcement and is refused ends that one, and no other", "[session][announce][regression]") {
    watcher client{version::lite_05};
    CHECK(client.receive(0, client.announced("other")).size() == 1);
    CHECK(client.receive(0, client.raw(wire_text("good"), client.hops(33))) ==
          list{"stream_rejected 0 too_many_hops", "broadcast_ended 0 good"});
    client.check_alive();
}

TEST_CASE("a refused announcement keeps its id, and updates or ends of it have no effect",
    "[session][announce][regression]") {
    watcher client{version::lite_06};
    CHECK(client.receive(0, client.raw(wire_text("bad"), client.hops(33))) == list{"stream_rejected 0 too_many_hops"});
    CHECK(client.receive(0, client.announced("third")).front().starts_with("broadcast_available 0 third"));
    CHECK(client.receive(0, "02" + sized("01 00 00 00")).empty()); // Id 1 is the bad one.
    CHECK(client.receive(0, "02" + sized("02" + client.hops(33) + "00 00")) ==
          list{"stream_rejected 0 too_many_hops", "broadcast_ended 0 third"});
    CHECK(client.receive(0, "01 01 01").empty());
    CHECK(client.receive(0, "01 01 01").back() == "session_closed protocol_violation unknown_announce");
}

TEST_CASE("a peer with more refused announcements than any relay has is disconnected", "[session][announce]") {
    limits small;
    small.refused_announcements = 10;
    subject client{role::client, version::lite_06, {.bounds = small}};
    begin(client);
    REQUIRE(client->watch(""));
    static_cast<void>(client.outputs());
    static_cast<void>(client.receive(0, "02 09 00"));
    const auto bad = "00" + sized("02 61 ff 00 00 00");
    for (int i = 0; i < 10; ++i) CHECK(client.receive(0, bad).size() == 1);
    CHECK(client.receive(0, bad).back() == "session_closed bounds_exceeded too_many_announcements");
}

TEST_CASE("an announcement beyond a bound is refused alone, the session stays, and others take the room of ended ones",
    "[session][announce][bounds]") {
    const auto v = GENERATE(from_range(all_versions));
    const bool of_bytes = GENERATE(false, true);
    CAPTURE(alpn(v), of_bytes);
    limits small;
    if (of_bytes)
        small.announced_bytes = 12; // "good", "next", and the hop of each where the version keeps it.
    else
        small.announcements = 2;
    watcher client{v, small};
    const bool two = !of_bytes || !has_announce_bases(v);
    if (two) CHECK(client.receive(0, client.announced("second_name")).size() == 1);
    const std::size_t id = two ? 2 : 1;
    CHECK(client.receive(0, client.announced("refused")) == list{"stream_rejected 0 too_many_announcements"});
    CHECK(client.receive(0, client.announced("third")).empty()); // Reported once.
    CHECK_FALSE(client->is_closed());
    // The peer ends one that we know, and one that we do not.
    CHECK(client.receive(0, client.ended("good", 0)) == list{"broadcast_ended 0 good"});
    CHECK(client.receive(0, client.ended("refused", id)).empty());
    if (two) CHECK(client.receive(0, client.ended("second_name", 1)).size() == 1);
    CHECK(client.receive(0, client.announced("last")).front().starts_with("broadcast_available 0 last"));
    CHECK(without(client.outputs(), "credit").empty());
    CHECK_FALSE(client->is_closed());
}

TEST_CASE("a broadcast that the application declines takes no room, and its end is not reported",
    "[session][announce][bounds]") {
    const auto v = GENERATE(from_range(all_versions));
    CAPTURE(alpn(v));
    limits small;
    small.announcements = 30;
    watcher client{v, small};
    for (int i = 0; i < 40; ++i) {
        const auto name = "n" + std::to_string(i);
        CHECK(client.receive(0, client.announced(name)).front().starts_with("broadcast_available 0 " + name));
        REQUIRE(client->decline(watch_id{0}, name));
        CHECK(client->decline(watch_id{0}, name).error() == errc::not_found);
    }
    CHECK(client.receive(0, client.ended("n0", 1)).empty());
    CHECK(client.receive(0, client.ended("n39", 40)).empty());
    CHECK(client.receive(0, client.ended("good", 0)) == list{"broadcast_ended 0 good"});
    client.check_alive();
}

TEST_CASE("an announcement may build on one that was refused for want of room", "[session][announce][bounds]") {
    limits small;
    small.announcements = 2;
    watcher client{version::lite_07_wip, small};
    CHECK(client.receive(0, client.announced("room/1")).size() == 1);
    const auto on_the_last = [](std::string_view name) {
        return "00" + sized("01 01" + wire_text(name) + "01 00 01 00 00");
    };
    CHECK(client.receive(0, on_the_last("first")) == list{"stream_rejected 0 too_many_announcements"});
    for (int i = 1; i < 20; ++i) CHECK(client.receive(0, on_the_last("x" + std::to_string(i))).empty());
    CHECK(client.receive(0, client.ended("good", 0)).size() == 1);
    for (int id = 6; id < 22; ++id) CHECK(client.receive(0, "01" + sized(count(static_cast<std::size_t>(id)))).empty());
    CHECK_FALSE(client->is_closed());
}

TEST_CASE(
    "where what follows could not be understood the session ends with a name", "[session][announce][regression]") {
    const auto v = GENERATE(from_range(quic_versions));
    watcher client{v};
    const auto said = client.receive(0, std::string(has_typed_announces(v) ? "00" : "") + "80010001");
    CHECK(said.back() == "session_closed bounds_exceeded message_too_large");
}

TEST_CASE(
    "announce refuses what a conforming peer would, so that it is sent to none", "[session][announce][regression]") {
    const auto v = GENERATE(from_range(quic_versions));
    subject client{role::client, v, {.path = "/room/a?token=b", .origin = hop_id{9}}};
    begin(client);
    const auto why = [&](std::string_view path, std::vector<hop_id> hops = {}) {
        const auto said = client->announce(path, std::move(hops));
        return said ? errc::ok : said.error();
    };
    CHECK(why("a\xff") == errc::bad_utf8);
    CHECK(why("\xc0\xaf") == errc::bad_utf8);
    CHECK(why(std::string(4096 - 7, 'x')) == errc::ok); // room/a/ comes in front.
    CHECK(why(std::string(4096 - 6, 'x')) == errc::name_too_long);
    const auto deep = [](int n) {
        std::string path = "a";
        for (; n > 1; --n) path += "/a";
        return path;
    };
    CHECK(why(deep(30)) == errc::ok);
    CHECK(why(deep(31)) == errc::too_many_segments);
    std::vector<hop_id> way;
    for (std::uint64_t n = 100; n < 131; ++n) way.push_back(hop_id{n});
    CHECK(why("far", way) == errc::ok);
    way.push_back(hop_id{});
    CHECK(why("far", way) == errc::too_many_hops);
    CHECK(why("loop", {hop_id{1}, hop_id{2}, hop_id{1}}) == errc::duplicate_hop);
    CHECK(why("loop", {hop_id{9}}) == errc::duplicate_hop);
    CHECK(why("unnamed", {hop_id{}, hop_id{}}) == errc::ok);
    CHECK(why("large", {hop_id{std::uint64_t{1} << 62}}) == errc::value_too_large);
}

TEST_CASE("the application gets an event when the peer cuts its announcements off", "[session][announce][regression]") {
    const auto v = GENERATE(from_range(quic_versions));
    CAPTURE(alpn(v));
    announcer server{v};
    SECTION("by a reset") {
        CHECK(server.reset(0, app_error::decode) == list{"announcements_cut_off room decode"});
        CHECK(server.stopped(0, app_error::decode).empty());
    }
    SECTION("by a refusal to read") {
        CHECK(server.stopped(0, app_error::bounds_exceeded) == list{"announcements_cut_off room bounds_exceeded"});
        CHECK(server.reset(0, app_error::decode).empty());
    }
    SECTION("but not that it has lost interest") { CHECK(server.receive(0, "", true).empty()); }
    SECTION("nor that it has taken its request back") {
        const bool resets = GENERATE(true, false);
        CHECK((resets ? server.reset(0, app_error::cancel) : server.stopped(0, app_error::cancel)).empty());
        CHECK((resets ? server.stopped(0, app_error::cancel) : server.reset(0, app_error::cancel)).empty());
    }
}

TEST_CASE("a route with a repeated hop, or through its reader or ourselves, is not forwarded",
    "[session][announce][regression][dialects §16.2.9]") {
    const auto v = GENERATE(version::lite_04, version::lite_05, version::lite_06);
    announcements table;
    subject server{role::server, v, {.origin = hop_id{9}, .table = &table, .key = 1}};
    begin(server);
    CHECK(server.receive(0, "01" + sized("00" + std::string(has_exclude_hop(v) ? "00" : ""))).empty());
    static_cast<void>(server.outputs());
    table.set("loop", {{hop_id{3}, hop_id{9}}, 2});
    CHECK(server.outputs().empty());
}

} // namespace moqlite::test::announce_refused_test
