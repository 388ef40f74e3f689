// Peers that send endless valid data to the relay as it ships: its memory stays within its bounds, no
// other peer is affected, and merely fast peers are served.
#include "relay_stage.hpp"

#include <algorithm>
#include <moqlite/wire/lite/group.hpp>

namespace moqlite::test::relay_flood_test {

namespace {

// Of the relay_scene's relay: its cache and 48 MiB for arriving groups and readers.
constexpr std::size_t memory_for_groups = (1 + 48) * a_mebibyte;

void must_have_grown_less_than(stage& s, std::size_t bytes) {
    const auto grown = s.relay.most_resident() - s.memory_before;
    INFO("it has grown by " << grown / 1024 << " KiB");
    if (!sanitized) CHECK(grown < bytes);
}

/// As many groups as it may open, each a frame of 16 MiB of which only 200 kB arrive.
void begin_groups(recorder& peer) {
    peer.in_pump([&peer](link::connection& to) {
        const auto frame = raw("00 81000000") + noise(200'000);
        for (std::uint64_t i = 0; const auto id = to.open(direction::uni); ++i) {
            const wire::lite::group_header header{0, group_sequence{i}};
            stage::begin(peer, *id, raw("00") + bytes_of(header) + frame, false);
        }
    });
}

/// That publisher loses some groups, and no other loses any.
void groups_without_end(stage& s) {
    false_publisher p{s, "bad"};
    auto& peer = *p.who.peer;
    const auto streams_before = peer.sent.size();
    begin_groups(peer);
    const auto all_sent = [](const auto& stream) { return stream.second.done || stream.second.stopped; };
    REQUIRE(s.run([&] { return peer.sent.size() > streams_before + 1000 || p.who.ended(); }));
    REQUIRE(s.run([&] { return p.who.ended() || std::ranges::all_of(peer.sent, all_sent); }, 60s));
    // A session is not closed for it.
    REQUIRE_FALSE(p.who.ended());
    std::size_t stopped = 0;
    for (const auto& [id, stream] : peer.sent) {
        if (!stream.stopped) continue;
        ++stopped;
        CHECK(stream.stopped == app_error::bounds_exceeded);
    }
    CHECK(stopped > 0);
    s.must_be_undisturbed();
    must_have_grown_less_than(s, memory_for_groups + 16 * a_mebibyte);

    s.dismiss(p.who);
    const auto named = s.relay.said(p.who.tag, "out_of_memory_limit").size();
    CHECK(named > 0);
    CHECK(s.relay.said(p.who.tag, "violated the protocol").size() == named);
    CHECK(s.relay.said(p.who.tag).size() < 20);
    CHECK(s.run([&] { return !s.watcher.there.contains("bad"); }));
}

std::string announcements(std::size_t from, std::size_t to) {
    std::string all;
    for (auto i = from; i != to; ++i) {
        auto name = std::to_string(i);
        name.resize(4000, 'x');
        all += bytes_of(wire::lite::announce{.suffix = name});
    }
    return all;
}

void names_without_end(stage& s) {
    auto who = s.intrude();
    const auto asked = asked_for_announcements(s, who);
    constexpr std::size_t some = 800; // Below its share, so that the watcher gets each.
    stage::add(who, asked, raw("02 07 01") + announcements(0, some));
    CHECK(s.run([&] { return s.watcher.there.size() == 1 + some; }));
    REQUIRE_FALSE(who.ended());
    s.must_be_undisturbed();

    // Bytes stay in place until acknowledged; appending may move them.
    const auto& sent = who.peer->sent[asked];
    REQUIRE(s.run([&] { return sent.acked == sent.written; }));
    // Those beyond are refused alone.
    stage::add(who, asked, announcements(some, 4'000));
    REQUIRE(s.run([&] { return sent.acked == sent.written; }));
    REQUIRE_FALSE(who.ended());
    CHECK(s.relay.said(who.tag).size() < 100);
    CHECK(s.watcher.there.size() < some + 200);
    must_have_grown_less_than(s, 64 * a_mebibyte);
}

/// Requests before admission are within the limit, if the peer is admitted.
void requests_in_one_flight_with_setup(stage& s) {
    constexpr std::size_t count = 100; // More than may wait for admission.
    auto who = s.intrude("");
    auto& peer = *who.peer;
    // One pump does both, in order of stream ids: the first request, SETUP, and the other requests.
    peer.send(direction::uni, raw("01 01 00"));
    REQUIRE(count == s.write_all(who, direction::bidi, raw("01 02 00 00"), count));
    const auto answered = [&] {
        return std::ranges::count_if(peer.sent, [&](const auto& stream) {
            const auto answer = wire::take_message(wire::integers::quic, as_bytes(peer.received[stream.first].bytes));
            if (!answer) return false;
            const auto ok = wire::lite::decode<wire::lite::announce_ok>(version::lite_05, answer->body);
            return ok && ok->active_count == 1;
        });
    };
    CHECK(s.run([&] { return answered() == count; }));
    CHECK(std::ranges::none_of(peer.sent, [](const auto& stream) { return stream.second.stopped.has_value(); }));
    CHECK(std::ranges::none_of(peer.received, [](const auto& stream) { return stream.second.reset.has_value(); }));
    s.must_not_be_named(who);
}

} // namespace

TEST_CASE("a peer that sends endlessly takes no more memory than its limit, and nothing from others", "[ngtcp2-1.24]") {
    std::string why_not;
    const auto program = relay_process::program(why_not);
    if (program.empty()) SKIP(why_not);
    stage s{program}; // Each section has a relay of its own: its memory is measured.

    SECTION("a thousand groups, none of which ends") { groups_without_end(s); }
    SECTION("four thousand names of 4000 bytes") { names_without_end(s); }
    SECTION("SETUP and a hundred requests in one flight") { requests_in_one_flight_with_setup(s); }
    INFO(s.relay.last_words());
    s.must_be_undisturbed();
}

} // namespace moqlite::test::relay_flood_test
