#include "../messages.hpp"

#include <moqlite/wire/lite/stream_type.hpp>

namespace moqlite::test::stream_type_test {

using namespace moqlite::wire;
using namespace moqlite::wire::lite;

TEST_CASE("a bidirectional stream begins with its type", "[stream_type][moq-lite-05 §5]") {
    for (auto type : {bidi_type::announce, bidi_type::subscribe, bidi_type::fetch, bidi_type::probe, bidi_type::goaway,
             bidi_type::track}) {
        std::vector<std::byte> out;
        encode(type, out);
        const auto prefix = take_bidi_type(version::lite_05, out);
        REQUIRE(prefix);
        CHECK(prefix->type == type);
        CHECK(prefix->size == 1);
    }
}

TEST_CASE("a unidirectional stream is a group or the setup", "[stream_type][moq-lite-05 §5]") {
    for (auto type : {uni_type::group, uni_type::setup}) {
        std::vector<std::byte> out;
        encode(type, out);
        CHECK(take_uni_type(version::lite_05, out)->type == type);
    }
}

TEST_CASE("a stream type in a longer form than it needs is read", "[stream_type]") {
    const auto prefix = take_bidi_type(version::lite_05, hex("4001"));
    REQUIRE(prefix);
    CHECK(prefix->type == bidi_type::announce);
    CHECK(prefix->size == 2);
}

TEST_CASE("a stream without a complete type needs more bytes", "[stream_type]") {
    CHECK(take_bidi_type(version::lite_05, {}).status == progress::need_more);
    CHECK(take_bidi_type(version::lite_05, hex("40")).status == progress::need_more);
    CHECK(take_uni_type(version::lite_05, hex("40")).status == progress::need_more);
}

TEST_CASE("an unknown stream type is refused with a named error", "[stream_type]") {
    for (auto v : test::all_versions) {
        for (const auto* text : {"00", "07", "20", "3f", "ffffffffffffffffff"})
            CHECK(take_bidi_type(v, hex(text)).error == errc::unknown_stream_type);
        for (const auto* text : {"02", "3f", "ffffffffffffffffff"})
            CHECK(take_uni_type(v, hex(text)).error == errc::unknown_stream_type);
    }
}

TEST_CASE("a stream type of a later version is unknown to an earlier one", "[stream_type]") {
    CHECK(take_bidi_type(version::lite_03, hex("05")).error == errc::unknown_stream_type);
    CHECK(take_bidi_type(version::lite_04, hex("05")));
    CHECK(take_bidi_type(version::lite_04, hex("06")).error == errc::unknown_stream_type);
    CHECK(take_uni_type(version::lite_04, hex("01")).error == errc::unknown_stream_type);
}

} // namespace moqlite::test::stream_type_test
