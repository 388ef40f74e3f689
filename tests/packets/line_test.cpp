// The virtual wire follows its plan.
#include "line.hpp"

#include <catch2/catch_test_macros.hpp>
#include <vector>

using namespace moqlite;
using namespace moqlite::packets;

namespace {

/// Datagrams that carry their number, one every millisecond.
struct experiment {
    explicit experiment(const lane_plan& p, std::uint64_t seed = 1)
        : w(seed), way(w, p, [this](std::uint8_t ecn, byte_view b) {
              arrived.push_back(std::to_integer<std::size_t>(b[0]) * 256 + std::to_integer<std::size_t>(b[1]));
              times.push_back(w.now());
              marks.push_back(ecn);
              for (auto byte : b.subspan(2)) wrong += byte != std::byte{7};
          }) {}
    void send(std::size_t n, std::size_t size = 100, duration every = 1ms) {
        for (std::size_t i = 0; i < n; ++i) {
            std::vector<std::byte> bytes(size, std::byte{7});
            bytes[0] = static_cast<std::byte>(i / 256);
            bytes[1] = static_cast<std::byte>(i % 256);
            way.carry(2, bytes);
            w.run(every);
        }
        w.run(10s);
    }
    [[nodiscard]] std::size_t overtaken() const {
        std::size_t n = 0;
        for (std::size_t i = 1; i < arrived.size(); ++i) n += arrived[i] < arrived[i - 1];
        return n;
    }
    sim::world w;
    std::vector<std::size_t> arrived;
    std::vector<time_point> times;
    std::vector<std::uint8_t> marks;
    std::size_t wrong = 0;
    lane way;
};

} // namespace

TEST_CASE("a wire without faults delivers everything once, in order, after its latency", "[packets]") {
    experiment e{{.latency = 30ms, .jitter = 5ms}};
    e.send(500);
    CHECK(e.arrived.size() == 500);
    CHECK(e.overtaken() == 0);
    CHECK(e.wrong == 0);
    CHECK(e.times.front() >= e.w.start + 30ms);
    CHECK(e.times.back() <= e.w.start + 499ms + 35ms);
    CHECK(e.marks == std::vector<std::uint8_t>(500, 2));
}

TEST_CASE("a wire loses, duplicates, delays and damages as often as planned", "[packets]") {
    experiment lossy{{.loss = 100}};
    lossy.send(2000);
    CHECK(lossy.arrived.size() > 1700);
    CHECK(lossy.arrived.size() < 1900);

    experiment bursts{{.bursts = 10, .burst = 10ms}};
    bursts.send(2000);
    CHECK(bursts.arrived.size() > 1750);
    CHECK(bursts.arrived.size() < 1960);

    experiment doubled{{.doubled = 100}};
    doubled.send(2000);
    CHECK(doubled.arrived.size() > 2100);
    CHECK(doubled.arrived.size() < 2300);

    experiment held{{.reordered = 100, .held = 20ms}};
    held.send(2000);
    CHECK(held.arrived.size() == 2000);
    CHECK(held.overtaken() > 100);

    experiment damaged{{.damaged = 100, .ecn = false}};
    damaged.send(2000);
    CHECK(damaged.wrong > 100);
    CHECK(damaged.wrong < 300);
    CHECK(damaged.marks == std::vector<std::uint8_t>(2000, 0));
}

TEST_CASE("a wire has a rate, a bounded queue, and a largest datagram", "[packets]") {
    experiment slow{{.latency = 0ms, .rate = 10'000, .queue = 5'000}};
    slow.send(100, 972, 0ms); // A hundred thousand bytes at once, with their headers of 28.
    CHECK(slow.arrived == std::vector<std::size_t>{0, 1, 2, 3, 4, 5});
    CHECK(slow.times.back() == slow.w.start + 600ms);

    experiment narrow{{.mtu = 1300}};
    narrow.send(5, 1300);
    narrow.send(5, 1301);
    CHECK(narrow.arrived.size() == 5);
}

TEST_CASE("a wire that is dark or cut delivers nothing", "[packets]") {
    experiment e{{.latency = 0ms}};
    e.way.black_out(50ms);
    e.send(100);
    CHECK(e.arrived.size() == 50);
    e.way.cut();
    e.send(100);
    CHECK(e.arrived.size() == 50);
}
