// Publishers without a hop id: a relay gives each connection one, so that others can tell their routes (moq-lite-wire
// §10).
#include "scene.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <sstream>

namespace moqlite::test::relay_unnamed_test {

namespace {

relay_options named() {
    relay_options o;
    o.origin = hop_id{50};
    return o;
}
/// The hops of the announcement that `g` has heard last, with its own connection's peer.
std::vector<std::string> hops(guest& g) {
    std::vector<std::string> out;
    for (const auto& line : g.heard()) {
        const auto at = line.find(" hops ");
        if (!line.starts_with("broadcast_available") || at == std::string::npos) continue;
        out.clear();
        std::istringstream words{line.substr(at + 6)};
        for (std::string word; words >> word && word.find_first_not_of("0123456789") == std::string::npos;)
            out.push_back(word);
    }
    return out;
}

} // namespace

TEST_CASE("an unnamed publisher gets a first hop of its own for its connection, and stays anonymous",
    "[relay][announce][unnamed]") {
    const auto v = GENERATE(version::lite_04, version::lite_05, version::lite_06, version::lite_07_wip);
    CAPTURE(alpn(v));
    scene s{named()};
    auto& watcher = s.join({}, version::lite_06);
    watcher.watch();
    auto& one = s.join({}, v);
    one.announce("one");
    s.settle();
    const auto first = hops(watcher);
    REQUIRE(first.size() == 3);
    CHECK(first[0] != "0");
    CHECK(std::stoull(first[0]) < std::uint64_t{1} << 53);
    CHECK(std::vector(first.begin() + 1, first.end()) == std::vector<std::string>{"0", "50"});
    one.announce("also one");
    s.settle();
    CHECK(hops(watcher) == first);
    auto& two = s.join({}, v);
    two.announce("two");
    s.settle();
    CHECK(hops(watcher).at(0) != first[0]);
    s.join({}, v, hop_id{7}).announce("named");
    s.settle();
    CHECK(hops(watcher) == std::vector<std::string>{"7", "50"});
    // Another publisher of the same name that has one is preferred.
    s.join({}, v, hop_id{8}).announce("one");
    s.settle();
    s.pass_for_all(1s);
    CHECK(hops(watcher) == std::vector<std::string>{"8", "50"});
}

TEST_CASE("two routes to one unnamed publisher are routes to the same one, and a loop is dropped",
    "[relay][announce][unnamed]") {
    scene s{named()};
    auto& near = s.join({}, version::lite_06, hop_id{60});
    auto& far = s.join({}, version::lite_06, hop_id{61});
    near.announce("room/cam", {hop_id{9}, hop_id{}});
    far.announce("room/cam", {hop_id{9}, hop_id{}, hop_id{62}});
    s.settle();
    auto& viewer = s.viewer({}, version::lite_06);
    near.accept(0, 0);
    const auto g = near.begin(0, 0);
    s.settle();
    near.unannounce();
    s.pass_for_all(3s);
    REQUIRE(g->write_frame(timestamp{0}, as_bytes("x")));
    REQUIRE(g->finish());
    s.settle();
    CHECK(viewer.groups() == list{"0: x"});
    // Our own hop in the chain is a loop, whatever is in front of it.
    far.announce("room/loop", {hop_id{9}, hop_id{}, hop_id{50}});
    s.settle();
    CHECK(s.r.broadcasts().find("room/loop") == nullptr);
}

TEST_CASE("an unnamed publisher that returns within its idle timeout takes over its viewers at once",
    "[relay][restart][unnamed]") {
    scene s{named()};
    auto& old = s.publisher();
    auto& viewer = s.viewer();
    old.accept(0, 0);
    s.settle();
    viewer.heard();
    old.end.deaf = true; // Its network is gone.
    auto& returned = s.publisher();
    s.pass_for_all(600ms);
    CHECK_FALSE(viewer.heard().empty());
    viewer.subscribe({"room/cam", "video"});
    s.settle();
    CHECK_FALSE(returned.heard().empty());
}

} // namespace moqlite::test::relay_unnamed_test
