#include "detail/reader_state.hpp"
#include "detail/session_state.hpp"
#include "detail/writer_state.hpp"

#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/system/system_error.hpp>
#include <concepts>
#include <exception>
#include <moqlite/asio/clock.hpp>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/random_hop.hpp>
#include <new>

namespace moqlite::asio {

namespace detail {

namespace {

constexpr std::size_t notices_max = 4096;

relay_options for_relay(const origin_options& o) {
    return {.bounds = o.bounds,
        .origin = o.hop != hop_id{} ? o.hop : random_hop(),
        .epoch = asio::now(),
        .reports_path = true};
}

/// When an execution context ends, so do the operations that wait on it: without completing, as Asio's own do.
class ender final : public boost::asio::execution_context::service {
public:
    using key_type = ender;
    inline static boost::asio::execution_context::id id;
    explicit ender(boost::asio::execution_context& of) : service(of) {}
    void add(std::weak_ptr<origin_state> o) {
        std::erase_if(origins_, [](const auto& each) { return each.expired(); });
        origins_.push_back(std::move(o));
    }

private:
    void shutdown() override {
        for (const auto& each : origins_)
            if (const auto o = each.lock()) o->abandon();
    }
    std::vector<std::weak_ptr<origin_state>> origins_;
};

} // namespace

void origin_state::abandon() noexcept {
    dropped_handlers dropped; // Goes last: it may own whatever waits.
    waiters_.for_each([&](waiter& w) { w.abandon(dropped); });
    // They keep this, and this kept them.
    const auto starting = std::exchange(starting_, {});
    const auto finishing = std::exchange(finishing_, {});
    const auto fetches = std::exchange(fetches_, {});
}

void origin_state::begin() {
    auto& context = boost::asio::query(on_, boost::asio::execution::context);
    boost::asio::use_service<ender>(context).add(weak_from_this());
}

/// Registers a connection for its lifetime.
struct origin_state::connection_slot {
    connection_slot(std::shared_ptr<origin_state> o, std::uint64_t k) noexcept : owner(std::move(o)), key(k) {}
    connection_slot(connection_slot&&) noexcept = default;
    ~connection_slot() {
        if (owner) owner->disconnected(key);
    }
    void operator()(const event& e) {
        owner->relay_.handle(key, e, asio::now());
        if (std::holds_alternative<setup_received>(e)) owner->handle_notices();
        if (!detail::session_state::concerns(e)) return;
        const auto found = owner->connections_.find(key);
        if (found == owner->connections_.end()) return;
        const auto& state = found->second.state;
        if (state->key == key || state->on_probe) state->handle(e); // Else another connection has taken its place.
    }
    std::shared_ptr<origin_state> owner;
    std::uint64_t key;
};

origin_state::origin_state(boost::asio::any_io_executor on, const origin_options& o)
    : on_(std::move(on)),
      bounds_(o.bounds),
      log_(o.log),
      on_notice_(o.on_notice),
      timer_(on_),
      relay_(for_relay(o)),
      fetched_(o.bounds.memory / 4),
      publishing_({.bounds = o.bounds, .pool = &relay_.memory(), .ready = &ready_}),
      reading_({.bounds = o.bounds, .pool = &relay_.memory(), .ready = &ready_}) {
    publishing_key_ = relay_.add_local(publishing_);
    relay_.add_local(reading_);
}

origin_state::~origin_state() = default;

void origin_state::wake() {
    if (in_turn_ || posted_) return;
    post_operation(on_, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->posted_ = false;
        self->turn(asio::now());
    });
    posted_ = true; // Last: post() may throw.
}

void origin_state::turn(time_point now) {
    if (std::exchange(in_turn_, true)) return;
    const auto self = shared_from_this();
    // After std::bad_alloc another turn goes on; where that cannot be posted either, the next command's.
    struct unfinished {
        origin_state& of;
        bool done = false;
        ~unfinished() {
            of.in_turn_ = false;
            try {
                if (!done) of.wake();
            } catch (const std::bad_alloc&) {
            }
        }
    } rest{*this};
    handle_notices(); // A session that is to be replaced says so before its readers hear of its end.
    run_deadlines(now);
    // What the relay does reaches our ends, and what they answer reaches the relay.
    do {
        relay_.tick(now);
        while (ready_.pop()) {
        }
        drain_publishing();
        drain_reading(now);
    } while (relay_.has_local_work() || !ready_.empty());
    check_room();
    handle_notices();
    while (const auto key = relay_.poll_ready())
        if (const auto found = connections_.find(*key); found != connections_.end()) found->second.on->wake();
    set_timer();
    rest.done = true;
}

void origin_state::set_timer() {
    auto at = relay_.deadline();
    if (!deadlines_.empty() && (!at || deadlines_.begin()->first < *at)) at = deadlines_.begin()->first;
    // A timer that fires too early costs a turn; moving it to each later deadline would cost more.
    if (at && timer_at_ && *timer_at_ <= *at) return;
    if (!at && !timer_at_) return;
    timer_at_.reset();
    timer_.cancel();
    if (!at) return;
    timer_.expires_at(to_steady(*at));
    timer_.async_wait(in_kept_memory([weak = weak_from_this()](const error_code& error) {
        const auto here = weak.lock();
        if (error || !here) return;
        here->timer_at_.reset();
        here->turn(asio::now());
    }));
    timer_at_ = at; // Last: async_wait() may throw.
}

// Sessions.

std::unique_ptr<link::handler> origin_state::connected(
    role side, link::connection& c, time_point now, std::string path, const std::shared_ptr<session_state>& state) {
    state->protocol = c.alpn();
    state->remote = to_string(c.remote());
    state->local = to_string(c.local());
    state->tls = c.tls();
    state->path = path;
    const auto key = relay_.add(side, c.alpn(), now, std::move(path), state->alone());
    if (!key) {
        log(link::log_level::warning, "rejected " + state->remote + ": " + state->protocol + " is not supported");
        return nullptr;
    }
    connection_slot slot{shared_from_this(), *key}; // First: the rest may throw std::bad_alloc.
    state->key = *key;
    connections_.emplace(*key, connected_peer{&c, state});
    state->begin_probe();
    if (reports()) report(session_opened{*key, state->remote, state->protocol, state->is_webtransport});
    return std::make_unique<link::session_handler<any_session*, connection_slot>>(
        relay_.session(*key), std::move(slot));
}

void origin_state::disconnected(std::uint64_t key) noexcept {
    // Without memory nobody is told of its end; but it has ended.
    const auto unless_out_of_memory = [](const auto& f) {
        try {
            f();
        } catch (const std::bad_alloc&) {
        }
    };
    unless_out_of_memory([&] { handle_notices(); });
    std::shared_ptr<session_state> state;
    if (const auto found = connections_.find(key); found != connections_.end()) {
        state = std::move(found->second.state);
        connections_.erase(found);
    }
    relay_.remove(key);
    unless_out_of_memory([&] {
        if (state)
            state->ended(
                key, {.code = app_error::transport, .why = errc::transport_closed, .by_peer = false, .reason = {}});
        wake();
    });
}

link::connection* origin_state::connection_of(std::uint64_t key) noexcept {
    const auto found = connections_.find(key);
    return found != connections_.end() ? found->second.on : nullptr;
}

void origin_state::handle_notices() {
    const auto of = [&](std::uint64_t key) -> session_state* {
        const auto found = connections_.find(key);
        return found != connections_.end() ? found->second.state.get() : nullptr;
    };
    while (auto notice = relay_.poll_notice()) {
        if (const auto* a = std::get_if<admission_wanted>(&*notice)) {
            if (auto* s = of(a->session); s != nullptr && s->on_setup) s->on_setup(a->path);
        } else if (const auto* l = std::get_if<peer_leaving>(&*notice)) {
            if (auto* s = of(l->session)) s->left(l->uri);
        } else if (const auto* n = std::get_if<session_ended>(&*notice)) {
            auto how = n->how;
            how.reason = n->reason;
            if (auto* s = of(n->session)) s->ended(n->session, how);
        } else if (const auto* m = std::get_if<peer_misbehaved>(&*notice); m != nullptr && !reports()) {
            log(link::log_level::warning,
                "session " + std::to_string(m->session) + " violated the protocol: " + std::string(to_string(m->why)));
        }
        if (!reports()) continue;
        std::visit(
            [this]<class What>(What& what) {
                if constexpr (!std::same_as<What, admission_wanted>) report(std::move(what));
            },
            *notice);
    }
}

void origin_state::report(notice what) {
    if (!reports()) return;
    const bool vital = std::holds_alternative<session_opened>(what) || std::holds_alternative<session_admitted>(what) ||
                       std::holds_alternative<session_ended>(what);
    if (!vital && notices_.size() >= notices_max) return;
    notices_.push(std::move(what));
    if (delivers_) return;
    boost::asio::post(on_, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->deliver_notices();
    });
    delivers_ = true; // Last: post() may throw.
}

void origin_state::deliver_notices() {
    delivers_ = false;
    while (!notices_.empty()) {
        const auto each = notices_.pop();
        try {
            on_notice_(each);
        } catch (...) {
            asio::origin{shared_from_this()}.log_exceptions()(std::current_exception());
        }
    }
}

} // namespace detail

// Handles.

origin::origin(boost::asio::any_io_executor on, const origin_options& o)
    : state_(std::make_shared<detail::origin_state>(std::move(on), o)) {
    state_->begin();
}

boost::asio::any_io_executor origin::get_executor() const { return detail::required(state_)->executor(); }

broadcast origin::publish(std::string_view path) {
    return broadcast{std::make_shared<detail::broadcast_state>(detail::required(state_), path::normalise(path))};
}

std::vector<std::string> origin::published() const { return state_->published_below({}); }

broadcast origin::on_demand(std::string_view prefix, std::function<void(track_request)> make) {
    if (!make) throw boost::system::system_error{make_error(errc::invalid_argument), "no handler"};
    auto made = std::make_shared<detail::broadcast_state>(detail::required(state_), path::normalise(prefix));
    made->on_demand = state_->set_on_demand(made->path(), std::move(make));
    return broadcast{std::move(made)};
}

std::function<void(std::exception_ptr)> origin::log_exceptions() const {
    return [weak = std::weak_ptr{state_}](const std::exception_ptr& thrown) {
        const auto state = weak.lock();
        if (!state || !thrown) return;
        try {
            std::rethrow_exception(thrown);
        } catch (const std::exception& e) {
            state->log(link::log_level::warning, std::string{"a handler ended: "}.append(e.what()));
        } catch (...) {
            state->log(link::log_level::warning, "a handler ended by an exception");
        }
    };
}

void origin::subscribe(const std::shared_ptr<detail::origin_state>& state, const track_name& track,
    const subscribe_request& how, detail::completion<track_reader>::handler handler) {
    std::make_shared<detail::reader_state>(state, track, how)->start({std::move(handler), state->executor()});
}

void origin::fetch(const std::shared_ptr<detail::origin_state>& state, const track_name& track, group_sequence group,
    detail::completion<group_reader>::handler handler) {
    static_cast<void>(detail::fetch(state, track, group, std::move(handler)));
}

asio::announcements origin::announcements(std::string_view prefix) {
    if (!state_) return {};
    return asio::announcements{std::make_shared<detail::announcements_state>(state_, prefix)};
}

void origin::trim() noexcept {
    if (state_) state_->relay().trim();
}

relay_stats origin::stats() const { return state_ ? state_->relay().stats() : relay_stats{}; }

} // namespace moqlite::asio
