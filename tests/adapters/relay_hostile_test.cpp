// Peers that violate moq-lite, each in its own way, at the relay as it ships: each gets an error
// code, is logged once, and disturbs no other.
#include "relay_stage.hpp"

#include <algorithm>
#include <boost/asio/ip/udp.hpp>
#include <memory>
#include <moqlite/asio/clock.hpp>
#include <moqlite/wire/lite/subscribe.hpp>

namespace moqlite::test::relay_hostile_test {

namespace net = boost::asio;

namespace {

std::string segments(int count) {
    std::string path = "s";
    while (--count > 0) path += "/s";
    return path;
}

/// All intruders have one relay, the same that serves the others; made by the first section.
struct long_stage : stage {
    explicit long_stage(const std::string& program) : stage{program} {
        // Start what takes time to be detected.
        silent = intrude("");
        silent_since = std::chrono::steady_clock::now();
        idle = intrude();
        REQUIRE(run([&] { return !relay.said(idle.tag, "admitted").empty(); }));
        CHECK(write_all(idle, direction::bidi, raw("02 40")) > 100);
        CHECK(write_all(idle, direction::uni, raw("00 02")) > 1000);
        knock(100);
    }
    /// The first packets of clients that then stay silent.
    void knock(int count) {
        memory_end end{{}, 1};
        const auto remote = *link::address::parse("127.0.0.1", port);
        for (int i = 0; i < count; ++i) {
            std::string why;
            REQUIRE(end.endpoint.connect(client_tls(), {remote, end.address, "localhost", {"moq-lite-05"}},
                end.accept(), end.failed(), why, asio::now()));
        }
        end.endpoint.pump(asio::now());
        REQUIRE(end.outbox.size() >= static_cast<std::size_t>(count));
        net::ip::udp::socket socket{context, {net::ip::udp::v4(), 0}};
        for (const auto& packet : end.outbox)
            socket.send_to(net::buffer(packet.bytes), {net::ip::make_address("127.0.0.1"), port});
    }

    intruder silent; ///< Sends no SETUP.
    intruder idle;   ///< Opens as many streams as it may, and finishes no message.
    std::chrono::steady_clock::time_point silent_since;
};

/// One stream with invalid bytes, and its end.
struct misstep {
    const char* what;
    direction kind;
    std::string bytes;
    bool fin;
    const char* rule;
    app_error code;
};

std::vector<misstep> missteps() {
    const auto deep = segments(33);
    return {
        {"garbage on a bidi stream", direction::bidi, noise(4000, 3), false, "unknown_stream_type",
            app_error::unsupported},
        {"garbage on a uni stream", direction::uni, noise(4000, 3), false, "unknown_stream_type",
            app_error::unsupported},
        {"an unknown type on a bidi stream", direction::bidi, raw("07 03 616263"), false, "unknown_stream_type",
            app_error::unsupported},
        {"an unknown type on a uni stream", direction::uni, raw("02 03 616263"), true, "unknown_stream_type",
            app_error::unsupported},
        {"an unknown type of eight bytes", direction::bidi, raw("ffffffffffffffff"), true, "unknown_stream_type",
            app_error::unsupported},
        {"a stream of moq-lite-02", direction::bidi, raw("00 20 01"), false, "unknown_stream_type",
            app_error::unsupported},
        {"garbage after a type that is known", direction::bidi, raw("02 ffffffffffffffffffff"), false,
            "message_too_large", app_error::bounds_exceeded},
        {"a SUBSCRIBE cut short by FIN", direction::bidi, raw("02 16 00 08 726f6f6d"), true, "stream_ended_early",
            app_error::decode},
        {"a bidi stream that ends after its type", direction::bidi, raw("01"), true, "stream_ended_early",
            app_error::decode},
        {"a bidi stream that ends before its type", direction::bidi, {}, true, "stream_ended_early", app_error::decode},
        {"a GROUP cut short by FIN", direction::uni, raw("00 02 00"), true, "stream_ended_early", app_error::decode},
        {"a SUBSCRIBE that is too short for its fields", direction::bidi, raw("02 03 00 01 61"), false,
            "message_too_short", app_error::decode},
        {"a SUBSCRIBE with bytes left over", direction::bidi, raw("02 0b 00 01 61 01 62 00 00 00 00 00 99"), false,
            "message_too_long", app_error::decode},
        {"a path that is not UTF-8", direction::bidi, raw("02 0b 00 02 ffff 01 62 00 00 00 00 00"), false, "bad_utf8",
            app_error::decode},
        {"a SUBSCRIBE to 33 segments", direction::bidi,
            raw("02") + bytes_of(wire::lite::subscribe{0, deep, "video", {}}), false, "too_many_segments",
            app_error::bounds_exceeded},
        {"an ANNOUNCE_REQUEST for 33 segments", direction::bidi,
            raw("01") + bytes_of(wire::lite::announce_request{deep}), false, "too_many_segments",
            app_error::bounds_exceeded},
        {"a second ANNOUNCE_REQUEST on one stream", direction::bidi, raw("01 02 00 00 02 00 00"), false,
            "unexpected_message", app_error::unexpected_message},
        {"a GROUP of a subscription that nobody has", direction::uni, raw("00 02 07 00 00 05 68656c6c6f"), false,
            "unknown_subscription", app_error::not_found},
    };
}

void misstep_is_refused(stage& s, const misstep& m) {
    auto who = s.intrude();
    const auto id = s.write(who, m.kind, m.bytes, m.fin);
    auto& peer = *who.peer;
    CHECK(s.run([&] { return !s.relay.said(who.tag, "violated the protocol").empty(); }));
    if (m.kind == direction::bidi) {
        CHECK(s.run([&] { return peer.received[id].reset.has_value(); }));
        CHECK(peer.received[id].reset == m.code);
    }
    // A stream read to its end cannot be stopped.
    if (!m.fin) {
        CHECK(s.run([&] { return peer.sent[id].stopped.has_value(); }));
        CHECK(peer.sent[id].stopped == m.code);
    }
    CHECK_FALSE(who.ended());
    s.must_be_named(who, m.rule);
}

/// A session whose first streams violate a rule that ends the session.
struct false_start {
    const char* what;
    const char* setup;
    const char* more; ///< On a stream of its own; may be empty.
    bool fin;
    const char* rule;
    app_error code;
};

const std::vector<false_start>& false_starts() {
    static const std::vector<false_start> all{
        {"a second SETUP", "01 01 00", "01 01 00", true, "duplicate_setup", app_error::protocol_violation},
        {"a second SETUP on the stream of the first", "01 01 00 01 00", "", true, "duplicate_setup",
            app_error::protocol_violation},
        {"a SETUP cut short by FIN", "01 05 01", "", true, "stream_ended_early", app_error::decode},
        {"a SETUP with a parameter twice", "01 07 02 03 01 01 03 01 01", "", true, "duplicate_parameter",
            app_error::decode},
        {"a SETUP with 65 parameters", "01 02 40 41", "", true, "too_many_parameters", app_error::bounds_exceeded},
    };
    return all;
}

void false_start_ends_the_session(stage& s, const false_start& f) {
    auto who = s.intrude(f.setup);
    if (*f.more != '\0') s.write(who, direction::uni, raw(f.more), f.fin);
    s.must_be_closed(who, f.rule, f.code);
}

/// A malformed announce stream ends the session: ending only the stream would withdraw every announcement.
void unreadable_answer_ends_the_session(stage& s, std::string_view answer, std::string_view rule, app_error code) {
    auto who = s.intrude();
    stage::add(who, asked_for_announcements(s, who), answer);
    s.must_be_closed(who, rule, code);
}

/// One bad announcement is refused alone: those before and after it stay.
void bad_announcement_is_refused(stage& s, std::string_view announce, std::string_view rule) {
    auto who = s.intrude();
    const auto id = asked_for_announcements(s, who);
    stage::add(who, id,
        raw("02 07 03") + bytes_of(wire::lite::announce{.suffix = "before"}) + std::string(announce) +
            bytes_of(wire::lite::announce{.suffix = "after"}));
    CHECK(s.run([&] { return s.watcher.there.contains("before") && s.watcher.there.contains("after"); }));
    CHECK_FALSE(who.peer->received[id].reset);
    CHECK_FALSE(who.peer->sent[id].stopped);
    s.must_be_named(who, rule);
}

/// The relay stops a group with `code`, and the subscription continues.
void group_is_stopped(stage& s, std::string_view group, std::string_view rule, app_error code) {
    false_publisher p{s, "bad"};
    const auto id = s.write(p.who, direction::uni, raw(group), false);
    auto& peer = *p.who.peer;
    CHECK(s.run([&] { return peer.sent[id].stopped.has_value(); }));
    CHECK(peer.sent[id].stopped == code);
    CHECK_FALSE(peer.received[false_publisher::subscribe].reset);
    s.must_be_named(p.who, rule);
    CHECK(s.run([&] { return !s.watcher.there.contains("bad"); }));
}

void answer_to_subscribe(stage& s, std::string_view answer, std::string_view rule, app_error code) {
    false_publisher p{s, "bad"};
    stage::add(p.who, false_publisher::subscribe, raw(answer));
    auto& peer = *p.who.peer;
    CHECK(s.run([&] { return peer.sent[false_publisher::subscribe].stopped.has_value(); }));
    CHECK(peer.sent[false_publisher::subscribe].stopped == code);
    s.must_be_named(p.who, rule);
    CHECK(s.run([&] { return !s.watcher.there.contains("bad"); }));
}

void reset_before_the_first_byte(stage& s) {
    auto who = s.intrude();
    auto id = std::make_shared<std::optional<stream_id>>();
    who.peer->in_pump([id](link::connection& to) {
        *id = to.open(direction::bidi);
        to.reset(**id, app_error::cancel);
    });
    REQUIRE(s.run([&] { return id->has_value() && who.peer->received[**id].reset; }));
    CHECK(who.peer->received[**id].reset == app_error::cancel);
    s.must_not_be_named(who);
}

void stop_sending_announcements(stage& s) {
    auto who = s.intrude();
    const auto mine = s.write(who, direction::bidi, raw("01 02 00 00"), false);
    const auto asked = asked_for_announcements(s, who);
    REQUIRE(s.run([&] { return !who.peer->received[mine].bytes.empty(); }));
    who.peer->in_pump([=](link::connection& to) {
        to.stop(mine, app_error::cancel);
        to.stop(asked, app_error::cancel);
    });
    CHECK(s.run([&] { return who.peer->received[mine].reset && who.peer->received[asked].reset; }));
    s.must_not_be_named(who);
}

/// The same from a peer that is not admitted yet.
void requests_before_setup(stage& s) {
    auto who = s.intrude("");
    CHECK(s.write_all(who, direction::bidi, raw("01 02 00 00")) > 100);
    const auto refused = [&] {
        return std::ranges::count_if(
            who.peer->sent, [](const auto& stream) { return stream.second.stopped == app_error::bounds_exceeded; });
    };
    CHECK(s.run([&] { return refused() > 100; }));
    s.must_be_named(who, "too_many_requests");
}

/// Repeated violations must not fill the log.
void a_thousand_missteps(stage& s) {
    auto who = s.intrude();
    CHECK(s.write_all(who, direction::uni, raw("07")) > 1000);
    REQUIRE(s.run([&] { return who.peer->closed_streams.size() > 1000; }));
    s.must_be_named(who, "unknown_stream_type");
    CHECK(s.relay.said(who.tag).size() < 10);
}

/// Its announcements are forwarded to everybody, so they must be valid for everybody.
void names_too_long_together(stage& s, const std::string& root, const std::string& suffix, std::string_view rule) {
    const auto body = wire::lite::setup{.path = root};
    auto who = s.intrude(to_hex(as_bytes(raw("01") + bytes_of(body))));
    stage::add(
        who, asked_for_announcements(s, who), raw("02 07 01") + bytes_of(wire::lite::announce{.suffix = suffix}));
    CHECK(s.run([&] { return !s.relay.said(who.tag, "violated the protocol").empty(); }, 2s));
    s.must_be_undisturbed();
    s.must_be_named(who, rule);
}

void root_is_refused(stage& s, const std::string& root) {
    auto who = s.intrude(to_hex(as_bytes(raw("01") + bytes_of(wire::lite::setup{.path = root}))));
    s.must_be_closed(who, "refused", app_error::bounds_exceeded);
}

/// A peer's text in the log stays on its line.
void names_that_look_like_log_lines(stage& s) {
    const auto body = wire::lite::setup{.path = "root\n2026-01-01 error it is all over\x1b[2J"};
    auto who = s.intrude(to_hex(as_bytes(raw("01") + bytes_of(body))));
    stage::add(who, asked_for_announcements(s, who),
        raw("02 07 01") + bytes_of(wire::lite::announce{.suffix = "name\nnothing is true\x1b[31m"}));
    REQUIRE(s.run([&] { return !s.relay.said(who.tag, "announces").empty(); }));
    who.peer->connection.close(app_error::cancel, "reason\nnothing is permitted");
    s.dismiss(who);
    CHECK(s.relay.said("it is all over", who.tag).size() == s.relay.said("it is all over").size());
    CHECK(s.relay.said("nothing is true", who.tag).size() == s.relay.said("nothing is true").size());
    CHECK(s.relay.said("nothing is permitted", who.tag).size() == s.relay.said("nothing is permitted").size());
    CHECK(s.relay.said("\x1b").empty());
}

void no_common_alpn(stage& s) {
    const auto how = std::make_shared<std::optional<link::closed>>();
    s.hostile.connect(
        {"127.0.0.1", s.port, "localhost", {"moq-lite-99"}, client_tls()},
        [](link::connection&, time_point) { return nullptr; }, [how](const link::closed& why) { *how = why; });
    REQUIRE(s.run([&] { return how->has_value(); }));
    constexpr std::uint64_t no_application_protocol = 0x100 + 120; // RFC 9001 §4.8, RFC 7301 §3.2
    CHECK((*how)->code == no_application_protocol);
    CHECK((*how)->reason == "no common ALPN: the peer supports none of moq-lite-99");
    CHECK(s.run([&] { return !s.relay.said("no common ALPN").empty(); }));
    CHECK(s.relay.said("no common ALPN").size() == 1);
}

/// Abandoned handshakes are not logged: anyone can begin any number of them.
void first_packets_are_forgotten(stage& s) {
    const auto lines = s.relay.said("handshake with ").size();
    CHECK(lines == s.relay.said("no common ALPN").size());
}

void silence_is_closed(long_stage& s) {
    const auto left = s.silent_since + 13s - std::chrono::steady_clock::now();
    s.run([&] { return s.silent.ended(); }, std::chrono::ceil<std::chrono::seconds>(left));
    const std::chrono::duration<double> lasted = std::chrono::steady_clock::now() - s.silent_since;
    s.must_be_closed(s.silent, "setup_timeout", app_error::timeout);
    CHECK(lasted.count() > 9.5);
}

void idleness_is_stopped(long_stage& s) {
    auto& streams = s.idle.peer->sent;
    const auto stopped = [&] {
        return std::ranges::count_if(
            streams, [](const auto& stream) { return stream.second.stopped == app_error::timeout; });
    };
    CHECK(s.run([&] { return s.idle.ended() || stopped() > 1000; }, 3s));
    s.must_be_named(s.idle, "stream_timeout");
}

void end_of_the_relay(stage& s) {
    const auto memory = s.relay.resident();
    if (!sanitized) CHECK(memory < s.memory_before + 16 * a_mebibyte);
    CHECK(s.media.damage() == std::vector<std::string>{});
    s.relay.signal(SIGTERM);
    CHECK(s.run([&] { return s.relay.exit_code().has_value(); }, sanitized ? 15s : 5s));
    CHECK(s.relay.exit_code() == 0);
}

} // namespace

TEST_CASE(
    "a peer that violates the protocol gets the error code, is logged once, and disturbs no other", "[ngtcp2-1.24]") {
    std::string why_not;
    const auto program = relay_process::program(why_not);
    if (program.empty()) SKIP(why_not);
    static long_stage s{program};
    REQUIRE_FALSE(s.relay.exit_code());

    for (const auto& m : missteps()) DYNAMIC_SECTION(m.what) {
            misstep_is_refused(s, m);
        }
    for (const auto& f : false_starts()) DYNAMIC_SECTION(f.what) {
            false_start_ends_the_session(s, f);
        }
    SECTION("garbage as ANNOUNCE_OK") {
        unreadable_answer_ends_the_session(s, raw("ffffffffffff"), "message_too_large", app_error::bounds_exceeded);
    }
    SECTION("an ANNOUNCE of 33 segments") {
        bad_announcement_is_refused(s, bytes_of(wire::lite::announce{.suffix = segments(33)}), "too_many_segments");
    }
    SECTION("a frame of 32 MiB and one byte") {
        group_is_stopped(s, "00 02 00 00 00 82000001", "frame_too_large", app_error::frame_too_large);
    }
    SECTION("a timestamp below 0") {
        group_is_stopped(s, "00 02 00 00 01 05", "timestamp_out_of_range", app_error::bounds_exceeded);
    }
    SECTION("an unknown answer to SUBSCRIBE") {
        answer_to_subscribe(s, "07 01 00", "unknown_message_type", app_error::unexpected_message);
    }
    SECTION("RESET_STREAM before the first byte of a request") { reset_before_the_first_byte(s); }
    SECTION("STOP_SENDING for announcements, before and after the answer") { stop_sending_announcements(s); }
    SECTION("as many requests before SETUP") { requests_before_setup(s); }
    SECTION("a thousand streams of an unknown type") { a_thousand_missteps(s); }
    SECTION("a root and a name that have 64 segments together") {
        names_too_long_together(s, segments(32), segments(32), "too_many_segments");
    }
    SECTION("a root and a name of 8 KiB together") {
        names_too_long_together(s, std::string(4096, 'r'), std::string(4096, 'n'), "name_too_long");
    }
    SECTION("names that look like lines of the log") { names_that_look_like_log_lines(s); }
    SECTION("no common ALPN") { no_common_alpn(s); }
    SECTION("a root of 33 segments") { root_is_refused(s, segments(33)); }
    SECTION("a root of 5 KiB") { root_is_refused(s, std::string(5 * 1024, 'r')); }
    SECTION("no SETUP for ten seconds") { silence_is_closed(s); }
    SECTION("a hundred first packets, and nothing more") { first_packets_are_forgotten(s); }
    SECTION("as many streams as allowed, none with a type") { idleness_is_stopped(s); }
    INFO(s.relay.last_words());
    s.must_be_undisturbed();
    SECTION("SIGTERM after all that") { end_of_the_relay(s); }
}

} // namespace moqlite::test::relay_hostile_test
