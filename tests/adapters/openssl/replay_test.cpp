// Replays of early data (0-RTT).
#include "../../../adapters/ngtcp2/detail/replay_guard.hpp"
#include "../resuming_pair.hpp"

#include <cstring>

namespace moqlite::test::replay_test {

TEST_CASE("a replay of early data is not accepted again, but another server with the same keys does") {
    const auto keys = ngtcp2::ticket_keys::shared({std::byte{3}});
    std::vector<std::string> recorded;
    bool recording = false;
    pair_options o;
    o.drop = [&](std::string& packet) {
        if (recording) recorded.push_back(packet);
        return recording;
    };
    resuming_pair pair{o, keys};
    pair.learn();
    recording = true;
    pair.begin(pair.to_server());
    pair.client.handlers.back()->send(direction::bidi, "subscribe");
    pair.run_for(1ms);
    recording = false;
    const auto flight = recorded;
    REQUIRE_FALSE(flight.empty());
    const auto replay = [&](resuming_pair& at, std::uint16_t port) {
        const auto before = at.server.handlers.size();
        for (const auto& packet : flight) at.inject(at.server, *link::address::parse("127.0.0.1", port), packet);
        at.server.endpoint.pump(at.now);
        return at.server.handlers.size() - before;
    };
    CHECK(replay(pair, 2000) == 1);
    pair.run_for(11s); // It was a forged address: that handshake times out.
    CHECK(replay(pair, 2001) == 0);
    resuming_pair other{{}, keys};
    CHECK(replay(other, 2002) == 1);
}

TEST_CASE("the replay guard remembers for at least its window, and takes no more than its bound") {
    ngtcp2::detail::replay_guard guard;
    guard.rekey(1);
    const auto hello = [](std::uint64_t n) {
        ngtcp2::detail::replay_guard::hello h{};
        std::memcpy(h.data(), &n, sizeof n);
        return h;
    };
    constexpr auto window = ngtcp2::detail::replay_guard::window;
    const time_point start{100s};
    for (duration d = 0ms; d < 3 * window; d += 1s) {
        const auto n = static_cast<std::uint64_t>(d.count());
        CHECK(guard.is_new(hello(n), start + d));
        for (duration later = 0ms; later <= std::min<duration>(d, window); later += 1s) {
            INFO(d.count() << ' ' << later.count());
            CHECK_FALSE(guard.is_new(hello(static_cast<std::uint64_t>((d - later).count())), start + d));
        }
    }
    std::size_t taken = 0;
    for (std::uint64_t n = 1; n < 40'000; ++n) taken += guard.is_new(hello(n << 40), start + 1000s) ? 1u : 0u;
    CHECK(taken == ngtcp2::detail::replay_guard::most);
    CHECK_FALSE(guard.is_new(hello(1ull << 40), start + 1000s));
    CHECK(guard.is_new(hello(1ull << 40), start + 2000s));
}

} // namespace moqlite::test::replay_test
