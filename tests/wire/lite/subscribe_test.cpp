#include "../messages.hpp"

namespace moqlite::test::subscribe_test {

using namespace moqlite::wire::lite;

namespace {

constexpr auto v = version::lite_05;
constexpr auto v6 = version::lite_06;
constexpr auto largest = moqlite::wire::varint_max;

template <class M>
void check_before_06(const M& m, std::string_view text) {
    for (const auto old : {version::lite_03, version::lite_04, version::lite_05}) check_both_ways(old, m, text);
}

} // namespace

TEST_CASE("a SUBSCRIBE names a track and how it is wanted", "[subscribe]") {
    check_before_06(subscribe{.id = 0,
                        .broadcast = "room/cam",
                        .track = "video",
                        .options = {.priority = 3, .max_age = milliseconds{250}}},
        "16 00 08 726f6f6d2f63616d 05 766964656f 03 00 40fa 00 00");
    check_before_06(subscribe{.id = largest, .broadcast = "", .track = ""}, "0f ffffffffffffffff 00 00 00 00 00 00 00");
}

TEST_CASE("a SUBSCRIBE_UPDATE changes how a track is wanted", "[subscribe]") {
    check_before_06(subscribe_update{{.priority = 9,
                        .ordered = true,
                        .max_age = milliseconds{500},
                        .start = group_sequence{7},
                        .end = group_sequence{100}}},
        "07 09 01 41f4 08 4065");
}

TEST_CASE("from lite-06 on there is no Ordered, Group Start is a floor, and frames have a range", "[subscribe]") {
    check_both_ways(v6, subscribe_update{}, "06 00 00 00 00 00 00");
    check_both_ways(v6,
        subscribe{.id = 2,
            .broadcast = "room",
            .track = "video",
            .options = {.priority = 3,
                .max_age = milliseconds{250},
                .start = group_sequence{7},
                .end = group_sequence{9},
                .frame_start = object_id{4},
                .frame_end = object_id{2}}},
        "13 02 04 726f6f6d 05 766964656f 03 40fa 07 0a 04 03");
    CHECK(encoded(v6, subscribe_update{{.ordered = true}}) == "06000000000000");
    CHECK(encoded(v6, subscribe_update{{.start = group_sequence{0}}}) == "06000000000000"); // The floor of no floor.
    check_both_ways(v6, subscribe_update{{.frame_start = object_id{6}}}, "06 00 00 00 00 06 00"); // Of group 0.
}

TEST_CASE("before lite-06 a range of frames cannot be written", "[subscribe]") {
    CHECK(encoded(v, subscribe_update{{.frame_start = object_id{1}}}) == "unsupported");
    CHECK(encoded(v, subscribe_update{{.end = group_sequence{1}, .frame_end = object_id{1}}}) == "unsupported");
}

TEST_CASE("a range of frames that is reversed, or ends in no named group, is refused", "[subscribe]") {
    CHECK(refusal<subscribe_update>(v6, "06 00 00 00 00 00 01") == errc::bad_frame_range);
    CHECK(refusal<subscribe_update>(v6, "06 00 00 07 08 05 05") == errc::bad_frame_range); // 5 to 4 of group 7.
    CHECK(refusal<subscribe_update>(v6, "06 00 00 07 08 04 05") == errc::ok);
    CHECK(refusal<subscribe_update>(v6, "06 00 00 07 09 05 05") == errc::ok); // They are frames of two groups.
    CHECK(encoded(v6, subscribe_update{{.frame_end = object_id{1}}}) == "bad_frame_range");
}

TEST_CASE("before lite-06 group 0 is not the same as no group", "[subscribe]") {
    check_before_06(subscribe_update{{.start = group_sequence{0}, .end = group_sequence{0}}}, "05 00 00 00 01 01");
    check_before_06(subscribe_update{}, "05 00 00 00 00 00");
}

TEST_CASE("a Max Age and an optional group span all that a varint can carry", "[subscribe]") {
    check_before_06(subscribe_update{{.max_age = milliseconds{largest}, .start = group_sequence{largest - 1}}},
        "13 00 00 ffffffffffffffff ffffffffffffffff 00");
    CHECK(encoded(v, subscribe_update{{.max_age = milliseconds{largest + 1}}}) == "value_too_large");
    CHECK(encoded(v, subscribe_update{{.start = group_sequence{largest}}}) == "value_too_large");
    CHECK(encoded(v, subscribe_update{{.end = group_sequence{~std::uint64_t{0}}}}) == "value_too_large");
    CHECK(encoded(v, subscribe{.id = largest + 1}) == "value_too_large");
}

TEST_CASE("an ordered byte other than 0 and 1 is read as true and never written", "[subscribe]") {
    const auto body = test::hex("00 02 00 00 00");
    const auto m = decode<subscribe_update>(v, body);
    REQUIRE(m);
    CHECK(m->options.ordered);
    CHECK(encoded(v, *m) == "050001000000");
}

TEST_CASE("a SUBSCRIBE that ends early or late is refused", "[subscribe]") {
    CHECK(refusal<subscribe>(v, "0b 00 03 666f6f 01 76 00 00 00 00") == errc::message_too_short);
    CHECK(refusal<subscribe>(v, "0d 00 03 666f6f 01 76 00 00 00 00 00 00") == errc::message_too_long);
    CHECK(refusal<subscribe>(v, "0c 00 03 666f6f 01 76 00 00 00 00 00") == errc::ok);
}

TEST_CASE("a SUBSCRIBE whose names are not UTF-8 is refused", "[subscribe]") {
    CHECK(refusal<subscribe>(v, "0b 00 02 c328 01 76 00 00 00 00 00") == errc::bad_utf8);
    CHECK(refusal<subscribe>(v, "0b 00 01 76 02 c328 00 00 00 00 00") == errc::bad_utf8);
}

TEST_CASE("a broadcast has bounded segments, a track's name has none", "[subscribe]") {
    CHECK(refusal<subscribe>(v, "0b 00 03 612f62 00 00 00 00 00 00", {.path_segments = 1}) == errc::too_many_segments);
    CHECK(refusal<subscribe>(v, "0b 00 00 03 612f62 00 00 00 00 00", {.path_segments = 1}) == errc::ok);
}

} // namespace moqlite::test::subscribe_test
