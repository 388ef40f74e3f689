// The search tree against std::map: every short history, and a long one.
#include "every_history.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <iterator>
#include <map>
#include <moqlite/containers/tree.hpp>
#include <vector>

namespace moqlite::test::tree_test {

using namespace moqlite::detail;

namespace {

struct item : tree_hook {
    explicit item(int k) noexcept : key(k) { ++alive; }
    ~item() { --alive; }
    int key;
    static inline int alive = 0;
};
struct key_of {
    int operator()(const item& i) const noexcept { return i.key; }
};
using items = tree<item, int, key_of>;
using model = std::map<int, int>;

/// Whether both give the same for every key in [0, most].
bool same_lookups(const items& tree, const model& expected, int most) {
    const auto key = [](const item* i) { return i != nullptr ? i->key : -1; };
    const auto at = [&](model::const_iterator i) { return i != expected.end() ? i->first : -1; };
    bool same = tree.size() == expected.size() && tree.empty() == expected.empty();
    same = same && key(tree.first()) == at(expected.begin());
    for (int k = 0; k <= most; ++k) {
        const auto after = expected.upper_bound(k);
        same = same && key(tree.find(k)) == at(expected.find(k)) && key(tree.upper_bound(k)) == at(after);
        same = same && key(tree.lower_bound(k)) == at(expected.lower_bound(k));
        same = same && key(tree.last_until(k)) == (after != expected.begin() ? std::prev(after)->first : -1);
    }
    return same;
}
bool same_order(const items& tree, const model& expected) {
    std::vector<int> seen, wanted;
    tree.for_each([&](const item& i) { seen.push_back(i.key); });
    for (const auto& [key, value] : expected) wanted.push_back(key);
    return seen == wanted;
}
/// Makes the element that has no key yet, or erases it.
void toggle(items& tree, model& expected, int key) {
    if (expected.erase(key) != 0) return tree.erase(*tree.find(key));
    expected[key] = 0;
    tree.make(key);
}

} // namespace

TEST_CASE("a tree holds what a map would, after every history of inserts and erases", "[containers]") {
    bool same = true;
    every_history(6, 7, [&](const std::vector<unsigned>& steps) {
        items tree;
        model expected;
        for (auto step : steps) toggle(tree, expected, static_cast<int>(step));
        same = same && same_lookups(tree, expected, 6) && same_order(tree, expected);
    });
    CHECK(same);
    CHECK(item::alive == 0);
}

TEST_CASE("a tree of thousands holds what a map would, whatever the order of its keys", "[containers]") {
    items tree;
    model expected;
    for (int k = 0; k < 3000; ++k) toggle(tree, expected, k); // In order: a tree without balance would be a list.
    CHECK(same_lookups(tree, expected, 3000));
    std::uint64_t dice = 7;
    for (int i = 0; i < 20000; ++i) {
        dice = dice * 6364136223846793005u + 1442695040888963407u;
        toggle(tree, expected, static_cast<int>((dice >> 40) % 3000));
    }
    CHECK(same_lookups(tree, expected, 3000));
    CHECK(same_order(tree, expected));
    while (item* lowest = tree.first()) toggle(tree, expected, lowest->key);
    CHECK(expected.empty());
    CHECK(item::alive == 0);
}

TEST_CASE("a tree is walked from a key on, until the caller has seen enough", "[containers]") {
    items tree;
    for (int k = 0; k < 100; k += 2) tree.make(k);
    std::vector<int> seen;
    tree.for_each_from(31, [&](const item& i) {
        seen.push_back(i.key);
        return seen.size() != 3;
    });
    CHECK(seen == std::vector{32, 34, 36});
    seen.clear();
    tree.for_each_from(98, [&](const item& i) { return seen.push_back(i.key), true; });
    CHECK(seen == std::vector{98});
    tree.clear();
    CHECK(tree.empty());
    CHECK(item::alive == 0);
}

} // namespace moqlite::test::tree_test
