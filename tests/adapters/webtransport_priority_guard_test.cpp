// Chunks of a control stream that nghttp3 before 1.10 survives.
#include "../../adapters/nghttp3/detail/priority_guard.hpp"
#include "raw_http3.hpp"

#include <algorithm>

namespace moqlite::test::webtransport_priority_guard_test {

TEST_CASE("input for nghttp3 never ends after the element id of a PRIORITY_UPDATE, however it arrives",
    "[webtransport][regression]") {
    std::string stream = usual_settings();
    std::vector<std::size_t> deadly; // Lengths of input.
    const auto update = [&](const std::string& id, const std::string& value) {
        const auto whole = frame(0xf0700, id + value);
        if (!value.empty()) deadly.push_back(stream.size() + whole.size() - value.size());
        stream += whole;
    };
    using namespace std::string_literals;
    for (const auto& id : {"\x00"s, "\x40\x04"s, "\x80\x00\x00\x08"s, "\xc0\x00\x00\x00\x00\x00\x00\x0c"s}) {
        update(id, "u=1");
        update(id, "");
        update(id, "i");
        stream += frame(0x21, "") + frame(0x21 + 0x1f, "grease");
    }
    for (std::size_t chunk = 1; chunk <= stream.size(); ++chunk) {
        nghttp3::detail::priority_guard guard;
        std::string passed;
        for (std::size_t at = 0; at < stream.size(); at += chunk) {
            const auto some = guard.pass(as_bytes(stream).subspan(at, std::min(chunk, stream.size() - at)));
            passed += as_text(some);
            CHECK(std::ranges::find(deadly, passed.size()) == deadly.end());
            CHECK(passed.size() + 1 >= std::min(at + chunk, stream.size()));
        }
        CHECK(passed == stream);
    }
}

} // namespace moqlite::test::webtransport_priority_guard_test
