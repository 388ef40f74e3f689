#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <hex.hpp>
#include <moqlite/webtransport/settings.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::test::settings_test {

using namespace moqlite::webtransport;

namespace {

// From Chromium 156, with one greasing entry.
constexpr std::string_view chromium =
    "00 04 23 01 80010000 06 80004000 07 4064 33 01 80ffd277 01 ab603742 01 c0000001 2c7cf0ff 4021";

std::string as_hex(byte_view bytes) { return to_hex(bytes); }

std::vector<std::byte> control_stream(std::string_view entries) {
    std::vector<std::byte> out;
    wire::writer w{out};
    w.varint(0);
    w.varint(4);
    const auto body = hex(entries);
    w.prefixed([&] { w.bytes(body); });
    return out;
}

violation error_of(std::string_view entries) {
    settings_reader reader;
    const auto error = reader.receive(control_stream(entries));
    CHECK((reader.received() == nullptr) == (error != violation::none));
    return error;
}

settings read(std::string_view bytes) {
    settings_reader reader;
    REQUIRE(reader.receive(hex(bytes)) == violation::none);
    REQUIRE(reader.received() != nullptr);
    return *reader.received();
}

/// A server of each generation of drafts.
settings server(std::uint64_t settings::* says) {
    settings out{.enable_connect_protocol = 1, .h3_datagram = 1};
    out.*says = 1;
    return out;
}

} // namespace

TEST_CASE("the SETTINGS of Chromium 156 offer draft 02 and both kinds of datagram", "[webtransport]") {
    const auto said = read(chromium);
    CHECK(said == settings{.h3_datagram = 1, .h3_datagram_draft04 = 1, .enable_webtransport = 1});
    CHECK(missing_in_client(said) == missing_feature::none);
}

TEST_CASE("the SETTINGS of other libraries are read, with unknown entries", "[webtransport]") {
    // quinn's, as @moq/web-transport sends them.
    CHECK(read("00 04 1c 08 01 33 01 80ffd277 01 ab603742 01 ab603743 01 c0000000c671706a 01") ==
          settings{.enable_connect_protocol = 1,
              .h3_datagram = 1,
              .h3_datagram_draft04 = 1,
              .enable_webtransport = 1,
              .webtransport_max_sessions = 1});
    // webtransport-go's: without WebTransport.
    const auto go = read("00 04 05 06 4100 33 01");
    CHECK(go == settings{.h3_datagram = 1});
    CHECK(missing_in_client(go) == missing_feature::none);
    CHECK(read("00 04 00") == settings{});
}

TEST_CASE("SETTINGS mean the same wherever the stream is cut", "[webtransport]") {
    const auto bytes = hex(std::string{chromium} + "07 01 00");
    const auto whole = read(chromium);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        settings_reader reader;
        CHECK(reader.receive(byte_view{bytes}.first(cut)) == violation::none);
        CHECK((reader.received() != nullptr) == (cut >= bytes.size() - 3));
        CHECK(reader.receive(byte_view{bytes}.subspan(cut)) == violation::none);
        REQUIRE(reader.received() != nullptr);
        CHECK(*reader.received() == whole);
    }
    settings_reader reader;
    for (const auto& b : bytes) CHECK(reader.receive({&b, 1}) == violation::none);
    REQUIRE(reader.received() != nullptr);
    CHECK(*reader.received() == whole);
}

TEST_CASE("bytes after the SETTINGS on the control stream are not parsed", "[webtransport]") {
    settings_reader reader;
    CHECK(reader.receive(hex("00 04 02 33 01 04 02 33 09")) == violation::none);
    CHECK(reader.receive(hex("ffffffffffffffff")) == violation::none);
    CHECK(reader.received()->h3_datagram == 1);
}

TEST_CASE("a control stream begins with its type, and SETTINGS", "[webtransport]") {
    for (const auto* bytes : {"01", "00 07", "02 04 00", "40 54", "00 00 04"}) {
        settings_reader reader;
        CHECK(reader.receive(hex(bytes)) == violation::missing_settings);
        CHECK(reader.received() == nullptr);
        // The first error is final.
        CHECK(reader.receive(hex("00 04 00")) == violation::missing_settings);
    }
}

TEST_CASE("SETTINGS of more than 4096 bytes are refused by their length", "[webtransport]") {
    settings_reader longest;
    CHECK(longest.receive(hex("00 04 5000")) == violation::none);
    for (int i = 0; i < 2048; ++i) CHECK(longest.receive(hex("21 00")) == violation::none);
    CHECK(longest.received() != nullptr);
    for (const auto* bytes : {"00 04 5001", "00 04 ffffffffffffffff"}) {
        settings_reader reader;
        CHECK(reader.receive(hex(bytes)) == violation::settings_too_long);
    }
}

TEST_CASE("SETTINGS that end within an entry are refused", "[webtransport]") {
    for (const auto* entries : {"33", "3301 08", "3301 80ff", "3301 80ffd277", "33 40", "33 c0000000000000"})
        CHECK(error_of(entries) == violation::settings_truncated);
}

TEST_CASE("a flag of WebTransport is 0 or 1", "[webtransport]") {
    for (const std::string id : {"08", "33", "80ffd277", "ab603742", "ac7cf000"}) {
        CAPTURE(id);
        CHECK(error_of(id + "00") == violation::none);
        CHECK(error_of(id + "01") == violation::none);
        CHECK(error_of(id + "02") == violation::bad_setting);
        CHECK(error_of(id + "ffffffffffffffff") == violation::bad_setting);
    }
    for (const std::string id : {"c0000000c671706a", "94e9cd29"}) CHECK(error_of(id + "3f") == violation::none);
}

TEST_CASE("no known setting may appear twice", "[webtransport]") {
    for (const std::string id :
        {"08", "33", "80ffd277", "ab603742", "ac7cf000", "c0000000c671706a", "94e9cd29", "c0000000 00000033"}) {
        CAPTURE(id);
        CHECK(error_of(id + "01" + id + "01") == violation::duplicate_setting);
        CHECK(error_of(id + "00" + "21 00" + id + "01") == violation::duplicate_setting);
    }
}

TEST_CASE(
    "a client finds WebTransport in every generation of drafts, and asks for it by the name it had", "[webtransport]") {
    for (const auto says :
        {&settings::enable_webtransport, &settings::webtransport_max_sessions, &settings::wt_max_sessions}) {
        CHECK(missing_in_server(server(says), 65535) == missing_feature::none);
        CHECK(connect_protocol(server(says)) == "webtransport");
    }
    const auto modern = server(&settings::wt_enabled);
    CHECK(missing_in_server(modern, 65535) == missing_feature::none);
    CHECK(connect_protocol(modern) == "webtransport-h3");

    auto both = modern;
    both.enable_webtransport = 1;
    CHECK(connect_protocol(both) == "webtransport");
    for (const auto* token : {"webtransport", "webtransport-h3"}) CHECK(is_webtransport(token));
    for (const auto* token : {"", "websocket", "WebTransport", "webtransport-h2"}) CHECK_FALSE(is_webtransport(token));
}

TEST_CASE("a client reports which setting a server lacks for WebTransport", "[webtransport]") {
    auto said = server(&settings::enable_webtransport);
    CHECK(missing_in_server(said, 0) == missing_feature::quic_datagrams);

    said.h3_datagram = 0;
    CHECK(missing_in_server(said, 65535) == missing_feature::http_datagrams);
    said.h3_datagram_draft04 = 1;
    CHECK(missing_in_server(said, 65535) == missing_feature::none);

    said.enable_connect_protocol = 0;
    CHECK(missing_in_server(said, 65535) == missing_feature::extended_connect);

    said.enable_webtransport = 0;
    CHECK(missing_in_server(said, 65535) == missing_feature::webtransport);
    CHECK(missing_in_server({}, 65535) == missing_feature::webtransport);
    CHECK(to_string(missing_feature::webtransport) == "webtransport");
}

TEST_CASE("a server requires datagrams, but no setting of WebTransport", "[webtransport]") {
    CHECK(missing_in_client({.h3_datagram = 1}) == missing_feature::none);
    CHECK(missing_in_client({.h3_datagram_draft04 = 1}) == missing_feature::none);
    CHECK(missing_in_client({.enable_webtransport = 1}) == missing_feature::http_datagrams);
}

TEST_CASE("our entries are added to the SETTINGS of an HTTP/3 library", "[webtransport]") {
    // nghttp3's first burst on a server: 18 bytes become 47.
    const auto burst = hex("00 04 0f 06 80010000 01 5000 07 4064 33 01 08 01");
    REQUIRE(burst.size() == 18);
    const auto out = with_added_settings(burst);
    REQUIRE(out);
    CHECK(as_hex(*out) == as_hex(hex("00 04 2c 06 80010000 01 5000 07 4064 33 01 08 01"
                                     "ab603742 01 c0000000c671706a 01 94e9cd29 01 ac7cf000 01 80ffd277 01")));
    CHECK(out->size() == 47);
    const settings all{1, 1, 1, 1, 1, 1, 1};
    CHECK(read(as_hex(*out)) == all);
    CHECK(missing_in_server(all, 65535) == missing_feature::none);
}

TEST_CASE("bytes after the SETTINGS in the first burst still follow them", "[webtransport]") {
    const auto out = with_added_settings(hex("00 04 02 33 01 07 01 04"));
    REQUIRE(out);
    CHECK(as_hex(*out).ends_with("80ffd27701"
                                 "070104"));
    CHECK(read(as_hex(*out)).wt_enabled == 1);
}

TEST_CASE("the length of the SETTINGS grows from one byte to two if necessary", "[webtransport]") {
    // 29 bytes are added: 34 bytes become 63, and 35 become 64.
    for (const std::size_t entries : {16u, 17u}) {
        std::string said;
        for (std::size_t i = 0; i < entries; ++i) said += "2100";
        for (const std::string odd : {"", "4021 00"}) {
            const auto burst = control_stream(said + odd);
            const auto out = with_added_settings(burst);
            REQUIRE(out);
            const auto body = burst.size() - 3 + 29;
            CHECK(out->size() == body + (body < 64 ? 3u : 4u));
            settings_reader reader;
            CHECK(reader.receive(*out) == violation::none);
            REQUIRE(reader.received() != nullptr);
            CHECK(reader.received()->wt_enabled == 1);
        }
    }
}

TEST_CASE("entries that an HTTP/3 library sends itself are not duplicated", "[webtransport]") {
    const auto first = with_added_settings(hex("00 04 00"));
    REQUIRE(first);
    const auto again = with_added_settings(*first);
    REQUIRE(again);
    CHECK(*again == *first);

    const auto some = with_added_settings(hex("00 04 0a ac7cf000 01 ab603742 00"));
    REQUIRE(some);
    settings_reader reader;
    CHECK(reader.receive(*some) == violation::none);
    CHECK(reader.received()->enable_webtransport == 0);
    CHECK(reader.received()->wt_enabled == 1);
    CHECK(reader.received()->wt_max_sessions == 1);
}

TEST_CASE("a first burst that is not a control stream's is refused", "[webtransport]") {
    CHECK(with_added_settings({}).error() == errc::message_too_short);
    CHECK(with_added_settings(hex("00")).error() == errc::message_too_short);
    CHECK(with_added_settings(hex("00 04")).error() == errc::message_too_short);
    CHECK(with_added_settings(hex("00 04 03 33 01")).error() == errc::message_too_short);
    CHECK(with_added_settings(hex("00 04 01 33")).error() == errc::message_too_short);
    CHECK(with_added_settings(hex("00 04 03 33 01 08")).error() == errc::message_too_short);
    CHECK(with_added_settings(hex("02 04 00")).error() == errc::unknown_stream_type);
    CHECK(with_added_settings(hex("00 07 01 00")).error() == errc::unexpected_message);
}

} // namespace moqlite::test::settings_test
