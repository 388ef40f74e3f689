// Reading in parts, at the reader's pace, and what a reader tells of its track.
#include "api_stage.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::test::api_reading {
namespace {

using namespace api_stage;
constexpr auto result = net::as_tuple(net::use_awaitable);

moq::subscribe_request complete() {
    moq::subscribe_request how{.mode = reading::complete};
    how.start = group_sequence{0};
    return how;
}
/// Bytes of a frame whose every part can be checked.
std::string pattern(std::size_t size) {
    std::string all(size, ' ');
    for (std::size_t i = 0; i != size; ++i) all[i] = static_cast<char>(i * 31 % 251);
    return all;
}
moq::client reader_of(stage& s, std::size_t read_ahead) {
    limits bounds;
    bounds.read_ahead = read_ahead;
    return moq::client{moq::origin{s.io.get_executor(), {.bounds = bounds}}, {.trusted = moq::trust::insecure()}};
}

TEST_CASE("a group is read in parts, those that are here at once, and by frames again", "[api]") {
    stage s;
    const bool fetched = GENERATE(false, true);
    const auto large = pattern(100'000);
    s.run([&]() -> net::awaitable<void> {
        auto here = s.origin.publish("news");
        auto news = here.track("t");
        auto to = news.open_group();
        for (const std::string_view text : {std::string_view{"one"}, std::string_view{}, std::string_view{large},
                 std::string_view{large}, std::string_view{"last"}})
            REQUIRE(!to.write(text));
        REQUIRE(!to.finish());
        auto peer = s.client();
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        moq::track_reader reader;
        std::optional<moq::group_reader> group;
        if (fetched) {
            group = co_await session.async_fetch({"news", "t"}, 0, net::use_awaitable);
        } else {
            reader = co_await session.async_subscribe({"news", "t"}, complete(), net::use_awaitable);
            group = co_await reader.async_next_group(net::use_awaitable);
        }
        REQUIRE(group);
        std::vector<std::string> frames(1);
        std::size_t parts = 0;
        while (frames.size() != 4) {
            auto part = group->next_part();
            if (!part) part = co_await group->async_next_part(net::use_awaitable);
            REQUIRE(part);
            ++parts;
            CHECK(part->object == object_id{frames.size() - 1});
            CHECK(part->offset == frames.back().size());
            frames.back().append(reinterpret_cast<const char*>(part->bytes.data()), part->bytes.size());
            if (!part->ends_frame()) continue;
            CHECK(frames.back().size() == part->size);
            frames.emplace_back();
        }
        CHECK(frames == std::vector<std::string>{"one", "", large, ""});
        CHECK(parts > 4); // Of the large one.
        const auto begun = co_await group->async_next_part(net::use_awaitable);
        REQUIRE(begun);
        CHECK_FALSE(begun->ends_frame());
        const auto last = co_await group->async_next_frame(net::use_awaitable); // Skips the rest.
        REQUIRE(last);
        CHECK(last->text() == "last");
        CHECK_FALSE(group->next_part());
        const auto end = co_await group->async_next_part(net::use_awaitable);
        CHECK_FALSE(end);
        CHECK(group->is_complete());
        CHECK_FALSE(moq::group_reader{}.next_part());
    });
}

TEST_CASE("a complete reader that takes nothing holds back its publisher within a group; whole frames are still read",
    "[api]") {
    stage s;
    constexpr std::size_t ahead = 256 * 1024, frame = 1024 * 1024;
    const auto bytes = pattern(frame);
    const bool whole = GENERATE(false, true);
    s.run([&]() -> net::awaitable<void> {
        auto here = s.origin.publish("film");
        auto film = here.track("t");
        auto to = film.open_group();
        for (int i = 0; i != 3; ++i) REQUIRE(!to.write(bytes));
        REQUIRE(!to.finish());
        auto peer = reader_of(s, ahead);
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto reader = co_await session.async_subscribe({"film", "t"}, complete(), net::use_awaitable);
        auto group = co_await reader.async_next_group(net::use_awaitable);
        REQUIRE(group);
        const auto held = [&] { return peer.origin().stats().memory; };
        const bool flows = co_await s.until([&] { return held() > ahead; });
        CHECK(flows);
        co_await s.pause(200ms);
        CHECK(held() < ahead + frame + frame / 2); // With what the stream's first window, 1 MiB, has allowed.
        std::size_t frames = 0, got = 0;
        while (whole) {
            const auto f = co_await group->async_next_frame(net::use_awaitable);
            if (!f) break;
            CHECK(f->bytes().size() == frame);
            ++frames;
            got += f->bytes().size();
        }
        while (!whole) {
            auto part = group->next_part();
            if (!part) part = co_await group->async_next_part(net::use_awaitable);
            if (!part) break;
            frames += part->ends_frame() ? 1 : 0;
            got += part->bytes.size();
        }
        CHECK(frames == 3);
        CHECK(got == 3 * frame);
        CHECK(group->is_complete());
    });
}

TEST_CASE("a reader that holds a group back lets it go on for others, and when it leaves", "[api]") {
    stage s;
    constexpr std::size_t ahead = 256 * 1024, frame = 64 * 1024;
    const auto bytes = pattern(frame);
    const bool leaves = GENERATE(false, true);
    s.run([&]() -> net::awaitable<void> {
        auto here = s.origin.publish("film");
        auto film = here.track("t");
        auto to = film.open_group();
        for (int i = 0; i != 64; ++i) REQUIRE(!to.write(bytes));
        auto peer = reader_of(s, ahead);
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        std::optional<moq::track_reader> slow =
            co_await session.async_subscribe({"film", "t"}, complete(), net::use_awaitable);
        auto stuck = co_await slow->async_next_group(net::use_awaitable);
        REQUIRE(stuck);
        auto other = co_await session.async_subscribe({"film", "t"}, complete(), net::use_awaitable);
        auto group = co_await other.async_next_group(net::use_awaitable);
        REQUIRE(group);
        for (int i = 0; i != 32; ++i) { // Far more than may be ahead of the slow one.
            const auto f = co_await group->async_next_frame(net::use_awaitable);
            REQUIRE(f);
        }
        if (leaves) {
            stuck.reset();
            slow.reset();
        }
        for (int i = 32; i != 64; ++i) {
            const auto f = co_await group->async_next_frame(net::use_awaitable);
            REQUIRE(f);
        }
    });
}

TEST_CASE("a reader tells of its track: settings, first group, groups read, and its publisher's successors", "[api]") {
    stage s;
    auto peer = s.client();
    auto publisher = std::make_unique<moq::client>(s.client());
    s.run([&]() -> net::awaitable<void> {
        auto theirs =
            std::make_unique<moq::session>(co_await publisher->async_connect(s.url("moqt"), net::use_awaitable));
        std::optional<moq::broadcast> here = theirs->origin().publish("news");
        std::optional<moq::track_writer> news = here->track("t");
        put(*news, "a");
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto reader = co_await session.async_subscribe({"news", "t"}, complete(), net::use_awaitable);
        CHECK(reader.first_group() == group_sequence{0});
        CHECK(reader.groups_read() == 0);
        CHECK_FALSE(reader.last_complete_group());
        const auto info = co_await reader.async_info(net::use_awaitable);
        CHECK(info.timescale == 1000);
        auto group = co_await reader.async_next_group(net::use_awaitable);
        REQUIRE(group);
        for (auto part = co_await group->async_next_part(net::use_awaitable); part;)
            part = co_await group->async_next_part(net::use_awaitable);
        CHECK(reader.groups_read() == 1);
        CHECK(reader.last_complete_group() == group_sequence{0});
        std::optional<error_code> restarted;
        reader.async_restarted([&](error_code error) { restarted = error; });
        error_code second;
        reader.async_restarted([&](error_code error) { second = error; });
        publisher.reset(); // Cut off.
        CHECK_FALSE(restarted);
        auto again = s.origin.publish("news");
        auto next = again.track("t");
        put(next, "b");
        const auto text = co_await first(reader);
        CHECK(text == "b");
        CHECK(restarted == error_code{});
        CHECK(second == errc::too_many_requests);
        CHECK(reader.restarts() == 1);
        CHECK_FALSE(reader.is_cut_off());
        news.reset();
        here.reset();
    });
}

TEST_CASE("an answer that does not come in time is another error than a broadcast that does not", "[api]") {
    stage s;
    auto peer = s.client();
    std::vector<moq::track_request> asked;
    s.run([&]() -> net::awaitable<void> {
        auto made = s.origin.on_demand("slow", [&](moq::track_request r) { asked.push_back(std::move(r)); });
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        moq::subscribe_request how;
        how.timeout = 100ms;
        how.answer = 100ms;
        const auto [missing, none] = co_await session.async_subscribe({"nothing", "t"}, how, result);
        CHECK(missing == net::error::timed_out);
        how.timeout = {};
        const auto [unanswered, neither] = co_await session.async_subscribe({"slow", "t"}, how, result);
        CHECK(unanswered == errc::stream_timeout);
        CHECK_FALSE(remote_code(unanswered));
        CHECK(asked.size() == 1);
    });
}

} // namespace
} // namespace moqlite::test::api_reading
