#include <catch2/catch_test_macros.hpp>
#include <moqlite/wire/utf8.hpp>

namespace moqlite::test::utf8_test {

using moqlite::wire::is_utf8;
using moqlite::wire::utf8_prefix;

static_assert(is_utf8("room/cam") && !is_utf8("\xff"));

TEST_CASE("text in any script is UTF-8", "[utf8]") {
    CHECK(is_utf8(""));
    CHECK(is_utf8(std::string_view{"\0", 1}));
    CHECK(is_utf8("\x7f \xc2\x80 \xdf\xbf \xe0\xa0\x80 \xef\xbf\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"));
    CHECK(is_utf8("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"));
    CHECK(is_utf8("\xed\x9f\xbf \xee\x80\x80")); // Beside the surrogates.
}

TEST_CASE("a truncated character is not UTF-8", "[utf8]") {
    for (const auto* text : {"\xc2", "\xe6\x97", "\xf0\x90\x80", "a\xe6", "\xe6\x97 \xa5"}) CHECK_FALSE(is_utf8(text));
}

TEST_CASE("a continuation without its first byte is not UTF-8", "[utf8]") {
    for (const auto* text : {"\x80", "\xbf", "a\xbf", "\xc2\x80\x80"}) CHECK_FALSE(is_utf8(text));
}

TEST_CASE("overlong forms, surrogates and numbers beyond U+10FFFF are not UTF-8", "[utf8]") {
    for (const auto* text : {"\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
             "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"})
        CHECK_FALSE(is_utf8(text));
}

TEST_CASE("a text is truncated between two characters, and before invalid bytes", "[utf8]") {
    CHECK(utf8_prefix("room", 4) == "room");
    CHECK(utf8_prefix("room", 3) == "roo");
    CHECK(utf8_prefix("room", 0).empty());
    CHECK(utf8_prefix("a\xe6\x97\xa5z", 5) == "a\xe6\x97\xa5z");
    CHECK(utf8_prefix("a\xe6\x97\xa5z", 3) == "a");
    CHECK(utf8_prefix("ab\xffz", 9) == "ab");
}

TEST_CASE("a log shows no control, bidi or invisible characters, and nothing that is not UTF-8", "[wire]") {
    using moqlite::wire::loggable;
    const std::string_view text = "room \xc3\xbc \xe2\x82\xac \xf0\x9f\x8e\xa5";
    CHECK(loggable(text, 100) == text);
    CHECK(loggable("a\r\n\x1b[31m\x7f", 100) == "a???[31m?");
    for (const std::string_view control :
        {"\xc2\x80", "\xc2\x9f", "\xd8\x9c", "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xa9",
            "\xe2\x80\xaa", "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9", "\xef\xbb\xbf",
            // Zero width: two names that differ in these look alike.
            "\xc2\xad", "\xcd\x8f", "\xe1\x85\x9f", "\xe1\xa0\x8e", "\xe2\x80\x8b", "\xe2\x80\x8d", "\xe2\x81\xa0",
            "\xe2\x81\xa4", "\xe2\x81\xaf", "\xe3\x85\xa4", "\xef\xb8\x8f", "\xef\xbe\xa0", "\xef\xbf\xb9",
            "\xf0\x9d\x85\xb3", "\xf3\xa0\x80\x81", "\xf3\xa0\x81\xbf", "\xf3\xa0\x87\xaf"})
        CHECK(loggable("a" + std::string{control} + "b", 100) == "a" + std::string(control.size(), '?') + "b");
    for (const std::string_view shown : {"\xc2\xa0", "\xd8\x9b", "\xe2\x80\x90", "\xe2\x80\xaf", "\xe2\x81\x9f",
             "\xe2\x81\xb0", "\xef\xb8\x90", "\xef\xbf\xbc", "\xf0\x9d\x85\xb2", "\xf3\xa1\x80\x80"})
        CHECK(loggable(shown, 100) == shown);
    CHECK(loggable("\xff\xc3", 100) == "??");
    CHECK(loggable("\xe2\x82", 100) == "??");
    CHECK(loggable("\xed\xa0\x80", 100) == "???");
    CHECK(loggable("abc\xc3\xbc", 4) == "abc"); // No partial characters.
    CHECK(loggable("abcdef", 4) == "abcd");
}

} // namespace moqlite::test::utf8_test
