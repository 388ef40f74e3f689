// The scenarios of conformance/fault.hpp on the stream-level simulator, and tests that need no packets.
#include "net.hpp"

#include "conformance/fault.hpp"

namespace moqlite::test::fault_sim_test {

using namespace moqlite::sim;

TEST_CASE("without a SETUP the session is closed with a reason", "[sim]") {
    world w{1};
    auto l = wifi();
    l.idle_timeout = 1h;
    pair p{w, l};
    std::optional<session_closed> closed;
    p.client.on<session_closed>([&](const session_closed& e) { closed = e; });
    p.net.die();
    w.run(10s + 1ms);
    REQUIRE(closed);
    CHECK(closed->why == errc::setup_timeout);
    CHECK(closed->code == app_error::timeout);
}

} // namespace moqlite::test::fault_sim_test
