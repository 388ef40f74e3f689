// Allocations of an origin fail, several in a row from each in turn: what is commanded afterwards is done.
#include "failing.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <moqlite/asio/announcements.hpp>
#include <moqlite/asio/broadcast.hpp>
#include <moqlite/asio/origin.hpp>
#include <new>
#include <optional>
#include <string>

namespace moqlite::test {
namespace {

/// Like an application that goes on after std::bad_alloc has left a handler.
void poll(boost::asio::io_context& io) {
    for (int times = 0; times != 10; ++times) {
        try {
            const fallible from_here;
            io.restart();
            io.poll();
        } catch (const std::bad_alloc&) {
        }
    }
}

} // namespace

TEST_CASE("an origin whose turn failed for lack of memory takes its next turn", "[out_of_memory][api]") {
    std::size_t nth = 0;
    for (bool all_failed = false; !all_failed;) {
        CAPTURE(++nth);
        boost::asio::io_context io{1};
        asio::origin origin{io.get_executor()};
        auto list = origin.announcements();
        auto first = origin.publish("first");
        fail_allocation(nth, nth % 2 == 0 ? 3 : 0);
        poll(io);
        all_failed = !has_failed();
        fail_allocation(0);
        poll(io); // Nothing wakes it from outside.
        auto second = origin.publish("second");
        std::string heard; // An event may be lost with the memory for it; none after that.
        for (int times = 0; times != 2 && heard != "second"; ++times) {
            list.async_next([&](asio::error_code, std::optional<asio::announcement> a) { heard = a ? a->path : ""; });
            poll(io);
        }
        CHECK(heard == "second");
    }
    CHECK(nth > 2);
}

} // namespace moqlite::test
