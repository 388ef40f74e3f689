// TRACK, FETCH, PROBE and GOAWAY.
#include "../messages.hpp"

namespace moqlite::test::requests_test {

using namespace moqlite::wire::lite;

namespace {

constexpr auto v = version::lite_05;

} // namespace

TEST_CASE("a TRACK names a track and TRACK_INFO describes it", "[track]") {
    check_both_ways(v, track{"room/cam", "video"}, "0f 08 726f6f6d2f63616d 05 766964656f");
    check_both_ways(v,
        wire::lite::track_info{{.priority = 5, .ordered = false, .max_age = milliseconds{2000}, .timescale = 90000}},
        "08 05 00 47d0 80015f90");
}

TEST_CASE("a TRACK_INFO of lite-06 has no Ordered", "[track]") {
    check_both_ways(version::lite_06, wire::lite::track_info{{.priority = 127}}, "05 7f 5388 43e8");
    CHECK(encoded(version::lite_06, wire::lite::track_info{{.ordered = true}}) == "0500538843e8");
}

TEST_CASE("the default TRACK_INFO is that of other implementations", "[track]") {
    check_both_ways(v, wire::lite::track_info{}, "06 00 00 5388 43e8");
}

TEST_CASE("a timescale of 0 is neither read nor written", "[track]") {
    CHECK(refusal<wire::lite::track_info>(v, "04 00 00 00 00") == errc::zero_timescale);
    CHECK(encoded(v, wire::lite::track_info{{.timescale = 0}}) == "zero_timescale");
    CHECK(refusal<wire::lite::track_info>(v, "03 00 00 00") == errc::message_too_short);
}

TEST_CASE("there is no TRACK before lite-05", "[track]") {
    CHECK(encoded(version::lite_04, track{}) == "unsupported");
    CHECK(encoded(version::lite_04, wire::lite::track_info{}) == "unsupported");
    CHECK(refusal<track>(version::lite_04, "02 00 00") == errc::unsupported);
    CHECK(refusal<wire::lite::track_info>(version::lite_04, "06 00 00 5388 43e8") == errc::unsupported);
}

TEST_CASE("a FETCH names one group", "[fetch]") {
    for (const auto old : {version::lite_03, version::lite_04, version::lite_05})
        check_both_ways(old, fetch{"room/cam", "video", 4, group_sequence{7}, {}, {}},
            "11 08 726f6f6d2f63616d 05 766964656f 04 07");
    CHECK(refusal<fetch>(v, "0a 04 726f6f6d 05 7669646f") == errc::message_too_short);
}

TEST_CASE("a FETCH of lite-06 may name a range of frames", "[fetch]") {
    check_both_ways(version::lite_06, fetch{"a", "b", 3, group_sequence{7}, {}, {}}, "08 01 61 01 62 03 07 00 00");
    check_both_ways(version::lite_06, fetch{"a", "b", 3, group_sequence{7}, object_id{2}, object_id{6}},
        "08 01 61 01 62 03 07 02 07");
    CHECK(refusal<fetch>(version::lite_06, "08 01 61 01 62 03 07 06 03") == errc::bad_frame_range);
    CHECK(encoded(version::lite_06, fetch{"a", "b", 3, {}, object_id{6}, object_id{2}}) == "bad_frame_range");
    CHECK(encoded(v, fetch{"a", "b", 3, {}, object_id{6}, {}}) == "unsupported");
}

TEST_CASE("a PROBE reports bitrate and round trip", "[probe]") {
    check_both_ways(v, probe{1'000'000, milliseconds{40}}, "05 800f4240 28");
    check_both_ways(version::lite_03, probe{1'000'000, {}}, "04 800f4240");
    CHECK(refusal<probe>(version::lite_04, "01 00") == errc::message_too_short);
    CHECK(refusal<probe>(version::lite_03, "02 00 00") == errc::message_too_long);
}

TEST_CASE("an unknown value in a PROBE is 0, and a measured 0 becomes 1", "[probe]") {
    check_both_ways(v, probe{}, "02 00 00");
    CHECK(encoded(v, probe{0, milliseconds{0}}) == "020101");
}

TEST_CASE("a GOAWAY carries a URI", "[goaway]") {
    check_both_ways(v, goaway{"https://b/"}, "0b 0a 68747470733a2f2f622f");
    check_both_ways(version::lite_04, goaway{}, "01 00");
    CHECK(refusal<goaway>(v, "02 05 68") == errc::message_too_short);
    CHECK(refusal<goaway>(version::lite_03, "01 00") == errc::unsupported);
    CHECK(encoded(version::lite_03, goaway{}) == "unsupported");
}

} // namespace moqlite::test::requests_test
