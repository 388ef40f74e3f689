// The containers compared with standard ones: every short history, not samples.
#include "every_history.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <memory>
#include <moqlite/containers/id_table.hpp>
#include <moqlite/containers/indexed_heap.hpp>
#include <moqlite/containers/list.hpp>
#include <moqlite/containers/node_map.hpp>
#include <moqlite/containers/object_pool.hpp>
#include <moqlite/containers/ring.hpp>
#include <string>
#include <vector>

namespace moqlite::test::containers_test {

using namespace moqlite::detail;

namespace {

bool same(id_table<int>& table, const std::map<std::uint64_t, int>& model, const std::vector<std::uint64_t>& keys) {
    bool equal = table.size() == model.size() && table.empty() == model.empty();
    for (auto key : keys) {
        const int* found = table.find(key);
        const auto expected = model.find(key);
        equal = equal && (found != nullptr) == (expected != model.end()) &&
                (found == nullptr || *found == expected->second);
    }
    std::map<std::uint64_t, int> visited;
    table.for_each([&](std::uint64_t key, int& value) { visited[key] = value; });
    return equal && visited == model;
}

/// Keys with many collisions, also at the end of a table of eight.
std::vector<std::uint64_t> crowded_keys() {
    const auto home = [](std::uint64_t key) { return (key * 0x9e3779b97f4a7c15u) >> 20 & 7; };
    std::vector<std::uint64_t> keys;
    for (std::uint64_t wanted : {7u, 7u, 7u, 0u, 6u})
        for (std::uint64_t key = keys.empty() ? 0 : keys.back() + 1;; ++key)
            if (home(key) == wanted) {
                keys.push_back(key);
                break;
            }
    return keys;
}

struct item {
    int rank = 0;
    std::size_t position = SIZE_MAX;
};
struct by_rank {
    bool operator()(const item& a, const item& b) const noexcept { return a.rank < b.rank; }
};
struct place {
    std::size_t& operator()(item& i) const noexcept { return i.position; }
};

} // namespace

TEST_CASE("an id_table holds what a map would, after every history of inserts and erases", "[containers]") {
    const auto keys = crowded_keys();
    bool all_same = true;
    every_history(static_cast<unsigned>(keys.size()), 8, [&](const std::vector<unsigned>& steps) {
        id_table<int> table;
        std::map<std::uint64_t, int> model;
        int value = 0;
        for (auto step : steps) {
            const auto key = keys[step];
            // Toggles a key.
            if (model.erase(key) != 0) {
                all_same = all_same && table.erase(key);
            } else {
                model[key] = ++value;
                table.insert(key, value);
            }
        }
        all_same = all_same && same(table, model, keys);
    });
    CHECK(all_same);
    id_table<int> empty;
    CHECK_FALSE(empty.erase(1));
    CHECK(empty.find(1) == nullptr);
}

TEST_CASE("an id_table keeps thousands of stream ids apart", "[containers]") {
    id_table<int> table;
    std::map<std::uint64_t, int> model;
    std::uint64_t dice = 7;
    for (int i = 0; i < 20000; ++i) {
        dice = dice * 6364136223846793005u + 1442695040888963407u;
        const auto key = (dice >> 40) % 3000 * 4 + 3;
        if (model.erase(key) != 0)
            table.erase(key);
        else
            table.insert(key, model[key] = i);
    }
    std::vector<std::uint64_t> keys;
    for (std::uint64_t k = 0; k < 3000; ++k) keys.push_back(4 * k + 3);
    CHECK(same(table, model, keys));
}

TEST_CASE(
    "an indexed_heap gives what sorting would, after every history of pushes, erases and changes", "[containers]") {
    bool right = true;
    every_history(9, 6, [&](const std::vector<unsigned>& steps) {
        std::vector<item> items(3);
        indexed_heap<item, by_rank, place> heap;
        int rank = 0;
        for (auto step : steps) {
            auto& i = items[step % 3];
            rank = (rank * 5 + 3) % 7;
            if (i.position == SIZE_MAX) {
                i.rank = rank;
                heap.push(i);
            } else if (step / 3 == 0) {
                heap.erase(i);
            } else {
                i.rank += step / 3 == 1 ? 2 : -3;
                heap.fix(i);
            }
            const item* least = nullptr;
            std::size_t inside = 0;
            for (auto& x : items) {
                if (x.position == SIZE_MAX) continue;
                ++inside;
                if (least == nullptr || x.rank < least->rank) least = &x;
            }
            right = right && heap.size() == inside && (heap.top() == nullptr) == (least == nullptr);
            right = right && (least == nullptr || heap.top()->rank == least->rank);
        }
    });
    CHECK(right);
}

TEST_CASE("an indexed_heap yields its members in order, whichever are erased", "[containers]") {
    std::vector<std::unique_ptr<item>> items;
    indexed_heap<item, by_rank, place> heap;
    for (int i = 0; i < 500; ++i) {
        items.push_back(std::make_unique<item>(item{i * 7919 % 997}));
        heap.push(*items.back());
    }
    for (std::size_t i = 0; i < 500; i += 3) heap.erase(*items[i]);
    std::vector<int> out;
    while (auto* top = heap.top()) {
        out.push_back(top->rank);
        heap.erase(*top);
    }
    CHECK(out.size() == 333);
    CHECK(std::is_sorted(out.begin(), out.end()));
}

TEST_CASE("a ring yields what was pushed, in order, through every growth", "[containers]") {
    ring<int> queue;
    int in = 0;
    int out = 0;
    for (int round = 1; round < 40; ++round) {
        for (int i = 0; i < round; ++i) queue.push(in++);
        for (int i = 0; i < round / 2; ++i) CHECK(queue.pop() == out++);
    }
    CHECK(queue.size() == static_cast<std::size_t>(in - out));
    while (!queue.empty()) CHECK(queue.pop() == out++);
    CHECK(in == out);
}

TEST_CASE("what is erased from a ring is gone, and the rest keeps its order", "[containers]") {
    ring<int> queue;
    for (int i = 0; i < 7; ++i) queue.push(-1), static_cast<void>(queue.pop()); // It wraps around.
    for (int i = 0; i < 6; ++i) queue.push(i);
    queue.erase_if([](int i) { return i % 3 == 0; });
    for (const int left : {1, 2, 4, 5}) CHECK(queue.pop() == left);
    CHECK(queue.empty());
}

namespace {

struct counted : list_hook<owned_tag> {
    explicit counted(int& alive) : count(alive) { ++count; }
    ~counted() { --count; }
    int& count;
};

} // namespace

TEST_CASE("an object_pool destroys each object once, and reuses memory", "[containers]") {
    int alive = 0;
    {
        object_pool<counted> pool;
        for (int round = 0; round < 3; ++round) {
            for (int i = 0; i < 100; ++i) pool.make(alive);
            CHECK(alive == 100);
            CHECK(pool.size() == 100);
            for (int i = 0; i < 90; ++i) pool.destroy(*pool.first());
            CHECK(alive == 10);
            while (pool.first() != nullptr) pool.destroy(*pool.first());
        }
        pool.make(alive);
        CHECK(alive == 1);
    }
    CHECK(alive == 0);
}

TEST_CASE("a node_map takes the memory of its elements from those that were erased", "[containers]") {
    spare_memory memory;
    node_map<int, std::string> a{memory}, b{memory};
    const auto* const first = &a.try_emplace(1, "one").first->second;
    const auto* const second = &a.try_emplace(2, "two").first->second;
    a.erase(1);
    a.erase(2);
    CHECK(&b.try_emplace(3, "three").first->second == second);
    CHECK(&a.try_emplace(4, "four").first->second == first);
    for (int n = 0; n != 100; ++n) a[n] = std::to_string(n); // More than is kept.
    a.clear();
    for (int n = 0; n != 100; ++n) a[n] = std::to_string(n);
    CHECK(a.at(99) == "99");
    CHECK(b.at(3) == "three");
}

} // namespace moqlite::test::containers_test
