#include "../messages.hpp"

namespace moqlite::test::setup_test {

using namespace moqlite::wire::lite;

namespace {

constexpr auto v = version::lite_05;

/// Decodes a body without its length.
setup read_setup(const std::vector<std::byte>& body) {
    const auto m = decode<setup>(v, body);
    REQUIRE(m.error() == errc::ok);
    return *m;
}

} // namespace

TEST_CASE("a SETUP may be empty", "[setup]") { check_both_ways(v, setup{}, "01 00"); }

TEST_CASE("a SETUP carries probe, path, role, cost and origin", "[setup]") {
    check_both_ways(v, setup{.probe = probe_level::report}, "04 01 010101");
    check_both_ways(v, setup{.path = "/room?jwt=abc"}, "10 01 02 0d 2f726f6f6d3f6a77743d616263");
    check_both_ways(v, setup{.role = peer_role::subscriber}, "04 01 030102");
    check_both_ways(v, setup{.probe = probe_level::report, .origin = hop_id{0x1111}}, "08 02 010101 05025111");
    check_both_ways(v,
        setup{.probe = probe_level::report, .path = "/", .role = peer_role::publisher, .cost = 7, .origin = hop_id{5}},
        "10 05 010101 02012f 030101 040107 050105");
}

TEST_CASE("a cost of 0 is a cost", "[setup]") { check_both_ways(v, setup{.cost = 0}, "04 01 040100"); }

TEST_CASE("parameters may be in any order", "[setup]") {
    const auto body = hex("03 050105 02022f61 010102");
    CHECK(read_setup(body) == setup{.probe = probe_level::increase, .path = "/a", .origin = hop_id{5}});
}

TEST_CASE("a probe level from the future counts as increase, a role as both", "[setup]") {
    CHECK(read_setup(hex("02 01024063 030109")) == setup{.probe = probe_level::increase});
}

TEST_CASE("an unknown parameter is skipped", "[setup]") {
    CHECK(read_setup(hex("02 8000beef 03 ffffff 030101")) == setup{.role = peer_role::publisher});
}

TEST_CASE("a parameter's number may be in a longer form than it needs", "[setup]") {
    CHECK(read_setup(hex("01 0102 4001")) == setup{.probe = probe_level::report});
}

TEST_CASE("a parameter's number must fill its length", "[setup]") {
    CHECK(refusal<setup>(v, "05 01 01020100") == errc::parameter_size);
    CHECK(refusal<setup>(v, "03 01 0100") == errc::parameter_size);
    CHECK(refusal<setup>(v, "04 01 030140") == errc::parameter_size);
    CHECK(refusal<setup>(v, "03 01 0400") == errc::parameter_size);
    CHECK(refusal<setup>(v, "03 01 0500") == errc::parameter_size);
}

TEST_CASE("a duplicate parameter is refused, known or not", "[setup]") {
    CHECK(refusal<setup>(v, "07 02 010101 010101") == errc::duplicate_parameter);
    CHECK(refusal<setup>(v, "05 02 2a00 2a00") == errc::duplicate_parameter);
}

TEST_CASE("more parameters than the bound are refused by their count", "[setup]") {
    CHECK(refusal<setup>(v, "02 4041") == errc::too_many_parameters);
    CHECK(refusal<setup>(v, "02 4040") == errc::message_too_short);
    CHECK(refusal<setup>(v, "07 02 010101 050105", {.setup_parameters = 1}) == errc::too_many_parameters);
}

TEST_CASE("as many parameters as the bound are read", "[setup]") {
    auto body = hex("4040");
    for (unsigned i = 0; i < 64; ++i) {
        for (auto b : hex("40 00 00")) body.push_back(b);
        body[body.size() - 2] = static_cast<std::byte>(0x80 + i); // Parameters 128 to 191, all unknown and empty.
    }
    CHECK(read_setup(body) == setup{});
}

TEST_CASE("a path that is not UTF-8 is refused", "[setup]") {
    CHECK(refusal<setup>(v, "05 01 0202c328") == errc::bad_utf8);
}

TEST_CASE("a parameter beyond the end of SETUP is too short, bytes after the last too long", "[setup]") {
    CHECK(refusal<setup>(v, "04 01 010201") == errc::message_too_short);
    CHECK(refusal<setup>(v, "02 01 01") == errc::message_too_short);
    CHECK(refusal<setup>(v, "02 00 00") == errc::message_too_long);
}

TEST_CASE("there is no SETUP before lite-05", "[setup]") {
    for (auto old : {version::lite_03, version::lite_04}) {
        CHECK(refusal<setup>(old, "01 00") == errc::unsupported);
        CHECK(encoded(old, setup{}) == "unsupported");
    }
}

TEST_CASE("a number that no varint can carry is not sent", "[setup]") {
    CHECK(encoded(v, setup{.cost = std::uint64_t{1} << 62}) == "value_too_large");
    CHECK(encoded(v, setup{.origin = hop_id{std::uint64_t{1} << 62}}) == "value_too_large");
}

} // namespace moqlite::test::setup_test
