#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/webtransport/error_code.hpp>
#include <optional>
#include <utility>

namespace moqlite::test::error_code_test {

using namespace moqlite::webtransport;

TEST_CASE("application codes are mapped as in browsers and other libraries", "[webtransport]") {
    const std::pair<std::uint64_t, std::uint64_t> seen[] = {
        {0, 0x52e4a40fa8db},
        {7, 0x52e4a40fa8e2},
        {29, 0x52e4a40fa8f8},
        {30, 0x52e4a40fa8fa},
        {33, 0x52e4a40fa8fd},
        {34, 0x52e4a40fa8fe},
        {42, 0x52e4a40fa906},
        {43, 0x52e4a40fa907},
        {77, 0x52e4a40fa92a},
        {99, 0x52e4a40fa941},
        {1234, 0x52e4a40fadd6},
        {0xffffffff, 0x52e5ac983162},
    };
    for (const auto& [code, wire] : seen) {
        CHECK(number(to_http3_code(app_error{code})) == wire);
        CHECK(to_app_error(http3_code{wire}) == app_error{code});
    }
}

TEST_CASE("a code that is greasing carries none of the application's", "[webtransport]") {
    CHECK_FALSE(to_app_error(http3_code{0x52e4a40fa8f9}));
    CHECK_FALSE(to_app_error(http3_code{0x52e4a40fa918}));
    std::uint64_t before = number(http3_code::application_first) - 1;
    for (std::uint64_t n = 0; n < 1000; ++n) {
        const auto wire = number(to_http3_code(app_error{n}));
        // Only the numbers of the form 0x1f * k + 0x21 are left out.
        for (auto between = before + 1; between < wire; ++between) {
            CHECK((between - 0x21) % 0x1f == 0);
            CHECK_FALSE(to_app_error(http3_code{between}));
        }
        before = wire;
    }
}

TEST_CASE("the first and the last 100 000 codes survive a round trip", "[webtransport]") {
    std::uint64_t lost = 0;
    for (std::uint64_t n = 0; n < 100'000; ++n) {
        const app_error low{n};
        const app_error high{0xffffffff - n};
        if (to_app_error(to_http3_code(low)) != low || to_app_error(to_http3_code(high)) != high) ++lost;
    }
    CHECK(lost == 0);
}

TEST_CASE("codes of HTTP/3 itself, and those beyond the range, carry none of the application's", "[webtransport]") {
    for (const std::uint64_t wire : {0ull, 0x100ull, 0x10eull, 0x170d7b68ull, 0x3994bd84ull, 0x52e4a40fa8daull,
             0x52e5ac983163ull, (1ull << 62) - 1, ~0ull})
        CHECK_FALSE(to_app_error(http3_code{wire}));
}

TEST_CASE("a code beyond 32 bits becomes the largest 32-bit code", "[webtransport]") {
    CHECK(to_http3_code(app_error{0x100000000}) == http3_code::application_last);
    CHECK(to_http3_code(app_error{~std::uint64_t{0}}) == http3_code::application_last);
}

} // namespace moqlite::test::error_code_test
