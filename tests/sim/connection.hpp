// A model of QUIC: streams that arrive in order within themselves but not between, credit of
// every kind, acknowledgements, resets that overtake data; loss is delay.
#pragma once

#include "any_side.hpp"
#include "lent.hpp"
#include "link.hpp"
#include "print.hpp"
#include "world.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <moqlite/session/session.hpp>
#include <moqlite/session/transport.hpp>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::sim {

/// The inputs of one end's session.
class facts {
public:
    facts() = default;
    facts(const facts&) = delete;
    facts& operator=(const facts&) = delete;
    virtual ~facts() = default;
    virtual void stream_received(stream_id, byte_view, bool fin) = 0;
    virtual void stream_reset(stream_id, app_error) = 0;
    virtual void stream_stopped(stream_id, app_error) = 0;
    virtual void stream_writable(stream_id) = 0;
    virtual void stream_acked(stream_id, std::uint64_t) = 0;
    virtual void stream_closed(stream_id, std::optional<app_error>) = 0;
    virtual void streams_available(direction) = 0;
    virtual void connection_closed(const closed_by&) = 0;
    /// The connection takes bytes again.
    virtual void writable() = 0;
};

class connection;

/// One end of a connection: the transport of a session, and the source of its facts.
class side final : public any_side {
public:
    side(world& w, role r, const network_link& outgoing, const network_link& granted)
        : role_(r), world_(w), link_(outgoing) {
        stream_limit_ = {granted.bidi_streams, granted.uni_streams};
        connection_limit_ = granted.connection_credit;
    }

    // The transport.
    std::optional<stream_id> open(direction kind);
    std::optional<std::size_t> write(const write_stream& w);
    void reset(stream_id id, app_error code);
    void stop(stream_id id, app_error code);
    void credit(stream_id id, std::uint64_t n);
    void close(app_error code, std::string_view reason);
    void flush();
    /// As a transport that sends something of its own, with retransmissions.
    void send_again() const;

    /// The receiver of inputs; none after the end.
    facts* to = nullptr;

    [[nodiscard]] bool ended() const noexcept { return ended_; }
    [[nodiscard]] role side_of() const noexcept override { return role_; }
    [[nodiscard]] std::unique_ptr<any_driver> drive(party&, session&, any_driver::handler) override;
    [[nodiscard]] std::unique_ptr<any_driver> drive(party&, any_session&, any_driver::handler) override;
    [[nodiscard]] std::string name() const { return role_ == role::client ? "client" : "server"; }
    /// Replaces its link from now on.
    [[nodiscard]] network_link& way() noexcept { return link_; }
    [[nodiscard]] std::size_t open_streams() const override;
    [[nodiscard]] std::uint64_t bytes_written() const noexcept { return bytes_written_; }
    [[nodiscard]] std::size_t ids_in_hand() const override;
    /// Called with every byte range that is written, in order.
    std::function<void(stream_id, std::size_t)> on_write;

private:
    friend class connection;

    /// Bytes in flight, and where they were lent from.
    struct segment {
        std::uint64_t offset = 0;
        std::vector<std::byte> bytes;
        const std::byte* lent = nullptr;
        bool fin = false;
        bool acked = false;
        bool given_up = false; ///< Its stream was reset, or the connection closed.
        void compare() const { test::lent_memory::compare(lent, bytes); }
    };
    using shared_segment = std::shared_ptr<segment>;

    struct stream {
        bool has_send = false;
        bool has_receive = false;
        // Ours.
        std::deque<shared_segment> unacked;
        std::uint64_t written = 0;
        std::uint64_t limit = 0;
        bool blocked = false;
        bool fin = false;
        bool fin_acked = false;
        bool was_reset = false;
        bool reset_acked = false;
        bool stop_told = false;
        // Theirs.
        std::map<std::uint64_t, shared_segment> arrived;
        std::uint64_t delivered = 0;
        std::uint64_t credited = 0; ///< Total by the session.
        std::uint64_t granted = 0;  ///< Total that the peer may send.
        bool fin_told = false;
        bool reset_told = false;
        bool stopped = false;
        std::optional<app_error> cut;

        [[nodiscard]] bool send_done() const noexcept {
            return !has_send || reset_acked || (fin && fin_acked && unacked.empty());
        }
        [[nodiscard]] bool receive_done() const noexcept { return !has_receive || fin_told || reset_told; }
        [[nodiscard]] bool used() const noexcept { return written != 0 || fin || was_reset || has_receive; }
    };

    [[nodiscard]] static std::size_t index(direction d) noexcept { return d == direction::uni ? 1 : 0; }
    [[nodiscard]] bool mine(stream_id id) const noexcept { return initiator_of(id) == role_; }
    stream* find(stream_id id) {
        const auto found = streams_.find(number(id));
        return found == streams_.end() ? nullptr : &found->second;
    }
    stream* find_or_accept(stream_id id);
    stream& writable_stream(stream_id id);
    duration trip() { return link_.latency + world_.dice.up_to(link_.jitter); }
    /// Something that happens at the peer after `d`, unless the connection has ended.
    template <class F>
    void tell_peer(duration d, F what);
    [[nodiscard]] std::uint64_t room() const noexcept;
    void trace(const output& o) const {
        world_.trace([&] { return name() + " -> " + test::text(o); });
    }
    void send(stream_id id, stream& s, const write_stream& w, std::size_t n);
    void send_segment(stream_id id, const shared_segment& piece);
    void send_after_failure(stream_id id, const shared_segment& piece);
    [[nodiscard]] bool is_lent(stream_id id, const segment& piece);
    void let_go_of(stream& s);

    // Receiving.
    void on_segment(stream_id id, const shared_segment& piece);
    void deliver(stream_id id);
    void on_ack(stream_id id, const shared_segment& piece);
    void on_reset(stream_id id, app_error code, std::uint64_t final_size);
    void on_stop(stream_id id, app_error code);
    void on_stream_limit(stream_id id, std::uint64_t limit);
    void on_end(const closed_by& how);
    void received(std::uint64_t n);
    void close_if_done(stream_id id);

    role role_;
    world& world_;
    network_link link_;
    side* peer_ = nullptr;
    bool* dead_ = nullptr;
    std::map<std::uint64_t, stream> streams_;
    std::deque<shared_segment> lost_;      ///< Retransmitted with the next packet, or later.
    std::vector<shared_segment> given_up_; ///< Of streams that were reset, or all, until the flush.
    std::array<std::uint64_t, 2> opened_{};
    std::array<std::uint64_t, 2> stream_limit_{};
    std::array<bool, 2> opening_blocked_{};
    std::array<std::uint64_t, 2> accepted_{}; ///< One more than the highest of the peer's.
    std::uint64_t connection_limit_ = 0;
    std::uint64_t connection_sent_ = 0;
    std::uint64_t connection_read_ = 0;
    std::uint64_t connection_granted_ = 0;
    std::uint64_t in_flight_ = 0;
    std::uint64_t bytes_written_ = 0;
    time_point line_free_{};
    time_point down_until_{};
    bool starved_ = false; ///< A write found the connection full.
    bool writing_ = false;
    bool ended_ = false;
};

static_assert(transport<side>);

/// Two sides and their link.
class connection {
public:
    connection(world& w, const network_link& both) : connection(w, both, both) {}
    connection(world& w, const network_link& up, const network_link& down)
        : client(w, role::client, up, down), server(w, role::server, down, up), world_(w) {
        client.peer_ = &server;
        server.peer_ = &client;
        client.dead_ = server.dead_ = &dead_;
    }
    /// Nothing arrives any more, and both ends time out.
    void die() {
        dead_ = true;
        for (side* s : {&client, &server})
            world_.after(s->link_.idle_timeout,
                [s] { s->on_end({.code = app_error::transport, .by_peer = false, .reason = "idle"}); });
    }
    /// The network fails for `d`: what is in flight is lost, and sent again afterwards unless its stream was reset.
    void fail_for(duration d) noexcept { client.down_until_ = server.down_until_ = world_.now() + d; }
    side client;
    side server;

private:
    world& world_;
    bool dead_ = false;
};

} // namespace moqlite::sim

#include "connection_impl.hpp"
