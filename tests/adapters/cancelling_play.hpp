// A scenario of operations, one of which is cancelled at a certain step of the execution context.
#pragma once

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/origin.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::test::cancelling {

namespace moq = moqlite::asio;
namespace net = boost::asio;
using boost::system::error_code;
using namespace std::chrono_literals;

/// Reports how an operation ended.
using done = std::function<void(error_code)>;

/// One operation of a scenario.
struct step {
    const char* name;
    std::function<void(net::cancellation_slot, done)> start;
    std::function<void()> then{}; ///< Once it has succeeded.
    bool waits = true;            ///< The next step begins when this one has ended; else at once.
    bool ends_all = false;        ///< When it is cancelled, others may fail.
};

/// The handler of an operation, which keeps its result.
template <class T>
auto into(T& to, net::cancellation_slot slot, done d) {
    return net::bind_cancellation_slot(slot, [&to, d = std::move(d)](error_code e, T got) {
        if (!e) to = std::move(got);
        d(e);
    });
}
inline auto nothing(net::cancellation_slot slot, done d) {
    return net::bind_cancellation_slot(slot, [d = std::move(d)](error_code e) { d(e); });
}

/// Where an operation is cancelled, and how.
struct point {
    std::size_t step = 0;  ///< After so many handlers.
    std::size_t which = 0; ///< Of the operations that wait then.
    net::cancellation_type type = net::cancellation_type::terminal;
    bool gives_up = false; ///< Its handler destroys everything; else the operation is begun again.
};

class play {
    struct operation {
        explicit operation(std::size_t step) : of(step) {}
        std::size_t of;
        net::cancellation_signal stop;
        int completions = 0;
        bool cancelled = false;
    };
    std::deque<operation> operations_; ///< Outlive the context, which may hold their slots.

public:
    virtual ~play() = default;
    play() = default;
    play(const play&) = delete;
    play& operator=(const play&) = delete;

    /// Returns the number of operations that waited at that point; 0: it was over before.
    std::size_t run(const point& at) {
        steps_ = steps();
        at_ = at;
        std::size_t waited = 0;
        next();
        for (std::size_t n = 0; !is_over(); ++n) {
            if (n == at.step) waited = cancel();
            if (is_over()) break;
            REQUIRE(one_handler(20s));
        }
        if (!at.gives_up || waited == 0) {
            leave();
            const bool emptied = until([&] { return is_empty(); });
            INFO(what_is_left(stats_));
            CHECK(emptied);
        }
        over_ = true;
        drop();
        const bool forgotten = until([&] { return waiting_.empty() && is_forgotten(); });
        INFO(waiting_.size() << " operations wait; " << what_is_kept());
        CHECK(forgotten);
        for (const auto& o : operations_) {
            INFO(steps_[o.of].name);
            CHECK(o.completions == 1);
        }
        return waited;
    }

protected:
    [[nodiscard]] virtual std::vector<step> steps() = 0;
    /// Closes sessions, and destroys what was made from them; servers and clients stay.
    virtual void leave() = 0;
    /// Destroys everything.
    virtual void drop() = 0;

    /// Checks at the end that nothing is left of it.
    void watch(const moq::origin& o) { origins_.push_back(o.state()), stats_.emplace_back(o.state()); }
    void fail(std::string_view what) {
        FAIL_CHECK(what);
        over_ = true;
    }

    net::io_context io{1};

private:
    void next() {
        while (!over_ && next_ != steps_.size())
            if (const auto i = next_++; begin(i), steps_[i].waits) return;
    }
    void begin(std::size_t i) {
        auto& o = operations_.emplace_back(i);
        waiting_.push_back(&o);
        steps_[i].start(o.stop.slot(), [this, &o](error_code e) { ended(o, e); });
        CHECK(o.completions == 0); // Never inline.
    }
    void ended(operation& o, error_code e) {
        ++o.completions;
        std::erase(waiting_, &o);
        if (over_) return;
        const auto& s = steps_[o.of];
        if (o.cancelled && e == net::error::operation_aborted) {
            if (!at_.gives_up) return begin(o.of);
            over_ = true;
            return drop();
        }
        if (e) {
            over_ = true;
            if (!may_fail_) fail(std::string{s.name}.append(": ").append(e.message()));
            return;
        }
        if (s.then) s.then();
        if (s.waits) next();
    }
    std::size_t cancel() {
        const auto waiting = waiting_.size();
        REQUIRE(waiting != 0);
        auto& o = *waiting_[at_.which % waiting];
        o.cancelled = true;
        may_fail_ = steps_[o.of].ends_all;
        o.stop.emit(at_.type);
        return waiting;
    }
    [[nodiscard]] bool is_over() const { return over_ || (next_ == steps_.size() && waiting_.empty()); }
    bool one_handler(std::chrono::milliseconds most) {
        io.restart();
        return io.run_one_for(most) != 0;
    }
    /// For at most 5 s.
    bool until(const std::function<bool()>& what) {
        const auto end = std::chrono::steady_clock::now() + 5s;
        while (!what() && std::chrono::steady_clock::now() < end) one_handler(1ms);
        return what();
    }
    [[nodiscard]] std::string what_is_kept() const {
        std::string all;
        for (const auto& each : origins_) {
            all.append(std::to_string(each.use_count())).append(" references: ");
            if (auto kept = each.lock()) all.append(what_is_left({moq::origin{std::move(kept)}}));
        }
        return all;
    }
    [[nodiscard]] static std::string what_is_left(const std::vector<moq::origin>& of) {
        std::string all;
        for (const auto& each : of) {
            const auto s = each.stats();
            for (const auto n : {s.sessions, s.broadcasts, s.tracks, s.readers, s.cached_bytes, s.memory})
                all.append(std::to_string(n)).append(" ");
        }
        return all;
    }
    [[nodiscard]] bool is_empty() const {
        return std::ranges::all_of(stats_, [](const auto& each) {
            const auto s = each.stats();
            return s.sessions + s.broadcasts + s.tracks + s.readers + s.memory == 0;
        });
    }
    /// Each of an origin's objects keeps it.
    [[nodiscard]] bool is_forgotten() {
        stats_.clear();
        return std::ranges::all_of(origins_, [](const auto& each) { return each.expired(); });
    }

    std::vector<step> steps_;
    point at_;
    std::size_t next_ = 0;
    std::vector<operation*> waiting_;
    bool over_ = false;
    bool may_fail_ = false;
    std::vector<std::weak_ptr<moq::detail::origin_state>> origins_;
    std::vector<moq::origin> stats_;
};

/// `./dev test --all` takes every point of every scenario, each in three ways; CI one in `stride`.
inline bool takes_every_point() {
    const char* const twice = std::getenv("MOQLITE_TEST_TWICE");
    return twice != nullptr && std::string_view{twice} == "ON";
}

/// Plays it again and again, cancelled later each time, until it is over before that.
template <class Play, class... Args>
void cancel_at_each_step(bool gives_up, std::size_t stride, const Args&... args) {
    using type = net::cancellation_type;
    constexpr type types[]{type::terminal, type::partial, type::total};
    const bool every = takes_every_point();
    const auto once = [&](const point& at) {
        INFO("step " << at.step << ", operation " << at.which << ", type " << static_cast<unsigned>(at.type)
                     << (gives_up ? ", gives up" : ""));
        Play p{args...};
        return p.run(at);
    };
    std::size_t n = gives_up ? stride / 2 : 0;
    for (std::size_t waited = 1; waited != 0; n += every ? 1 : stride) {
        waited = once({n, n / stride, types[n % 3], gives_up});
        for (std::size_t which = 0; every && which < waited; ++which) once({n, which, types[(n + 1) % 3], gives_up});
    }
    CHECK(n > 2 * stride);
}

} // namespace moqlite::test::cancelling
