#include <catch2/catch_test_macros.hpp>
#include <moqlite/webtransport/protocols.hpp>
#include <string>
#include <vector>

namespace moqlite::test::protocols_test {

using namespace moqlite::webtransport;

namespace {

using names = std::vector<std::string>;

} // namespace

TEST_CASE("a list of protocols is a list of strings", "[webtransport]") {
    CHECK(read_protocols(R"("moq-lite-05", "moq-lite-04", "moq-lite-03")") ==
          names{"moq-lite-05", "moq-lite-04", "moq-lite-03"});
    CHECK(read_protocols(R"("a")") == names{"a"});
    CHECK(read_protocols(R"(  "a","b" ,)"
                         "\t"
                         R"( "c"   )") == names{"a", "b", "c"});
    CHECK(read_protocols("") == names{});
    CHECK(read_protocols("  ") == names{});
    CHECK(read_protocols(R"("a", "a", "")") == names{"a", "a", ""});
}

TEST_CASE("quotes and backslashes within a name are escaped", "[webtransport]") {
    // As Chromium writes ['a"b\\c', 'x y'].
    CHECK(read_protocols(R"("a\"b\\c", "x y")") == names{R"(a"b\c)", "x y"});
    CHECK(*write_protocols(names{R"(a"b\c)", "x y"}) == R"("a\"b\\c", "x y")");
}

TEST_CASE("parameters of a name are skipped", "[webtransport]") {
    for (const auto* parameters :
        {";a", ";a=1", "; a=-12.125", ";a=\"x;y\"", ";a=token", ";a=*t/x:y", ";a=:aGk=:", ";a=?0;b=?1", ";*k_-.9=1",
            ";a=@1659578233", ";a=@-1", ";a=%\"f%c3%bc\"", ";a=\"\\\"\"", ";a=999999999999999", ";a=::"}) {
        CAPTURE(parameters);
        CHECK(read_protocols(std::string{"\"a\""} + parameters + ", \"b\"") == names{"a", "b"});
        CHECK(read_protocol(std::string{"\"a\""} + parameters) == "a");
    }
}

TEST_CASE("anything but strings makes the whole list count as none", "[webtransport]") {
    for (const auto* field : {"moq-lite-05", "\"a\", b", "1", "(\"a\")", ":YQ==:", "?1", "@1", "%\"a\"", "\"a\" \"b\"",
             "\"a\",", "\"a\", ", ",", ", \"a\"", "\"a\",,\"b\"", "\"a", "\"", "\"a\\", "\"a\\b\"", "\"a\tb\"",
             "\"\x7f\"", "\"\xc3\xa4\"", "\t\"a\"", "\"a\"x", "'a'"}) {
        CAPTURE(field);
        CHECK_FALSE(read_protocols(field));
    }
}

TEST_CASE("bad parameters make the whole list count as none", "[webtransport]") {
    for (const auto* parameters :
        {";", "; ", ";A", ";1", ";a=", ";a=?", ";a=?2", ";a=?00", ";a=\"x", ";a=:x", ";a=:x y:", ";a=-", ";a=1.",
            ";a=1.2345", ";a=1234567890123.1", ";a=1234567890123456", ";a=.5", ";a=@", ";a=@1.5", ";a=%", ";a=%x",
            ";a=%\"%C3\"", ";a=%\"%c\"", ";a=%\"x", ";a=%\"\t\"", ";a=(1)", ";a =1", " ;a"}) {
        CAPTURE(parameters);
        CHECK_FALSE(read_protocol(std::string{"\"a\""} + parameters));
        CHECK_FALSE(read_protocols(std::string{"\"a\""} + parameters));
    }
}

TEST_CASE("a list of more than 64 names counts as none", "[webtransport]") {
    CHECK(read_protocols(*write_protocols(names(protocols_max, "a")))->size() == protocols_max);
    CHECK_FALSE(read_protocols(*write_protocols(names(protocols_max + 1, "a"))));
    const std::string hostile(60'000, ',');
    CHECK_FALSE(read_protocols(hostile));
    CHECK_FALSE(read_protocols(std::string(60'000, '"')));
    CHECK(read_protocols('"' + std::string(60'000, 'a') + '"')->at(0).size() == 60'000);
}

TEST_CASE("several lines of a header field are one list", "[webtransport]") {
    std::string field;
    add_field_line(field, R"("a", "b")");
    add_field_line(field, R"("c")");
    CHECK(field == R"("a", "b", "c")");
    CHECK(read_protocols(field) == names{"a", "b", "c"});
}

TEST_CASE("the answer is one string", "[webtransport]") {
    CHECK(read_protocol(R"("moq-lite-04")") == "moq-lite-04");
    CHECK(read_protocol(R"(  "moq-lite-04"  )") == "moq-lite-04");
    CHECK(read_protocol(R"("a\"b\\c";q=1)") == R"(a"b\c)");
    for (const auto* field : {"", " ", "moq-lite-04", R"("a", "b")", R"("a",)", R"("a)", R"(("a"))", R"("a" x)"})
        CHECK_FALSE(read_protocol(field));
}

TEST_CASE("a name that we write is the one that is read", "[webtransport]") {
    CHECK(*write_protocol("moq-lite-05") == R"("moq-lite-05")");
    for (const std::string name : {"moq-lite-05", "x y", "\"", "\\", "\\\"", "a,b;c=d", "~"}) {
        CHECK(is_protocol_name(name));
        CHECK(read_protocol(*write_protocol(name)) == name);
    }
    CHECK(write_protocols({})->empty());
}

TEST_CASE("a name that no protocol can have is refused before it is sent", "[webtransport]") {
    for (const std::string name : {"", "\t", "\x7f", "\xc3\xa4", "a\nb"}) {
        CHECK_FALSE(is_protocol_name(name));
        CHECK(write_protocol(name).error() == errc::invalid_argument);
        CHECK(write_protocols(names{"a", name}).error() == errc::invalid_argument);
    }
}

TEST_CASE("the client's order of preference decides", "[webtransport]") {
    const names ours{"moq-lite-05", "moq-lite-04", "moq-lite-03"};
    CHECK(*select_protocol(names{"moqt-16", "moq-lite-03", "moq-lite-05"}, ours) == "moq-lite-03");
    CHECK(*select_protocol(ours, ours) == "moq-lite-05");
    CHECK(select_protocol(names{"moqt-16", "Moq-lite-05", ""}, ours) == nullptr);
    CHECK(select_protocol({}, ours) == nullptr);
    CHECK(select_protocol(ours, {}) == nullptr);
}

} // namespace moqlite::test::protocols_test
