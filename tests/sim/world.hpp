// Virtual time, and the queue of events.
#pragma once

#include "random.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <moqlite/core/time.hpp>
#include <moqlite/core/version.hpp>
#include <must.hpp>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::sim {

/// A program with one or more sessions.
class party {
public:
    party() = default;
    party(const party&) = delete;
    party& operator=(const party&) = delete;
    virtual ~party() = default;
    /// One turn of its loop, after inputs.
    virtual void turn() = 0;
    virtual void tick() = 0;
    virtual std::optional<time_point> deadline() = 0;

private:
    friend class world;
    bool waiting_ = false;
    std::optional<time_point> armed_;
};

/// Each version in turn, the newest final one first: of five seeds in a row each has another, as have every tenth ones.
[[nodiscard]] constexpr version version_of(std::uint64_t seed) noexcept {
    constexpr auto n = all_versions.size();
    return all_versions[(static_cast<std::size_t>(version::lite_06) + seed + seed / 10) % n];
}

class world {
public:
    explicit world(std::uint64_t seed) : dice(seed), spoken(version_of(seed)) { plan().clear(); }
    world(const world&) = delete;
    world& operator=(const world&) = delete;

    [[nodiscard]] time_point now() const noexcept { return now_; }
    /// How long the run has taken.
    [[nodiscard]] duration elapsed() const noexcept { return now_ - start; }

    void at(time_point when, std::function<void()> what) {
        events_.push({std::max(when, now_), order_++, std::move(what)});
    }
    void after(duration d, std::function<void()> what) { at(now_ + d, std::move(what)); }
    /// Gives `p` a turn before anything else happens.
    void touch(party& p) {
        if (std::exchange(p.waiting_, true)) return;
        waiting_.push_back(&p);
    }

    /// Runs for `d`.
    void run(duration d) {
        const auto until = now_ + d;
        turns();
        while (!events_.empty() && events_.top().when <= until) step();
        now_ = until;
    }
    /// Until `done()`; fails if that takes longer than `limit`.
    template <class Done>
    void run_until(Done&& done, duration limit) {
        const auto until = now_ + limit;
        turns();
        while (!done()) {
            if (events_.empty() || events_.top().when > until) FAIL("nothing more happens, or not in time");
            step();
        }
    }

    /// MOQLITE_TRACE=1 shows a run, line by line.
    template <class Line>
    void trace(Line&& line) const {
        static const bool wanted = std::getenv("MOQLITE_TRACE") != nullptr;
        if (!wanted) return;
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(elapsed()).count();
        std::fprintf(stderr, "%10lld us %s\n", static_cast<long long>(us), line().c_str());
    }

    /// The random link of the last run, shown on failure.
    [[nodiscard]] static std::string& plan() {
        static std::string text;
        return text;
    }
    /// 0, 1, 2, ...: unique numbers.
    std::uint64_t number() noexcept { return numbers_++; }

    chance dice;
    const version spoken; ///< The version of the run.
    hasher said;          ///< Every output and event.
    hasher carried;       ///< Every datagram, if there are any.
    /// The hash of the whole run: the same for the same seed.
    [[nodiscard]] std::uint64_t hash() const noexcept { return mix(said.value()) ^ carried.value(); }
    const time_point start{1s};

private:
    struct happening {
        time_point when;
        std::uint64_t order = 0;
        std::function<void()> what;
        bool operator<(const happening& other) const noexcept {
            return when != other.when ? when > other.when : order > other.order;
        }
    };

    void step() {
        now_ = events_.top().when;
        while (!events_.empty() && events_.top().when == now_) {
            const auto what = std::move(const_cast<happening&>(events_.top()).what);
            events_.pop();
            what();
        }
        turns();
    }
    void turns() {
        for (std::size_t i = 0; i < waiting_.size(); ++i) {
            must(i < 100'000, "a turn comes to an end");
            party& p = *waiting_[i];
            p.waiting_ = false;
            p.turn();
            arm(p);
        }
        waiting_.clear();
    }
    void arm(party& p) {
        const auto due = p.deadline();
        if (!due || (p.armed_ && *p.armed_ <= *due)) return;
        p.armed_ = std::max(*due, now_);
        at(*p.armed_, [this, &p, armed = *p.armed_] {
            if (p.armed_ != armed) return;
            p.armed_.reset();
            if (const auto now_due = p.deadline(); now_due && *now_due <= now_) {
                p.tick();
                const auto next = p.deadline();
                must(!next || *next > now_, "tick() moves the deadline on");
            }
            touch(p);
        });
    }

    time_point now_ = start;
    std::uint64_t order_ = 0;
    std::uint64_t numbers_ = 0;
    std::priority_queue<happening> events_;
    std::vector<party*> waiting_;
};

} // namespace moqlite::sim
