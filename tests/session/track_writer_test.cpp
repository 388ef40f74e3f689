// A track written frame by frame: which subscribers are served which groups, and what is held how long.
#include "session/subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <moqlite/session/track_writer.hpp>
#include <utility>

namespace moqlite::test::track_writer_test {

/// A session that records commands.
struct notebook {
    result<void> note(std::string line) {
        said.push_back(std::move(line));
        return {};
    }
    static std::string name(request_id id) { return std::to_string(number(id)) + " "; }

    result<void> accept(request_id id, std::optional<group_sequence> start) {
        return note("accept " + name(id) + std::to_string(number(start.value())));
    }
    result<void> answer_track(request_id id, const track_info& info) {
        return note("track " + name(id) + std::to_string(info.timescale));
    }
    result<void> set_timescale(request_id, std::uint64_t) { return {}; }
    result<void> reject(request_id id, app_error code) {
        return note("reject " + name(id) + std::string{to_string(code)});
    }
    result<void> serve(request_id id, group_ref g) {
        return note("serve " + name(id) + std::to_string(number(g->sequence())));
    }
    result<void> drop(request_id id, group_sequence first, group_sequence last, app_error) {
        return note("drop " + name(id) + std::to_string(number(first)) + ".." + std::to_string(number(last)));
    }
    result<void> end_track(request_id id, group_sequence end) {
        return note("end " + name(id) + std::to_string(number(end)));
    }
    result<void> finish(request_id id) { return note("finish " + name(id)); }
    [[nodiscard]] std::uint64_t unsent(request_id) const { return waiting; }
    [[nodiscard]] protocol_features features() const { return features_of(dialect); }

    version dialect = version::lite_05;
    std::uint64_t waiting = 0; ///< Bytes, of each subscriber.
    list said;
};

/// A writer of room/video with two frames a group.
struct studio {
    explicit studio(track_writer_options o = {})
        : writer{session, {"room", "video"}, memory, two_frames(std::move(o))} {}
    static track_writer_options two_frames(track_writer_options o) {
        o.group_frames = 2;
        return o;
    }
    static group_sequence at(std::uint64_t n) { return group_sequence{n}; }

    void write(int frames, std::size_t size = 10) {
        const std::string payload(size, 'x');
        while (frames-- > 0) writer.write(timestamp{}, as_bytes(payload));
    }
    void subscribed(std::uint64_t id, std::optional<std::uint64_t> start = {}, std::optional<std::uint64_t> end = {}) {
        subscribe_options o;
        if (start) o.start = at(*start);
        if (end) o.end = at(*end);
        REQUIRE(writer.handle(subscribe_requested{request_id{id}, {"room", "video"}, o}));
    }
    bool delivered(std::uint64_t id, std::uint64_t n) { return writer.handle(group_delivered{request_id{id}, at(n)}); }
    bool lost(std::uint64_t id, std::uint64_t n) {
        return writer.handle(group_lost{request_id{id}, at(n), app_error::old});
    }
    bool left(std::uint64_t id) { return writer.handle(request_ended{request_id{id}, false}); }
    list said() { return std::exchange(session.said, {}); }

    slab_pool memory{64 * 1024 * 1024};
    notebook session;
    track_writer<notebook> writer;
};

const track_writer_options complete{.mode = writing::complete};
const time_point noon{std::chrono::hours{12}};

TEST_CASE("a live writer holds only the newest group for new subscribers, and every subscriber gets the following ones",
    "[session][writer]") {
    studio s;
    s.write(5); // Groups 0 and 1, and half of 2.
    s.subscribed(7);
    CHECK(s.said() == list{"accept 7 2", "serve 7 2"});
    s.write(1);
    CHECK(s.said().empty()); // The same group grows.
    s.write(1);
    CHECK(s.said() == list{"serve 7 3"});
    CHECK(s.writer.next_for(request_id{7}) == studio::at(4));
    CHECK_FALSE(s.writer.next_for(request_id{8}));
}

TEST_CASE("where Max Age decides about the start, a subscription begins with the oldest group held that it allows",
    "[session][writer]") {
    studio s{complete};
    s.session.dialect = version::lite_06;
    s.writer.keep_recent();
    // Group n has the times 10 n and 10 n + 1 s.
    for (std::uint64_t n = 0; n != 5; ++n)
        for (std::uint64_t frame = 0; frame != 2; ++frame)
            s.writer.write(timestamp{10'000 * n + 1000 * frame}, as_bytes("x"));
    std::uint64_t request = 0;
    const auto start = [&](milliseconds max_age, std::optional<std::uint64_t> floor = {}) {
        subscribe_options o{.max_age = max_age};
        if (floor) o.start = studio::at(*floor);
        REQUIRE(s.writer.handle(subscribe_requested{request_id{++request}, {"room", "video"}, o}));
        const auto first = s.said().front();
        CHECK(s.left(request));
        return first.substr(first.rfind(' ') + 1);
    };
    // The newest frame is at 41 s.
    CHECK(start(milliseconds{0}) == "4");
    CHECK(start(milliseconds{999}) == "4");
    CHECK(start(milliseconds{1000}) == "3");
    CHECK(start(milliseconds{11'000}) == "2");
    CHECK(start(complete_age) == "0");
    CHECK(start(complete_age, 2) == "2");
    CHECK(start(milliseconds{0}, 2) == "4");
    CHECK(start(milliseconds{0}, 9) == "9");
}

TEST_CASE("a complete writer holds every group until it is received", "[session][writer]") {
    studio s{complete};
    s.write(6);
    s.subscribed(1, 0);
    CHECK(s.said() == list{"accept 1 0", "serve 1 0", "serve 1 1", "serve 1 2"});
    SECTION("and lets it go then") {
        CHECK(s.delivered(1, 0));
        CHECK_FALSE(s.writer.find(studio::at(0)));
        CHECK(s.writer.find(studio::at(1)));
        CHECK(s.writer.undelivered() == 2);
    }
    SECTION("but not for one that is held to be requested again") {
        s.writer.keep_recent();
        CHECK(s.delivered(1, 0));
        CHECK(s.writer.find(studio::at(0)));
    }
    SECTION("and counts one that was lost as not received") {
        CHECK(s.lost(1, 0));
        CHECK(s.left(1));
        CHECK(s.writer.undelivered() == 3);
    }
}

TEST_CASE("a subscriber is served up to its Group End, and further when it raises that", "[session][writer]") {
    studio s{complete};
    s.subscribed(1, 0, 1);
    s.write(4);
    CHECK(s.said() == list{"accept 1 0", "serve 1 0", "serve 1 1"});
    CHECK_FALSE(s.writer.has_room(noon)); // The next frame opens group 2.
    CHECK(s.writer.handle(groups_wanted{request_id{1}, studio::at(2)}));
    CHECK(s.writer.has_room(noon));
    s.write(1);
    CHECK(s.said() == list{"serve 1 2"});
}

TEST_CASE("a subscriber has no room while too much is in flight", "[session][writer]") {
    auto o = complete;
    o.groups_max = 2;
    studio s{o};
    CHECK(s.writer.has_room(noon)); // Of nobody.
    s.subscribed(1, 0);
    SECTION("in bytes") {
        s.session.waiting = o.unsent_max;
        CHECK_FALSE(s.writer.has_room(noon));
        s.session.waiting = o.unsent_max - 1;
        CHECK(s.writer.has_room(noon));
    }
    SECTION("in groups, when the next frame opens one") {
        s.write(3);
        CHECK(s.writer.has_room(noon));
        s.write(1);
        CHECK_FALSE(s.writer.has_room(noon));
        CHECK(s.delivered(1, 0));
        CHECK(s.writer.has_room(noon));
    }
}

TEST_CASE("the furthest Group End decides when a writer has room", "[session][writer]") {
    studio s{complete};
    s.subscribed(1, 0, 0);
    s.subscribed(2, 0, 1);
    s.write(2);
    CHECK(s.writer.has_room(noon)); // The first one does not go on.
    s.write(2);
    CHECK_FALSE(s.writer.has_room(noon));
    CHECK_FALSE(s.writer.has_room(noon + std::chrono::hours{1})); // Nobody wants group 2.
    CHECK_FALSE(s.writer.deadline());
    CHECK(s.writer.handle(groups_wanted{request_id{1}, studio::at(9)})); // They change places.
    CHECK(s.writer.has_room(noon));
}

TEST_CASE(
    "a subscriber that stays at its Group End holds back those without one only for a while", "[session][writer]") {
    auto o = complete;
    o.patience = std::chrono::seconds{10};
    studio s{o};
    s.subscribed(1, 0, 0);
    s.subscribed(2, 0);
    s.write(2);
    CHECK_FALSE(s.writer.has_room(noon));
    CHECK(s.writer.deadline() == noon + o.patience);
    CHECK_FALSE(s.writer.has_room(noon + o.patience - std::chrono::nanoseconds{1}));
    SECTION("then it is served what is held, when it goes on, and counts again when it has caught up") {
        CHECK(s.writer.has_room(noon + o.patience));
        s.write(4);
        CHECK(s.writer.has_room(noon + o.patience));
        s.said();
        CHECK(s.writer.handle(groups_wanted{request_id{1}, studio::at(1)}));
        CHECK(s.said() == list{"serve 1 1"});
        CHECK(s.writer.has_room(noon + o.patience)); // One step does not buy another pause.
        CHECK(s.writer.handle(groups_wanted{request_id{1}, studio::at(3)}));
        CHECK(s.writer.has_room(noon + o.patience));
        CHECK_FALSE(s.writer.deadline());
        s.write(2);
        CHECK_FALSE(s.writer.has_room(noon + o.patience));
        CHECK(s.writer.deadline() == noon + 2 * o.patience);
    }
    SECTION("it may go on before") {
        CHECK(s.writer.handle(groups_wanted{request_id{1}, studio::at(1)}));
        CHECK(s.writer.has_room(noon + std::chrono::seconds{9}));
        s.write(2);
        CHECK_FALSE(s.writer.has_room(noon + o.patience));
        CHECK(s.writer.deadline() == noon + 2 * o.patience);
    }
    SECTION("alone, it holds back nobody, and is waited for") {
        CHECK(s.left(2));
        CHECK_FALSE(s.writer.has_room(noon + o.patience));
        CHECK_FALSE(s.writer.deadline());
        s.subscribed(3); // Whose time begins now.
        CHECK_FALSE(s.writer.has_room(noon + o.patience));
        CHECK(s.writer.deadline() == noon + 2 * o.patience);
    }
}

TEST_CASE("beyond its bound a writer drops the oldest groups, and announces that to subscribers", "[session][writer]") {
    auto o = complete;
    o.hold_max = 200 * 1024;
    studio s{o};
    s.write(8, 40'000); // Four groups of 80 kB.
    CHECK_FALSE(s.writer.find(studio::at(0)));
    CHECK(s.writer.find(studio::at(3)));
    s.subscribed(1, 0);
    CHECK(s.said().front() != "accept 1 0");
    s.writer.end();
    CHECK(s.said().back() == "finish 1 ");
}

TEST_CASE("a group that grows beyond the bound without a subscriber is aborted, and the next one starts fresh",
    "[session][writer]") {
    auto o = complete;
    o.hold_max = 100'000;
    studio s{o};
    s.write(1, 200'000);
    s.write(1, 10); // Of the same group, which is dropped.
    CHECK_FALSE(s.writer.find(studio::at(0)));
    s.write(1, 10);
    CHECK(s.writer.find(studio::at(1)));
    CHECK(s.writer.groups() == 2);
}

TEST_CASE("the end of a track is sent at once and finishes each subscription, also later ones", "[session][writer]") {
    studio s{complete};
    s.write(1);
    s.subscribed(1, 0);
    s.said();
    s.writer.end();
    CHECK(s.said() == list{"end 1 1", "end 1 1", "finish 1 "});
    s.subscribed(2);
    CHECK(s.said() == list{"accept 2 0", "serve 2 0", "end 2 1", "finish 2 "});
}

TEST_CASE(
    "subscribers on a successor session are served from their requested start, if still held", "[session][writer]") {
    studio s{complete};
    s.subscribed(1, 0);
    s.write(4);
    s.said();
    s.writer.keep_recent();
    CHECK(s.delivered(1, 0));
    s.writer.detach();
    CHECK_FALSE(s.writer.has_subscribers());
    s.write(2);
    notebook next;
    s.writer.attach(next);
    s.subscribed(1, 1);
    CHECK(next.said == list{"accept 1 1", "serve 1 1", "serve 1 2"});
    CHECK(s.said().empty());
}

TEST_CASE("requests for the track are answered, others are left to the application", "[session][writer]") {
    studio s{{.info = {.timescale = 1000}}};
    s.write(1);
    CHECK(s.writer.handle(track_requested{request_id{1}, {"room", "video"}}));
    CHECK(s.writer.handle(fetch_requested{request_id{2}, {"room", "video"}, studio::at(0), 0}));
    CHECK(s.writer.handle(fetch_requested{request_id{3}, {"room", "video"}, studio::at(9), 0}));
    CHECK(s.said() == list{"track 1 1000", "serve 2 0", "reject 3 " + std::string{to_string(app_error::not_found)}});
    CHECK_FALSE(s.writer.handle(track_requested{request_id{4}, {"room", "audio"}}));
    CHECK_FALSE(s.writer.handle(fetch_requested{request_id{5}, {"hall", "video"}, studio::at(0), 0}));
    CHECK_FALSE(s.writer.handle(subscribe_requested{request_id{6}, {"room", "audio"}, {}}));
    CHECK_FALSE(s.delivered(6, 0));
    CHECK_FALSE(s.left(6));
    CHECK_FALSE(s.writer.handle(goaway_received{}));
    CHECK(s.said().empty());
}

} // namespace moqlite::test::track_writer_test
