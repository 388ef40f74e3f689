// Frame Start and Frame End, from moq-lite-06 on: in FETCH, in SUBSCRIBE and SUBSCRIBE_UPDATE, and in GROUP.
#include "subject.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cstdint>
#include <moqlite/wire/lite/fetch.hpp>
#include <moqlite/wire/lite/group.hpp>
#include <vector>

namespace moqlite::test::frame_range_test {

namespace {

using list_of_frames = std::vector<std::pair<std::uint64_t, std::string>>;

/// Times go back, one frame is empty, and one is larger than a slab.
const list_of_frames clip{{10, "a"}, {13, "bb"}, {12, ""}, {15, "dddd"}, {9000, std::string(3000, 'e')}, {9001, "f"}};

constexpr group_sequence seven{7};

std::string encoded(version v, const auto& message) {
    std::vector<std::byte> out;
    sim::must(wire::lite::encode(v, message, out) == errc::ok, "the message can be encoded");
    return to_hex(out);
}
std::string fetch_of(version v, const frame_range& frames, group_sequence g = seven) {
    return "03" + encoded(v, wire::lite::fetch{"a", "b", 4, g, frames.first, frames.last});
}
std::string subscribe_to(version v, const subscribe_options& o) {
    return "02" + encoded(v, wire::lite::subscribe{0, "a", "b", o});
}
std::string group_of(version v, group_sequence g, std::uint64_t first = 0) {
    std::array<std::byte, wire::lite::group_prefix_size_max> out;
    const auto n = wire::lite::write_group_prefix(v, {0, g, object_id{first}}, out);
    return to_hex(byte_view{out}.first(n));
}
/// Frames `first` to `last` as they follow on a stream: the first has its timestamp, the others what they differ by.
std::string frames_of(version v, std::size_t first, std::size_t last = SIZE_MAX, const list_of_frames& all = clip) {
    std::string out;
    std::uint64_t before = 0;
    for (auto i = first; i < all.size() && i <= last; ++i) {
        const auto& [time, payload] = all[i];
        std::array<std::byte, wire::lite::frame_header_size_max> header;
        const auto delta = wire::lite::delta(timestamp{std::exchange(before, time)}, timestamp{time}).value();
        const auto n = wire::lite::write_frame_header(v, delta, payload.size(), header);
        out += to_hex(byte_view{header}.first(n)) + to_hex(as_bytes(payload));
    }
    return out;
}
frame_range range(std::uint64_t first, std::optional<std::uint64_t> last = {}) {
    return {object_id{first}, last ? std::optional{object_id{*last}} : std::nullopt};
}
void write(group& g, std::size_t from, std::size_t to) {
    for (auto i = from; i <= to; ++i) REQUIRE(g.write_frame(timestamp{clip[i].first}, as_bytes(clip[i].second)));
}
group_ref log_of(slab_pool& pool, version v, std::size_t frames, group_sequence s = seven) {
    auto g = group::make(pool, s, v);
    if (frames != 0) write(*g, 0, frames - 1);
    return g;
}
/// The version of the session, and the one whose format the log is kept in.
struct dialects {
    version spoken = GENERATE(version::lite_06, version::lite_07_wip);
    version kept = GENERATE(version::lite_05, version::lite_07_wip);
};

struct publisher : subject {
    explicit publisher(version v) : subject(role::server, v) { begin(*this); }
    /// What is sent on a stream, in all writes; "fin" at its end.
    std::string sent(std::uint64_t id) {
        for (auto lines = outputs(); !lines.empty(); lines = outputs())
            for (const auto& l : lines)
                if (l.starts_with("write ")) bytes[std::stoull(l.substr(6))] += l.substr(l.find(' ', 6) + 1);
        return bytes[id];
    }
    std::map<std::uint64_t, std::string> bytes;
    slab_pool pool;
};

std::string with_fin(std::string bytes) { return bytes.empty() ? "fin" : bytes + " fin"; }

} // namespace

TEST_CASE("a FETCH of frames is reported with its range", "[session][frames][fetch]") {
    publisher server{version::lite_06};
    CHECK(server.receive(0, fetch_of(version::lite_06, range(1, 3))) ==
          list{"fetch_requested 0 a b sequence 7 priority 4 frames 1..3"});
    CHECK(server.receive(4, fetch_of(version::lite_06, range(2))) ==
          list{"fetch_requested 1 a b sequence 7 priority 4 frames 2.."});
    CHECK(server.receive(8, fetch_of(version::lite_06, {})) == list{"fetch_requested 2 a b sequence 7 priority 4"});
}

TEST_CASE("a FETCH of frames is answered by exactly these, the first with its absolute timestamp, and FIN",
    "[session][frames][fetch][dialects §16.1.8]") {
    const dialects d;
    for (std::size_t first = 0; first < clip.size(); ++first)
        for (std::size_t last = first; last <= clip.size(); ++last) {
            CAPTURE(first, last);
            publisher server{d.spoken};
            const auto end = last == clip.size() ? std::nullopt : std::optional<std::uint64_t>{last};
            static_cast<void>(server.receive(0, fetch_of(d.spoken, range(first, end))));
            const auto g = log_of(server.pool, d.kept, clip.size());
            REQUIRE(g->finish());
            REQUIRE(server->serve(request_id{0}, g));
            CHECK(server.sent(0) == with_fin(frames_of(d.spoken, first, last)));
            CHECK(server.all_acked(0).empty());
            CHECK(server.stream_closed(0) == list{"group_delivered 0 sequence 7", "request_ended 0 delivered"});
        }
}

TEST_CASE(
    "frames that have not arrived are awaited, and the last one wanted ends the answer although the group goes on",
    "[session][frames][fetch]") {
    const dialects d;
    publisher server{d.spoken};
    static_cast<void>(server.receive(0, fetch_of(d.spoken, range(2, 3))));
    const auto g = log_of(server.pool, d.kept, 1);
    REQUIRE(server->serve(request_id{0}, g));
    CHECK(server.sent(0).empty());
    write(*g, 1, 1);
    CHECK(server.sent(0).empty());
    write(*g, 2, 2);
    CHECK(server.sent(0) == frames_of(d.spoken, 2, 2));
    REQUIRE(g->begin_frame(timestamp{15}, 4));
    REQUIRE(g->append_payload(as_bytes("dd")));
    auto half = frames_of(d.spoken, 2, 3);
    half.resize(half.size() - 4);
    CHECK(server.sent(0) == half);
    SECTION("at its last byte") {
        REQUIRE(g->append_payload(as_bytes("dd")));
        CHECK(server.sent(0) == with_fin(frames_of(d.spoken, 2, 3)));
    }
    SECTION("and when more has arrived with it") {
        REQUIRE(g->append_payload(as_bytes("dd")));
        write(*g, 4, 5);
        CHECK(server.sent(0) == with_fin(frames_of(d.spoken, 2, 3)));
    }
    SECTION("also of a group that is aborted behind it") {
        REQUIRE(g->append_payload(as_bytes("dd")));
        g->abort(app_error::old);
        CHECK(server.sent(0) == with_fin(frames_of(d.spoken, 2, 3)));
        CHECK(server.events().empty());
    }
}

TEST_CASE("a FETCH that begins beyond the end of the group is refused: not found",
    "[session][frames][fetch][bad input][dialects §bad.8]") {
    const dialects d;
    publisher server{d.spoken};
    static_cast<void>(server.receive(0, fetch_of(d.spoken, range(2))));
    const auto g = log_of(server.pool, d.kept, 2);
    SECTION("known when it is served") {
        REQUIRE(g->finish());
        CHECK(server->serve(request_id{0}, g).error() == errc::not_found);
        CHECK(without(server.outputs(), "credit").empty());
    }
    SECTION("known later") {
        REQUIRE(server->serve(request_id{0}, g));
        CHECK(without(server.outputs(), "credit").empty());
        REQUIRE(g->finish());
        CHECK(server.outputs() == list{"stop 0 not_found", "reset 0 not_found"});
        CHECK(server.events() == list{"group_lost 0 sequence 7 not_found", "request_ended 0 not_found"});
    }
}

TEST_CASE("a FETCH that ends beyond the end of the group gets the group to its end", "[session][frames][fetch]") {
    const dialects d;
    publisher server{d.spoken};
    static_cast<void>(server.receive(0, fetch_of(d.spoken, range(1, 1'000'000))));
    const auto g = log_of(server.pool, d.kept, 4);
    REQUIRE(g->finish());
    REQUIRE(server->serve(request_id{0}, g));
    CHECK(server.sent(0) == with_fin(frames_of(d.spoken, 1, 3)));
}

TEST_CASE("what is sent of a group in part stays until it is acknowledged", "[session][frames][fetch]") {
    const dialects d;
    publisher server{d.spoken};
    static_cast<void>(server.receive(0, fetch_of(d.spoken, range(1, 4))));
    const auto g = log_of(server.pool, d.kept, clip.size());
    REQUIRE(server->serve(request_id{0}, g));
    const auto all = frames_of(d.spoken, 1, 4);
    CHECK(server.sent(0) == with_fin(all));
    // The test's transport compares what it was lent at every write.
    for (auto left = all.size() / 2; left != 0;) {
        const auto n = std::min<std::size_t>(left, 100);
        CHECK(server.acked(0, n).empty());
        CHECK(server.outputs().empty());
        left -= n;
    }
    CHECK(server.stream_closed(0) == list{"group_delivered 0 sequence 7", "request_ended 0 delivered"});
}

TEST_CASE(
    "of a group whose head is gone the frames that are left are served, and no others", "[session][frames][fetch]") {
    publisher server{version::lite_06};
    const auto g = group::make(server.pool, seven, version::lite_05);
    list_of_frames all;
    {
        wake_queue nobody;
        group_reader reader;
        reader.attach(g, nobody);
        for (std::uint64_t n = 0; n < 100; ++n) {
            all.emplace_back(1000 + n, std::string(200, 'x'));
            REQUIRE(g->write_frame(timestamp{1000 + n}, as_bytes(all.back().second)));
        }
        reader.wrote(g->size() / 2);
        REQUIRE(reader.acked(g->size() / 2));
    }
    REQUIRE(g->finish());
    REQUIRE(g->lost_head() != 0);
    std::uint64_t refused = 0;
    for (std::uint64_t n = 0; n < 100; ++n) {
        const auto request = 4 * n;
        static_cast<void>(server.receive(request, fetch_of(version::lite_06, range(n, n + 1))));
        if (const auto served = server->serve(request_id{n}, g); !served) {
            CHECK(served.error() == errc::not_found);
            CHECK(refused == n); // All after the first that is there are.
            ++refused;
            continue;
        }
        CHECK(server.sent(request) == with_fin(frames_of(version::lite_06, n, n + 1, all)));
    }
    CHECK(refused > 0);
    CHECK(refused < 100);
}

TEST_CASE("frames of an aborted group are served if all that are wanted are there", "[session][frames][fetch]") {
    const dialects d;
    publisher server{d.spoken};
    const auto g = log_of(server.pool, d.kept, 4);
    REQUIRE(g->begin_frame(timestamp{20}, 5));
    g->abort(app_error::old);
    static_cast<void>(server.receive(0, fetch_of(d.spoken, range(1, 3))));
    static_cast<void>(server.receive(4, fetch_of(d.spoken, range(1, 4))));
    static_cast<void>(server.receive(8, fetch_of(d.spoken, range(1))));
    REQUIRE(server->serve(request_id{0}, g));
    CHECK(server.sent(0) == with_fin(frames_of(d.spoken, 1, 3)));
    CHECK(server->serve(request_id{1}, g).error() == errc::group_ended);
    CHECK(server->serve(request_id{2}, g).error() == errc::group_ended);
}

TEST_CASE("a subscription begins with a frame of its first group, and ends with a frame of its last",
    "[session][frames][subscribe]") {
    const dialects d;
    publisher server{d.spoken};
    const subscribe_options o{
        .start = seven, .end = group_sequence{9}, .frame_start = object_id{4}, .frame_end = object_id{1}};
    CHECK(server.receive(0, subscribe_to(d.spoken, o)).front() ==
          "subscribe_requested 0 a b priority 0 latency 0 7..9 frames 4..1");
    static_cast<void>(server->accept(request_id{0}, seven));
    static_cast<void>(server.outputs());
    for (std::uint64_t n = 7; n <= 9; ++n) {
        const auto g = log_of(server.pool, d.kept, clip.size(), group_sequence{n});
        REQUIRE(g->finish());
        REQUIRE(server->serve(request_id{0}, g));
    }
    CHECK(server.sent(7) + "\n" + server.sent(11) + "\n" + server.sent(15) ==
          with_fin(group_of(d.spoken, group_sequence{9}) + frames_of(d.spoken, 0, 1)) + "\n" +
              with_fin(group_of(d.spoken, group_sequence{8}) + frames_of(d.spoken, 0)) + "\n" +
              with_fin(group_of(d.spoken, seven, 4) + frames_of(d.spoken, 4)));
}

TEST_CASE("without a Group Start, Frame Start is of group 0", "[session][frames][subscribe]") {
    publisher server{version::lite_06};
    static_cast<void>(server.receive(0, subscribe_to(version::lite_06, {.frame_start = object_id{2}})));
    CHECK(server.receive(0, update_bytes(version::lite_06, {.frame_start = object_id{3}})) ==
          list{"subscribe_updated 0 priority 0 latency 0 .. frames 3.."});
    for (const std::uint64_t n : {0, 1}) {
        const auto g = log_of(server.pool, version::lite_06, 4, group_sequence{n});
        REQUIRE(g->finish());
        REQUIRE(server->serve(request_id{0}, g));
    }
    CHECK(
        server.sent(7) == with_fin(group_of(version::lite_06, group_sequence{1}) + frames_of(version::lite_06, 0, 3)));
    CHECK(server.sent(11) ==
          with_fin(group_of(version::lite_06, group_sequence{0}, 3) + frames_of(version::lite_06, 3, 3)));
}

TEST_CASE("a subscription that begins beyond the end of its first group gets an empty group",
    "[session][frames][subscribe]") {
    const dialects d;
    publisher server{d.spoken};
    static_cast<void>(server.receive(0, subscribe_to(d.spoken, {.start = seven, .frame_start = object_id{2}})));
    const auto g = log_of(server.pool, d.kept, 2);
    REQUIRE(server->serve(request_id{0}, g));
    CHECK(server.sent(7).empty());
    REQUIRE(g->finish());
    CHECK(server.sent(7) == with_fin(group_of(d.spoken, seven, 2)));
    CHECK(server.all_acked(7).empty());
    CHECK(server.stream_closed(7) == list{"group_delivered 0 sequence 7"});
}

TEST_CASE("an update wants more of a group that was aborted behind its last frame: it is reset",
    "[session][frames][update]") {
    const dialects d;
    publisher server{d.spoken};
    subscribe_options o{.start = seven, .end = seven, .frame_end = object_id{1}};
    static_cast<void>(server.receive(0, subscribe_to(d.spoken, o)));
    const auto g = log_of(server.pool, d.kept, 3);
    REQUIRE(server->serve(request_id{0}, g));
    g->abort(app_error::old);
    o.frame_end.reset();
    const auto heard = server.receive(0, update_bytes(d.spoken, o));
    CHECK(std::count(heard.begin(), heard.end(), "group_lost 0 sequence 7 old") == 1);
}

TEST_CASE("an update raises the last frame wanted, and does not lower it", "[session][frames][update]") {
    const dialects d;
    publisher server{d.spoken};
    subscribe_options o{.start = seven, .end = seven, .frame_end = object_id{2}};
    static_cast<void>(server.receive(0, subscribe_to(d.spoken, o)));
    const auto g = log_of(server.pool, d.kept, 2);
    REQUIRE(server->serve(request_id{0}, g));
    CHECK(server.sent(7) == group_of(d.spoken, seven) + frames_of(d.spoken, 0, 1));
    const auto update = [&](const subscribe_options& to) {
        return server.receive(0, update_bytes(d.spoken, to)).front();
    };
    SECTION("to a later one") {
        o.frame_end = object_id{3};
        CHECK(update(o) == "subscribe_updated 0 priority 0 latency 0 7..7 frames 0..3");
        write(*g, 2, 5);
        CHECK(server.sent(7) == with_fin(group_of(d.spoken, seven) + frames_of(d.spoken, 0, 3)));
    }
    SECTION("to an earlier one") {
        o.frame_end = object_id{0};
        CHECK(update(o) == "subscribe_updated 0 priority 0 latency 0 7..7 frames 0..2");
        write(*g, 2, 5);
        CHECK(server.sent(7) == with_fin(group_of(d.spoken, seven) + frames_of(d.spoken, 0, 2)));
    }
    SECTION("to all, since a later group is the last") {
        o.end = group_sequence{8};
        o.frame_end = object_id{0};
        CHECK(update(o) == "subscribe_updated 0 priority 0 latency 0 7..8 frames 0..0");
        write(*g, 2, 5);
        REQUIRE(g->finish());
        CHECK(server.sent(7) == with_fin(group_of(d.spoken, seven) + frames_of(d.spoken, 0)));
    }
    SECTION("to all, since there is no last") {
        o.end.reset();
        o.frame_end.reset();
        CHECK(update(o) == "subscribe_updated 0 priority 0 latency 0 7..");
        write(*g, 2, 5);
        REQUIRE(g->finish());
        CHECK(server.sent(7) == with_fin(group_of(d.spoken, seven) + frames_of(d.spoken, 0)));
    }
}

TEST_CASE("ranges of frames that are reversed, or of no group, end the stream, and nothing else",
    "[session][frames][bad input][dialects §bad.7]") {
    publisher server{version::lite_06};
    const std::string rejected = " bad_frame_range";
    SECTION("FETCH from 6 to 2") {
        CHECK(server.receive(0, "03 08 01 61 01 62 03 07 06 03") == list{"stream_rejected 0" + rejected});
    }
    SECTION("SUBSCRIBE from frame 5 to 4 of group 7") {
        CHECK(server.receive(0, "02 0b 00 01 61 01 62 00 00 07 08 05 05") == list{"stream_rejected 0" + rejected});
    }
    SECTION("SUBSCRIBE with a Frame End and without a Group End") {
        CHECK(server.receive(0, "02 0b 00 01 61 01 62 00 00 07 00 00 05") == list{"stream_rejected 0" + rejected});
    }
    SECTION("SUBSCRIBE_UPDATE that reverses the range together with the end requested before") {
        const subscribe_options o{.end = seven, .frame_end = object_id{3}};
        static_cast<void>(server.receive(0, subscribe_to(version::lite_06, o)));
        CHECK(server.receive(0, "06 00 00 07 07 05 00").front() == "stream_rejected 0" + rejected);
    }
    CHECK(server.receive(4, fetch_of(version::lite_06, range(1, 1))).size() == 1);
    CHECK_FALSE(server->is_closed());
}

TEST_CASE("fetch() asks for frames, whose numbers count from the first", "[session][frames][fetch]") {
    const auto v = GENERATE(version::lite_06, version::lite_07_wip);
    subject client{role::client, v};
    begin(client);
    const auto id = client->fetch({"a", "b"}, seven, 4, range(3, 4)).value();
    CHECK(client.outputs() == list{"open bidi", "write 0 " + fetch_of(v, range(3, 4))});
    const auto n = std::to_string(number(id));
    SECTION("as they arrive") {
        CHECK(
            client.receive(0, "1e 01 64 02 00", true) ==
            list{"frame_data " + n + " frame 3 at 0 of 1 time 15 64", "frame_data " + n + " frame 4 at 0 of 0 time 16 ",
                "group_closed " + n + " of 18446744073709551615 sequence 7 complete"});
    }
    SECTION("also in a log, which begins with that frame") {
        CHECK(client->collect(id, group::make(client->pool(), seven, v)).error() == errc::invalid_argument);
        const auto log = group::make(client->pool(), seven, v, object_id{3});
        REQUIRE(client->collect(id, log));
        static_cast<void>(client.receive(0, "1e 01 64 02 00", true));
        CHECK(log->ended() == group::state::finished);
        CHECK(log->first_object() == object_id{3});
        CHECK(log->next_object() == object_id{5});
    }
    SECTION("and none after the last is accepted") {
        const auto told = client.receive(0, "1e 01 64 02 00 02 01 65");
        CHECK(std::find(told.begin(), told.end(), "stream_rejected 0 bad_frame_range") != told.end());
        CHECK(told.back().starts_with("group_closed"));
    }
}

TEST_CASE("fetch() and subscribe() refuse ranges that cannot be sent", "[session][frames][bad input]") {
    subject client{role::client, version::lite_06};
    begin(client);
    CHECK(client->fetch({"a", "b"}, seven, 4, range(4, 3)).error() == errc::bad_frame_range);
    CHECK(client->subscribe({"a", "b"}, {.frame_end = object_id{1}}).error() == errc::bad_frame_range);
    CHECK(client
              ->subscribe(
                  {"a", "b"}, {.start = seven, .end = seven, .frame_start = object_id{5}, .frame_end = object_id{4}})
              .error() == errc::bad_frame_range);
    // Without a Group Start, Frame Start is of group 0.
    const subscribe_options of_0{.end = group_sequence{0}, .frame_start = object_id{5}, .frame_end = object_id{0}};
    CHECK(client->subscribe({"a", "b"}, of_0).error() == errc::bad_frame_range);
    subject older{role::client, version::lite_05};
    begin(older);
    CHECK(older->fetch({"a", "b"}, seven, 4, range(1)).error() == errc::unsupported);
    CHECK(older->fetch({"a", "b"}, seven, 4, range(0, 1)).error() == errc::unsupported);
    CHECK(older->subscribe({"a", "b"}, {.start = seven, .frame_start = object_id{1}}).error() == errc::unsupported);
}

TEST_CASE("update() refuses a range that its publisher would, for which a Group End only rises",
    "[session][frames][bad input][regression]") {
    subject client{role::client, version::lite_06};
    begin(client);
    const auto id = client->subscribe({"a", "b"}, {.end = seven, .frame_end = object_id{3}}).value();
    static_cast<void>(client.outputs());
    const subscribe_options lower{.start = seven, .end = group_sequence{6}, .frame_start = object_id{5}};
    CHECK(client->update(id, changes_to(lower)).error() == errc::bad_frame_range);
    CHECK(client.outputs().empty());
    const subscribe_options raised{
        .start = seven, .end = seven, .frame_start = object_id{5}, .frame_end = object_id{5}};
    REQUIRE(client->update(id, changes_to(raised)));
    CHECK(client.outputs() == list{"write 0 " + compact(update_bytes(version::lite_06, raised))});
}

TEST_CASE("a publisher may have acted on any of many updates of the Frame Start", "[session][frames][regression]") {
    subject client{role::client, version::lite_06};
    begin(client);
    const auto id = client->subscribe({"a", "b"}, {.start = seven, .frame_start = object_id{1}}).value();
    for (std::uint64_t n = 2; n != 10; ++n) REQUIRE(client->update(id, {.frame_start = object_id{n}}));
    static_cast<void>(client.outputs());
    CHECK(client.receive(3, group_of(version::lite_06, seven, 1)) == list{"group_opened 3 of 0 sequence 7 frames 1.."});
}

TEST_CASE("a GROUP with a Frame Start is accepted if it was requested, of that group",
    "[session][frames][bad input][dialects §16.1.9]") {
    const auto v = GENERATE(version::lite_06, version::lite_07_wip);
    subject client{role::client, v};
    begin(client);
    REQUIRE(client->subscribe({"a", "b"}, {.start = seven, .frame_start = object_id{4}}));
    static_cast<void>(client.outputs());
    CHECK(client.receive(3, group_of(v, seven, 4) + "1e0164", true) == list{"group_opened 3 of 0 sequence 7 frames 4..",
                                                                           "frame_data 3 frame 4 at 0 of 1 time 15 64",
                                                                           "group_closed 3 of 0 sequence 7 complete"});
    CHECK(client.receive(7, group_of(v, group_sequence{8}, 4)) == list{"stream_rejected 7 bad_frame_range"});
    CHECK(client.receive(11, group_of(v, seven, 3)) == list{"stream_rejected 11 bad_frame_range"});
    CHECK(client.receive(15, group_of(v, group_sequence{8})) == list{"group_opened 15 of 0 sequence 8"});
    // Neither does one that begins with its first frame break a rule.
    CHECK(client.receive(19, group_of(v, seven)) == list{"group_opened 19 of 0 sequence 7"});
    CHECK_FALSE(client->is_closed());
}

TEST_CASE("nor does one that begins with the frame that was requested before an update", "[session][frames][update]") {
    subject client{role::client, version::lite_06};
    begin(client);
    const auto id = client->subscribe({"a", "b"}, {.start = seven, .frame_start = object_id{4}}).value();
    static_cast<void>(client.outputs());
    REQUIRE(client->update(id, {.frame_start = object_id{6}}));
    CHECK(client.outputs() ==
          list{"write 0 " + compact(update_bytes(version::lite_06, {.start = seven, .frame_start = object_id{6}}))});
    CHECK(
        client.receive(3, group_of(version::lite_06, seven, 4)).front() == "group_opened 3 of 0 sequence 7 frames 4..");
    CHECK(client.receive(7, group_of(version::lite_06, seven, 5)) == list{"stream_rejected 7 bad_frame_range"});
}

TEST_CASE("a log that begins with a later frame is served from that frame on, and to nobody who wants an earlier",
    "[session][frames][fetch]") {
    const dialects d;
    publisher server{d.spoken};
    const auto g = group::make(server.pool, seven, d.kept, object_id{2});
    write(*g, 2, 5);
    REQUIRE(g->finish());
    for (const std::uint64_t n : {1, 2, 3})
        static_cast<void>(server.receive(4 * (n - 1), fetch_of(d.spoken, range(n))));
    CHECK(server->serve(request_id{0}, g).error() == errc::not_found);
    REQUIRE(server->serve(request_id{1}, g));
    REQUIRE(server->serve(request_id{2}, g));
    CHECK(server.sent(4) == with_fin(frames_of(d.spoken, 2)));
    CHECK(server.sent(8) == with_fin(frames_of(d.spoken, 3)));
}

} // namespace moqlite::test::frame_range_test
