// Two sessions on a real QUIC connection: the interface of tests/sim/connection.hpp, on packets.
#pragma once

#include "any_side.hpp"
#include "host.hpp"
#include "lending.hpp"
#include "print.hpp"

#include <functional>
#include <memory>
#include <moqlite/link/connection.hpp>
#include <moqlite/link/session_handler.hpp>
#include <set>
#include <string>
#include <utility>

namespace moqlite::packets {

/// The shared state of one end, owned by its driver, side and handler.
struct channel {
    explicit channel(role side) : contract(side) {}
    sim::party* owner = nullptr;
    link::handler* upper = nullptr; ///< The session's; null after its driver's end.
    link::connection* connection = nullptr;
    bool over = false;
    test::lent_memory lent;
    contract_checker<sim::fault_is_failure> contract;
    std::set<stream_id> open;
    std::set<stream_id> closed;
    std::function<void()> on_over;
};

/// The connection's handler: forwards everything to the session's own, and checks.
class watcher final : public link::handler {
public:
    watcher(std::shared_ptr<channel> c, host& h) : channel_(std::move(c)), host_(h) {}
    ~watcher() override { channel_->connection = nullptr; }

    void stream_received(stream_id id, byte_view bytes, bool fin, time_point now) override {
        tell(id, [&](auto& upper) { upper.stream_received(id, bytes, fin, now); });
    }
    void stream_reset(stream_id id, app_error code, time_point now) override {
        tell(id, [&](auto& upper) { upper.stream_reset(id, code, now); });
    }
    void stream_stopped(stream_id id, app_error code, time_point now) override {
        tell(id, [&](auto& upper) { upper.stream_stopped(id, code, now); });
    }
    void stream_writable(stream_id id, time_point now) override {
        tell(id, [&](auto& upper) { upper.stream_writable(id, now); });
    }
    void stream_acked(stream_id id, std::uint64_t n, time_point now) override {
        host_.guard([&] { channel_->lent.acked(id, n); });
        tell(id, [&](auto& upper) { upper.stream_acked(id, n, now); });
    }
    void stream_closed(stream_id id, std::optional<app_error> code, time_point now) override {
        host_.guard([&] { channel_->lent.closed(id); });
        tell(id, [&](auto& upper) { upper.stream_closed(id, code, now); });
        channel_->open.erase(id);
        channel_->closed.insert(id);
    }
    void streams_available(direction kind, time_point now) override {
        tell([&](auto& upper) { upper.streams_available(kind, now); });
    }
    void datagram_received(byte_view bytes, time_point now) override {
        tell([&](auto& upper) { upper.datagram_received(bytes, now); });
    }
    void pump(link::connection& to, time_point now) override {
        tell([&](auto& upper) {
            channel_->lent.compare_all(); // Lost bytes may be retransmitted with this.
            lending lent{to, channel_->lent, channel_->contract};
            upper.pump(lent, now);
        });
    }
    std::optional<time_point> deadline() const override {
        return channel_->upper != nullptr ? channel_->upper->deadline() : std::nullopt;
    }
    void tick(time_point now) override {
        tell([&](auto& upper) { upper.tick(now); });
    }
    void on_closed(const link::closed& how, time_point now) override {
        channel_->over = true;
        host_.guard([&] { channel_->lent.compare_all(); });
        channel_->lent.over();
        tell([&](auto& upper) { upper.on_closed(how, now); });
        if (channel_->on_over) channel_->on_over();
    }

private:
    template <class F>
    void tell(F&& fact) {
        if (channel_->upper == nullptr) return;
        host_.where().touch(*channel_->owner);
        host_.guard([&] { fact(*channel_->upper); });
    }
    template <class F>
    void tell(stream_id id, F&& fact) {
        host_.guard([&] { sim::must(!channel_->closed.contains(id), "nothing of a stream after it was closed"); });
        channel_->open.insert(id);
        tell(std::forward<F>(fact));
    }

    std::shared_ptr<channel> channel_;
    host& host_;
};

/// Joins a session to a connection as programs do, by a session_handler.
template <class Session>
class driver final : public sim::any_driver {
public:
    driver(host& h, std::string name, std::shared_ptr<channel> c, sim::party& owner, Session& s, handler on_event)
        : any_driver(h.where()),
          channel_(std::move(c)),
          checked_(s, channel_->contract),
          upper_(&checked_, [this, &h, name = std::move(name), on_event = std::move(on_event)](const event& e) {
              h.where().trace([&] { return name + ' ' + test::text(e); });
              checks().see(e);
              on_event(e);
          }) {
        channel_->owner = &owner;
        channel_->upper = &upper_;
        h.where().touch(owner);
    }
    ~driver() override { channel_->upper = nullptr; }

    void mark() noexcept override { wants_ = true; }
    bool turn() override {
        if (!wants_ || channel_->connection == nullptr) return false;
        wants_ = false;
        channel_->connection->wake();
        return true;
    }
    // The endpoint handles the session's deadline.
    void tick() override {}
    [[nodiscard]] std::optional<time_point> deadline() const override { return std::nullopt; }
    bool let_go() override {
        mark();
        turn();
        return channel_->over;
    }

private:
    std::shared_ptr<channel> channel_;
    checking_session<Session, sim::fault_is_failure> checked_;
    link::session_handler<checking_session<Session, sim::fault_is_failure>*, handler> upper_;
    bool wants_ = true;
};

class side final : public sim::any_side {
public:
    side(host& h, role r) : host_(h), role_(r) {}
    ~side() override = default;

    [[nodiscard]] role side_of() const noexcept override { return role_; }
    [[nodiscard]] std::unique_ptr<sim::any_driver> drive(
        sim::party& p, session& s, sim::any_driver::handler h) override {
        return std::make_unique<driver<session>>(host_, name(), channel_, p, s, std::move(h));
    }
    [[nodiscard]] std::unique_ptr<sim::any_driver> drive(
        sim::party& p, any_session& s, sim::any_driver::handler h) override {
        return std::make_unique<driver<any_session>>(host_, name(), channel_, p, s, std::move(h));
    }
    [[nodiscard]] std::size_t open_streams() const override { return channel_->open.size(); }

    /// The handshake is complete.
    std::unique_ptr<link::handler> join(link::connection& c) {
        host_.guard([&] { sim::must(!joined_, "a connection comes about once"); });
        joined_ = true;
        channel_->connection = &c;
        if (channel_->upper != nullptr) host_.where().touch(*channel_->owner);
        return std::make_unique<watcher>(channel_, host_);
    }
    [[nodiscard]] bool has_joined() const noexcept { return joined_; }
    /// Null: not yet established, or ended.
    [[nodiscard]] link::connection* quic() noexcept { return channel_->connection; }
    /// Calls `f` when an established connection has ended.
    void on_over(std::function<void()> f) { channel_->on_over = std::move(f); }
    /// If there is no connection yet, none will be made.
    void give_up() {
        if (std::exchange(joined_, true) || channel_->upper == nullptr) return;
        channel_->over = true;
        host_.where().touch(*channel_->owner);
        channel_->upper->on_closed({0, false, false, "no connection"}, host_.where().now());
    }

private:
    [[nodiscard]] std::string name() const {
        return (role_ == role::client ? "client on host " : "server on host ") + std::to_string(host_.name());
    }
    host& host_;
    role role_;
    std::shared_ptr<channel> channel_ = std::make_shared<channel>(role_);
    bool joined_ = false;
};

class connection {
public:
    connection(sim::world& w, host& from, host& to, const network_link& l, version v)
        : client(from, role::client),
          server(to, role::server),
          up(w, l.up, [&from, &to](std::uint8_t ecn, byte_view b) { to.receive(from, ecn, b); }),
          down(w, l.down, [&from, &to](std::uint8_t ecn, byte_view b) { from.receive(to, ecn, b); }),
          world_(w),
          from_(from),
          to_(to),
          version_(v) {
        const auto ends = std::to_string(from.name()) + " and " + std::to_string(to.name());
        sim::world::plan() += "  between hosts " + ends + ", " + std::string{alpn(v)} + "\n    up: " + text(l.up) +
                              "\n    down: " + text(l.down) + '\n';
        from.route(to, up);
        to.route(from, down);
        to.expect(from, [this](link::connection& c) { return server.join(c); });
        // A server has no connection to lose if its client leaves before its handshake is complete.
        client.on_over([this] { world_.after(handshake_timeout, [this] { server.give_up(); }); });
        connect();
    }
    /// Nothing arrives any more, and both ends time out.
    void die() {
        up.cut();
        down.cut();
        world_.after(handshake_timeout, [this] {
            client.give_up();
            server.give_up();
        });
    }

    side client;
    side server;
    lane up;
    lane down;

private:
    /// Like a client, with retries.
    void connect() {
        from_.connect(
            to_, version_, [this](link::connection& c) { return client.join(c); },
            [this](const link::closed& why) {
                world_.trace([&] { return "no connection: " + why.reason; });
                // If the server had one, it is lost.
                if (server.has_joined()) return client.give_up();
                if (++attempts_ < 5) world_.after(50ms, [this] { connect(); });
            });
    }

    static constexpr duration handshake_timeout = 10s;
    sim::world& world_;
    host& from_;
    host& to_;
    version version_;
    int attempts_ = 0;
};

} // namespace moqlite::packets
