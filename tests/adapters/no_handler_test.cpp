// A server whose application makes no handler for a connection.
#include "memory_pair.hpp"

#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::no_handler_test {

TEST_CASE("a connection for which no handler is made is closed at once, at both ends") {
    memory_pair pair;
    pair.server.endpoint.serve(server_tls(), [](link::connection&, time_point) { return nullptr; });
    pair.connect();
    const auto over = [&] {
        return !pair.client.failures.empty() || (!pair.client.ends.empty() && pair.client.ends[0]->has_value());
    };
    REQUIRE(pair.run(over, 1s));
    pair.run_for(1s);
    CHECK(pair.server.endpoint.connections() == 0);
    CHECK(pair.client.endpoint.connections() == 0);
}

} // namespace moqlite::test::no_handler_test
