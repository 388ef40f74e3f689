// Two endpoints, real QUIC and TLS between them, in memory and in virtual time: no socket, no clock.
#pragma once

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <moqlite/link/connection.hpp>
#include <moqlite/ngtcp2/endpoint.hpp>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace moqlite::test {

using namespace std::chrono_literals;

/// Records every input, and sends the bytes passed to send(), which it keeps until its end.
class recorder : public link::handler {
public:
    struct outgoing {
        std::string bytes;
        bool fin = true;
        std::size_t written = 0;
        std::uint64_t acked = 0;
        bool done = false; ///< Written, FIN included.
        bool blocked = false;
        std::optional<app_error> stopped;
    };
    struct incoming {
        std::string bytes;
        bool fin = false;
        std::optional<app_error> reset;
    };

    explicit recorder(link::connection& c) : connection{c} {}

    void stream_received(stream_id id, byte_view bytes, bool fin, time_point) override {
        auto& in = received[id];
        REQUIRE_FALSE(in.fin);
        in.bytes.append(as_text(bytes));
        in.fin = fin;
        if (give_credit && !bytes.empty()) connection.credit(id, bytes.size());
        if (on_received) on_received(id);
    }
    void stream_reset(stream_id id, app_error code, time_point) override { received[id].reset = code; }
    void stream_stopped(stream_id id, app_error code, time_point) override { sent[id].stopped = code; }
    void stream_writable(stream_id id, time_point) override { sent[id].blocked = false; }
    void stream_acked(stream_id id, std::uint64_t n, time_point) override {
        REQUIRE(n > 0);
        const auto out = sent.find(id);
        if (out == sent.end()) return; // Written by an action, which is not counted.
        out->second.acked += n;
        REQUIRE(out->second.acked <= out->second.written);
    }
    void stream_closed(stream_id id, std::optional<app_error> code, time_point) override {
        REQUIRE(closed_streams.emplace(id, code).second);
    }
    void streams_available(direction kind, time_point) override { ++available[kind]; }
    void datagram_received(byte_view bytes, time_point) override { datagrams.emplace_back(as_text(bytes)); }
    void pump(link::connection& to, time_point) override {
        ++pumps;
        while (!wanted.empty()) {
            const auto id = to.open(wanted.front().first);
            if (!id) break;
            opened.push_back(*id);
            sent[*id].bytes = std::move(wanted.front().second);
            wanted.pop_front();
        }
        for (auto& action : std::exchange(actions, {})) action(to);
        for (auto& [id, out] : sent)
            if (!out.done && !out.blocked && !out.stopped && !write(to, id, out)) break;
        for (auto& action : std::exchange(last_actions, {})) action(to);
        to.flush();
    }
    void on_closed(const link::closed& how, time_point) override {
        if (ended) *ended = how;
    }

    void send(direction kind, std::string bytes) {
        wanted.emplace_back(kind, std::move(bytes));
        connection.wake();
    }
    void in_pump(std::function<void(link::connection&)> action) {
        actions.push_back(std::move(action));
        connection.wake();
    }
    /// The same after that pump's writes.
    void at_end_of_pump(std::function<void(link::connection&)> action) {
        last_actions.push_back(std::move(action));
        connection.wake();
    }

    link::connection& connection;
    std::map<stream_id, incoming> received;
    std::map<stream_id, outgoing> sent;
    std::map<stream_id, std::optional<app_error>> closed_streams;
    std::map<direction, int> available;
    std::vector<std::string> datagrams;
    std::vector<stream_id> opened;
    std::deque<std::pair<direction, std::string>> wanted;
    std::vector<std::function<void(link::connection&)>> actions, last_actions;
    std::function<void(stream_id)> on_received;
    std::shared_ptr<std::optional<link::closed>> ended;
    bool give_credit = true;
    int pumps = 0;

private:
    /// False: the connection takes no more.
    static bool write(link::connection& to, stream_id id, outgoing& out) {
        const byte_view rest = as_bytes(out.bytes).subspan(out.written);
        const auto n = to.write({id, {&rest, 1}, rest.size(), out.fin});
        if (!n) return false;
        REQUIRE(*n <= rest.size());
        out.written += *n;
        out.done = out.written == out.bytes.size();
        out.blocked = !out.done;
        return true;
    }
};

/// One end: its endpoint, what it has sent, and the handlers it has made.
struct memory_end final : link::sink {
    memory_end(ngtcp2::endpoint_options options, std::uint16_t port)
        : address{*link::address::parse("127.0.0.1", port)}, endpoint{std::move(options), *this} {}

    bool send(const link::burst& b) override {
        CHECK(b.remote != address);
        CHECK(b.bytes.size() <= 65000);
        std::size_t segments = 0;
        for (std::size_t at = 0; at < b.bytes.size(); at += b.segment, ++segments) {
            const auto one = b.bytes.subspan(at, std::min(b.segment, b.bytes.size() - at));
            outbox.push_back({b.remote, std::string{as_text(one)}});
        }
        CHECK(segments <= 64);
        ++bursts;
        return !full;
    }
    void ready() override {}

    link::accept_function accept() {
        return [this](link::connection& c, time_point) {
            auto made = std::make_unique<recorder>(c);
            made->ended = std::make_shared<std::optional<link::closed>>();
            ends.push_back(made->ended);
            handlers.push_back(made.get());
            return made;
        };
    }
    link::failed_function failed() {
        return [this](const link::closed& how) { failures.push_back(how.reason); };
    }

    struct packet {
        link::address to;
        std::string bytes;
    };
    link::address address;
    std::deque<packet> outbox;
    std::map<std::uint16_t, std::size_t> astray; ///< Packets to a closed port.
    std::size_t bursts = 0;
    bool full = false;
    std::vector<recorder*> handlers; ///< Dangling once their connection has ended.
    std::vector<std::shared_ptr<std::optional<link::closed>>> ends;
    std::vector<std::string> failures;
    ngtcp2::endpoint endpoint;
};

struct pair_options {
    ngtcp2::endpoint_options client, server;
    duration latency = 5ms;
    std::function<bool(std::string&)> drop; ///< May also damage.
    std::function<duration()> delay;        ///< Latency of one datagram; empty: `latency`.
};

/// For endpoint_options::random: deterministic, so that the same addresses share a counter in each run.
inline std::function<void(std::span<std::byte>)> same_each_time() {
    return [dice = std::mt19937{1}](std::span<std::byte> out) mutable {
        for (auto& b : out) b = static_cast<std::byte>(dice());
    };
}

inline const ngtcp2::identity& test_identity() {
    static const auto made = [] {
        std::string why;
        auto id = ngtcp2::generate_identity({.names = {"localhost"}}, why);
        REQUIRE(why.empty());
        return id.value();
    }();
    return made;
}

inline ngtcp2::tls server_tls(
    const ngtcp2::identity& who = test_identity(), std::vector<std::string> alpn = {"moq-lite-05", "moq-lite-04"}) {
    std::string why;
    auto made = ngtcp2::tls::server(who, std::move(alpn), why);
    INFO(why);
    return made.value();
}

inline ngtcp2::tls client_tls(const ngtcp2::trust& whom = ngtcp2::trust::insecure()) {
    std::string why;
    auto made = ngtcp2::tls::client(whom, why);
    INFO(why);
    return made.value();
}

class memory_pair {
public:
    explicit memory_pair(pair_options o = {}, ngtcp2::tls configuration = server_tls())
        : options{std::move(o)},
          client{options.client, 1000},
          server{options.server, 4443},
          tls_{std::move(configuration)} {
        server.endpoint.serve(tls_, server.accept());
    }

    /// A new server at the same address, without state.
    void restart_server() {
        std::destroy_at(&server);
        std::construct_at(&server, options.server, std::uint16_t{4443});
        server.endpoint.serve(tls_, server.accept());
    }

    link::connection* connect(const ngtcp2::tls& with = client_tls(), std::string name = "localhost",
        std::vector<std::string> alpn = {"moq-lite-05"}) {
        std::string why;
        auto* c = client.endpoint.connect(with, {server.address, client.address, std::move(name), std::move(alpn)},
            client.accept(), client.failed(), why, now);
        INFO(why);
        REQUIRE(c != nullptr);
        return c;
    }

    /// Runs until `end`, or until `done`.
    void run_until(time_point end, const std::function<bool()>& done = {}) {
        for (;;) {
            turn(client, server);
            turn(server, client);
            if (done && done()) return;
            const auto next = next_event();
            if (!next || *next > end) break;
            now = std::max(now, *next);
        }
        now = std::max(now, end);
    }
    void run_for(duration d) { run_until(now + d); }
    /// True: `done` within `limit` of virtual time.
    bool run(const std::function<bool()>& done, duration limit = 60s) {
        run_until(now + limit, done);
        return done();
    }

    /// Both ends of a fresh connection.
    std::pair<recorder*, recorder*> connected() {
        connect();
        REQUIRE(run([&] { return !client.handlers.empty() && !server.handlers.empty(); }));
        return {client.handlers.back(), server.handlers.back()};
    }

    void inject(memory_end& to, const link::address& from, std::string_view bytes) {
        to.endpoint.receive({to.address, from, 0, as_bytes(bytes)}, now);
    }

    pair_options options;
    time_point now{1s};
    memory_end client, server;

private:
    struct flight {
        time_point at;
        memory_end* to;
        link::address from;
        std::string bytes;
    };

    void turn(memory_end& end, memory_end& other) {
        for (auto it = flights.begin(); it != flights.end();) {
            if (it->to != &end || it->at > now) {
                ++it;
                continue;
            }
            const auto bytes = std::move(it->bytes);
            const auto from = it->from;
            it = flights.erase(it);
            end.endpoint.receive({end.address, from, 0, as_bytes(bytes)}, now);
        }
        if (const auto due = end.endpoint.deadline(); due && *due <= now) end.endpoint.expire(now);
        more[&end] = end.endpoint.pump(now);
        for (; !end.outbox.empty(); end.outbox.pop_front()) {
            auto& p = end.outbox.front();
            if (p.to != other.address) {
                ++end.astray[p.to.port()];
                continue;
            }
            if (options.drop && options.drop(p.bytes)) continue;
            const auto delay = options.delay ? options.delay() : options.latency;
            flights.push_back({now + delay, &other, end.address, std::move(p.bytes)});
        }
    }

    std::optional<time_point> next_event() {
        if (more[&client] || more[&server]) return now;
        std::optional<time_point> next;
        const auto consider = [&](std::optional<time_point> t) {
            if (t && (!next || *t < *next)) next = t;
        };
        consider(client.endpoint.deadline());
        consider(server.endpoint.deadline());
        for (const auto& f : flights) consider(f.at);
        return next;
    }

    ngtcp2::tls tls_;
    std::deque<flight> flights;
    std::map<memory_end*, bool> more;
};

/// The first packets of `count` clients at `from`, to the server of a pair.
inline std::vector<std::string> first_flights(int count, const link::address& from) {
    memory_end end{{}, from.port()};
    const auto remote = *link::address::parse("127.0.0.1", 4443);
    std::string why;
    while (count-- > 0) {
        auto* made = end.endpoint.connect(client_tls(), {remote, from, "localhost", {"moq-lite-05"}}, end.accept(),
            end.failed(), why, time_point{1s});
        REQUIRE(made != nullptr);
    }
    end.endpoint.pump(time_point{1s});
    std::vector<std::string> packets;
    for (auto& p : end.outbox) packets.push_back(std::move(p.bytes));
    return packets;
}

inline bool has_long_header(std::string_view packet) { return (static_cast<unsigned char>(packet[0]) & 0x80) != 0; }
inline bool is_retry(std::string_view packet) { return (static_cast<unsigned char>(packet[0]) & 0xf0) == 0xf0; }

/// `size` bytes that vary by position and seed.
inline std::string noise(std::size_t size, std::uint64_t seed = 1) {
    std::string out(size, '\0');
    std::uint64_t x = seed * 0x9e3779b97f4a7c15 + 1;
    for (auto& c : out) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        c = static_cast<char>(x);
    }
    return out;
}

} // namespace moqlite::test
