// Clients that keep to the letter of HTTP/3 and mean no good.
#include "raw_http3.hpp"

using namespace moqlite;
using namespace moqlite::test;

namespace {

constexpr std::uint64_t session_gone = 0x170d7b68;

std::string stream_of(direction kind, std::uint64_t session, const std::string& payload) {
    return varint(kind == direction::uni ? 0x54 : 0x41) + varint(session) + payload;
}

} // namespace

TEST_CASE(
    "a peer that cuts off streams as if the session were over, and does not end it, has lost it", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    client.session();
    const auto how = pair.server.ends.at(0);
    const auto begun = pair.now;
    for (int i = 0; i < 200 && !how->has_value(); ++i)
        client.reset(client.open(direction::uni, stream_of(direction::uni, 0, "a part")), session_gone);
    REQUIRE(how->has_value());
    CHECK_FALSE((*how)->application);
    CHECK(pair.now - begun > 2s); // The end may be on its way.
    CHECK(pair.now - begun < 5s);
    // What came after the first of them did not reach the handler, which would never hear of its end.
    CHECK(pair.server_counts->rejected_streams > 10);
    REQUIRE(pair.run([&] { return pair.is_over(); }));
}

TEST_CASE("of the refused requests of one connection few are logged", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    for (int i = 0; i < 50; ++i) CHECK(client.ask(get()) == 404);
    CHECK(pair.server_counts->refused_requests == 50);
    CHECK_FALSE(pair.server_log.empty());
    CHECK(pair.server_log.size() <= 10);
}
