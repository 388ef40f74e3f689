// The table of broadcasts, and those who read it at their own pace.
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <moqlite/session/announcements.hpp>
#include <string>

using namespace moqlite;

namespace {

/// A listener and what it believes to be there.
struct believer : announcements::listener {
    explicit believer(announcements& t) : entry(nullptr, 0), table(t) {
        ready = &entry;
        table.listen(*this);
    }
    /// Takes up to `most` changes; returns how many there were.
    int read(int most = 1 << 30) {
        int n = 0;
        for (; n < most; ++n) {
            const auto* e = table.after(seen);
            if (e == nullptr) break;
            CHECK(e->change > seen);
            seen = e->change;
            if (e->routes.empty())
                believes.erase(e->path);
            else
                believes[e->path] = e->routes.front().hops.size();
        }
        return n;
    }
    ready_entry entry;
    announcements& table;
    std::map<std::string, std::size_t> believes;
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

TEST_CASE("the same route again is no change: in a circle of relays it would go round for ever", "[announcements]") {
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

TEST_CASE("a reader is told the state that it missed, not the history", "[announcements]") {
    announcements table;
    believer reader{table};
    for (int i = 0; i < 50; ++i) {
        table.set("a", {hops(1), 1});
        table.remove("a", 1);
    }
    table.set("b", {hops(1), 1});
    CHECK(reader.read() == 2);
    CHECK(reader.believes == std::map<std::string, std::size_t>{{"b", 1}});
}

TEST_CASE("every reader ends with the same belief, however slowly it reads", "[announcements]") {
    announcements table;
    believer quick{table};
    believer slow{table};
    std::map<std::string, std::size_t> truth;
    std::uint64_t dice = 3;
    for (int i = 0; i < 20000; ++i) {
        dice = dice * 6364136223846793005u + 1442695040888963407u;
        const auto path = "p" + std::to_string((dice >> 33) % 300);
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
    }
    slow.read();
    CHECK(table.size() == truth.size());
    CHECK(quick.believes == truth);
    CHECK(slow.believes == truth);
    believer late{table};
    late.read();
    CHECK(late.believes == truth);
}

TEST_CASE("what has ended is forgotten once all have been told", "[announcements]") {
    announcements table;
    believer reader{table};
    std::size_t most = 0;
    for (int i = 0; i < 10000; ++i) {
        const auto path = "p" + std::to_string(i);
        table.set(path, {hops(0), 0});
        table.remove(path, 0);
        reader.read();
        most = std::max(most, table.find("nothing") == nullptr ? table.size() : 0);
    }
    CHECK(most <= 1);
    // A newcomer is told of nothing that ended long ago.
    believer late{table};
    CHECK(late.read() < 200);
}

TEST_CASE("a reader that never reads does not make the table grow for ever", "[announcements]") {
    announcements table;
    believer stuck{table};
    for (int i = 0; i < 70000; ++i) {
        const auto path = "p" + std::to_string(i);
        table.set(path, {hops(0), 0});
        table.remove(path, 0);
    }
    CHECK(stuck.overrun);
    CHECK(stuck.read() < 66000);
}

TEST_CASE("long names that come and go do not make it grow either", "[announcements][regression]") {
    announcements table;
    believer stuck{table};
    for (int i = 0; i < 20000; ++i) {
        const auto path = std::to_string(i) + std::string(4000, 'p');
        table.set(path, {hops(0), 0});
        table.remove(path, 0);
    }
    CHECK(stuck.overrun);
    CHECK(stuck.read() < 8500); // 32 MiB of them.
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
