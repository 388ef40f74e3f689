// The virtual wire: datagrams that are late, lost, reordered, duplicated, damaged, too many or too large.
#pragma once

#include "random.hpp"
#include "world.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace moqlite::packets {

using namespace std::chrono_literals;

/// The faults in one direction; odds are in a thousand.
struct lane_plan {
    duration latency = 10ms;
    duration jitter = 0ms; ///< Additional latency, up to this, without reordering.
    unsigned loss = 0;
    unsigned bursts = 0; ///< The odds that a loss burst of up to `burst` begins.
    duration burst = 50ms;
    unsigned reordered = 0; ///< Held back, while others overtake.
    duration held = 5ms;
    unsigned doubled = 0;
    unsigned damaged = 0;           ///< One bit is wrong.
    std::uint64_t rate = 0;         ///< Bytes a second; 0: no limit.
    std::size_t queue = 256 * 1024; ///< Bytes in the queue; beyond that datagrams are dropped.
    std::size_t mtu = 1472;         ///< Larger datagrams vanish.
    bool ecn = true;                ///< False: ECN bits are cleared.
};

[[nodiscard]] inline std::string text(const lane_plan& p) {
    const auto us = [](duration d) {
        return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(d).count());
    };
    std::string out = "latency " + us(p.latency) + " us";
    const auto add = [&](const char* name, std::uint64_t value) {
        if (value != 0) out += std::string(", ") + name + ' ' + std::to_string(value);
    };
    if (p.jitter != 0ms) out += " + " + us(p.jitter);
    add("loss", p.loss);
    add("bursts", p.bursts);
    if (p.bursts != 0) out += " of " + us(p.burst) + " us";
    add("reordered", p.reordered);
    if (p.reordered != 0) out += " by " + us(p.held) + " us";
    add("doubled", p.doubled);
    add("damaged", p.damaged);
    add("rate", p.rate);
    if (p.rate != 0) add("queue", p.queue);
    add("mtu", p.mtu);
    return out + (p.ecn ? "" : ", no ECN");
}

/// One way from one host to another.
class lane {
public:
    using arrival = std::function<void(std::uint8_t ecn, byte_view)>;
    lane(sim::world& w, const lane_plan& p, arrival a) : world_(w), plan_(p), arrive_(std::move(a)) {}
    lane(const lane&) = delete;
    lane& operator=(const lane&) = delete;

    void carry(std::uint8_t ecn, byte_view bytes) {
        auto& dice = world_.dice;
        if (victim_ == sent++ || lost(bytes.size())) {
            ++dropped;
            return;
        }
        std::vector<std::byte> copy(bytes.begin(), bytes.end());
        if (dice.in_a_thousand(plan_.damaged)) {
            copy[dice.below(copy.size())] ^= static_cast<std::byte>(1u << dice.below(8));
            ++damaged;
        }
        if (!plan_.ecn) ecn = 0;
        auto when = std::max(free_, world_.now()) + plan_.latency + dice.up_to(plan_.jitter);
        if (dice.in_a_thousand(plan_.reordered)) {
            ++reordered;
            when += dice.up_to(plan_.held);
        } else {
            when = last_ = std::max(when, last_);
        }
        if (dice.in_a_thousand(plan_.doubled)) {
            ++doubled;
            deliver(when + dice.up_to(plan_.held), ecn, copy);
        }
        deliver(when, ecn, std::move(copy));
    }
    /// The datagram that follows `n` more is lost.
    void lose(std::uint64_t n) noexcept { victim_ = sent + n; }
    /// Nothing arrives from now on.
    void cut() noexcept { cut_ = true; }
    /// Nothing that is sent in the next `d` arrives.
    void black_out(duration d) noexcept { dark_until_ = std::max(dark_until_, world_.now() + d); }

    std::uint64_t sent = 0, dropped = 0, damaged = 0, reordered = 0, doubled = 0;

private:
    /// True: it is lost; otherwise it is queued.
    [[nodiscard]] bool lost(std::size_t size) {
        auto& dice = world_.dice;
        if (cut_ || world_.now() < dark_until_ || size > plan_.mtu) return true;
        if (plan_.rate != 0) {
            const auto time = [this](std::uint64_t n) {
                return duration{static_cast<duration::rep>(n * 1'000'000'000 / plan_.rate)};
            };
            if (free_ > world_.now() + time(plan_.queue)) return true;
            free_ = std::max(free_, world_.now()) + time(size + 28);
        }
        if (dice.in_a_thousand(plan_.bursts)) black_out(dice.up_to(plan_.burst));
        return world_.now() < dark_until_ || dice.in_a_thousand(plan_.loss);
    }
    void deliver(time_point when, std::uint8_t ecn, std::vector<std::byte> bytes) {
        world_.at(when, [this, ecn, bytes = std::move(bytes)] {
            if (!cut_) arrive_(ecn, bytes);
        });
    }

    sim::world& world_;
    lane_plan plan_;
    arrival arrive_;
    std::optional<std::uint64_t> victim_;
    time_point free_{};
    time_point last_{};
    time_point dark_until_{};
    bool cut_ = false;
};

} // namespace moqlite::packets
