// SUBSCRIBE_UPDATE: the final values of a turn are one message, and no second one is queued before it is sent.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::update_test {

namespace {

struct viewer : subject {
    explicit viewer(const subscribe_options& o = {}) : subject(role::client) {
        begin(*this);
        id = (*this)->subscribe({"room", "video"}, o).value();
        static_cast<void>(outputs());
    }
    void want(priority p, std::optional<std::uint64_t> end = {}, std::optional<std::uint64_t> start = {}) {
        subscribe_options o{.priority = p};
        if (end) o.end = group_sequence{*end};
        if (start) o.start = group_sequence{*start};
        REQUIRE((*this)->update(id, changes_to(o)));
    }
    subscribe_id id{};
};

} // namespace

TEST_CASE("updates of one turn are one SUBSCRIBE_UPDATE, with the last values", "[session][update]") {
    viewer client;
    for (std::uint64_t n = 1; n <= 100; ++n) client.want(static_cast<priority>(n), n);
    CHECK(client.outputs() == list{"write 0 06640000004065"});
    CHECK(client.outputs().empty());
}

TEST_CASE("updates that restore the known state are not sent", "[session][update]") {
    viewer client{{.priority = 3}};
    client.want(9);
    client.want(3);
    CHECK(client.outputs().empty());
}

TEST_CASE("a start set by one of several updates is in the one that is sent", "[session][update]") {
    viewer client;
    client.want(1, {}, 7);
    client.want(2);
    CHECK(client.outputs() == list{"write 0 050200000800"});
}

TEST_CASE("an update waits until the previous one is written: for a peer without credit only one waits",
    "[session][update]") {
    viewer client;
    client.link.stream_room[stream_id{0}] = 3;
    client.want(1);
    CHECK(client.outputs() == list{"write 0 050100"});
    for (std::uint64_t n = 2; n <= 50; ++n) {
        client.want(static_cast<priority>(n));
        CHECK(client.outputs().empty());
    }
    client.link.stream_room.clear();
    client.writable(0);
    CHECK(client.outputs() == list{"write 0 000000", "write 0 053200000000"});
    CHECK(client.outputs().empty());
}

TEST_CASE("updates before the SUBSCRIBE has a stream follow it as one", "[session][update]") {
    subject client{role::client};
    begin(client);
    client.link.bidi_streams = 0;
    const auto id = client->subscribe({"room", "video"});
    REQUIRE(id);
    CHECK(client.outputs() == list{"open bidi in vain"});
    for (priority p = 1; p <= 9; ++p) REQUIRE(client->update(*id, {.priority = p}));
    CHECK(client.outputs().empty());
    client.link.bidi_streams = 1;
    client->streams_available(direction::bidi, client.now);
    CHECK(client.outputs() ==
          list{"open bidi", "write 0 02110004726f6f6d05766964656f0000000000", "write 0 050900000000"});
}

TEST_CASE("what an update does not set stays as it is, and a Group End goes only by name", "[session][update]") {
    viewer client{{.priority = 3,
        .ordered = true,
        .max_age = milliseconds{100},
        .start = group_sequence{7},
        .end = group_sequence{9}}};
    const auto sent = [&](const subscribe_changes& u) {
        REQUIRE(client->update(client.id, u));
        return client.outputs();
    };
    CHECK(sent({}).empty());
    CHECK(sent({.priority = 4}) == list{"write 0 0604014064080a"});
    CHECK(sent({.end = group_sequence{10}}) == list{"write 0 0604014064080b"});
    CHECK(sent({.end = no_end}) == list{"write 0 06040140640800"});
    CHECK(sent({.ordered = false, .max_age = milliseconds{0}}) == list{"write 0 050400000800"});
    CHECK(sent({.start = group_sequence{3}}) == list{"write 0 050400000400"});
    CHECK(sent({.priority = 4}).empty());
}

TEST_CASE("an update of an ended subscription is not sent", "[session][update]") {
    viewer client;
    client.want(5);
    REQUIRE(client->unsubscribe(client.id));
    CHECK(client.outputs() == list{"stop 0 cancel", "write 0 fin"});
}

} // namespace moqlite::test::update_test
