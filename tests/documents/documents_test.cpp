// Tables in tests/*.md that name the test of each row: every such test exists, and carries the row as a tag.
#include "table.hpp"
#include "test_names.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace moqlite::test::documents_test {

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
    const auto rows = rows_of(MOQLITE_TESTS_DIR "/dialects.md", "§");
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
    const auto rows = rows_of(MOQLITE_TESTS_DIR "/dialects.md", "§");
    for (const auto& t : all_tests(MOQLITE_TESTS_DIR))
        for (const auto& r : rows) {
            if (t.tags.find("[dialects " + r.id + "]") == std::string::npos) continue;
            CAPTURE(r.id, t.name);
            CHECK(std::ranges::count(r.tests, t.name) == 1);
        }
}

} // namespace moqlite::test::documents_test
