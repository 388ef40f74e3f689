// A transport with only the members that must work: what is lost without the others, and that nothing else is.
#include "hex.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <deque>
#include <map>
#include <moqlite/session/session.hpp>
#include <moqlite/session/transport.hpp>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace moqlite::test::contract_weak_test {

namespace {

constexpr time_point start{std::chrono::seconds{1}};

/// One end of a connection. It copies, knows neither acknowledgements nor credit, ignores stop, sends no datagrams and
/// measures nothing.
struct bare_end {
    struct piece {
        stream_id id;
        std::vector<std::byte> bytes;
        bool fin = false;
        std::optional<app_error> reset{};
    };

    bare_end(role r, version v) : side(r), self(r, v, {}, start) {}

    // The transport.
    std::optional<stream_id> open(direction kind) {
        const std::uint64_t low = (side == role::server ? 1u : 0u) | (kind == direction::uni ? 2u : 0u);
        return stream_id{4 * opened[kind]++ + low};
    }
    std::optional<std::size_t> write(const write_stream& w) {
        piece p{.id = w.stream, .bytes = {}, .fin = w.fin};
        for (const auto range : w.data) p.bytes.insert(p.bytes.end(), range.begin(), range.end());
        out.push_back(std::move(p));
        if (w.size != 0) self.stream_acked(w.stream, w.size, start);
        if (w.fin) ended(w.stream, side);
        return w.size;
    }
    void reset(stream_id id, app_error code) {
        out.push_back({.id = id, .bytes = {}, .reset = code});
        ended(id, side);
    }
    void stop(stream_id, app_error) {}
    void credit(stream_id, std::uint64_t) {}
    void close(app_error, std::string_view) {}
    void flush() {}

    /// `who` sends no more on it; with both sides ended the stream is closed, which is reported after the pump.
    void ended(stream_id id, role who) {
        auto& sides = ends[id];
        sides.insert(who);
        if (sides.size() == (direction_of(id) == direction::uni ? 1u : 2u)) closed.push_back(id);
    }
    /// Gives the session all that the other end has sent, and then its turn.
    template <class OnEvent>
    void turn(bare_end& from, OnEvent&& on_event) {
        const auto drain = [&] {
            while (const auto e = self.poll_event()) on_event(*e);
        };
        drain();
        while (!from.out.empty()) {
            const auto p = std::move(from.out.front());
            from.out.pop_front();
            if (p.reset)
                self.stream_reset(p.id, *p.reset, start);
            else
                self.stream_received(p.id, p.bytes, p.fin, start);
            drain();
            if (p.fin || p.reset) ended(p.id, from.side);
        }
        // It cannot tell who has credit: it tries all.
        for (const auto& [id, sides] : ends) self.stream_writable(id, start), drain();
        pump(self, *this);
        drain();
        for (const auto id : std::exchange(closed, {})) {
            ends.erase(id);
            self.stream_closed(id, std::nullopt, start);
            drain();
        }
    }

    role side;
    std::map<direction, std::uint64_t> opened;
    std::map<stream_id, std::set<role>> ends;
    std::vector<stream_id> closed;
    std::deque<piece> out;
    session self;
};
static_assert(transport<bare_end> && !datagram_transport<bare_end>);

/// A viewer of a/b, and its publisher.
struct bare_pair {
    explicit bare_pair(version v) : viewer{role::client, v}, publisher{role::server, v} {
        subscription = viewer.self.subscribe({"a", "b"}, {.ordered = true}).value();
        run();
        REQUIRE(request);
        REQUIRE(publisher.self.accept(*request, group_sequence{0}));
    }
    void run() {
        for (int n = 0; n < 20; ++n) {
            viewer.turn(publisher, [this](const event& e) { std::visit([this](const auto& x) { seen(x); }, e); });
            publisher.turn(viewer, [this](const event& e) { std::visit([this](const auto& x) { served(x); }, e); });
        }
    }
    group_ref group(std::uint64_t n, const std::string& payload) {
        auto g = publisher.self.open_group(*request, group_sequence{n}).value();
        REQUIRE(g->write_frame(timestamp{n}, as_bytes(payload)));
        return g;
    }

    void seen(const frame_data& e) { got[number(e.sequence)] += std::string(as_text(e.data)); }
    void seen(const group_opened& e) {
        if (number(e.sequence) == unwanted) CHECK(viewer.self.stop(e.group, app_error::cancel));
    }
    void seen(const group_closed& e) { complete += e.complete ? 1 : 0; }
    void seen(const group_datagram&) { ++datagrams; }
    void seen(const subscription_ended& e) { finished = e.finished; }
    template <class E>
    void seen(const E&) {}
    void served(const setup_received&) { CHECK(publisher.self.admit({})); }
    void served(const subscribe_requested& e) { request = e.request; }
    void served(const group_delivered&) { ++delivered; }
    void served(const request_ended& e) { ended = e.delivered; }
    template <class E>
    void served(const E&) {}

    static std::string_view as_text(byte_view b) { return {reinterpret_cast<const char*>(b.data()), b.size()}; }

    bare_end viewer;
    bare_end publisher;
    subscribe_id subscription{};
    std::optional<request_id> request;
    std::uint64_t unwanted = UINT64_MAX;
    std::map<std::uint64_t, std::string> got;
    int complete = 0;
    int datagrams = 0;
    int delivered = 0;
    std::optional<bool> finished;
    std::optional<bool> ended;
};

} // namespace

TEST_CASE("without acknowledgements, credit and stop everything arrives, and is delivered as soon as it is sent",
    "[session][contract]") {
    const auto v = GENERATE(from_range(all_versions));
    CAPTURE(alpn(v));
    bare_pair p{v};
    for (std::uint64_t n = 0; n < 20; ++n) REQUIRE(p.group(n, std::string(5000, static_cast<char>('a' + n)))->finish());
    p.run();
    CHECK(p.delivered == 20);
    CHECK(p.complete == 20);
    for (std::uint64_t n = 0; n < 20; ++n) CHECK(p.got[n] == std::string(5000, static_cast<char>('a' + n)));
    REQUIRE(p.publisher.self.finish(*p.request));
    p.run();
    if (has_fin_after_groups(v)) { // Else after a quiet time of the viewer, and no time passes here.
        CHECK(p.finished == true);
        CHECK(p.ended == true);
    }
    CHECK_FALSE(p.viewer.self.is_closed());
    CHECK_FALSE(p.publisher.self.is_closed());
}

TEST_CASE("without stop the rest of an unwanted group arrives, and is dropped", "[session][contract]") {
    bare_pair p{version::lite_05};
    p.unwanted = 1;
    auto wanted = p.group(0, "zero");
    auto unwanted = p.group(1, "one");
    p.run();
    for (int n = 0; n < 100; ++n) REQUIRE(unwanted->write_frame(timestamp{2}, as_bytes(std::string(1000, 'x'))));
    REQUIRE(unwanted->finish());
    REQUIRE(wanted->finish());
    p.run();
    CHECK(p.got == std::map<std::uint64_t, std::string>{{0, "zero"}});
    CHECK(p.complete == 1);
    CHECK(p.delivered == 2);
    CHECK_FALSE(p.viewer.self.is_closed());
}

TEST_CASE("without datagrams a group that is served as one is lost, and nothing else", "[session][contract]") {
    bare_pair p{version::lite_05};
    CHECK(p.publisher.self.serve_datagram(*p.request, group_sequence{0}, timestamp{0}, as_bytes("lost")));
    REQUIRE(p.group(1, "one")->finish());
    p.run();
    CHECK(p.datagrams == 0);
    CHECK(p.got == std::map<std::uint64_t, std::string>{{1, "one"}});
    CHECK_FALSE(p.publisher.self.is_closed());
}

} // namespace moqlite::test::contract_weak_test
