// A machine with one UDP socket, and one QUIC endpoint on it, in virtual time.
#pragma once

#include "entropy.hpp"
#include "line.hpp"

#include <algorithm>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <moqlite/core/version.hpp>
#include <moqlite/ngtcp2/endpoint.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace moqlite::packets {

/// The path between two hosts, and their flow control windows.
struct network_link {
    lane_plan up;   ///< From the client.
    lane_plan down; ///< From the server.
    std::uint64_t stream_credit = 1024 * 1024;
    std::uint64_t connection_credit = 8 * 1024 * 1024;
    std::uint64_t uni_streams = 1024;
    std::uint64_t bidi_streams = 256;
    std::size_t packet_size = 1452;
    duration idle_timeout = 8s;
    ngtcp2::resumption resume = ngtcp2::resumption::none;
};

/// Runs a session on a QUIC connection.
struct binding {
    std::vector<std::string> (*alpn)(version);
    link::accept_function (*server)(link::accept_function);
    link::accept_function (*client)(version, link::accept_function, link::failed_function);
};

/// As its only user.
inline constexpr binding native{
    [](version v) { return std::vector{std::string{moqlite::alpn(v)}}; },
    [](link::accept_function accept) { return accept; },
    [](version, link::accept_function accept, link::failed_function) { return accept; },
};

class host : public sim::party, public link::sink {
public:
    host(sim::world& w, const network_link& l = {}, const binding& b = native)
        : world_(w),
          resume_(l.resume),
          binding_(b),
          name_(w.number()),
          address_(*link::address::parse("10.0.0.1", static_cast<std::uint16_t>(1000 + name_))),
          endpoint_(options_for(l), *this) {
        endpoint_.serve(server_tls(), b.server([this](link::connection& c, time_point) {
            const auto found = expected_.find(c.remote().port());
            return found == expected_.end() ? nullptr : found->second(c);
        }));
    }

    using join = std::function<std::unique_ptr<link::handler>(link::connection&)>;

    /// Datagrams for `other` take this way.
    void route(const host& other, lane& way) { lanes_[other.address_.port()] = &way; }
    /// Accepts a connection from `other`.
    void expect(const host& other, join j) { expected_[other.address_.port()] = std::move(j); }
    void connect(const host& server, version v, join j, link::failed_function failed) {
        std::string why;
        auto accept = binding_.client(v, [j = std::move(j)](link::connection& c, time_point) { return j(c); }, failed);
        const ngtcp2::target to{server.address_, address_, "localhost", binding_.alpn(v), resume_};
        auto* made = endpoint_.connect(client_tls(), to, std::move(accept), std::move(failed), why, world_.now());
        sim::must(made != nullptr, "a connection can be tried");
        world_.touch(*this);
    }
    /// Later handshakes of the server use this configuration.
    void renew(const ngtcp2::tls& with) { endpoint_.renew(with); }
    void receive(const host& from, std::uint8_t ecn, byte_view bytes) {
        endpoint_.receive({address_, from.address_, ecn, bytes}, world_.now());
        settle();
    }

    /// Runs something for a handler; a failed check is reported once ngtcp2, which is C, has returned.
    template <class F>
    void guard(F&& f) noexcept {
        try {
            f();
        } catch (...) {
            if (!trouble_) trouble_ = std::current_exception();
        }
    }
    [[nodiscard]] sim::world& where() noexcept { return world_; }
    [[nodiscard]] std::uint64_t name() const noexcept { return name_; }

    // The party: a turn of its loop.
    void turn() override {
        const bool more = endpoint_.pump(world_.now());
        settle();
        if (more) world_.touch(*this);
    }
    void tick() override {
        endpoint_.expire(world_.now());
        settle();
    }
    std::optional<time_point> deadline() override { return endpoint_.deadline(); }

    // The sink.
    bool send(const link::burst& b) override {
        guard([&] {
            const auto way = lanes_.find(b.remote.port());
            sim::must(way != lanes_.end(), "datagrams go to a host that is known");
            for (std::size_t at = 0; at < b.bytes.size(); at += b.segment) {
                const auto one = b.bytes.subspan(at, std::min(b.segment, b.bytes.size() - at));
                world_.carried.add(one);
                world_.trace([&] {
                    return "host " + std::to_string(name_) + " sends " + std::to_string(one.size()) + " bytes to " +
                           std::to_string(b.remote.port() - 1000);
                });
                way->second->carry(b.ecn, one);
            }
        });
        return true;
    }
    void ready() override { world_.touch(*this); }

private:
    ngtcp2::endpoint_options options_for(const network_link& l) {
        if (name_ == 0) seed_openssl(world_.dice.next());
        ngtcp2::endpoint_options o;
        o.stream_window = l.stream_credit;
        o.connection_window = l.connection_credit;
        o.uni_streams = l.uni_streams;
        o.bidi_streams = l.bidi_streams;
        o.packet_size = l.packet_size;
        o.idle_timeout = l.idle_timeout;
        o.control = world_.dice.below(4) == 0 ? ngtcp2::congestion::bbr : ngtcp2::congestion::cubic;
        sim::world::plan() += "  host " + std::to_string(name_) + ": windows " + std::to_string(o.stream_window) +
                              " and " + std::to_string(o.connection_window) + ", streams " +
                              std::to_string(o.bidi_streams) + " and " + std::to_string(o.uni_streams) +
                              ", packets up to " + std::to_string(o.packet_size) +
                              (o.control == ngtcp2::congestion::bbr ? ", BBR\n" : ", CUBIC\n");
        o.random = [dice = sim::chance{world_.dice.next()}](std::span<std::byte> out) mutable {
            for (auto& b : out) b = static_cast<std::byte>(dice.next());
        };
        return o;
    }
    void settle() {
        if (trouble_) std::rethrow_exception(std::exchange(trouble_, nullptr));
    }

    sim::world& world_;
    ngtcp2::resumption resume_;
    const binding& binding_;
    std::uint64_t name_;
    link::address address_;
    std::map<std::uint16_t, lane*> lanes_;
    std::map<std::uint16_t, join> expected_;
    std::exception_ptr trouble_;
    ngtcp2::endpoint endpoint_;
};

} // namespace moqlite::packets
