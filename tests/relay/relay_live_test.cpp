// Live and complete readers of one track do not affect each other. Issue 10, B7.
#include "scene.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cstdlib>
#include <map>

namespace moqlite::test::relay_live_test {

namespace {

const std::string payload(10'000, 'x');

subscribe_options complete(std::optional<std::uint64_t> end, std::optional<std::uint64_t> start = {}) {
    return {.ordered = true,
        .max_age = complete_age,
        .start = start ? std::optional{at(*start)} : std::nullopt,
        .end = end ? std::optional{at(*end)} : std::nullopt};
}

/// A publisher that produces a group now and then, and serves each subscription up to its Group End: later groups wait.
class source {
public:
    source(scene& s, guest& camera) : s_(s), camera_(camera) {}
    /// Number of subscriptions, after serving new requests.
    std::size_t serve() {
        s_.settle();
        for (const auto& line : camera_.heard()) {
            const auto id = std::strtoull(line.c_str() + line.find(' '), nullptr, 10);
            if (line.starts_with("subscribe_requested")) {
                ++subscribed_;
                const auto range = line.substr(line.rfind(' ') + 1);
                const auto newest = newest_ == 0 ? 0 : newest_ - 1;
                next_[id] = range.starts_with("..") ? newest : std::strtoull(range.c_str(), nullptr, 10);
                if (newest_ != 0) camera_.accept(id, next_[id]);
            } else if (line.starts_with("request_ended")) {
                next_.erase(id);
            }
        }
        most_ = std::max(most_, next_.size());
        for (auto& [id, next] : next_)
            for (; next < newest_; ++next) {
                auto g = camera_->open_group(request_id{id}, at(next));
                if (!g) break;
                REQUIRE((*g)->write_frame(timestamp{0}, as_bytes(payload)));
                REQUIRE((*g)->finish());
            }
        s_.settle();
        s_.pass(1ms);
        return next_.size();
    }
    void bring_group() {
        if (newest_++ == 0)
            for (auto& [id, next] : next_) camera_.accept(id, 0);
        serve();
    }
    [[nodiscard]] std::uint64_t newest() const { return newest_ - 1; }
    [[nodiscard]] std::size_t most() const { return most_; }             ///< Subscriptions at once.
    [[nodiscard]] std::size_t subscribed() const { return subscribed_; } ///< Subscriptions ever.

private:
    scene& s_;
    guest& camera_;
    std::map<std::uint64_t, std::uint64_t> next_; ///< The next group, by subscription.
    std::uint64_t newest_ = 0;
    std::size_t most_ = 0;
    std::size_t subscribed_ = 0;
};

relay_options small_cache() {
    relay_options o;
    o.bounds.cache = 100'000;
    return o;
}

std::string group_line(std::uint64_t n) { return std::to_string(n) + ": 10000 bytes"; }

/// A complete reader that takes every third group.
struct slow_reader {
    explicit slow_reader(guest& reader) : g(reader) {}
    void read() {
        for (auto& line : g.groups()) got.push_back(line);
        if (++turns % 3 == 0) g.update(complete(++end));
    }
    void finish(source& from) {
        for (; end < from.newest(); from.serve()) {
            g.update(complete(++end));
            from.serve();
        }
        read();
        list all;
        for (std::uint64_t n = 0; n <= from.newest(); ++n) all.push_back(group_line(n));
        std::sort(got.begin(), got.end(), [](const auto& a, const auto& b) { return std::stoi(a) < std::stoi(b); });
        CHECK(got == all);
    }
    guest& g;
    list got;
    std::uint64_t end = 2;
    int turns = 0;
};

} // namespace

TEST_CASE("a live reader costs a slow complete one no group, and stays near the live edge, in either order of arrival",
    "[relay][live]") {
    const bool live_first = GENERATE(false, true);
    CAPTURE(live_first);
    scene s{small_cache()};
    auto& camera = s.publisher();
    source from{s, camera};
    guest* live = live_first ? &s.viewer() : nullptr;
    from.serve();
    slow_reader slow{s.viewer(complete(2, 0))};
    std::uint64_t behind = 0;
    for (int n = 0; n < 100; ++n) {
        if (n == 20 && !live_first) live = &s.viewer();
        from.bring_group();
        slow.read();
        if (live == nullptr) continue;
        const auto got = live->groups();
        behind = got.empty() ? behind + 1 : 0;
        CHECK(behind <= 1);
        if (!got.empty()) CHECK(got.back() == group_line(from.newest()));
    }
    CHECK(from.most() == 2);
    CHECK(from.subscribed() == 2);
    SECTION("and the complete one continues when it leaves") {
        live->unsubscribe();
        CHECK(from.serve() == 1);
        slow.finish(from);
        CHECK(s.r.stats().groups_lost == 0);
    }
    SECTION("and continues when the complete one leaves") {
        slow.g.unsubscribe();
        CHECK(from.serve() == 1);
        for (int n = 0; n < 10; ++n) {
            from.bring_group();
            CHECK(live->groups() == list{group_line(from.newest())});
        }
    }
    SECTION("and others of both kinds share their subscriptions") {
        auto& second = s.viewer();
        slow_reader late{s.viewer(complete(2, 0))};
        from.bring_group();
        CHECK(second.groups().back() == group_line(from.newest()));
        CHECK(from.most() == 2);
        CHECK(from.subscribed() == 2);
    }
    CHECK(s.r.stats().groups_lost == 0);
}

TEST_CASE("live and complete readers share one subscription as long as it keeps up", "[relay][live]") {
    scene s{small_cache()};
    auto& camera = s.publisher();
    source from{s, camera};
    auto& first = s.viewer();
    from.serve();
    // Its start is not known yet.
    auto& recorder = s.viewer(complete({}));
    auto& second = s.viewer();
    for (unsigned n = 0; n < 50; ++n) {
        from.bring_group();
        recorder.update(complete(n + 2));
        s.settle();
        for (auto* g : {&first, &second, &recorder}) CHECK(g->groups() == list{group_line(n)});
    }
    CHECK(from.subscribed() == 1);
    CHECK(s.r.stats().groups_lost == 0);
}

TEST_CASE("a live reader is moved once, however often complete ones arrive and leave", "[relay][live]") {
    scene s{small_cache()};
    auto& camera = s.publisher();
    source from{s, camera};
    auto& live = s.viewer();
    from.serve();
    for (unsigned n = 0; n < 10; ++n) {
        auto& fickle = s.viewer(complete(0, 0));
        from.bring_group();
        CHECK(live.groups().back() == group_line(n));
        fickle.unsubscribe();
        CHECK(from.serve() == 1);
    }
    CHECK(from.most() == 2);
    CHECK(live.heard() == list{"subscription_accepted 0 from 0"});
}

TEST_CASE("if the publisher refuses a second subscription, a live reader is served by the first", "[relay][live]") {
    scene s;
    auto& camera = s.publisher();
    auto& recorder = s.viewer(complete(1, 0));
    camera.accept(0, 0);
    camera.send(0, 0, "0");
    camera.send(0, 1, "1");
    s.settle();
    auto& live = s.viewer();
    REQUIRE(camera->reject(request_id{1}, app_error::bounds_exceeded));
    s.settle();
    CHECK(live.groups() == list{"1: 1"});
    camera.heard();
    recorder.update(complete(3));
    s.settle();
    camera.send(0, 2, "2");
    camera.send(0, 3, "3");
    s.settle();
    CHECK(live.groups() == list{"3: 3", "2: 2"});
    CHECK(recorder.groups() == list{"0: 0", "1: 1", "2: 2", "3: 3"});
    CHECK(live.heard() == list{"subscription_accepted 0 from 1"});
}

TEST_CASE("a live reader that sets a Group End is complete from there on", "[relay][live]") {
    scene s{small_cache()};
    auto& camera = s.publisher();
    source from{s, camera};
    slow_reader slow{s.viewer(complete(2, 0))};
    auto& late = s.viewer();
    for (int n = 0; n < 30; ++n) from.bring_group(), slow.read();
    CHECK(late.groups().back() == group_line(29));
    late.update(complete(31));
    for (int n = 0; n < 5; ++n) from.bring_group(), slow.read();
    late.update(complete(40));
    from.serve();
    auto got = late.groups();
    std::sort(got.begin(), got.end());
    CHECK(got == list{group_line(30), group_line(31), group_line(32), group_line(33), group_line(34)});
    CHECK(from.most() == 2);
}

TEST_CASE("both subscriptions to a track end with it, and the complete one's groups are kept", "[relay][live]") {
    scene s;
    auto& camera = s.publisher();
    auto& recorder = s.viewer(complete(1, 0));
    camera.accept(0, 0);
    camera.send(0, 0, "0");
    camera.send(0, 1, "1");
    s.settle();
    auto& live = s.viewer();
    camera.accept(1, 2);
    camera.send(1, 2, "2");
    camera.end_track(1, 3);
    s.settle();
    CHECK(live.groups() == list{"2: 2"});
    CHECK(live.heard() ==
          list{"subscription_accepted 0 from 2", "subscription_end_known 0 before 3", "subscription_ended 0 finished"});
    recorder.update(complete(3));
    s.settle();
    camera.send(0, 2, "2");
    camera.end_track(0, 3);
    s.settle();
    CHECK(recorder.groups() == list{"0: 0", "1: 1", "2: 2"});
    CHECK(s.viewer({.start = at(0)}).groups().size() == 3);
    SECTION("or both are cut off") { s.cut(camera); }
    s.pass(31s);
    CHECK(s.r.stats().tracks == 0);
    CHECK(s.r.stats().memory == 0);
}

TEST_CASE("a reader of a replaced publisher sets a Group End, and the next reader gets the new publisher",
    "[relay][live][regression]") {
    scene s;
    auto& camera = s.publisher("room/cam", hop_id{1});
    auto& fickle = s.viewer();
    auto& recorder = s.viewer(complete(5, 0));
    camera.accept(0, 0);
    camera.send(0, 0, "0");
    recorder.unsubscribe(); // Its subscription has no Group End from here on.
    s.settle();
    auto& other = s.publisher("room/cam", hop_id{2});
    static_cast<void>(s.viewer());
    other.accept(0, 0);
    other.send(0, 0, "new");
    s.settle();
    camera.heard();
    fickle.update(complete(5));
    s.settle();
    camera.accept(1, 1);
    camera.send(1, 1, "1");
    s.settle();
    auto& next = s.viewer();
    CHECK(next.groups() == list{"0: new"});
    CHECK(fickle.groups() == list{"0: 0", "1: 1"});
    fickle.unsubscribe();
    s.settle();
    CHECK(s.viewer().groups() == list{"0: new"});
    CHECK(s.r.stats().tracks == 1);
    SECTION("or all end in another order") { s.cut(other); }
    SECTION("or they end with their publishers") { s.cut(camera), s.cut(other); }
}

TEST_CASE("second subscriptions beside one that its publisher ends at its Group End count in a share",
    "[relay][live][regression]") {
    relay_options o;
    o.bounds.upstream_requests = 12;
    scene s{o};
    auto& camera = s.publisher();
    std::uint64_t id = 0;
    // Each time the track is paused when one of its readers becomes a live one.
    for (std::uint64_t n = 0; n < 20; ++n) {
        CAPTURE(n);
        auto& recorder = s.join();
        auto& live = s.join();
        const auto name = "track" + std::to_string(n);
        live.subscribe({"room/cam", name}, complete({})); // It is not live yet.
        recorder.subscribe({"room/cam", name}, complete(0, 0));
        s.settle();
        const auto last = [&] {
            for (const auto& line : camera.heard())
                if (line.starts_with("subscribe_requested")) id = std::strtoull(line.c_str() + 20, nullptr, 10);
            return id;
        };
        const auto first = last();
        camera.accept(first, 0);
        REQUIRE(camera->open_group(request_id{first}, at(0)).value()->finish());
        REQUIRE(camera->finish(request_id{first}));
        s.settle();
        live.update({});
        s.settle();
        const auto second = last();
        CHECK(second == first + 1);
        live.unsubscribe();
        recorder.unsubscribe();
        s.settle();
        camera.heard();
    }
    CHECK(s.r.stats().requests_refused == 0);
}

// Issue 10: a live reader that sets a Group End lost the arriving group.
TEST_CASE("a live reader that sets a Group End gets the arriving group whole", "[relay][live][group end]") {
    scene s;
    auto& camera = s.publisher();
    auto& recorder = s.viewer(complete(1, 0));
    auto& live = s.viewer();
    camera.accept(0, 0);
    camera.send(0, 0, "0");
    camera.send(0, 1, "1");
    s.settle(); // The recorder is delayed: live has a subscription of its own.
    camera.accept(1, 2);
    const auto g = camera.begin(1, 2);
    REQUIRE(g->write_frame(timestamp{0}, as_bytes("half")));
    s.settle();
    REQUIRE(live.arriving() == list{"2: half"});
    static_cast<void>(live.groups());
    const bool others = GENERATE(false, true);
    if (others) static_cast<void>(s.viewer());
    const std::uint64_t end = GENERATE(2u, 3u);
    CAPTURE(others, end);
    if (GENERATE(false, true)) {
        s.cut(recorder); // Or there are no others.
    }
    live.update({.end = at(end)});
    s.settle();
    s.pass(1min);
    CHECK(live.groups().empty());
    REQUIRE(g->write_frame(timestamp{0}, as_bytes("whole")));
    REQUIRE(g->finish());
    s.settle();
    CHECK(live.groups() == list{"2: halfwhole"});
    live.unsubscribe();
    s.settle();
    s.pass(1min);
    s.pass(1min);
    CHECK(s.r.stats().readers == (others ? 1u : 0u) + (s.r.session(recorder.key) != nullptr ? 1u : 0u));
    CHECK(s.r.stats().tracks <= s.r.stats().readers);
}

TEST_CASE(
    "a reader that left while its last group was arriving leaves no subscription behind", "[relay][live][group end]") {
    scene s;
    auto& camera = s.publisher();
    static_cast<void>(s.viewer(complete(1, 0)));
    auto& live = s.viewer();
    camera.accept(0, 0);
    camera.send(0, 0, "0");
    camera.send(0, 1, "1");
    s.settle();
    camera.accept(1, 2);
    const auto g = camera.begin(1, 2);
    REQUIRE(g->write_frame(timestamp{0}, as_bytes("half")));
    s.settle();
    camera.end.deaf = true;
    live.update({.end = at(3)});
    s.settle();
    camera.heard();
    live.groups();
    SECTION("and groups of its subscription beyond that one are refused") {
        camera.send(1, 3, std::string(100'000, 'x'));
        s.settle();
        CHECK(s.r.stats().memory < 50'000);
        CHECK(live.groups().empty());
    }
    camera.end.deaf = false;
    camera.end.resume();
    live.unsubscribe();
    s.settle();
    s.pass(10s);
    const auto heard = camera.heard();
    CHECK(std::find(heard.begin(), heard.end(), "request_ended 1 cancel") != heard.end());
    CHECK(s.r.stats().tracks == 1);
}

} // namespace moqlite::test::relay_live_test
