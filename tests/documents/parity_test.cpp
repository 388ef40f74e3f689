// tests/parity.md: every row of the feature references has a test that exists, or the reason why not.
#include "table.hpp"
#include "test_names.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace moqlite::test::parity_test {

namespace {

/// The rows <prefix><first> to <prefix><last>; `digits`: at least so many.
struct family {
    std::string prefix;
    int first;
    int last;
    std::size_t digits = 1;
};

const std::vector<family> families{
    // gomoqt, A2 to A13.
    {"SRV-", 1, 19},
    {"WT-", 1, 11},
    {"DIA-", 1, 9},
    {"CFG-", 1, 4},
    {"SES-", 1, 25},
    {"MUX-", 1, 15},
    {"BRD-", 1, 5},
    {"PTH-", 1, 6},
    {"ANN-", 1, 7},
    {"AR-", 1, 10},
    {"AW-", 1, 7},
    {"TW-", 1, 16},
    {"TR-", 1, 11},
    {"GW-", 1, 4},
    {"GR-", 1, 4},
    {"FR-", 1, 4},
    {"SEQ-", 1, 2},
    {"PRI-", 1, 1},
    {"CFGS-", 1, 1},
    {"RES-", 1, 1},
    {"FE-", 1, 6},
    {"PR-", 1, 8},
    {"ST-", 1, 4},
    // Its faults.
    {"K", 0, 15},
    {"W", 1, 8},
    // iroh-moq, a.1 to a.7.
    {"IM-", 1, 7, 2},
    {"IM-", 10, 19},
    {"IM-", 20, 29},
    {"IM-", 30, 35},
    {"IM-", 40, 52},
    {"IM-a6.", 1, 3},
    {"IMQ-", 1, 10},
};

std::set<std::string> all_ids() {
    std::set<std::string> out{"SES-3b", "K0b", "K2b", "K2c"};
    for (const auto& f : families)
        for (int n = f.first; n <= f.last; ++n) {
            auto number = std::to_string(n);
            while (number.size() < f.digits) number.insert(0, "0");
            out.insert(f.prefix + number);
        }
    return out;
}

const std::string document = MOQLITE_TESTS_DIR "/parity.md";

} // namespace

TEST_CASE("tests/parity.md has every row of the references once, and no other", "[documents]") {
    const auto ids = all_ids();
    std::map<std::string, int> seen;
    for (const auto& r : rows_of(document)) {
        CAPTURE(r.id);
        CHECK(ids.contains(r.id));
        ++seen[r.id];
    }
    for (const auto& id : ids) {
        CAPTURE(id);
        CHECK(seen[id] == 1);
    }
}

TEST_CASE("every test that tests/parity.md names exists", "[documents]") {
    std::set<std::string> names;
    for (auto& t : all_tests(MOQLITE_TESTS_DIR)) names.insert(std::move(t.name));
    for (const auto& r : rows_of(document))
        for (const auto& name : r.tests) {
            CAPTURE(r.id, name);
            CHECK((is_file(name) ? std::ifstream(MOQLITE_TESTS_DIR "/../" + name).good() : names.contains(name)));
        }
}

TEST_CASE("a row of tests/parity.md without a test does not arise, or is open", "[documents]") {
    for (const auto& r : rows_of(document)) {
        if (!r.tests.empty()) continue;
        CAPTURE(r.id, r.proof);
        CHECK((r.proof.starts_with("does not arise: ") || r.proof.starts_with("open: ")));
    }
}

} // namespace moqlite::test::parity_test
