#include "../inspected_text.hpp"
#include "../messages.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <moqlite/wire/lite/inspect_answer.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace moqlite::test::inspect_test {

using namespace moqlite::wire::lite;

namespace {

using list = std::vector<std::string>;

/// The messages as `offset+size NAME field=value ...`, then the end: `whole 9`, `incomplete 4`, `message_too_long
/// 1`.
list lines_of(const inspection& what, byte_view bytes, const limits& bounds = wire::default_limits) {
    list out;
    const auto note = [&](const inspected& m) {
        out.push_back(std::to_string(m.offset) + "+" + std::to_string(m.size) + " " + test::text(what.dialect, m));
    };
    const auto end = inspect(what, bytes, note, bounds);
    const std::string how = end.how == ending::whole        ? "whole"
                            : end.how == ending::incomplete ? "incomplete"
                                                            : std::string{to_string(end.error)};
    out.push_back(how + " " + std::to_string(end.offset));
    return out;
}

list request(version v, std::string_view text) {
    return lines_of({v, carrier::bidi, sender::subscriber, {}}, test::hex(text));
}
list answer(version v, bidi_type to, std::string_view text) {
    return lines_of({v, carrier::bidi, sender::publisher, to}, test::hex(text));
}
list uni(version v, std::string_view text, sender from = sender::publisher) {
    return lines_of({v, carrier::uni, from, {}}, test::hex(text));
}

constexpr auto v3 = version::lite_03;
constexpr auto v4 = version::lite_04;
constexpr auto v5 = version::lite_05;
constexpr auto v6 = version::lite_06;

} // namespace

TEST_CASE("the requests of a subscriber are shown with their fields", "[inspect]") {
    const std::string type = "0+1 STREAM_TYPE type=";
    CHECK(request(v5, "01 07 04 726f6f6d 5111") ==
          list{type + "1 name=Announce", "1+8 ANNOUNCE_REQUEST prefix=room exclude_hop=4369", "whole 9"});
    CHECK(request(v6, "01 05 04 726f6f6d") ==
          list{type + "1 name=Announce", "1+6 ANNOUNCE_REQUEST prefix=room", "whole 7"});
    CHECK(request(v5, "06 0f 08 726f6f6d2f63616d 05 766964656f") ==
          list{type + "6 name=Track", "1+16 TRACK broadcast=room/cam track=video", "whole 17"});
    CHECK(request(v5, "03 11 08 726f6f6d2f63616d 05 766964656f 04 07") ==
          list{type + "3 name=Fetch", "1+18 FETCH broadcast=room/cam track=video priority=4 group=7", "whole 19"});
    CHECK(request(v3, "02 0b 00 01 62 01 74 03 00 40fa 00 00 07 09 01 41f4 08 4065") ==
          list{type + "2 name=Subscribe",
              "1+12 SUBSCRIBE subscribe_id=0 broadcast=b track=t priority=3 ordered=0 max_latency_ms=250 "
              "start_group=none end_group=none",
              "13+8 SUBSCRIBE_UPDATE priority=9 ordered=1 max_latency_ms=500 start_group=7 end_group=100", "whole 21"});
    CHECK(request(v5, "04") == list{type + "4 name=Probe", "whole 1"});
    CHECK(request(v4, "05 05 04 68747470") == list{type + "5 name=Goaway", "1+6 GOAWAY uri=http", "whole 7"});
}

TEST_CASE("the answers of a publisher are shown with their fields", "[inspect]") {
    CHECK(answer(v5, bidi_type::announce, "03 6222 01 06 01 03 63616d 00 06 00 03 63616d 00") ==
          list{"0+4 ANNOUNCE_OK hop_id=8738 active_count=1", "4+7 ANNOUNCE_BROADCAST status=active suffix=cam hop_ids=",
              "11+7 ANNOUNCE_BROADCAST status=ended suffix=cam hop_ids=", "whole 18"});
    CHECK(answer(v4, bidi_type::announce, "08 01 03 63616d 01 6222") ==
          list{"0+9 ANNOUNCE status=active suffix=cam hop_ids=8738.", "whole 9"});
    CHECK(answer(v3, bidi_type::announce, "06 01 03 63616d 01") ==
          list{"0+7 ANNOUNCE status=active suffix=cam hop_count=1", "whole 7"});
    CHECK(answer(v5, bidi_type::subscribe, "00 01 07 02 03 07 08 02 01 01 09") ==
          list{"0+3 SUBSCRIBE_OK group=7", "3+5 SUBSCRIBE_DROP start_group=7 end_group=8 error_code=2",
              "8+3 SUBSCRIBE_END group=9", "whole 11"});
    CHECK(answer(v4, bidi_type::subscribe, "00 06 03 00 40fa 00 00") ==
          list{"0+8 SUBSCRIBE_OK priority=3 ordered=0 max_latency_ms=250 start_group=none end_group=none", "whole 8"});
    CHECK(answer(v5, bidi_type::track, "08 05 00 47d0 80015f90") ==
          list{"0+9 TRACK_INFO priority=5 ordered=0 max_latency_ms=2000 timescale=90000", "whole 9"});
    CHECK(answer(v5, bidi_type::probe, "05 800f4240 28 02 00 00") ==
          list{"0+6 PROBE bitrate=1000000 rtt_ms=40", "6+3 PROBE bitrate=none rtt_ms=none", "whole 9"});
    CHECK(answer(v3, bidi_type::probe, "04 800f4240") == list{"0+5 PROBE bitrate=1000000", "whole 5"});
}

TEST_CASE("implicit announce ids are counted, and unknown types have none", "[inspect]") {
    CHECK(answer(v6, bidi_type::announce,
              "03 6222 01 00 05 01 61 00 00 00 01 01 00 07 02 6869 00 05 01 62 00 05 06 02 05 01 01 07 03 04") ==
          list{"0+4 ANNOUNCE_OK hop_id=8738 active_count=1",
              "4+7 ANNOUNCE_START announce_id=0 suffix=a hop_ids= warm_cost=0 cold_cost=0",
              "11+3 ANNOUNCE_END announce_id=0", "14+4 ANNOUNCE_UNKNOWN type=7 size=2 payload=6869",
              "18+7 ANNOUNCE_START announce_id=1 suffix=b hop_ids= warm_cost=5 cold_cost=6",
              "25+7 ANNOUNCE_UPDATE announce_id=1 hop_ids=7. warm_cost=3 cold_cost=4", "whole 32"});
}

TEST_CASE("the frames of a group carry the sum of their deltas, those before moq-lite-05 none", "[inspect]") {
    const list frames{"FRAME timestamp_delta=90000 timestamp=90000 size=5 payload=68656c6c6f",
        "FRAME timestamp_delta=3000 timestamp=93000 size=0 payload=",
        "FRAME timestamp_delta=-1500 timestamp=91500 size=7 payload=622d6672616d65"};
    const std::string bytes = "8002bf20 05 68656c6c6f 5770 00 4bb7 07 622d6672616d65";
    CHECK(uni(v5, "00 02 00 07" + bytes) == list{"0+1 STREAM_TYPE type=0 name=Group",
                                                "1+3 GROUP subscribe_id=0 group=7", "4+10 " + frames[0],
                                                "14+3 " + frames[1], "17+10 " + frames[2], "whole 27"});
    CHECK(answer(v5, bidi_type::fetch, bytes) ==
          list{"0+10 " + frames[0], "10+3 " + frames[1], "13+10 " + frames[2], "whole 23"});
    CHECK(
        uni(v3, "00 02 00 07 02 6869") == list{"0+1 STREAM_TYPE type=0 name=Group", "1+3 GROUP subscribe_id=0 group=7",
                                              "4+3 FRAME size=2 payload=6869", "whole 7"});
    CHECK(uni(v5, "00 02 00 08").back() == "whole 4");
}

TEST_CASE("the messages of lite-06 are shown with their ranges of frames", "[inspect]") {
    CHECK(request(v6, "02 0c 00 01 62 01 74 03 40fa 07 0a 04 03 06 09 00 00 00 00 00") ==
          list{"0+1 STREAM_TYPE type=2 name=Subscribe",
              "1+13 SUBSCRIBE subscribe_id=0 broadcast=b track=t priority=3 max_latency_ms=250 start_group=7 "
              "end_group=9 start_frame=4 end_frame=2",
              "14+7 SUBSCRIBE_UPDATE priority=9 max_latency_ms=0 start_group=0 end_group=none start_frame=0 "
              "end_frame=none",
              "whole 21"});
    CHECK(request(v6, "03 08 01 61 01 62 03 07 02 07") ==
          list{"0+1 STREAM_TYPE type=3 name=Fetch",
              "1+9 FETCH broadcast=a track=b priority=3 group=7 start_frame=2 end_frame=6", "whole 10"});
    CHECK(uni(v6, "00 03 00 07 04") ==
          list{"0+1 STREAM_TYPE type=0 name=Group", "1+4 GROUP subscribe_id=0 group=7 start_frame=4", "whole 5"});
    CHECK(answer(v6, bidi_type::track, "07 05 47d0 80015f90") ==
          list{"0+8 TRACK_INFO priority=5 max_latency_ms=2000 timescale=90000", "whole 8"});
}

TEST_CASE("a datagram is one message, whatever its length", "[inspect]") {
    const inspection datagram{v5, carrier::datagram, sender::publisher, {}};
    CHECK(lines_of(datagram, test::hex("03 07 4400 6869")) ==
          list{"0+6 DATAGRAM subscribe_id=3 group=7 timestamp=1024 size=2 payload=6869", "whole 6"});
    CHECK(lines_of(datagram, test::hex("03 07")) == list{"message_too_short 0"});
    CHECK(lines_of(datagram, {}) == list{"message_too_short 0"});
    CHECK(lines_of({v4, carrier::datagram, sender::publisher, {}}, test::hex("03 07 00")) == list{"unsupported 0"});
}

TEST_CASE("malformed bytes are refused with a named error, at the start of the message", "[inspect]") {
    CHECK(request(v3, "01 02 00 00").back() == "message_too_long 1");
    CHECK(request(v5, "01 02 00 00").back() == "whole 4");
    CHECK(request(v5, "07").back() == "unknown_stream_type 0");
    CHECK(request(v4, "06 04 01 61 01 62").back() == "unknown_stream_type 0");
    CHECK(request(v5, "01 02 00 00 00").back() == "unexpected_message 4");
    CHECK(request(v5, "06 04 01 61 01 62 00").back() == "unexpected_message 6");
    CHECK(request(v5, "01 80010001").back() == "message_too_large 1");
    CHECK(uni(v5, "01 01 00 01").back() == "duplicate_setup 3");
    CHECK(uni(v4, "01").back() == "unknown_stream_type 0");
    CHECK(uni(v5, "00 02 00 07 01 00").back() == "timestamp_out_of_range 4");
    CHECK(uni(v5, "00 02 00 07 00 82000001").back() == "frame_too_large 4");
    CHECK(answer(v5, bidi_type::subscribe, "00 01 07 03").back() == "unknown_message_type 3");
    CHECK(answer(v5, bidi_type::subscribe, "02 03 08 07 02").back() == "group_out_of_range 0");
    CHECK(answer(v4, bidi_type::announce, "04 02 01 61 00").back() == "bad_status 0");
    CHECK(answer(v5, bidi_type::track, "04 00 00 00 00").back() == "zero_timescale 0");
    CHECK(answer(v5, bidi_type::goaway, "00").back() == "unexpected_message 0");
}

TEST_CASE("a sender opens only streams of its own kind", "[inspect]") {
    CHECK(uni(v5, "00 02 00 07", sender::subscriber).back() == "unexpected_stream 0");
    CHECK(uni(v5, "01 01 00", sender::subscriber).back() == "whole 3");
    const inspection opened{v5, carrier::bidi, sender::publisher, {}};
    CHECK(lines_of(opened, test::hex("05 01 00")) ==
          list{"0+1 STREAM_TYPE type=5 name=Goaway", "1+2 GOAWAY uri=", "whole 3"});
    CHECK(lines_of(opened, test::hex("01 02 00 00")) == list{"unexpected_stream 0"});
}

TEST_CASE("bytes that end within a message, or before one that must follow, are incomplete", "[inspect]") {
    CHECK(request(v5, "") == list{"incomplete 0"});
    CHECK(request(v5, "01").back() == "incomplete 1");
    CHECK(request(v5, "01 07 04 72").back() == "incomplete 1");
    CHECK(uni(v5, "01").back() == "incomplete 1");
    CHECK(uni(v5, "00 02 00 07 00 05 68").back() == "incomplete 4");
    CHECK(answer(v5, bidi_type::subscribe, "00 01 07 01 01").back() == "incomplete 3");
    CHECK(answer(v5, bidi_type::announce, "") == list{"whole 0"});
}

TEST_CASE("the given limits apply", "[inspect]") {
    const auto bytes = test::hex("00 02 00 07 00 05 68656c6c6f");
    const inspection group{v5, carrier::uni, sender::publisher, {}};
    CHECK(lines_of(group, bytes).back() == "whole 11");
    limits tight;
    tight.frame = 4;
    CHECK(lines_of(group, bytes, tight).back() == "frame_too_large 4");
    tight.control_message = 1;
    CHECK(lines_of(group, bytes, tight).back() == "message_too_large 1");
}

TEST_CASE("the best reading of an answer is complete and likely", "[inspect]") {
    const auto best = [](version v, std::string_view text) { return read_answers(v, test::hex(text)).best().answers; };
    CHECK(best(v5, "03 6222 01 06 01 03 63616d 00") == bidi_type::announce);
    CHECK(best(v5, "00 01 07 01 01 09") == bidi_type::subscribe);
    CHECK(best(v5, "08 05 00 47d0 80015f90") == bidi_type::track);
    CHECK(best(v5, "06 00 00 5388 43e8") == bidi_type::track);
    CHECK(best(v5, "8002bf20 05 68656c6c6f 5770 00") == bidi_type::fetch);
    CHECK(best(v5, "05 11 10 68747470733a2f2f6e6578742e746573") == std::nullopt); // GOAWAY, on a stream of its own.
    CHECK(best(v4, "08 01 03 63616d 01 6222") == bidi_type::announce);
    CHECK(best(v4, "00 06 03 00 40fa 00 00") == bidi_type::subscribe);
    CHECK(best(v3, "04 800f4240") == bidi_type::probe);
    CHECK(best(v6, "03 6222 00 00 06 03 63616d 00 00") == bidi_type::announce);
    // As ANNOUNCE_OK it announces 40 announcements, as TRACK_INFO it has a flag of 15.
    CHECK(best(v5, "05 800f4240 28") == bidi_type::probe);
    // Cut off.
    CHECK(best(v5, "03 6222 01 06 01 03 63") == bidi_type::announce);
    CHECK(best(v5, "00 01 07 01 01") == bidi_type::subscribe);
}

TEST_CASE("every reading of an answer reports its end", "[inspect]") {
    const auto bytes = test::hex("03 6222 01");
    std::size_t whole = 0;
    for (const auto& r : read_answers(v5, bytes)) {
        CHECK(r.end == inspect({v5, carrier::bidi, sender::publisher, r.answers}, bytes, [](const auto&) {}));
        whole += r.end.how == ending::whole;
    }
    CHECK(whole == 2);
}

TEST_CASE("more bytes do not change the meaning of a prefix", "[inspect]") {
    const std::vector<std::pair<inspection, std::string>> samples{
        {{v5, carrier::bidi, sender::subscriber, {}}, "02 0b 00 01 62 01 74 03 00 40fa 00 00 07 09 01 41f4 08 4065"},
        {{v4, carrier::bidi, sender::publisher, bidi_type::announce}, "06 01 01 63 01 6222 04 00 01 63 00"},
        {{v6, carrier::bidi, sender::publisher, bidi_type::announce}, "03 6222 01 00 05 01 61 00 00 00 01 01 00"},
        {{v5, carrier::bidi, sender::publisher, bidi_type::subscribe}, "00 01 07 02 03 07 08 02 01 01 09"},
        {{v5, carrier::uni, sender::publisher, {}}, "00 02 00 07 8002bf20 02 6865 5770 00 4bb7 01 62"},
        {{v5, carrier::uni, sender::subscriber, {}}, "01 08 02 01 01 01 05 02 5111"},
    };
    std::mt19937_64 random{1};
    std::size_t messages = 0;
    std::size_t refusals = 0;
    for (int i = 0; i < 2000; ++i) {
        const auto& [what, text] = samples[random() % samples.size()];
        auto bytes = test::hex(text);
        for (auto changes = random() % 3; changes > 0; --changes)
            bytes[random() % bytes.size()] = static_cast<std::byte>(random() % 2 == 0 ? random() : random() % 8);
        CAPTURE(test::to_hex(bytes));
        const auto whole = lines_of(what, bytes);
        messages += whole.size() - 1;
        for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
            auto part = lines_of(what, byte_view{bytes}.first(cut));
            const auto end = part.back();
            part.pop_back();
            REQUIRE(part.size() < whole.size());
            CHECK(std::equal(part.begin(), part.end(), whole.begin()));
            if (end.starts_with("whole") || end.starts_with("incomplete")) continue;
            CHECK(end == whole.back());
            ++refusals;
        }
    }
    CHECK(messages > 4000);
    CHECK(refusals > 1000);
}

} // namespace moqlite::test::inspect_test
