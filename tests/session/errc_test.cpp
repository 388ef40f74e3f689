// Every named error and its cause. An enumerator without a case does not compile.
#include "subject.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <moqlite/relay/relay.hpp>
#include <moqlite/wire/moqt/inspect.hpp>

namespace moqlite::test::errc_test {

namespace {

namespace moqt = wire::moqt;

/// A client with subscription 0 on stream 0, watch 0 on stream 4, and on moq-lite-05 a TRACK on stream 8.
struct client : subject {
    explicit client(version v = version::lite_05, limits bounds = {}) : subject(role::client, v, {.bounds = bounds}) {
        begin(*this);
        REQUIRE((*this)->subscribe({"a", "b"}));
        REQUIRE((*this)->watch(""));
        if (has_track_info(v)) REQUIRE((*this)->request_track({"a", "b"}));
        static_cast<void>(outputs());
        if (has_announce_ok(v)) static_cast<void>(receive(4, "02 09 00"));
    }
};
/// A server with SUBSCRIBE 0 on stream 0.
struct server : subject {
    explicit server(limits bounds = {}, scope allowed = {})
        : subject(role::server, version::lite_05, {.bounds = bounds}) {
        begin(*this, std::move(allowed));
        static_cast<void>(receive(0, subscribe_bytes("00", "a", "b", "00 00 00 03 05")));
        static_cast<void>(outputs());
    }
};

/// The last error in `said`: of a rejected stream, or of the closed session.
errc named(const list& said) {
    errc out = errc::ok;
    for (const auto& line : said) {
        if (!line.starts_with("stream_rejected") && !line.starts_with("session_closed")) continue;
        for (int n = 1; n < 256; ++n)
            for (const auto& end : {"", " by peer"})
                if (line.ends_with(" " + std::string(to_string(errc(n))) + end)) out = errc(n);
    }
    return out;
}
errc on_request(std::string_view bytes, bool fin = false) { return named(server{}.receive(4, bytes, fin)); }
errc on_group(std::string_view bytes, bool fin = false) {
    return named(client{}.receive(3, "00 02 00 07" + std::string(bytes), fin));
}
errc on_setup(role side, std::string_view bytes) {
    return named(subject{side}.receive(side == role::server ? 2 : 3, bytes, true));
}
errc of_moqt(moqt::carrier kind, std::string_view bytes) {
    return moqt::inspect({.kind = kind}, hex(bytes), [](const auto&) {}).error;
}
limits with(const std::function<void(limits&)>& change) {
    limits l;
    change(l);
    return l;
}
errc late() {
    subject s{role::server};
    static_cast<void>(s.outputs());
    return named(s.tick_after(10s));
}
errc silent_stream() {
    server s;
    static_cast<void>(s.receive(4, "02"));
    return named(s.tick_after(10s));
}
/// Only a relay refuses a request for that reason: by its code, 0x36 (moq-lite-wire §8.1).
errc without_route() {
    relay r{{}};
    const auto key = r.add(role::server, alpn(version::lite_06), t0).value();
    any_session& s = *r.session(key);
    const auto receive = [&](std::uint64_t stream, std::string_view bytes, bool fin) {
        const auto data = hex(bytes);
        s.stream_received(stream_id{stream}, data, fin, t0);
        while (const auto e = s.poll_event()) r.handle(key, *e, t0);
    };
    receive(2, "01 01 00", true);
    REQUIRE(r.admit(key, {}));
    receive(0, subscribe_bytes(version::lite_06, "00", "a", "b"), false);
    recorder link{role::server};
    pump(s, link);
    return std::count(link.codes.begin(), link.codes.end(), 0x36) != 0 ? errc::unroutable : errc::ok;
}
errc twice_announced() {
    client c{version::lite_04};
    return named(c.receive(4, sized("01 01 61 00") + sized("01 01 61 00")));
}
/// On moq-lite-07.
errc on_announce(std::string_view request) {
    subject s{role::server, version::lite_07_wip};
    begin(s);
    return named(s.receive(0, "01" + std::string(request)));
}
errc announced(std::string_view answer) { return named(client{version::lite_07_wip}.receive(4, answer)); }
errc reversed_frames() {
    subject s{role::server, version::lite_06};
    begin(s);
    return named(s.receive(0, "03 08 01 61 01 62 00 07 06 03"));
}
errc one_too_many_groups() {
    client c{version::lite_05, with([](limits& l) { l.incoming_groups = 1; })};
    static_cast<void>(c.receive(7, "00"));
    return named(c.receive(11, "00"));
}
errc group_twice() {
    client c;
    static_cast<void>(c.receive(3, "00 02 00 07"));
    return named(c.receive(7, "00 02 00 07"));
}
errc half_messages() {
    server s{with([](limits& l) { l.partial_messages = 2; })};
    return named(s.receive(4, "02 09 00 00"));
}
errc takes_nothing() {
    server s;
    REQUIRE(s->announce("a"));
    static_cast<void>(s.receive(4, "01 02 00 00"));
    static_cast<void>(s.outputs());
    static_cast<void>(s.tick_after(1ns));
    return named(s.tick_after(15s));
}
errc own_uni() {
    server s;
    REQUIRE(s->open_group(request_id{0}, group_sequence{2}));
    static_cast<void>(s.outputs());
    return named(s.receive(7, "00"));
}
errc not_drained() {
    client c;
    const auto bytes = hex("00 02 00 07");
    c->stream_received(stream_id{3}, bytes, false, c.now);
    c->stream_received(stream_id{7}, bytes, false, c.now);
    return named(c.events());
}
errc out_of_turn() {
    server s;
    REQUIRE(s->open_group(request_id{0}, group_sequence{2}));
    REQUIRE(s->poll_output());       // A stream, which is not opened.
    CHECK(s.tick_after(0s).empty()); // Reported once the output is answered.
    s->stream_opened(direction::uni, {});
    return named(s.events());
}
errc acked_too_much() {
    server s;
    REQUIRE(s->accept(request_id{0}, group_sequence{2}));
    static_cast<void>(s.outputs());
    return named(s.acked(0, 1000));
}
errc twin() {
    subject s{role::client, version::lite_05, {.origin = hop_id{9}}};
    return named(s.receive(3, "01 04 01 05 01 09", true));
}
errc closed(bool by_peer) {
    client c;
    c->connection_closed({app_error::cancel, by_peer, ""}, c.now);
    return named(c.events());
}
errc after_close() {
    client c;
    c->close(app_error::cancel);
    return c->subscribe({"a", "b"}).error();
}
errc second_goaway() {
    client c;
    static_cast<void>(c.receive(server_bidi(0), "05 01 00"));
    return named(c.receive(server_bidi(1), "05 01 00"));
}
errc after_goaway() {
    client c;
    static_cast<void>(c.receive(server_bidi(0), "05 01 00"));
    return c->subscribe({"a", "c"}).error();
}
errc refused() {
    subject s{role::server};
    REQUIRE(s->refuse());
    return named(s.events());
}
errc of_group(const std::function<result<void>(group&)>& misuse) {
    slab_pool pool{1 << 20};
    auto g = group::make(pool, group_sequence{0}, version::lite_05);
    return misuse(*g).error();
}
errc ended_group(group& g) {
    REQUIRE(g.finish());
    return g.finish().error();
}
errc served(std::uint64_t sequence) {
    return server { } -> open_group(request_id{0}, group_sequence{sequence}).error(); }
errc no_memory() {
    slab_pool pool{16};
    return group::make(pool, group_sequence{0}, version::lite_05)->write_frame(timestamp{0}, as_bytes("x")).error();
}
errc answered_twice() {
    server s;
    REQUIRE(s->accept(request_id{0}, group_sequence{2}));
    return s->accept(request_id{0}, group_sequence{2}).error();
}
errc out_of_scope() {
    server s{{}, {.root = "root"}};
    return s->announce("elsewhere").error();
}

/// The result of a single error.
errc provoked(errc rule) {
    switch (rule) {
    case errc::ok: return on_request(track_bytes("a", "b"));
    // Decoding.
    case errc::message_too_short: return on_request("02 03 00 01 61");
    case errc::message_too_long: return on_request("06 05 01 61 01 62 00");
    case errc::message_too_large: return on_request("02 80010001");
    case errc::stream_ended_early: return on_request("02 0a 00", true);
    case errc::unknown_message_type: return named(client{}.receive(0, "03 01 00"));
    case errc::unknown_stream_type: return on_request("3f");
    case errc::bad_utf8: return on_request("06 04 01 ff 01 62");
    case errc::bad_status: return named(client{}.receive(4, sized("03 01 61 00")));
    case errc::bad_choice: return of_moqt(moqt::carrier::bidi, "1e 0006 00 01 05 00 02 00");
    case errc::bad_namespace: return of_moqt(moqt::carrier::bidi, "06 0003 00 00 00");
    case errc::bad_parameter: return of_moqt(moqt::carrier::bidi, "06 0008 00 01 01 61 01 03 01 04");
    case errc::unexpected_parameter:
        return moqt::inspect({{moqt::draft_18}}, hex("02 0004 06 01 11 00"), [](const auto&) {}).error;
    case errc::bad_object_status: return of_moqt(moqt::carrier::uni, "10 01 00 80 00 00 02");
    case errc::object_order: return of_moqt(moqt::carrier::uni, "05 00 01 00 02 00 00 00 00 01 00 01 00 00 00 00");
    case errc::too_many_hops: return named(client{}.receive(4, sized("01 01 61 21")));
    case errc::duplicate_hop: return named(client{}.receive(4, sized("01 01 61 02 07 07")));
    case errc::too_many_segments: {
        std::string path = "61";
        for (int i = 0; i < 32; ++i) path += "2f61";
        return on_request("06" + sized(sized(path) + "01 62"));
    }
    case errc::name_too_long:
        return named(server{with([](limits& l) { l.name = 1; })}.receive(4, track_bytes("aa", "b")));
    case errc::too_many_parameters: return on_setup(role::server, "01 02 4041");
    case errc::duplicate_parameter: return on_setup(role::server, "01 07 02 05 01 01 05 01 02");
    case errc::parameter_size: return on_setup(role::server, "01 05 01 05 02 01 01");
    case errc::zero_timescale: return named(client{}.receive(8, "04 00 00 00 00"));
    case errc::timestamp_out_of_range: return on_group("01 00");
    case errc::frame_too_large: return on_group("00 82000001");
    case errc::bad_flag: return on_announce("06 04 726f6f6d 02");
    case errc::bad_frame_range: return reversed_frames();
    case errc::value_too_large: return client {
        } -> subscribe({"a", "b"}, {.start = group_sequence{UINT64_MAX}}).error();
    // The session's rules.
    case errc::duplicate_setup: return on_setup(role::server, "01 01 00 01 00");
    case errc::setup_from_server: return on_setup(role::client, "01 04 01 03 01 01");
    case errc::setup_timeout: return late();
    case errc::stream_timeout: return silent_stream();
    case errc::duplicate_announce: return twice_announced();
    case errc::bad_announce_base:
        return announced("00 09 00 00 01 78 00 00 00 00 00  00 09 01 02 01 79 00 00 00 00 00");
    case errc::base_refused: return announced("00 09 00 00 01 ff 00 00 00 00 00  00 09 01 01 01 79 00 00 00 00 00");
    case errc::end_missing: return named(client{version::lite_06}.receive(0, "00 01 00", true));
    case errc::unknown_announce: return named(client{version::lite_06}.receive(4, "01 01 00"));
    case errc::response_before_ok: return named(client{version::lite_03}.receive(0, "01 03 00 00 00"));
    case errc::unexpected_message: return on_request("01 02 00 00 00");
    case errc::unknown_subscription: return named(client{}.receive(3, "00 02 05 00"));
    case errc::duplicate_subscription: return on_request(subscribe_bytes("00", "a", "b"));
    case errc::duplicate_group: return group_twice();
    case errc::group_out_of_range: return named(client{}.receive(0, "02 03 09 08 00"));
    case errc::too_many_streams: return one_too_many_groups();
    case errc::too_many_requests: return named(server{with([](limits& l) { l.requests = 1; })}.receive(4, "02"));
    case errc::too_many_announcements:
        return named(
            client{version::lite_05, with([](limits& l) { l.announcements = l.refused_announcements = 0; })}.receive(
                4, sized("01 01 61 00")));
    case errc::control_backlog: return half_messages();
    case errc::unexpected_stream: return own_uni();
    case errc::duplicate_goaway: return second_goaway();
    case errc::unauthorized:
        return named(server{{}, {.root = {}, .subscribe = {"mine"}}}.receive(4, track_bytes("a", "b")));
    case errc::same_origin: return twin();
    case errc::refused: return refused();
    case errc::lagged: return takes_nothing();
    // Local misuse, and limits.
    case errc::undrained_input: return not_drained();
    case errc::input_inside_output: return out_of_turn();
    case errc::more_than_written: return acked_too_much();
    case errc::closed: return after_close();
    case errc::going_away: return after_goaway();
    case errc::not_found: return server {
        } -> accept(request_id{99}).error();
    case errc::unroutable: return without_route();
    case errc::out_of_scope: return out_of_scope();
    case errc::already_answered: return answered_twice();
    case errc::beyond_group_end: return served(5);
    case errc::before_group_start: return served(1);
    case errc::group_ended: return of_group([](group& g) -> result<void> { return ended_group(g); });
    case errc::frame_incomplete:
        return of_group([](group& g) { return g.begin_frame(timestamp{0}, 1) ? g.finish() : result<void>{}; });
    case errc::invalid_argument: return of_group([](group& g) { return g.append_payload(as_bytes("x")); });
    case errc::unsupported: return client { version::lite_04
        } -> request_track({"a", "b"}).error();
    case errc::out_of_memory_limit: return no_memory();
    case errc::peer_closed: return closed(true);
    case errc::transport_closed: return closed(false);
    }
    return errc::ok; // No enumerator.
}

} // namespace

TEST_CASE("every error has a test that causes it, and a name", "[session][bad input][errc]") {
    int n = 0;
    for (; to_string(errc(n)) != "unknown"; ++n) {
        CAPTURE(to_string(errc(n)));
        CHECK(to_string(provoked(errc(n))) == to_string(errc(n)));
    }
    CHECK(n > 50);
}

} // namespace moqlite::test::errc_test
