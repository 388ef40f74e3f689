// Which group is sent next.
#include <catch2/catch_test_macros.hpp>
#include <moqlite/session/scheduler.hpp>
#include <string>
#include <vector>

namespace moqlite::test::scheduler_test {

namespace {

using lane = scheduler::lane;

/// The sequences in the order in which they would be sent, each served once.
std::string order(scheduler& s, bool may_bind = true) {
    std::string out;
    while (auto* item = s.top(may_bind)) {
        out += std::to_string(number(item->sequence())) + " ";
        s.served(*item);
        s.remove(*item);
    }
    return out;
}

struct items {
    explicit items(flow& f, std::initializer_list<std::uint64_t> sequences) {
        all.reserve(sequences.size());
        for (auto n : sequences) all.emplace_back(f, group_sequence{n});
    }
    std::vector<send_item> all;
};

} // namespace

TEST_CASE("the newest group is sent first, or the oldest if the subscriber wants order", "[scheduler]") {
    for (const bool ordered : {false, true}) {
        scheduler s;
        flow f;
        s.rank(f, {.ordered = ordered});
        items groups{f, {3, 1, 4, 5, 2}};
        for (auto& g : groups.all) s.add(g, number(g.sequence()) % 2 != 0 ? lane::bound : lane::unbound);
        CHECK(s.unbound() == 2);
        CHECK(order(s) == (ordered ? "1 2 3 4 5 " : "5 4 3 2 1 "));
        CHECK(s.empty());
        CHECK(s.unbound() == 0);
    }
}

TEST_CASE("a change of order applies to groups that are already waiting", "[scheduler]") {
    scheduler s;
    flow f;
    items groups{f, {3, 1, 4, 5, 2}};
    for (auto& g : groups.all) s.add(g, lane::unbound);
    s.rank(f, {.ordered = true});
    items later{f, {6, 0}};
    for (auto& g : later.all) s.add(g, lane::bound);
    CHECK(order(s) == "0 1 2 3 4 5 6 ");
}

TEST_CASE("without a stream in hand only groups that have one are considered", "[scheduler]") {
    scheduler s;
    flow f;
    items groups{f, {1, 2}};
    s.add(groups.all[0], lane::bound);
    s.add(groups.all[1], lane::unbound);
    CHECK(order(s, false) == "1 ");
    CHECK(s.top(false) == nullptr);
    CHECK(order(s) == "2 ");
}

TEST_CASE("the subscriber's priority decides, then the publisher's", "[scheduler]") {
    scheduler s;
    flow low;
    flow high;
    flow tie;
    s.rank(low, {.subscriber = 1, .publisher = 9});
    s.rank(high, {.subscriber = 2, .publisher = 0});
    s.rank(tie, {.subscriber = 2, .publisher = 1});
    items a{low, {10, 11}};
    items b{high, {20, 21}};
    items c{tie, {30, 31}};
    for (auto* group : {&a, &b, &c})
        for (auto& g : group->all) s.add(g, lane::bound);
    CHECK(order(s) == "31 30 21 20 11 10 ");
}

TEST_CASE("a changed priority applies at once", "[scheduler]") {
    scheduler s;
    flow a;
    flow b;
    s.rank(a, {.subscriber = 2});
    s.rank(b, {.subscriber = 1});
    items of_a{a, {1}};
    items of_b{b, {2}};
    s.add(of_a.all[0], lane::bound);
    s.add(of_b.all[0], lane::unbound);
    CHECK(s.top(true) == &of_a.all[0]);
    s.rank(b, {.subscriber = 3});
    CHECK(s.top(true) == &of_b.all[0]);
}

TEST_CASE("equal flows take turns, and an idle one does not catch up", "[scheduler]") {
    scheduler s;
    flow a;
    flow b;
    items of_a{a, {1, 2, 3, 4}};
    items of_b{b, {11, 12}};
    for (auto& g : of_a.all) s.add(g, lane::bound);
    for (int i = 0; i < 100; ++i) s.served(of_a.all[3]);
    for (auto& g : of_b.all) s.add(g, lane::unbound);
    CHECK(order(s) == "4 12 3 11 2 1 ");
}

TEST_CASE("equal flows share by turns over any number of rounds", "[scheduler]") {
    scheduler s;
    flow flows[3];
    std::vector<items> groups;
    for (auto& f : flows) groups.emplace_back(f, std::initializer_list<std::uint64_t>{1});
    for (auto& g : groups) s.add(g.all[0], lane::bound);
    int served[3] = {};
    for (int i = 0; i < 300; ++i) {
        auto* item = s.top(true);
        for (int k = 0; k < 3; ++k)
            if (item == &groups[static_cast<std::size_t>(k)].all[0]) ++served[k];
        s.served(*item);
    }
    for (int n : served) CHECK(n == 100);
}

} // namespace moqlite::test::scheduler_test
