#include <catch2/catch_test_macros.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/version.hpp>
#include <string>

using namespace moqlite;

namespace {

constexpr auto all = {version::lite_03, version::lite_04, version::lite_05, version::lite_06, version::lite_07_wip};

/// "01100" if versions 04 and 05, of 03 to 07, have the capability.
std::string who(bool (*can)(version)) {
    std::string out;
    for (auto v : all) out += can(v) ? '1' : '0';
    return out;
}

} // namespace

static_assert(version_from_alpn("moq-lite-05") == version::lite_05);

TEST_CASE("a version has one name, and the name one version", "[version]") {
    CHECK(alpn(version::lite_06) == "moq-lite-06");
    for (auto v : all) CHECK(version_from_alpn(alpn(v)) == v);
}

TEST_CASE("an unknown protocol name is no version", "[version]") {
    for (const auto* name : {"", "moq-lite-06-wip", "moq-lite-0", "moq-lite-055", "moql", "h3", "MOQ-LITE-05"})
        CHECK_FALSE(version_from_alpn(name));
}

TEST_CASE("each version has the capabilities in the table of differences", "[version]") {
    CHECK(who(has_setup) == "00111");
    CHECK(who(has_exclude_hop) == "01100");
    CHECK(who(has_announce_ok) == "00111");
    CHECK(who(has_hop_ids) == "01111");
    CHECK(who(hops_include_sender) == "11000");
    CHECK(who(has_typed_announces) == "00011");
    CHECK(who(has_announce_restart) == "00100");
    CHECK(who(has_route_cost) == "00011");
    CHECK(who(has_ordered) == "11100");
    CHECK(who(has_start_by_age) == "00011");
    CHECK(who(has_frame_ranges) == "00011");
    CHECK(who(has_two_registries) == "00011");
    CHECK(who(must_send_end) == "00011");
    CHECK(who(has_leading_ones) == "00001");
    CHECK(who(has_hidden) == "00001");
    CHECK(who(has_announce_bases) == "00001");
    CHECK(who(has_stream_count) == "00001");
    CHECK(who(has_options_in_ok) == "11000");
    CHECK(who(has_subscribe_end) == "00111");
    CHECK(who(has_track_info) == "00111");
    CHECK(who(has_timestamps) == "00111");
    CHECK(who(has_datagrams) == "00111");
    CHECK(who(has_probe_rtt) == "01111");
    CHECK(who(has_goaway) == "01111");
}

TEST_CASE("a stream's id gives its initiator and direction", "[ids]") {
    CHECK(initiator_of(stream_id{0}) == role::client);
    CHECK(initiator_of(stream_id{5}) == role::server);
    CHECK(direction_of(stream_id{4}) == direction::bidi);
    CHECK(direction_of(stream_id{7}) == direction::uni);
    CHECK(next(group_sequence{7}) == group_sequence{8});
}
