#include "../messages.hpp"

namespace moqlite::test::subscribe_response_test {

using namespace moqlite::wire::lite;

namespace {

result<subscribe_response> decoded(version v, const std::vector<std::byte>& bytes) {
    return decode_subscribe_response(v, *take_typed_message(v, bytes));
}

} // namespace

TEST_CASE("SUBSCRIBE_OK carries the first group that will be served", "[subscribe_response]") {
    for (auto v : {version::lite_05, version::lite_06, version::lite_07_wip}) {
        check_both_ways(v, subscribe_ok{.group = group_sequence{7}}, "00 01 07");
        check_both_ways(v, subscribe_ok{.group = group_sequence{0}}, "00 01 00");
    }
}

TEST_CASE("SUBSCRIBE_OK of lite-03 and lite-04 carries the publisher's options", "[subscribe_response]") {
    for (auto v : {version::lite_03, version::lite_04}) {
        check_both_ways(
            v, subscribe_ok{.options = {.priority = 3, .max_age = milliseconds{250}}}, "00 06 03 00 40fa 00 00");
        check_both_ways(v,
            subscribe_ok{.options = {.ordered = true, .start = group_sequence{0}, .end = group_sequence{4}}},
            "00 05 00 01 00 01 05");
    }
}

TEST_CASE("SUBSCRIBE_END carries the first group that will never exist", "[subscribe_response]") {
    check_both_ways(version::lite_05, subscribe_end{group_sequence{9}, 0}, "01 01 09");
    check_both_ways(version::lite_07_wip, subscribe_end{group_sequence{9}, 2}, "01 02 09 02");
    CHECK(encoded(version::lite_04, subscribe_end{}) == "unsupported");
    CHECK(refusal<subscribe_end>(version::lite_04, "01 01 09") == errc::unsupported);
}

TEST_CASE("SUBSCRIBE_DROP carries the dropped groups and a code", "[subscribe_response]") {
    const subscribe_drop m{group_sequence{1}, group_sequence{3}, app_error::old};
    for (auto v : {version::lite_05, version::lite_06}) check_both_ways(v, m, "02 03 01 03 02");
    for (auto v : {version::lite_03, version::lite_04}) check_both_ways(v, m, "01 03 01 03 02");
}

TEST_CASE("responses are distinguished by their type, which SUBSCRIBE_END changed", "[subscribe_response]") {
    const auto ok = decoded(version::lite_05, hex("00 01 07"));
    REQUIRE(ok);
    CHECK(std::get<subscribe_ok>(*ok).group == group_sequence{7});
    CHECK(std::get<subscribe_end>(*decoded(version::lite_05, hex("01 01 09"))).group == group_sequence{9});
    CHECK(std::get<subscribe_drop>(*decoded(version::lite_05, hex("02 03 01 03 00"))).end == group_sequence{3});
    CHECK(std::get<subscribe_drop>(*decoded(version::lite_04, hex("01 03 01 03 00"))).end == group_sequence{3});
    CHECK(std::get<subscribe_ok>(*decoded(version::lite_04, hex("00 05 09 00 00 00 00"))).options.priority == 9);
}

TEST_CASE("a response type that the version does not have is refused", "[subscribe_response]") {
    CHECK(decoded(version::lite_03, hex("02 03 01 03 00")).error() == errc::unknown_message_type);
    CHECK(decoded(version::lite_04, hex("02 03 01 03 00")).error() == errc::unknown_message_type);
    CHECK(decoded(version::lite_05, hex("03 00")).error() == errc::unknown_message_type);
    CHECK(decoded(version::lite_07_wip, hex("02 03 01 03 00")).error() == errc::unknown_message_type);
    CHECK(encoded(version::lite_07_wip, subscribe_drop{}) == "unsupported");
    CHECK(subscribe_response_types(version::lite_07_wip) == 2);
    CHECK(subscribe_response_types(version::lite_04) == 2);
    CHECK(subscribe_response_types(version::lite_05) == 3);
}

TEST_CASE("a response of another version is refused by its length", "[subscribe_response]") {
    CHECK(decoded(version::lite_05, hex("00 05 00 00 00 00 00")).error() == errc::message_too_long);
    CHECK(decoded(version::lite_04, hex("00 01 07")).error() == errc::message_too_short);
    CHECK(decoded(version::lite_05, hex("02 02 01 03")).error() == errc::message_too_short);
}

} // namespace moqlite::test::subscribe_response_test
