// Programs of a simulation: a session, or several, joined to their ends of connections.
#pragma once

#include "checker.hpp"
#include "connection.hpp"
#include "fault.hpp"

#include <functional>
#include <memory>
#include <moqlite/session/any_session.hpp>
#include <moqlite/session/checking_transport.hpp>
#include <moqlite/session/ready.hpp>
#include <moqlite/session/transport.hpp>
#include <optional>
#include <utility>

namespace moqlite::sim {

/// Drives one session, of any kind, by one side. Both check the contract.
template <class Session>
class driver final : public any_driver, public facts {
public:
    driver(world& w, party& p, side& s, Session& session, handler on_event)
        : any_driver(w),
          world_(w),
          party_(p),
          side_(s),
          books_(s.side_of()),
          wire_(s, books_),
          session_(session, books_),
          on_event_(std::move(on_event)) {
        side_.to = this;
        world_.touch(party_);
    }
    ~driver() override { side_.to = nullptr; }

    // Facts: events are drained before the next.
    void stream_received(stream_id id, byte_view b, bool fin) override {
        tell([&] { session_.stream_received(id, b, fin, now()); });
    }
    void stream_reset(stream_id id, app_error code) override {
        tell([&] { session_.stream_reset(id, code, now()); });
    }
    void stream_stopped(stream_id id, app_error code) override {
        tell([&] { session_.stream_stopped(id, code, now()); });
    }
    void stream_writable(stream_id id) override {
        tell([&] { session_.stream_writable(id, now()); });
    }
    void stream_acked(stream_id id, std::uint64_t n) override {
        tell([&] { session_.stream_acked(id, n, now()); });
    }
    void stream_closed(stream_id id, std::optional<app_error> code) override {
        tell([&] { session_.stream_closed(id, code, now()); });
    }
    void streams_available(direction kind) override {
        tell([&] { session_.streams_available(kind, now()); });
    }
    void connection_closed(const closed_by& how) override {
        tell([&] { session_.connection_closed(how, now()); });
    }
    void writable() override {
        starved_ = false;
        wants_ = true;
        world_.touch(party_);
    }
    void tick() override {
        tell([&] { session_.tick(now()); });
    }

    void mark() noexcept override { wants_ = true; }
    /// Polls its events, and pumps it if it is ready and the connection has room.
    bool turn() override {
        const bool told = drain();
        if (!std::exchange(wants_, false)) return told;
        side_.send_again();
        const bool all = pump(session_, wire_);
        if (!all) starved_ = true;
        drain();
        return true;
    }
    [[nodiscard]] std::optional<time_point> deadline() const override { return session_.deadline(); }
    bool let_go() override {
        turn();
        return true;
    }

private:
    [[nodiscard]] time_point now() const noexcept { return world_.now(); }
    bool drain() {
        bool any = false;
        while (const auto e = session_.poll_event()) {
            world_.trace([&] { return side_.name() + " " + test::text(*e); });
            checks().see(*e);
            on_event_(*e);
            any = true;
        }
        return any;
    }
    template <class F>
    void tell(F&& fact) {
        world_.touch(party_);
        fact();
        drain();
    }

    world& world_;
    party& party_;
    side& side_;
    contract_checker<fault_is_failure> books_;
    checking_transport<side, fault_is_failure> wire_;
    checking_session<Session, fault_is_failure> session_;
    handler on_event_;
    bool wants_ = true;
    bool starved_ = false;
};

inline std::unique_ptr<any_driver> side::drive(party& p, session& s, any_driver::handler h) {
    return std::make_unique<driver<session>>(world_, p, *this, s, std::move(h));
}
inline std::unique_ptr<any_driver> side::drive(party& p, any_session& s, any_driver::handler h) {
    return std::make_unique<driver<any_session>>(world_, p, *this, s, std::move(h));
}

/// A program with one session of its own.
template <class Session = moqlite::session>
class endpoint final : public party {
public:
    endpoint(world& w, any_side& s, version v = version::lite_05, session_options options = {})
        : world_(w), options_(with_list(std::move(options))), driver_(make(s, v)) {}

    /// Event listeners; the last added is called first. Each gets every event.
    void on(std::function<void(const event&)> f) { handlers_.push_back(std::move(f)); }
    /// Only events of kind E.
    template <class E, class F>
    void on(F f) {
        on([f = std::move(f)](const event& e) {
            if (const auto* what = std::get_if<E>(&e)) f(*what);
        });
    }

    /// For commands: their effects are sent at once.
    Session* operator->() {
        world_.touch(*this);
        return &*session_;
    }
    Session& operator*() { return *operator->(); }

    // Commands that the checks must see.
    void stop(group_id id, app_error code) {
        if ((*this)->stop(id, code)) driver_->checks().stopped(id);
    }
    void unsubscribe(subscribe_id id) {
        must((*this)->unsubscribe(id).has_value(), "a subscription can be left");
        driver_->checks().unsubscribed(id);
    }
    /// After a fetch().
    void checks_of_fetch(group_id id, group_sequence g, object_id first) { driver_->checks().fetched(id, g, first); }
    void unwatch(watch_id id) {
        must((*this)->unwatch(id).has_value(), "a watch can be left");
        driver_->checks().unwatched(id);
    }

    [[nodiscard]] bool closed() const noexcept { return driver_->closed(); }
    [[nodiscard]] slab_pool& pool() noexcept { return pool_; }

    void turn() override {
        for (int i = 0;; ++i) {
            must(i < 10'000, "a session comes to rest");
            while (ready_.pop()) driver_->mark();
            if (!driver_->turn() && ready_.empty()) return;
        }
    }
    void tick() override {
        for (auto& t : timers_)
            if (const auto due = t.deadline(); due && *due <= world_.now()) t.tick();
        if (const auto due = driver_->deadline(); due && *due <= world_.now()) driver_->tick();
    }
    std::optional<time_point> deadline() override {
        auto first = driver_->deadline();
        for (auto& t : timers_)
            if (const auto due = t.deadline(); due && (!first || *due < *first)) first = due;
        return first;
    }
    /// The deadline of an application on it.
    void wait_for(std::function<std::optional<time_point>()> due, std::function<void()> what) {
        timers_.push_back({std::move(due), std::move(what)});
    }

private:
    session_options with_list(session_options o) {
        o.ready = &ready_;
        o.pool = &pool_;
        return o;
    }
    std::unique_ptr<any_driver> make(any_side& s, version v) {
        if constexpr (std::is_same_v<Session, moqlite::session>)
            session_.emplace(s.side_of(), v, options_, world_.now());
        else
            session_.emplace(std::in_place_type<moqlite::session>, s.side_of(), v, options_, world_.now());
        if (s.side_of() == role::server)
            on<setup_received>([this](const setup_received&) {
                // Unless it has ended before the event was read.
                must(session_->admit({}).has_value() || session_->is_closed(), "a session is admitted once");
            });
        return s.drive(*this, *session_, [this](const event& e) {
            for (auto& h : handlers_) h(e);
        });
    }

    struct timer {
        std::function<std::optional<time_point>()> deadline;
        std::function<void()> tick;
    };
    world& world_;
    std::vector<timer> timers_;
    slab_pool pool_;
    ready_list ready_;
    session_options options_;
    std::vector<std::function<void(const event&)>> handlers_;
    std::optional<Session> session_;
    std::unique_ptr<any_driver> driver_;
};

} // namespace moqlite::sim
