#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <hex.hpp>
#include <moqlite/webtransport/capsule.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::test::capsule_test {

using namespace moqlite::webtransport;

namespace {

// Chromium 156 sends this after its CONNECT: a type of 62 bits, a length, and bytes.
const std::string grease = "c3893e1d3a4c0da3 1a 000102030405060708090a0b0c0d0e0f10111213141516171819";
// "chromium says bye", code 77, as Chromium 156 writes it.
const std::string bye = "6843 15 0000004d 6368726f6d69756d207361797320627965";

std::string line(const capsule& c) {
    if (const auto* close = std::get_if<close_session>(&c))
        return "close " + std::to_string(static_cast<std::uint64_t>(close->code)) + " " + close->reason + "; ";
    return "drain; ";
}

std::string read(capsule_reader& reader, byte_view in) {
    std::string out;
    while (const auto c = reader.read(in)) out += line(*c);
    CHECK(in.empty());
    return out;
}

/// The result of bytes followed by a FIN.
std::string read_all(byte_view first, byte_view second = {}) {
    capsule_reader reader;
    auto out = read(reader, first);
    out += read(reader, second);
    return out + std::string{to_string(reader.finish())};
}

std::string read_all(std::string_view text) { return read_all(hex(text)); }

std::string written(app_error code, std::string_view reason) {
    std::vector<std::byte> out;
    write_close(code, reason, out);
    return to_hex(out);
}

} // namespace

TEST_CASE("CLOSE brings a code and a reason", "[webtransport]") {
    CHECK(read_all(bye) == "close 77 chromium says bye; none");
    CHECK(read_all("6843 04 00000000") == "close 0 ; none");
    CHECK(read_all("6843 06 ffffffff c3a4") == "close 4294967295 \xc3\xa4; none");
}

TEST_CASE("DRAIN may be repeated", "[webtransport]") {
    CHECK(read_all("800078ae 00") == "drain; none");
    CHECK(read_all("800078ae 00 c0000000000078ae 4000" + bye) == "drain; drain; close 77 chromium says bye; none");
}

TEST_CASE("unknown capsules are skipped", "[webtransport]") {
    CHECK(read_all(grease + bye) == "close 77 chromium says bye; none");
    // DATAGRAM, greasing ones, and those of a session's flow control: MAX_DATA, MAX_STREAMS and their BLOCKED.
    for (const std::string type :
        {"00", "17", "4040", "990b4d3d", "990b4d3e", "990b4d3f", "990b4d40", "990b4d41", "990b4d43", "990b4d44"}) {
        CAPTURE(type);
        CHECK(read_all(type + "02 4321" + type + "00" + "800078ae 00") == "drain; none");
    }
    CHECK(read_all("").ends_with("none"));
}

TEST_CASE("capsules mean the same wherever they are cut", "[webtransport]") {
    const auto bytes = hex(grease + "800078ae 00 17 00" + grease + bye);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut)
        CHECK(read_all(byte_view{bytes}.first(cut), byte_view{bytes}.subspan(cut)) ==
              "drain; close 77 chromium says bye; none");
    capsule_reader reader;
    std::string out;
    for (const auto& b : bytes) out += read(reader, {&b, 1});
    CHECK(out == "drain; close 77 chromium says bye; ");
    CHECK(reader.finish() == violation::none);
}

TEST_CASE("a known capsule is reported as soon as its last byte has arrived", "[webtransport]") {
    const auto bytes = hex("800078ae 00");
    capsule_reader reader;
    CHECK(read(reader, byte_view{bytes}.first(4)).empty());
    CHECK(read(reader, byte_view{bytes}.subspan(4)) == "drain; ");
}

TEST_CASE("a capsule of 2^62-1 bytes is skipped, not kept", "[webtransport]") {
    capsule_reader reader;
    CHECK(read(reader, hex("17 ffffffffffffffff")).empty());
    const std::vector<std::byte> some(1 << 16);
    for (int i = 0; i < 256; ++i) CHECK(read(reader, some).empty());
    CHECK(reader.error() == violation::none);
    CHECK(reader.finish() == violation::capsule_truncated);
}

TEST_CASE("a CLOSE that cannot be one is refused by its length", "[webtransport]") {
    for (const auto* bytes : {"6843 00", "6843 03", "6843 4405", "6843 ffffffffffffffff"}) {
        capsule_reader reader;
        CHECK(read(reader, hex(bytes)).empty());
        CHECK(reader.error() == violation::bad_close);
        // The first error is final.
        CHECK(read(reader, hex(bye)).empty());
        CHECK(reader.finish() == violation::bad_close);
    }
}

TEST_CASE("a reason may have 1024 bytes", "[webtransport]") {
    const std::string reason(1024, 'x');
    CHECK(read_all(hex(written(app_error{1}, reason))) == "close 1 " + reason + "; none");
}

TEST_CASE("a reason is UTF-8", "[webtransport]") {
    for (const auto* bytes : {"6843 05 00000000 ff", "6843 06 00000000 c3ff", "6843 07 00000000 eda080"})
        CHECK(read_all(bytes) == "bad_close_reason");
}

TEST_CASE("a DRAIN that is not empty is refused", "[webtransport]") {
    CHECK(read_all("800078ae 01 00") == "bad_drain");
    CHECK(read_all("800078ae 00 800078ae 01") == "drain; bad_drain");
}

TEST_CASE("nothing follows a CLOSE", "[webtransport]") {
    for (const std::string more : {"00", "800078ae 00", "6843 04 00000000", "17 00"})
        CHECK(read_all(bye + more) == "close 77 chromium says bye; data_after_close");
    capsule_reader reader;
    CHECK_FALSE(read(reader, hex(bye)).empty());
    CHECK(read(reader, {}).empty());
    CHECK(reader.error() == violation::none);
    CHECK(read(reader, hex("00")).empty());
    CHECK(reader.error() == violation::data_after_close);
}

TEST_CASE("a FIN within a capsule is reported", "[webtransport]") {
    for (const auto* bytes : {"68", "6843", "6843 04", "6843 04 0000", "17", "17 04 00", "800078ae 00 80"})
        CHECK(read_all(bytes).ends_with("capsule_truncated"));
}

TEST_CASE("written capsules are read back", "[webtransport]") {
    CHECK(written(app_error{77}, "chromium says bye") == to_hex(hex(bye)));
    CHECK(written(app_error::cancel, "") == "68430400000000");
    CHECK(read_all(hex(written(app_error{4242}, "maintenance"))) == "close 4242 maintenance; none");
    std::vector<std::byte> drain;
    write_drain(drain);
    CHECK(to_hex(drain) == "800078ae00");
}

TEST_CASE("a reason too long for CLOSE is cut between two characters", "[webtransport]") {
    const std::string long_one = std::string(1023, 'x') + "\xc3\xa4 and so on";
    CHECK(read_all(hex(written(app_error{1}, long_one))) == "close 1 " + std::string(1023, 'x') + "; none");
    CHECK(read_all(hex(written(app_error{1}, "fine\xff not fine"))) == "close 1 fine; none");
    CHECK(written(app_error{std::uint64_t{1} << 32}, "") == "684304ffffffff");
}

} // namespace moqlite::test::capsule_test
