// Tables in tests/*.md that name the test of each row: every such test exists, and carries the row as a tag.
#include "test_names.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace moqlite::test::documents_test {

namespace {

/// A row of a table: | id | ... | `test` `test` |.
struct row {
    std::string id;
    std::vector<std::string> tests;
};

std::string trimmed(std::string text) {
    text.erase(0, text.find_first_not_of(' '));
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

std::vector<std::string> quoted(const std::string& cell) {
    std::vector<std::string> out;
    for (std::size_t at = 0; (at = cell.find('`', at)) != std::string::npos;) {
        const auto end = cell.find('`', at + 1);
        if (end == std::string::npos) break;
        out.push_back(cell.substr(at + 1, end - at - 1));
        at = end + 1;
    }
    return out;
}

std::vector<row> rows_of(const std::string& document) {
    std::vector<row> out;
    std::ifstream in(document);
    for (std::string line; std::getline(in, line);) {
        if (!line.starts_with("| §")) continue;
        const auto end = line.find_last_of('|');
        const auto last = line.find_last_of('|', end - 1);
        out.push_back({trimmed(line.substr(1, line.find('|', 1) - 1)), quoted(line.substr(last, end - last))});
    }
    return out;
}

bool is_file(const std::string& name) { return name.starts_with("tests/"); }

} // namespace

TEST_CASE("string literals that a compiler joins are one name", "[documents]") {
    const auto found =
        names_in("TEST_CASE(\n    \"a \\\"b\\\" \"\n    \"c\", \"[x][y z]\") {\nTEST_CASE(\"d\", \"[w]\"");
    REQUIRE(found.size() == 2);
    CHECK(found[0].name == "a \"b\" c");
    CHECK(found[0].tags == "[x][y z]");
    CHECK(found[1].name == "d");
}

TEST_CASE("every row of tests/dialects.md names tests that exist and have its tag", "[documents]") {
    const auto tests = all_tests(MOQLITE_TESTS_DIR);
    REQUIRE(tests.size() > 500);
    const auto rows = rows_of(MOQLITE_TESTS_DIR "/dialects.md");
    std::map<std::string, int> seen;
    for (const auto& r : rows) {
        CAPTURE(r.id);
        ++seen[r.id];
        CHECK_FALSE(r.tests.empty());
        for (const auto& name : r.tests) {
            CAPTURE(name);
            if (is_file(name)) {
                CHECK(std::ifstream(MOQLITE_TESTS_DIR "/../" + name).good());
                continue;
            }
            const auto found = std::ranges::find(tests, name, &test_name::name);
            CHECK(found != tests.end());
            if (found != tests.end()) CHECK(found->tags.find("[dialects " + r.id + "]") != std::string::npos);
        }
    }
    // Each row of the reference's tables, once.
    const std::map<std::string, int> tables{
        {"§12.", 40}, {"§16.1.", 13}, {"§16.2.", 19}, {"§16.3.", 5}, {"§7.", 11}, {"§bad.", 12}};
    for (const auto& [table, count] : tables)
        for (int n = 1; n <= count; ++n) CHECK(seen[table + std::to_string(n)] == 1);
}

TEST_CASE("every test with the tag of a row is named in tests/dialects.md", "[documents]") {
    const auto rows = rows_of(MOQLITE_TESTS_DIR "/dialects.md");
    for (const auto& t : all_tests(MOQLITE_TESTS_DIR))
        for (const auto& r : rows) {
            if (t.tags.find("[dialects " + r.id + "]") == std::string::npos) continue;
            CAPTURE(r.id, t.name);
            CHECK(std::ranges::count(r.tests, t.name) == 1);
        }
}

} // namespace moqlite::test::documents_test
