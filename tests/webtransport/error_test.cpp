#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <moqlite/webtransport/error.hpp>
#include <set>
#include <string_view>

namespace moqlite::test::error_test {

using namespace moqlite::webtransport;

TEST_CASE("every violation has a name of its own, and a code of HTTP/3", "[webtransport]") {
    std::set<std::string_view> names;
    for (auto v = violation::none; v <= violation::too_many_early_datagrams;
        v = violation(static_cast<std::uint8_t>(v) + 1)) {
        CAPTURE(to_string(v));
        CHECK(names.insert(to_string(v)).second);
        CHECK(to_string(v) != "unknown");
        CHECK_FALSE(to_app_error(wire_code(v)));
        CHECK((wire_code(v) == http3_code::no_error) == (v == violation::none));
    }
}

TEST_CASE(
    "what cannot be undone ends the connection, a bad capsule the session, a bad stream itself", "[webtransport]") {
    CHECK(extent_of(violation::bad_session_id) == extent::connection);
    CHECK(extent_of(violation::bad_setting) == extent::connection);
    CHECK(extent_of(violation::bad_datagram) == extent::connection);
    CHECK(extent_of(violation::bad_close) == extent::session);
    CHECK(extent_of(violation::data_after_close) == extent::session);
    CHECK(extent_of(violation::early_body_too_long) == extent::session);
    CHECK(extent_of(violation::session_gone) == extent::stream);
    CHECK(extent_of(violation::empty_request) == extent::stream);
    CHECK(extent_of(violation::too_many_early_datagrams) == extent::datagram);
}

} // namespace moqlite::test::error_test
