#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <cstddef>
#include <hex.hpp>
#include <moqlite/webtransport/session.hpp>
#include <string>
#include <vector>

namespace moqlite::test::session_test {

using namespace std::chrono_literals;
using namespace moqlite::webtransport;

namespace {

constexpr time_point start{1000s};
const std::string bye = "6843 07 00000007 627965"; // CLOSE, code 7, "bye".

std::string line(const session_ended& e) {
    const auto code = std::to_string(static_cast<std::uint64_t>(e.code));
    switch (e.how) {
    case session_ended::cause::closed: return "closed " + code + " '" + e.reason + "'";
    case session_ended::cause::closed_by_peer: return "closed by peer " + code + " '" + e.reason + "'";
    case session_ended::cause::lost: return "lost '" + e.reason + "'";
    case session_ended::cause::violated: return "violated " + std::string{to_string(e.broken)};
    }
    return {};
}

/// All events and outputs, each followed by a semicolon.
std::string told(webtransport::session& s) {
    std::string out;
    while (const auto e = s.poll_event()) {
        const auto* ended = std::get_if<session_ended>(&*e);
        out += (ended != nullptr ? line(*ended) : "drain") + "; ";
    }
    while (const auto o = s.poll_output()) {
        if (std::holds_alternative<abort_streams>(*o)) out += "abort streams; ";
        if (const auto* l = std::get_if<leave_connection>(&*o)) {
            const auto code = to_app_error(l->code);
            if (code) out += "leave " + std::to_string(static_cast<std::uint64_t>(*code)) + " '" + l->reason + "'; ";
            if (!code) CHECK(*l == leave_connection{});
            if (!code) out += "leave; ";
        }
        if (const auto* a = std::get_if<abort_request>(&*o)) {
            CHECK((a->code == http3_code::request_cancelled || a->code == http3_code::message_error ||
                   a->code == http3_code::excessive_load));
            out += a->code == http3_code::message_error    ? "abort message_error; "
                   : a->code == http3_code::excessive_load ? "abort excessive_load; "
                                                           : "abort cancelled; ";
        }
        if (const auto* b = std::get_if<send_body>(&*o)) out += "send " + to_hex(b->bytes) + (b->fin ? " fin; " : "; ");
    }
    return out;
}

webtransport::session established() {
    webtransport::session s;
    s.established(start);
    REQUIRE(s.is_established());
    REQUIRE(told(s).empty());
    return s;
}

} // namespace

TEST_CASE(
    "we close: CLOSE and FIN, the streams aborted, and half a second for the peer to receive it", "[webtransport]") {
    auto s = established();
    s.close(app_error{4242}, "maintenance", start);
    CHECK_FALSE(s.is_established());
    CHECK(told(s) ==
          "closed 4242 'maintenance'; abort streams; send 68430f00001092" + to_hex(as_bytes("maintenance")) + " fin; ");
    CHECK(s.deadline() == start + 500ms);
    s.tick(start + 500ms - 1ns);
    CHECK(told(s).empty());
    s.tick(start + 500ms);
    CHECK(told(s) == "leave 4242 'maintenance'; "); // Once more, as the CLOSE may be lost.
    CHECK_FALSE(s.deadline());
    s.tick(start + 60s);
    CHECK(told(s).empty());
}

TEST_CASE("the connection is closed at once when our CLOSE is acknowledged and theirs has arrived", "[webtransport]") {
    auto s = established();
    s.close(app_error::cancel, "", start);
    CHECK(told(s) == "closed 0 ''; abort streams; send 68430400000000 fin; ");
    s.body_finished(start + 10ms);
    CHECK(told(s).empty());
    s.request_closed(start + 20ms);
    CHECK(told(s) == "leave; ");
}

TEST_CASE("the peer closes: its code and reason, and our FIN", "[webtransport]") {
    auto s = established();
    s.body_received(hex(bye), start);
    CHECK(told(s) == "closed by peer 7 'bye'; abort streams; send  fin; ");
    s.body_finished(start);
    CHECK(told(s).empty());
    s.request_closed(start + 1ms);
    CHECK(told(s) == "leave; ");
}

TEST_CASE("a server closes the connection of a peer that sends CLOSE and nothing more", "[webtransport]") {
    auto s = established();
    s.body_received(hex(bye), start);
    CHECK_FALSE(told(s).empty());
    CHECK(s.deadline() == start + 500ms);
    s.tick(start + 500ms);
    CHECK(told(s) == "leave; ");
}

TEST_CASE("a FIN without CLOSE is code 0 and no reason", "[webtransport]") {
    auto s = established();
    s.body_finished(start);
    CHECK(told(s) == "closed by peer 0 ''; abort streams; send  fin; ");
}

TEST_CASE("the capsules that browsers send behind their CONNECT end nothing", "[webtransport]") {
    auto s = established();
    s.body_received(hex("c3893e1d3a4c0da3 04 00010203"), start);
    s.body_received(hex("990b4d3d 02 4321 00 01 ff"), start);
    CHECK(told(s).empty());
    CHECK(s.is_established());
}

TEST_CASE("DRAIN is reported, and sent", "[webtransport]") {
    auto s = established();
    s.body_received(hex("800078ae 00"), start);
    CHECK(told(s) == "drain; ");
    s.drain();
    s.drain();
    CHECK(told(s) == "send 800078ae00; ");
    CHECK(s.is_established());
    s.body_received(hex("800078ae 00" + bye), start);
    CHECK(told(s) == "drain; closed by peer 7 'bye'; abort streams; send  fin; ");
    s.drain();
    CHECK(told(s).empty());
}

TEST_CASE("capsules before the answer to the request have no effect", "[webtransport]") {
    webtransport::session s;
    s.body_received(hex("800078ae 00"), start);
    s.body_received(hex(bye), start);
    s.body_finished(start);
    CHECK(told(s).empty());
    s.established(start + 1s);
    CHECK(told(s) == "drain; closed by peer 7 'bye'; abort streams; send  fin; ");
}

TEST_CASE("a peer that ends its half before the answer has ended the session with it", "[webtransport]") {
    webtransport::session s;
    s.body_finished(start);
    CHECK(told(s).empty());
    s.established(start);
    CHECK(told(s) == "closed by peer 0 ''; abort streams; send  fin; ");
}

TEST_CASE("up to 1 KiB may arrive before the request is answered", "[webtransport]") {
    webtransport::session most;
    most.body_received(hex("17 43fd"), start);
    most.body_received(std::vector<std::byte>(1021), start);
    CHECK(told(most).empty());
    most.established(start);
    CHECK(most.is_established());

    webtransport::session s;
    s.body_received(std::vector<std::byte>(1025), start);
    CHECK(told(s) == "violated early_body_too_long; abort streams; abort excessive_load; ");
    s.established(start);
    CHECK_FALSE(s.is_established());
}

TEST_CASE("bad capsules end the session, and reset its stream", "[webtransport]") {
    for (const auto* body : {"6843 03", "6843 4405", "6843 05 00000000 ff", "800078ae 01"}) {
        CAPTURE(body);
        auto s = established();
        s.body_received(hex(body), start);
        const auto out = told(s);
        CHECK(out.starts_with("violated bad_"));
        CHECK(out.ends_with("; abort streams; abort message_error; "));
        s.body_received(hex(bye), start);
        s.body_finished(start);
        CHECK(told(s).empty());
        s.tick(start + 500ms);
        CHECK(told(s) == "leave; ");
    }
    auto s = established();
    s.body_received(hex("6843 07 00"), start);
    s.body_finished(start);
    CHECK(told(s) == "violated capsule_truncated; abort streams; abort message_error; ");
}

TEST_CASE("data after CLOSE resets the stream, and does not end the session twice", "[webtransport]") {
    auto s = established();
    s.body_received(hex(bye + "00"), start);
    CHECK(told(s) == "closed by peer 7 'bye'; abort streams; abort message_error; ");

    auto later = established();
    later.body_received(hex(bye), start);
    CHECK(told(later) == "closed by peer 7 'bye'; abort streams; send  fin; ");
    later.body_received(hex("00"), start);
    CHECK(told(later) == "abort message_error; ");
    later.body_received(hex("00"), start);
    CHECK(told(later).empty());
}

TEST_CASE("a session whose stream is cut off is lost", "[webtransport]") {
    auto aborted = established();
    aborted.request_aborted(start);
    CHECK(told(aborted) == "lost ''; abort streams; abort cancelled; ");
    aborted.request_closed(start);
    CHECK(told(aborted) == "leave; ");

    auto closed = established();
    closed.request_closed(start);
    CHECK(told(closed) == "lost ''; abort streams; leave; ");

    auto over = established();
    over.body_received(hex(bye), start);
    CHECK_FALSE(told(over).empty());
    over.request_aborted(start);
    CHECK(told(over).empty());
}

TEST_CASE("a stop of the stream of the CONNECT waits for the CLOSE behind it", "[webtransport]") {
    for (const auto code : {http3_code::session_gone, http3_code::request_cancelled, http3_code::no_error}) {
        auto s = established();
        s.request_stopped(start, code);
        CHECK(told(s).empty());
        s.body_received(hex(bye), start);
        s.body_finished(start);
        CHECK(told(s) == "closed by peer 7 'bye'; abort streams; send  fin; ");
        s.request_closed(start + 1ms, code); // Our half is reset in response.
        CHECK(told(s) == "leave; ");
    }
    auto finished = established();
    finished.request_stopped(start, http3_code::session_gone);
    finished.body_finished(start + 1s);
    CHECK(told(finished) == "closed by peer 0 ''; abort streams; send  fin; ");

    auto early = webtransport::session{};
    early.request_stopped(start, http3_code::session_gone);
    early.body_received(hex(bye), start);
    early.established(start);
    CHECK(told(early) == "closed by peer 7 'bye'; abort streams; send  fin; ");
}

TEST_CASE("a stop of the stream of the CONNECT and nothing else ends the session in three seconds", "[webtransport]") {
    const bool early = GENERATE(false, true);
    const bool clean = GENERATE(false, true);
    webtransport::session s;
    if (!early) s.established(start);
    s.request_stopped(start, clean ? http3_code::no_error : http3_code::session_gone);
    if (early) s.established(start);
    CHECK(told(s).empty());
    CHECK(s.deadline() == start + 3s);
    s.tick(start + 3s);
    CHECK(told(s) == (clean ? "closed by peer 0 ''; abort streams; abort cancelled; "
                            : "lost ''; abort streams; abort cancelled; "));
}

TEST_CASE("H3_NO_ERROR is a clean end on either half", "[webtransport]") {
    auto aborted = established();
    aborted.request_aborted(start, http3_code::no_error);
    CHECK(told(aborted) == "closed by peer 0 ''; abort streams; abort cancelled; ");

    auto closed = established();
    closed.request_closed(start, http3_code::no_error);
    CHECK(told(closed) == "closed by peer 0 ''; abort streams; leave; ");

    auto connection = established();
    connection.connection_closed(http3_code::no_error, "", start);
    CHECK(told(connection) == "closed by peer 0 ''; ");
}

TEST_CASE("a session whose streams end with session_gone ends, with the peer's CLOSE or without", "[webtransport]") {
    auto s = established();
    s.stream_gone(start);
    CHECK(s.is_ending());
    CHECK(s.deadline() == start + 3s);
    s.stream_gone(start + 2s); // Nothing is delayed.
    CHECK(s.deadline() == start + 3s);
    SECTION("with") {
        s.body_received(hex(bye), start + 1s);
        CHECK(told(s) == "closed by peer 7 'bye'; abort streams; send  fin; ");
        CHECK_FALSE(s.is_ending());
        CHECK(s.deadline() == start + 1500ms);
    }
    SECTION("without") {
        s.tick(start + 3s - 1ns);
        CHECK(told(s).empty());
        s.tick(start + 3s);
        CHECK(told(s) == "lost ''; abort streams; abort cancelled; ");
        CHECK(s.deadline() == start + 3500ms);
    }
}

TEST_CASE("a connection may be closed with a code of the application", "[webtransport]") {
    auto mapped = established();
    mapped.connection_closed(to_http3_code(app_error{7}), "bye", start);
    CHECK(told(mapped) == "closed by peer 7 'bye'; ");

    auto clean = established();
    clean.connection_closed(http3_code::no_error, "", start);
    CHECK(told(clean) == "closed by peer 0 ''; ");

    auto lost = established();
    lost.connection_closed(http3_code::internal_error, "oops", start);
    CHECK(told(lost) == "lost 'oops'; ");

    auto after = established();
    after.close(app_error{1}, "", start);
    after.connection_closed(http3_code::no_error, "", start);
    CHECK(told(after) == "closed 1 ''; ");
    CHECK_FALSE(after.deadline());
}

TEST_CASE("closing before the answer withdraws the request; closing twice is closing once", "[webtransport]") {
    webtransport::session early;
    early.close(app_error{1}, "never mind", start);
    CHECK(told(early) == "closed 1 'never mind'; abort streams; abort cancelled; ");

    auto s = established();
    s.close(app_error{1}, "a", start);
    s.close(app_error{2}, "b", start + 1s);
    CHECK(s.deadline() == start + 500ms);
    s.body_received(hex(bye), start);
    CHECK(told(s) == "closed 1 'a'; abort streams; send 6843050000000161 fin; ");
}

TEST_CASE("a session behaves the same in whatever pieces its capsules arrive", "[webtransport]") {
    for (const std::string& body :
        {"c3893e1d3a4c0da3 04 00010203 800078ae 00" + bye, bye + "00", std::string{"17 02 0000 6843 03"}}) {
        const auto bytes = hex(body);
        auto whole = established();
        whole.body_received(bytes, start);
        whole.body_finished(start);
        const auto expected = told(whole);
        auto pieces = established();
        for (const auto& b : bytes) pieces.body_received({&b, 1}, start);
        pieces.body_finished(start);
        CHECK(told(pieces) == expected);
        for (std::size_t answered = 0; answered <= bytes.size(); ++answered) {
            webtransport::session late;
            late.body_received(byte_view{bytes}.first(answered), start);
            late.established(start);
            late.body_received(byte_view{bytes}.subspan(answered), start);
            late.body_finished(start);
            CHECK(told(late) == expected);
        }
    }
}

} // namespace moqlite::test::session_test
