#include "../messages.hpp"

namespace moqlite::test::announce_test {

using namespace moqlite::wire::lite;

namespace {

constexpr auto v = version::lite_05;
constexpr auto typed = version::lite_06;

/// A hop list of `n` hops: 1, 2, and so on.
hop_list hops(std::size_t n) {
    hop_list out;
    while (out.size() < n) REQUIRE(out.push_back(hop_id{out.size() + 1}));
    return out;
}

/// "a/a/…" with `n` segments, and its hexadecimal after its length.
std::pair<std::string, std::string> path(std::size_t n) {
    std::string text = "a";
    while (--n > 0) text += "/a";
    std::vector<std::byte> wire;
    moqlite::wire::writer{wire}.string(text);
    return {text, test::to_hex(wire)};
}

} // namespace

TEST_CASE("an ANNOUNCE_REQUEST has a prefix and the hop to exclude", "[announce]") {
    check_both_ways(v, announce_request{"room", hop_id{0x1111}, false}, "07 04 726f6f6d 5111");
    check_both_ways(v, announce_request{}, "02 00 00");
    check_both_ways(version::lite_04, announce_request{"room", hop_id{0x1111}, false}, "07 04 726f6f6d 5111");
}

TEST_CASE("an ANNOUNCE_REQUEST of lite-03 and lite-06 has no hop to exclude", "[announce]") {
    check_both_ways(version::lite_03, announce_request{"room", {}, false}, "05 04 726f6f6d");
    check_both_ways(typed, announce_request{"room", {}, false}, "05 04 726f6f6d");
}

TEST_CASE("a path is read as on the wire, with its slashes", "[announce]") {
    check_both_ways(v, announce_request{"//room/", {}, false}, "09 07 2f2f726f6f6d2f 00");
}

TEST_CASE("ANNOUNCE_OK carries the sender's hop and the number of announcements that follow", "[announce]") {
    check_both_ways(v, announce_ok{hop_id{0x2222}, 1}, "03 6222 01");
    check_both_ways(typed, announce_ok{hop_id{0}, 0}, "02 00 00");
    CHECK(refusal<announce_ok>(version::lite_04, "02 00 00") == errc::unsupported);
    CHECK(encoded(version::lite_04, announce_ok{}) == "unsupported");
}

TEST_CASE("an announcement carries status, path and hops", "[announce]") {
    check_both_ways(v, announce{announce_status::active, "cam", {}}, "06 01 03 63616d 00");
    check_both_ways(v, announce{announce_status::ended, "cam", {}}, "06 00 03 63616d 00");
    check_both_ways(v, announce{announce_status::active, "", {}}, "03 01 00 00");
    check_both_ways(
        v, announce{announce_status::active, "cam", {hop_id{1}, hop_id{16384}}}, "0b 01 03 63616d 02 01 80004000");
}

TEST_CASE("an announcement of lite-03 has only the number of hops", "[announce]") {
    check_both_ways(
        version::lite_03, announce{announce_status::active, "cam", {hop_id{0}, hop_id{0}}}, "06 01 03 63616d 02");
    CHECK(encoded(version::lite_03, announce{announce_status::active, "cam", {hop_id{7}}}) == "06010363616d01");
}

TEST_CASE("an explicit restart counts as active, on lite-05 alone", "[announce]") {
    const auto body = hex("02 03 63616d 00");
    const auto m = decode<announce>(v, body);
    REQUIRE(m);
    CHECK(*m == announce{announce_status::active, "cam", {}});
    CHECK(refusal<announce>(version::lite_03, "06 02 03 63616d 00") == errc::bad_status);
    CHECK(refusal<announce>(version::lite_04, "06 02 03 63616d 00") == errc::bad_status);
}

TEST_CASE("a status that the version does not have is refused", "[announce]") {
    for (auto old : {version::lite_03, version::lite_04, v}) {
        CHECK(refusal<announce>(old, "06 03 03 63616d 00") == errc::bad_status);
        CHECK(refusal<announce>(old, "07 4001 03 63616d 00") == errc::bad_status); // Status is one byte.
    }
}

TEST_CASE("32 hops are read and 33 refused", "[announce]") {
    std::vector<std::byte> each;
    for (unsigned i = 1; i <= 32; ++i) each.push_back(std::byte(i));
    const auto all = test::to_hex(each);
    check_both_ways(v, announce{announce_status::active, "cam", hops(32)}, "26 01 03 63616d 20" + all);
    CHECK(refusal<announce>(v, "27 01 03 63616d 21" + all + "21") == errc::too_many_hops);
    CHECK(refusal<announce>(version::lite_03, "06 01 03 63616d 21") == errc::too_many_hops);
    CHECK(refusal<announce>(v, "08 01 03 63616d 02 01 02", {.hops = 1}) == errc::too_many_hops);
}

TEST_CASE("a hop count beyond the message is too short", "[announce]") {
    CHECK(refusal<announce>(v, "07 01 03 63616d 02 07") == errc::message_too_short);
    CHECK(refusal<announce>(v, "05 01 03 63616d") == errc::message_too_short);
}

TEST_CASE("a path of 32 segments is read and of 33 refused, as normalised", "[announce]") {
    const auto [fits, fits_hex] = path(32);
    check_both_ways(v, announce{announce_status::active, fits, {}}, "4042 01" + fits_hex + "00");
    const auto [long_path, long_hex] = path(33);
    CHECK(refusal<announce>(v, "4045 01" + long_hex + "00") == errc::too_many_segments);
    CHECK(refusal<announce_request>(v, "4044" + long_hex + "00") == errc::too_many_segments);

    const auto bytes = hex("06 2f2f612f2f62 00"); // "//a//b" has two segments.
    CHECK(decode<announce_request>(v, bytes, {.path_segments = 2}));
    CHECK(decode<announce_request>(v, bytes, {.path_segments = 1}).error() == errc::too_many_segments);
}

TEST_CASE("a name that is not UTF-8 is refused", "[announce]") {
    CHECK(refusal<announce>(v, "05 01 02 c328 00") == errc::bad_utf8);
}

TEST_CASE("announcements of lite-06 have types, ids and costs", "[announce]") {
    check_both_ways(typed, announce_start{"cam", {hop_id{7}}, {12, 30}, {}, {}}, "00 08 03 63616d 01 07 0c 1e");
    check_both_ways(typed, announce_end{0x4000}, "01 04 80004000");
    check_both_ways(typed, announce_update{3, {hop_id{7}}, {12, 30}, {}}, "02 05 03 01 07 0c 1e");
}

TEST_CASE("a request of lite-07 says whether it wants hidden broadcasts", "[announce]") {
    constexpr auto v7 = version::lite_07_wip;
    check_both_ways(v7, announce_request{"room", {}, true}, "06 04 726f6f6d 01");
    check_both_ways(v7, announce_request{"room", {}, false}, "06 04 726f6f6d 00");
    CHECK(refusal<announce_request>(v7, "06 04 726f6f6d 02") == errc::bad_flag);
}

TEST_CASE("announcements of lite-07 may keep parts of earlier ones", "[announce]") {
    constexpr auto v7 = version::lite_07_wip;
    check_both_ways(v7, announce_start{"cam", {}, {}, {}, {}}, "00 0b 00 00 03 63616d 00 00 00 00 00");
    check_both_ways(v7, announce_start{"low", {hop_id{70000}}, {1, 2}, {2, 3}, {1, 4}},
        "00 0e 02 03 03 6c6f77 01 01 c11170 04 01 02");
    check_both_ways(v7, announce_update{3, {hop_id{7}}, {1, 2}, {1, 4}}, "02 07 03 01 01 07 04 01 02");
    CHECK(refusal<announce_start>(v7, "00 09 00 01 01 78 00 00 00 00 00") == errc::bad_announce_base);
    CHECK(refusal<announce_start>(v7, "00 09 00 00 01 78 00 00 01 00 00") == errc::bad_announce_base);
    CHECK(encoded(typed, announce_start{"low", {}, {}, {1, 1}, {}}) == "unsupported");
    CHECK(encoded(typed, announce_update{0, {}, {}, {1, 1}}) == "unsupported");
}

TEST_CASE("announcements are distinguished by their type", "[announce]") {
    const auto decoded = [](std::string_view text) {
        const auto bytes = hex(text);
        return decode_announcement(typed, *take_typed_message(typed, bytes));
    };
    CHECK(std::holds_alternative<announce_start>(*decoded("00 04 00 00 00 00")));
    CHECK(std::get<announce_end>(*decoded("01 01 05")) == announce_end{5});
    CHECK(std::get<announce_update>(*decoded("02 04 05 00 09 0a")) == announce_update{5, {}, {9, 10}, {}});
    CHECK(decoded("03 00").error() == errc::unknown_message_type);
    CHECK(decoded("00 03 00 00 00").error() == errc::message_too_short);
    CHECK(decoded("01 02 00 00").error() == errc::message_too_long);
}

TEST_CASE("each version has one form of announcements and refuses the other", "[announce]") {
    CHECK(encoded(typed, announce{}) == "unsupported");
    CHECK(refusal<announce>(typed, "03 01 00 00") == errc::unsupported);
    CHECK(encoded(v, announce_start{}) == "unsupported");
    CHECK(encoded(v, announce_end{}) == "unsupported");
    CHECK(encoded(v, announce_update{}) == "unsupported");
    CHECK(refusal<announce_start>(v, "00 03 00 00 00") == errc::unsupported);
    CHECK(refusal<announce_end>(v, "01 01 00") == errc::unsupported);
    CHECK(refusal<announce_update>(v, "02 03 00 00 00") == errc::unsupported);
}

TEST_CASE("a hop list holds 32 hops in order and finds them", "[announce]") {
    hop_list list{hop_id{3}, hop_id{1}};
    CHECK(list.size() == 2);
    CHECK(list[0] == hop_id{3});
    CHECK(list.contains(hop_id{1}));
    CHECK_FALSE(list.contains(hop_id{0}));
    CHECK(list != hop_list{hop_id{3}});
    while (list.size() < hop_list::capacity) CHECK(list.push_back(hop_id{0}));
    CHECK_FALSE(list.push_back(hop_id{9}));
    CHECK_FALSE(list.contains(hop_id{9}));
}

} // namespace moqlite::test::announce_test
