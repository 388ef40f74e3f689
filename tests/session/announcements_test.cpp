// The table of broadcasts, and listeners that read it at their own pace.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <memory>
#include <moqlite/session/announcements.hpp>
#include <string>

namespace moqlite::test::announcements_test {

namespace {

/// A listener and the state that it has been sent.
struct believer : announcements::listener {
    explicit believer(announcements& t, std::vector<std::string> prefixes = {""}) : entry(nullptr, 0), table(t) {
        ready = &entry;
        table.listen(*this, std::move(prefixes));
    }
    /// Takes up to `most` entries; returns how many there were.
    int read(int most = 1 << 30) {
        int n = 0;
        for (; n < most; ++n) {
            auto* e = table.next(*this);
            if (e == nullptr) break;
            order.push_back(e->path);
            if (e->routes.empty())
                believes.erase(e->path);
            else
                believes[e->path] = e->routes.front().hops.size();
            table.set_known(*this, *e, e->routes.empty() ? 0 : 1);
        }
        return n;
    }
    /// The paths that it reads next.
    std::vector<std::string> news() {
        order.clear();
        read();
        return order;
    }
    ready_entry entry;
    announcements& table;
    std::map<std::string, std::size_t> believes;
    std::vector<std::string> order;
};

std::vector<hop_id> hops(std::size_t n) { return std::vector<hop_id>(n, hop_id{1}); }

} // namespace

TEST_CASE("a cheap route is better than a short one", "[announcements]") {
    announcements table;
    table.set("a", {hops(1), 1, 5});
    table.set("a", {hops(3), 2, 4});
    CHECK(table.find("a")->routes.front().source == 2);
    table.set("a", {hops(1), 1, 3});
    CHECK(table.find("a")->routes.front().source == 1);
}

TEST_CASE("the best route is the shortest, then the newest", "[announcements]") {
    announcements table;
    table.set("a", {hops(2), 1});
    table.set("a", {hops(3), 2});
    CHECK(table.find("a")->routes.front().source == 1);
    table.set("a", {hops(2), 3});
    CHECK(table.find("a")->routes.front().source == 3);
    table.set("a", {hops(1), 2});
    CHECK(table.find("a")->routes.front().source == 2);
    CHECK(table.find("a")->routes.size() == 3);
    CHECK(table.remove("a", 2));
    CHECK_FALSE(table.remove("a", 2));
    CHECK_FALSE(table.remove("b", 1));
    CHECK(table.find("a")->routes.front().source == 3);
    CHECK(table.size() == 1);
    CHECK(table.remove("a", 3));
    CHECK(table.remove("a", 1));
    CHECK(table.find("a") == nullptr);
    CHECK(table.size() == 0);
}

// The order of moq-lite-wire §10, row by row.

TEST_CASE(
    "a named route is better than an anonymous one, whatever they cost", "[announcements][order][dialects §16.2.10]") {
    announcements table;
    table.set("a", {{hop_id{1}, hop_id{0}}, 1, {0, 0}});
    table.set("a", {{hop_id{1}, hop_id{2}, hop_id{3}}, 2, {9, 9}});
    CHECK(table.find("a")->routes.front().source == 2);
    table.set("a", {{hop_id{0}}, 3, {0, 0}});
    CHECK(table.find("a")->routes.front().source == 2);
    CHECK(table.find("a")->routes[1].source == 3); // Shorter than the other anonymous one.
}

TEST_CASE("costs are compared by the warm one, then by the cold one", "[announcements][order][dialects §16.1.2]") {
    announcements table;
    table.set("a", {hops(1), 1, {2, 0}});
    table.set("a", {hops(1), 2, {1, 9}});
    CHECK(table.find("a")->routes.front().source == 2);
    table.set("a", {hops(1), 3, {1, 8}});
    CHECK(table.find("a")->routes.front().source == 3);
}

TEST_CASE("of equal cost, our own broadcast is better than any other", "[announcements][order]") {
    announcements table;
    table.set("a", {hops(2), 0, {1, 1}});
    table.set("a", {hops(1), 1, {1, 1}});
    CHECK(table.find("a")->routes.front().source == 0);
}

TEST_CASE("of equal routes through other relays a hash chooses, the same at every relay", "[announcements][order]") {
    const std::vector<hop_id> one{hop_id{5}, hop_id{7}};
    const std::vector<hop_id> two{hop_id{5}, hop_id{8}};
    std::size_t ones = 0;
    for (int n = 0; n != 64; ++n) {
        const auto path = "p" + std::to_string(n);
        announcements here;
        announcements there;
        here.set(path, {one, 1});
        here.set(path, {two, 2});
        there.set(path, {two, 1});
        there.set(path, {one, 2});
        const auto& best = here.find(path)->routes.front().hops;
        CHECK(there.find(path)->routes.front().hops == best);
        CHECK((best == one) == (moqlite::detail::route_hash(path, one) < moqlite::detail::route_hash(path, two)));
        if (best == one) ++ones;
    }
    CHECK(ones > 8); // Both are used.
    CHECK(ones < 56);
    // FNV-1a with the reference's seed, of "a" and one hop.
    const std::vector<hop_id> hop{hop_id{0x0102}};
    std::uint64_t sum = 0x420c0decb00b;
    for (const std::uint64_t byte : {0x61, 2, 1, 0, 0, 0, 0, 0, 0}) sum = (sum ^ byte) * 0x100000001b3;
    CHECK(moqlite::detail::route_hash("a", hop) == sum);
}

TEST_CASE("of equal publishers that announced here the newest is best, also after another has changed",
    "[announcements][order]") {
    announcements table;
    table.set("a", {{hop_id{4}}, 1});
    table.set("a", {{hop_id{3}}, 2});
    CHECK(table.find("a")->routes.front().source == 2);
    table.set("a", {{hop_id{6}}, 1}); // It began earlier.
    CHECK(table.find("a")->routes.front().source == 2);
    table.remove("a", 1);
    table.set("a", {{hop_id{6}}, 1});
    CHECK(table.find("a")->routes.front().source == 1);
}

TEST_CASE("an identical route is no change, so that it does not circulate in a loop of relays", "[announcements]") {
    announcements table;
    table.set("a", {hops(1), 1});
    table.set("a", {hops(2), 2});
    const auto before = table.newest();
    table.set("a", {hops(1), 1});
    table.set("a", {hops(2), 2});
    CHECK(table.newest() == before);
    table.set("a", {hops(3), 2});
    CHECK(table.newest() == before + 1);
}

TEST_CASE("a reader gets the state that it missed, not the history", "[announcements]") {
    announcements table;
    believer reader{table};
    reader.read();
    for (int i = 0; i < 50; ++i) {
        table.set("a", {hops(1), 1});
        table.remove("a", 1);
    }
    table.set("b", {hops(1), 1});
    CHECK(reader.read() == 2);
    CHECK(reader.believes == std::map<std::string, std::size_t>{{"b", 1}});
}

TEST_CASE("every reader ends with the same state, however slowly it reads", "[announcements]") {
    announcements table;
    believer quick{table};
    believer slow{table};
    std::map<std::string, std::size_t> truth;
    believer part{table, {"p1", "p2/x"}};
    std::map<std::string, std::size_t> in_part;
    std::uint64_t dice = 3;
    for (int i = 0; i < 20000; ++i) {
        dice = dice * 6364136223846793005u + 1442695040888963407u;
        const auto path = "p" + std::to_string((dice >> 33) % 100) + std::array{"", "/x", "/x/y"}[(dice >> 40) % 3];
        if ((dice >> 20) % 3 == 0) {
            table.remove(path, 1);
            truth.erase(path);
        } else {
            const auto n = (dice >> 50) % 4;
            table.set(path, {hops(n), 1});
            truth[path] = n;
        }
        quick.read();
        if (i % 7 == 0) slow.read(3);
        if (i % 5 == 0) part.read(1);
    }
    slow.read();
    part.read();
    for (const auto& [path, n] : truth)
        if (path::strip(path, "p1") || path::strip(path, "p2/x") || path == "p2") in_part[path] = n;
    CHECK(part.believes == in_part);
    CHECK(table.ended() == 0);
    CHECK(table.size() == truth.size());
    CHECK(quick.believes == truth);
    CHECK(slow.believes == truth);
    believer late{table};
    late.read();
    CHECK(late.believes == truth);
}

TEST_CASE("an ended entry is freed once all readers have been informed", "[announcements]") {
    announcements table;
    believer reader{table};
    auto slow = std::make_unique<believer>(table);
    reader.read();
    slow->read();
    for (int i = 0; i < 100; ++i) table.set("p" + std::to_string(i), {hops(0), 0});
    reader.read();
    slow->read();
    for (int i = 0; i < 100; ++i) table.remove("p" + std::to_string(i), 0);
    reader.read();
    CHECK(table.size() == 0);
    CHECK(table.ended() == 100);
    SECTION("by reading") {
        slow->read(40);
        CHECK(table.ended() == 60);
        slow->read();
    }
    SECTION("or because they left") { slow.reset(); }
    CHECK(table.ended() == 0);
    believer late{table};
    CHECK(late.read() == 0);
}

TEST_CASE("an entry that begins and ends unread is not kept for a reader that has not reached it", "[announcements]") {
    announcements table;
    believer reader{table};
    for (int i = 0; i < 1000; ++i) {
        table.set("p" + std::to_string(i), {hops(0), 0});
        table.remove("p" + std::to_string(i), 0);
    }
    CHECK(table.ended() == 0);
    CHECK(reader.read() == 0);
}

TEST_CASE("a reader gets the paths below or above its prefixes, by whole segments, and no others", "[announcements]") {
    announcements table;
    for (const auto* path : {"a", "a-b", "a/b", "a/b/c", "a/c", "ab", "b", "b/c"}) table.set(path, {hops(0), 0});
    believer all{table};
    believer a{table, {"a"}};
    believer two{table, {"a/b", "b"}};
    believer none{table, {"c", "a/b/c/d"}};
    using paths = std::vector<std::string>;
    CHECK(all.news() == paths{"a", "a-b", "a/b", "a/b/c", "a/c", "ab", "b", "b/c"});
    CHECK(a.news() == paths{"a", "a/b", "a/b/c", "a/c"});
    CHECK(two.news() == paths{"a/b", "a/b/c", "b", "b/c"});
    CHECK(none.news() == paths{"a/b/c"}); // The most specific of those above.
    table.set("a/d", {hops(0), 0});
    table.set("a/b/d", {hops(0), 0});
    table.set("c", {hops(0), 0});
    table.remove("a", 0);
    table.remove("b", 0);
    CHECK(a.news() == paths{"a/d", "a/b/d", "a"});
    CHECK(two.news() == paths{"a/b/d", "b"});
    CHECK(none.news() == paths{"c"}); // It never heard of "a".
    table.remove("a/b/c", 0);
    table.set("", {hops(0), 0});
    CHECK(none.news() == paths{"a/b/c", ""});
    table.remove("", 0);
    CHECK(none.news() == paths{""});
    CHECK(a.news() == paths{"a/b/c", ""});
    CHECK(two.news() == paths{"a/b/c", ""});
    CHECK(all.news() == paths{"a/d", "a/b/d", "c", "a", "b", "a/b/c", ""});
    CHECK(table.ended() == 0);
}

TEST_CASE("a change wakes the readers that it concerns, and no others", "[announcements]") {
    announcements table;
    ready_list ready;
    ready_entry first{&ready, 1};
    ready_entry second{&ready, 2};
    believer here{table, {"room/a"}};
    believer there{table, {"room/b"}};
    here.read();
    there.read();
    here.ready = &first;
    there.ready = &second;
    table.set("room/a/cam", {hops(0), 0});
    CHECK(ready.pop() == 1);
    CHECK_FALSE(ready.pop());
    table.set("room", {hops(0), 0}); // Covers everything beneath it.
    CHECK(ready.pop() == 1);
    CHECK(ready.pop() == 2);
    table.set("room/", {hops(0), 0});
    table.set("room-2", {hops(0), 0});
    table.set("room/c", {hops(0), 0});
    CHECK_FALSE(ready.pop());
}

TEST_CASE(
    "an entry that changes during a reader's initial pass is reported once, in its current state", "[announcements]") {
    announcements table;
    for (const auto* path : {"a", "b", "c", "d"}) table.set(path, {hops(0), 0});
    believer reader{table};
    reader.read(2);
    table.set("a", {hops(2), 0}); // It has read that,
    table.remove("c", 0);         // and not this.
    table.set("d", {hops(3), 0});
    table.set("aa", {hops(4), 0});
    CHECK(reader.news() == std::vector<std::string>{"a", "aa", "d"});
    CHECK(reader.believes == std::map<std::string, std::size_t>{{"a", 2}, {"aa", 4}, {"b", 0}, {"d", 3}});
    CHECK(table.ended() == 0);
}

TEST_CASE("readers that never read do not make the table grow for ever", "[announcements]") {
    announcements table;
    std::array<std::unique_ptr<believer>, 4> stuck;
    for (std::size_t k = 0; k != stuck.size(); ++k) {
        const auto name = [&](int i) { return "p" + std::to_string(k) + "/" + std::to_string(i); };
        for (int i = 0; i < 70000; ++i) table.set(name(i), {hops(0), 0});
        stuck[k] = std::make_unique<believer>(table, std::vector<std::string>{"p" + std::to_string(k)});
        stuck[k]->read(); // It has read all, and does not read their ends.
        for (int i = 0; i < 70000; ++i) table.remove(name(i), 0);
        CHECK(table.ended() <= 140000);
    }
    CHECK(stuck[0]->overrun);
    CHECK(stuck[0]->read() == 0);
    CHECK_FALSE(stuck[3]->overrun);
    for (auto& one : stuck) one->read();
    CHECK(table.ended() == 0);
}

TEST_CASE("when publishers of very many broadcasts leave at once, no reader that keeps reading is disconnected",
    "[announcements][regression]") {
    announcements table;
    believer reader{table};
    const auto name = [](int i) { return "p" + std::to_string(i); };
    for (int i = 0; i < 200'000; ++i) table.set(name(i), {hops(0), 0});
    reader.read();
    for (int i = 0; i < 200'000; ++i) table.remove(name(i), 0);
    CHECK_FALSE(reader.overrun);
    reader.read();
    CHECK(reader.believes.empty());
    CHECK(table.ended() == 0);
}

TEST_CASE("what waits for a reader that does not read is bounded, for all readers of one owner together, and nothing "
          "is missed",
    "[announcements][regression]") {
    announcements table;
    std::size_t waiting = 0;
    std::array<std::unique_ptr<believer>, 16> readers;
    for (auto& r : readers) {
        r = std::make_unique<believer>(table, std::vector<std::string>{""});
        r->waiting = &waiting;
        CHECK(r->read() == 0); // It has read everything: from now on changes wait for it.
    }
    constexpr std::size_t names = 10000;
    const auto name = [](std::size_t n) { return "room/" + std::to_string(n); };
    for (std::size_t n = 0; n != names; ++n) table.set(name(n), {hops(1), 1, 0});
    CHECK(waiting <= 4096);
    for (std::size_t n = 0; n < names; n += 2) table.remove(name(n), 1); // These are never reported.
    CHECK(table.ended() <= 4096);
    readers[0]->read(100); // Within the entries that it missed,
    for (std::size_t n = 0; n < names; n += 3) table.set(name(n), {hops(2), 2, 0}); // more changes.
    for (auto& r : readers) {
        r->read();
        CHECK(r->believes.size() == table.size());
        for (const auto& [path, count] : r->believes) CHECK(table.find(path)->routes.front().hops.size() == count);
    }
    CHECK(waiting == 0);
    for (std::size_t n = 0; n != names; ++n) table.remove(name(n), 1), table.remove(name(n), 2);
    for (auto& r : readers) {
        r->read();
        CHECK(r->believes.empty());
    }
    CHECK((table.ended() == 0 && waiting == 0));
}

TEST_CASE("nor do long names that begin and end make it grow", "[announcements][regression]") {
    announcements table;
    believer elsewhere{table, {"x"}};
    std::array<std::unique_ptr<believer>, 4> stuck;
    for (std::size_t k = 0; k != stuck.size(); ++k) {
        const auto prefix = "p" + std::to_string(k);
        const auto name = [&](int i) { return prefix + "/" + std::to_string(i) + std::string(4000, 'p'); };
        for (int i = 0; i < 10000; ++i) table.set(name(i), {hops(0), 0});
        stuck[k] = std::make_unique<believer>(table, std::vector<std::string>{prefix});
        stuck[k]->read();
        for (int i = 0; i < 10000; ++i) table.remove(name(i), 0);
        CHECK(table.ended() <= 20000);
    }
    CHECK(stuck[0]->overrun);
    CHECK_FALSE(stuck[3]->overrun);
    CHECK_FALSE(elsewhere.overrun);
    for (auto& one : stuck) one->read();
    CHECK(table.ended() == 0);
}

TEST_CASE("a slot belongs to one path at a time, as far as any reader knows", "[announcements]") {
    announcements table;
    believer reader{table};
    std::map<std::size_t, std::string> owner;
    for (int i = 0; i < 20000; ++i) {
        const auto path = "p" + std::to_string(i % 500);
        table.set(path, {hops(0), 0});
        const auto* e = table.find(path);
        const auto old = owner.find(e->slot);
        if (old != owner.end() && old->second != path) CHECK(table.find(old->second) == nullptr);
        owner[e->slot] = path;
        if (i % 3 != 0) table.remove(path, 0);
        if (i % 11 == 0) reader.read();
    }
}

} // namespace moqlite::test::announcements_test
