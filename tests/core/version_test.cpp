#include <catch2/catch_test_macros.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/version.hpp>
#include <string>

using namespace moqlite;

namespace {

constexpr auto all = {version::lite_03, version::lite_04, version::lite_05, version::lite_06_wip};

/// "0110" if versions 04 and 05, of 03 to 06, have the capability.
std::string who(bool (*can)(version)) {
    std::string out;
    for (auto v : all) out += can(v) ? '1' : '0';
    return out;
}

} // namespace

static_assert(version_from_alpn("moq-lite-05") == version::lite_05);

TEST_CASE("a version has one name, and the name one version", "[version]") {
    CHECK(alpn(version::lite_06_wip) == "moq-lite-06-wip");
    for (auto v : all) CHECK(version_from_alpn(alpn(v)) == v);
}

TEST_CASE("an unknown protocol name is no version", "[version]") {
    for (const auto* name : {"", "moq-lite-06", "moq-lite-0", "moq-lite-055", "moql", "h3", "MOQ-LITE-05"})
        CHECK_FALSE(version_from_alpn(name));
}

TEST_CASE("each version has the capabilities in the table of differences", "[version]") {
    CHECK(who(has_setup) == "0011");
    CHECK(who(has_exclude_hop) == "0110");
    CHECK(who(has_announce_ok) == "0011");
    CHECK(who(has_hop_ids) == "0111");
    CHECK(who(hops_include_sender) == "1100");
    CHECK(who(has_typed_announces) == "0001");
    CHECK(who(has_announce_restart) == "0010");
    CHECK(who(has_route_cost) == "0001");
    CHECK(who(has_options_in_ok) == "1100");
    CHECK(who(has_subscribe_end) == "0011");
    CHECK(who(has_track_info) == "0011");
    CHECK(who(has_fetch) == "0011");
    CHECK(who(has_timestamps) == "0011");
    CHECK(who(has_datagrams) == "0011");
    CHECK(who(has_probe_rtt) == "0111");
    CHECK(who(has_goaway) == "0111");
}

TEST_CASE("a stream's id gives its initiator and direction", "[ids]") {
    CHECK(initiator_of(stream_id{0}) == role::client);
    CHECK(initiator_of(stream_id{5}) == role::server);
    CHECK(direction_of(stream_id{4}) == direction::bidi);
    CHECK(direction_of(stream_id{7}) == direction::uni);
    CHECK(next(group_sequence{7}) == group_sequence{8});
}
