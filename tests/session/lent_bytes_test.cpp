// Lent bytes stay in memory, unchanged, until they are acknowledged, or a reset of their stream or the close of the
// connection has been executed: QUIC retransmits them from there.
#include "subject.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <functional>

namespace moqlite::test::lent_bytes_test {

namespace {

constexpr std::string_view fetch_bytes = "03 11 08 726f6f6d2f63616d 05 766964656f 04 07"; // room/cam video, group 7
constexpr auto group_stream = server_uni(1);

struct shared_pool {
    slab_pool memory;
};

/// A server with a SUBSCRIBE on stream 0 and a FETCH on stream 4. A group of each is in flight, and SUBSCRIBE_OK:
/// written, and not acknowledged.
struct lender : shared_pool, subject {
    explicit lender(limits bounds = {}) : subject(role::server, version::lite_05, {.bounds = bounds, .pool = &memory}) {
        begin(*this);
        static_cast<void>(receive(client_bidi(0), subscribe_bytes("00", "room/cam", "video")));
        static_cast<void>(receive(client_bidi(1), fetch_bytes));
        (*this)->accept(request_id{0}, group_sequence{0}).value();
        live = (*this)->open_group(request_id{0}, group_sequence{0}).value();
        fetched = (*this)->open_group(request_id{1}, group_sequence{7}).value();
        for (const auto& g : {live, fetched}) g->write_frame(timestamp{0}, as_bytes(std::string(900, 'a'))).value();
        static_cast<void>(outputs());
        REQUIRE(link.lent.bytes() > 1800);
    }
    /// The application keeps nothing, and others take all the memory that is free; then the transport sends again all
    /// that it was lent. Returns how many ranges that were.
    std::uint64_t send_again() {
        live = fetched = group_ref{};
        std::vector<group_ref> others;
        for (std::uint64_t i = 0; i != 4; ++i) {
            others.push_back(group::make(memory, group_sequence{9}, version::lite_05));
            others.back()->write_frame(timestamp{0}, as_bytes(std::string(900, 'S'))).value(); // Another user's data.
        }
        const auto before = lent_memory::comparisons();
        link.lent.compare_all();
        return lent_memory::comparisons() - before;
    }
    group_ref live, fetched;
};

/// Actions that end groups, requests or the session; the rule holds before the pump that sends this, and within it.
struct ending {
    const char* name;
    std::function<void(lender&)> how;
    bool all = false; ///< Both groups end.
};

const std::vector<ending> endings{
    {"the peer breaks a rule and the session fails",
        [](lender& s) { static_cast<void>(s.receive(client_uni(1), "01 04 01 01 01 01")); }, true},
    {"the application closes the session", [](lender& s) { s->close(app_error::cancel); }, true},
    {"the session fails for a stall",
        [](lender& s) {
            static_cast<void>(s.tick_after(1ms));
            static_cast<void>(s.tick_after(1h));
        },
        true},
    {"the requests are rejected",
        [](lender& s) {
            s->reject(request_id{0}, app_error::unauthorized).value();
            s->reject(request_id{1}, app_error::unauthorized).value();
        },
        true},
    {"the subscriber leaves", [](lender& s) { static_cast<void>(s.receive(client_bidi(0), "", true)); }},
    {"the subscriber resets its stream", [](lender& s) { static_cast<void>(s.reset(client_bidi(0))); }},
    {"the subscriber stops our answers", [](lender& s) { static_cast<void>(s.stopped(client_bidi(0))); }},
    {"the subscriber says nonsense", [](lender& s) { static_cast<void>(s.receive(client_bidi(0), "01 00")); }},
    {"the subscriber stops the group", [](lender& s) { static_cast<void>(s.stopped(group_stream)); }},
    {"the fetch is reset", [](lender& s) { static_cast<void>(s.reset(client_bidi(1))); }},
    {"the fetched group is stopped", [](lender& s) { static_cast<void>(s.stopped(client_bidi(1))); }},
    {"the fetch says more", [](lender& s) { static_cast<void>(s.receive(client_bidi(1), "00")); }},
    {"the groups are aborted",
        [](lender& s) {
            s.live->abort(app_error::cancel);
            s.fetched->abort(app_error::cancel);
        },
        true},
    {"the groups are evicted",
        [](lender& s) {
            s.live->evict_readers(app_error::evicted);
            s.fetched->evict_readers(app_error::evicted);
        },
        true},
    {"the group is stopped, then its subscriber leaves",
        [](lender& s) {
            static_cast<void>(s.stopped(group_stream));
            static_cast<void>(s.receive(client_bidi(0), "", true));
        }},
    {"the group is stopped, then the session fails",
        [](lender& s) {
            static_cast<void>(s.stopped(group_stream));
            static_cast<void>(s.receive(client_uni(1), "01 04 01 01 01 01"));
        },
        true},
};

} // namespace

TEST_CASE("lent bytes stay valid until the transport has released them, whatever ends", "[session][lent]") {
    for (const auto& e : endings) {
        DYNAMIC_SECTION(e.name) {
            lender s;
            e.how(s);
            static_cast<void>(s.events());
            // Both groups, the prefix of the one and SUBSCRIBE_OK: nothing was released yet.
            CHECK(s.send_again() == 4);
            static_cast<void>(s.outputs());
            static_cast<void>(s.events());
            CHECK(s.send_again() < 4);
            static_cast<void>(s.outputs());
            if (e.all) CHECK(s.memory.in_use() == 0);
        }
    }
}

TEST_CASE("the memory of a group that ended early is freed after one pump", "[session][lent]") {
    lender s;
    static_cast<void>(s.stopped(group_stream));
    static_cast<void>(s.send_again());
    const auto before = s.memory.in_use();
    CHECK(s.outputs() == list{"reset 7 cancel"});
    CHECK(s.memory.in_use() < before);
    // Late acknowledgements of released bytes have no effect.
    CHECK(s.acked(group_stream, 5).empty());
    CHECK(s.stream_closed(group_stream, app_error::cancel).empty());
}

TEST_CASE("control bytes stay until the reset of their stream is executed", "[session][lent]") {
    subject s{role::server};
    begin(s);
    static_cast<void>(s.receive(client_bidi(0), subscribe_bytes("00", "room/cam", "video")));
    REQUIRE(s->accept(request_id{0}, group_sequence{0}));
    REQUIRE(s->announce("a"));
    static_cast<void>(s.receive(client_bidi(1), "01 02 00 00")); // ANNOUNCE_REQUEST for everything.
    static_cast<void>(s.outputs());
    const auto lent = s.link.lent.bytes();
    REQUIRE(lent > 5);
    SECTION("rejected") { REQUIRE(s->reject(request_id{0}, app_error::unauthorized)); }
    SECTION("stopped") {
        static_cast<void>(s.stopped(client_bidi(0)));
        static_cast<void>(s.stopped(client_bidi(1)));
    }
    SECTION("misused") {
        static_cast<void>(s.receive(client_bidi(0), "00 00"));
        static_cast<void>(s.receive(client_bidi(1), "00 00"));
    }
    SECTION("the session ends") { static_cast<void>(s.receive(client_uni(1), "01 04 01 01 01 01")); }
    CHECK(s.link.lent.bytes() == lent);
    s.link.lent.compare_all();
    static_cast<void>(s.acked(client_bidi(0), 1)); // For released bytes: ignored.
    static_cast<void>(s.outputs());
    CHECK(s.link.lent.bytes() < lent);
}

TEST_CASE("the end of the connection releases everything at once", "[session][lent]") {
    lender s;
    SECTION("as it is") {}
    SECTION("after the session has failed") { static_cast<void>(s.receive(client_uni(1), "01 04 01 01 01 01")); }
    s.live = s.fetched = group_ref{};
    CHECK(s.memory.in_use() != 0);
    s.link.lent.over();
    s->connection_closed({app_error::timeout, false, "idle"}, s.now);
    CHECK(s.memory.in_use() == 0);
    static_cast<void>(s.events());
    CHECK(s.outputs().empty());
}

TEST_CASE("a group that was reset counts as memory, and is evicted once", "[session][lent]") {
    lender s;
    REQUIRE(s.live->evict_readers(app_error::evicted));
    static_cast<void>(s->poll_output()); // Not executed: that pump is not over.
    CHECK_FALSE(s.live->has_readers());
    CHECK_FALSE(s.live->evict_readers(app_error::evicted));
    const auto before = s.memory.in_use();
    s.live = group_ref{};
    CHECK(s.memory.in_use() == before);
    s->flushed();
    CHECK(s.memory.in_use() < before);
}

TEST_CASE("the prefix of an empty group, which may be sent again, stays until its reset", "[session][lent]") {
    subject s{role::server};
    begin(s);
    static_cast<void>(s.receive(client_bidi(0), subscribe_bytes("07", "room/cam", "video")));
    REQUIRE(s->accept(request_id{0}, group_sequence{0}));
    REQUIRE(s->open_group(request_id{0}, group_sequence{5}).value()->finish());
    static_cast<void>(s.outputs()); // Its prefix and FIN; not acknowledged.
    SECTION("its subscriber ends its side") { static_cast<void>(s.receive(client_bidi(0), "", true)); }
    SECTION("its subscriber resets its stream") { static_cast<void>(s.reset(client_bidi(0))); }
    SECTION("its request is rejected") { REQUIRE(s->reject(request_id{0}, app_error::cancel)); }
    const auto said = s.outputs();
    CHECK(std::count_if(said.begin(), said.end(), [](const auto& l) { return l.starts_with("reset 7 "); }) == 1);
    // Another group takes its place in memory.
    static_cast<void>(s.receive(client_bidi(1), subscribe_bytes("3f", "room/cam", "audio")));
    REQUIRE(s->accept(request_id{1}, group_sequence{0}));
    REQUIRE(s->open_group(request_id{1}, group_sequence{60}));
    s.link.lent.compare_all();
}

} // namespace moqlite::test::lent_bytes_test
