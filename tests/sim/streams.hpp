// The stream-level simulator, as a transport for tests/conformance.
#pragma once

#include "connection.hpp"
#include "endpoint.hpp"

#include <moqlite/core/limits.hpp>
#include <moqlite/core/version.hpp>

namespace moqlite::sim {

struct streams {
    using network_link = sim::network_link;
    /// The host of programs, unused by connections here.
    struct machine {
        explicit machine(world&, const network_link& = {}) noexcept {}
    };
    struct connection : sim::connection {
        connection(world& w, machine&, machine&, const network_link& l, version) : sim::connection(w, l) {}
    };
    static constexpr std::uint64_t seeds = 1000;
    static constexpr duration patience = limits{}.handshake_timeout;
    static constexpr bool loses_closes = false; ///< A peer may not get the close.
    /// The number of stopped streams that may never be closed.
    [[nodiscard]] static std::size_t stuck_of(std::size_t) noexcept { return 0; }

    /// Any link, for small transfers.
    [[nodiscard]] static network_link any(chance& dice) { return any_link(dice); }
    /// Fast, near, and without limits.
    [[nodiscard]] static network_link near() { return lan(); }
    /// One on which a small live track fits.
    [[nodiscard]] static network_link good(chance& dice) {
        auto l = dice.one_of({lan(), wifi(), satellite()});
        l.segment = dice.between(200, 1200);
        l.grid = dice.one_of<duration>({1us, 1ms});
        return l;
    }
    /// Carries about `rate` bytes a second.
    [[nodiscard]] static network_link narrow(chance& dice, std::uint64_t rate) {
        auto l = wifi();
        l.rate = rate;
        l.window = 2000;
        l.segment = dice.between(50, 1200);
        return l;
    }
    /// Good, but with at most `window` bytes unacknowledged, and `window` unread.
    [[nodiscard]] static network_link tight(chance& dice, std::uint64_t window) {
        auto l = dice.one_of({lan(), wifi()});
        l.segment = dice.between(300, 1200);
        l.window = window;
        l.stream_credit = window / 2;
        l.connection_credit = window;
        l.grid = 1ms;
        return l;
    }
    /// Good, with few streams and little credit, so that a stopped reader soon has an effect.
    [[nodiscard]] static network_link scarce(chance& dice) {
        auto l = wifi();
        l.stream_credit = dice.between(200, 4000);
        l.connection_credit = dice.between(20'000, 60'000);
        l.uni_streams = dice.between(12, 40);
        l.loss = static_cast<unsigned>(dice.below(20));
        return l;
    }
};

} // namespace moqlite::sim
