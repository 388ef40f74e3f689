#include "../messages.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <random>
#include <vector>

namespace moqlite::test::any_bytes_test {

using namespace moqlite::wire;
using namespace moqlite::wire::lite;

namespace {

using bytes = std::vector<std::byte>;

/// Random bytes with many small numbers and long varints.
bytes draw(std::mt19937_64& random) {
    bytes out(random() % 40);
    for (auto& b : out) {
        const auto r = random();
        b = static_cast<std::byte>(r % 4 == 0 ? r >> 32 : (r >> 32) % 8);
    }
    return out;
}

/// A decoded message can be encoded, and decodes to the same.
template <class M>
std::size_t check_survives(version v, const bytes& body) {
    const auto first = decode<M>(v, body);
    if (!first) return 0;
    bytes again;
    REQUIRE(encode(v, *first, again) == errc::ok);
    const auto message = test::take<M>(v, again);
    REQUIRE(message);
    CHECK(message->size == again.size());
    const auto second = decode<M>(v, message->body);
    REQUIRE(second);
    CHECK(*second == *first);
    return 1;
}

template <class... M>
std::size_t check_all(version v, const bytes& body) {
    return (check_survives<M>(v, body) + ...);
}

} // namespace

TEST_CASE("any bytes are refused with a named error or decode to a message that survives a round trip", "[any_bytes]") {
    const auto seed = GENERATE(range(0u, 20u));
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    std::size_t read = 0;
    for (int i = 0; i < 500; ++i) {
        const auto body = draw(random);
        CAPTURE(test::to_hex(body));
        for (auto v : test::all_versions)
            read += check_all<setup, announce_request, announce_ok, announce, announce_start, announce_end,
                announce_update, subscribe, subscribe_update, subscribe_ok, subscribe_end, subscribe_drop, track,
                lite::track_info, fetch, group_header, probe, goaway>(v, body);
    }
    CHECK(read > 100);
}

TEST_CASE("any bytes begin with a frame, need more bytes, or are malformed", "[any_bytes]") {
    std::mt19937_64 random{1};
    for (int i = 0; i < 10000; ++i) {
        const auto in = draw(random);
        CAPTURE(test::to_hex(in));
        for (auto v : test::all_versions) {
            const auto whole = take_frame_header(v, in);
            bool known = false;
            for (std::size_t cut = 0; cut <= in.size(); ++cut) {
                const auto part = take_frame_header(v, byte_view{in}.first(cut));
                if (known || part.status != progress::need_more) {
                    // More bytes do not change the result of a prefix.
                    known = true;
                    CHECK(part.status == whole.status);
                    CHECK(part.value == whole.value);
                }
            }
            CHECK(known == (whole.status != progress::need_more));
        }
    }
}

} // namespace moqlite::test::any_bytes_test
