// The programs' view of any kind of connection: an end, and the driver that joins a session to it.
#pragma once

#include "checker.hpp"
#include "world.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <moqlite/session/any_session.hpp>
#include <moqlite/session/event.hpp>
#include <optional>

namespace moqlite::sim {

/// Joins one session to its end of a connection: inputs, events, and outputs when it is ready.
class any_driver {
public:
    using handler = std::function<void(const event&)>;

    explicit any_driver(world& w) : checker_(w.said) {}
    any_driver(const any_driver&) = delete;
    any_driver& operator=(const any_driver&) = delete;
    virtual ~any_driver() = default;

    /// The session is on its ready list.
    virtual void mark() = 0;
    /// Serves it. False: there was nothing to do.
    virtual bool turn() = 0;
    virtual void tick() = 0;
    [[nodiscard]] virtual std::optional<time_point> deadline() const = 0;
    /// After session_closed; true: everything was sent, and it may be destroyed.
    virtual bool let_go() = 0;

    [[nodiscard]] bool closed() const noexcept { return checker_.closed(); }
    [[nodiscard]] checker& checks() noexcept { return checker_; }

private:
    checker checker_;
};

/// One end of a connection.
class any_side {
public:
    any_side() = default;
    any_side(const any_side&) = delete;
    any_side& operator=(const any_side&) = delete;
    virtual ~any_side() = default;

    [[nodiscard]] virtual role side_of() const noexcept = 0;
    [[nodiscard]] virtual std::unique_ptr<any_driver> drive(party&, session&, any_driver::handler) = 0;
    [[nodiscard]] virtual std::unique_ptr<any_driver> drive(party&, any_session&, any_driver::handler) = 0;
    /// Streams on which something was sent or received and that are not closed.
    [[nodiscard]] virtual std::size_t open_streams() const = 0;
    /// Ids that the session has taken but not used, if known.
    [[nodiscard]] virtual std::size_t ids_in_hand() const { return 0; }
};

} // namespace moqlite::sim
