#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <moqlite/core/result.hpp>
#include <set>
#include <string>

using namespace moqlite;

static_assert(result<int>{3}.value() == 3 && result<int>{errc::closed}.error() == errc::closed);

TEST_CASE("a result is a value or an error", "[result]") {
    result<std::string> good{"yes"};
    REQUIRE(good);
    CHECK(good.error() == errc::ok);
    CHECK(*good == "yes");
    CHECK(good->size() == 3);
    good.value() += "!";
    CHECK(*good == "yes!");

    const result<std::string> bad{errc::closed};
    CHECK_FALSE(bad);
    CHECK_FALSE(bad.has_value());
    CHECK(bad.error() == errc::closed);
}

TEST_CASE("a value that cannot be copied moves through a result", "[result]") {
    result<std::unique_ptr<int>> r{std::make_unique<int>(7)};
    const auto value = std::move(r).value();
    CHECK(*value == 7);
}

TEST_CASE("a result without a value is success or an error", "[result]") {
    CHECK(result<void>{});
    CHECK(result<void>{}.error() == errc::ok);
    CHECK_FALSE(result<void>{errc::closed});
    CHECK(result<void>{errc::closed}.error() == errc::closed);
}

TEST_CASE("every error has a name of its own", "[error]") {
    std::set<std::string_view> names;
    const auto count = static_cast<unsigned>(errc::transport_closed) + 1;
    for (unsigned i = 0; i < count; ++i) {
        CAPTURE(i);
        CHECK(to_string(static_cast<errc>(i)) != "unknown");
        CHECK(names.insert(to_string(static_cast<errc>(i))).second);
    }
    CHECK(to_string(static_cast<errc>(count)) == "unknown");
}

TEST_CASE("no error is sent as success, and each code that is sent has a name", "[error]") {
    CHECK(wire_code(errc::ok) == app_error::cancel);
    for (unsigned i = 1; i <= static_cast<unsigned>(errc::transport_closed); ++i) {
        CAPTURE(i);
        CHECK(wire_code(static_cast<errc>(i)) != app_error::cancel);
        CHECK_FALSE(to_string(wire_code(static_cast<errc>(i))).empty());
    }
    CHECK(to_string(app_error{99}).empty());
}

TEST_CASE("errors are sent with the codes of moq-net", "[error]") {
    CHECK(wire_code(errc::message_too_short) == app_error{5});
    CHECK(wire_code(errc::too_many_hops) == app_error{11});
    CHECK(wire_code(errc::duplicate_announce) == app_error{15});
    CHECK(wire_code(errc::frame_too_large) == app_error{27});
}
