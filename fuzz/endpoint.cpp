// Two QUIC endpoints on a network that loses, duplicates, delays, truncates and forges datagrams: received
// bytes are a prefix of the sent ones, nobody else is accepted, and connections are bounded.
// Input: a seed for both ends' randomness, then operations, each with the bytes that it needs.
#define OPENSSL_SUPPRESS_DEPRECATED // RAND_set_rand_method: nothing else reaches every caller.
#include "model/input.hpp"
#include "model/talker.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <moqlite/link/connection.hpp>
#include <moqlite/ngtcp2/endpoint.hpp>
#include <must.hpp>
#include <openssl/rand.h>
#include <random.hpp>
#include <string>
#include <vector>

using namespace moqlite;
using namespace moqlite::fuzz;
using namespace std::chrono_literals;
using sim::must;

namespace {

sim::chance dice{0};

/// OpenSSL takes its random numbers from `dice`.
void take_over_openssl() {
    static const RAND_METHOD method{[](const void*, int) { return 1; },
        [](unsigned char* out, int size) {
            for (int i = 0; i < size; ++i) out[i] = static_cast<unsigned char>(dice.next());
            return 1;
        },
        nullptr, [](const void*, int, double) { return 1; },
        [](unsigned char* out, int size) { return RAND_bytes(out, size); }, [] { return 1; }};
    static const bool done = RAND_set_rand_method(&method) == 1;
    must(done, "OpenSSL takes our numbers");
}

struct both_tls {
    ngtcp2::tls server, client;
};
const both_tls& tls() {
    static const auto made = [] {
        std::string why;
        const auto id = ngtcp2::generate_identity({.names = {"localhost"}, .kind = ngtcp2::key_kind::ed25519}, why);
        must(id.has_value(), "a certificate is made");
        auto server = ngtcp2::tls::server(*id, {"moq-lite-05"}, why);
        auto client = ngtcp2::tls::client(ngtcp2::trust::insecure(), why);
        must(server && client, "TLS is there");
        return both_tls{*server, *client};
    }();
    return made;
}

struct packet {
    bool to_server = false;
    std::string bytes;
};

/// One end, and the packets that have left it.
class end final : public link::sink {
public:
    end(bool server, std::deque<packet>& flights)
        : address(*link::address::parse("127.0.0.1", server ? 4443 : 1000)),
          endpoint(options(), *this),
          server_(server),
          flights_(flights) {}
    bool send(const link::burst& b) override {
        for (std::size_t at = 0; at < b.bytes.size(); at += b.segment) {
            const auto one = b.bytes.subspan(at, std::min(b.segment, b.bytes.size() - at));
            // A full queue drops datagrams.
            if (flights_.size() < 200) flights_.push_back({!server_, std::string(as_text(one))});
        }
        return true;
    }
    void ready() override {}
    link::accept_function accept() {
        return [this](link::connection& c, time_point) {
            must(++accepted == 1, "nobody is let in but who has the keys");
            auto made = std::make_unique<talker>(c);
            program = made.get();
            made->gone = &program;
            made->far = far;
            return made;
        };
    }
    static constexpr std::size_t most = 8;
    link::address address;
    talker* program = nullptr;
    talker** far = nullptr;
    int accepted = 0;
    ngtcp2::endpoint endpoint;

private:
    static ngtcp2::endpoint_options options() {
        ngtcp2::endpoint_options o;
        o.connections = most;
        o.handshakes = 4;
        o.connection_window = 30'000;
        o.stream_window = 8'000;
        o.uni_streams = 8;
        o.bidi_streams = 4;
        o.random = [](std::span<std::byte> out) {
            for (auto& b : out) b = static_cast<std::byte>(dice.next());
        };
        return o;
    }
    bool server_;
    std::deque<packet>& flights_;
};

class stage {
public:
    stage() {
        client_.far = &server_.program;
        server_.far = &client_.program;
        server_.endpoint.serve(tls().server, server_.accept());
        std::string why;
        must(client_.endpoint.connect(
                 tls().client, {server_.address, client_.address, "localhost", {"moq-lite-05"}}, client_.accept(),
                 [](const link::closed&) {}, why, now_) != nullptr,
            "a connection is begun");
        turn();
    }
    void operate(input& in) {
        const auto what = in.byte();
        auto& e = (what & 1) != 0 ? server_ : client_;
        switch (what >> 1 & 15) {
        case 0:
        case 1:
        case 2: deliver_all(); break;
        case 3:
            if (auto p = take(in)) receive(*p, home(*p));
            break;
        case 4:
            if (auto p = take(in)) receive(*p, home(*p)), flights_.push_back(*p);
            break;
        case 5:
            if (auto p = take(in)) damage(*p, in), receive(*p, home(*p));
            break;
        case 6: static_cast<void>(take(in)); break;
        case 7:
            if (auto p = take(in))
                p->bytes.resize(std::min<std::size_t>(p->bytes.size(), in.byte() * 6u)), receive(*p, home(*p));
            break;
        case 8:
            if (auto p = take(in))
                receive(*p, *link::address::parse("127.0.0.2", static_cast<std::uint16_t>(2000 + in.byte())));
            break;
        case 9: forge(in, &e == &server_); break;
        case 10: pass(duration{1ms} * in.byte()); break;
        case 11: pass(duration{50ms} * in.byte()); break;
        case 12:
            if (auto p = take(in)) p->to_server = !p->to_server, receive(*p, home(*p));
            break;
        case 13:
            if (e.program == nullptr) break;
            switch (in.byte()) {
            case 0: e.program->connection.close(app_error::cancel, "bye"); break;
            case 1: // In its own pump, with lost bytes.
                e.program->wanted.push_back({talker::plan::what::close, direction::uni, 0});
                e.program->connection.wake();
                break;
            default: break;
            }
            break;
        default: plan(e, in);
        }
        turn();
    }
    void finish() {
        for (int i = 0; i < 20; ++i) {
            deliver_all();
            turn();
            pass(100ms);
        }
        must(client_.endpoint.connections() <= end::most && server_.endpoint.connections() <= end::most,
            "connections are bounded");
        pass(60s);
        turn();
        must(server_.endpoint.connections() <= 1, "what came to nothing is forgotten");
    }

private:
    std::optional<packet> take(input& in) {
        if (flights_.empty()) return std::nullopt;
        const auto at = flights_.begin() + static_cast<std::ptrdiff_t>(in.below(flights_.size()));
        auto out = std::move(*at);
        flights_.erase(at);
        return out;
    }
    link::address home(const packet& p) { return p.to_server ? client_.address : server_.address; }
    void receive(const packet& p, const link::address& from) {
        auto& to = p.to_server ? server_ : client_;
        to.endpoint.receive({to.address, from, 0, as_bytes(p.bytes)}, now_);
    }
    static void damage(packet& p, input& in) {
        const auto at = in.byte() | in.byte() << 8;
        if (!p.bytes.empty()) {
            auto& c = p.bytes[static_cast<std::size_t>(at) % p.bytes.size()];
            c = static_cast<char>(c ^ std::max<int>(in.byte(), 1));
        }
    }
    /// A datagram from the input: as it is, or in front of the rest of one in flight.
    void forge(input& in, bool to_server) {
        const auto how = in.byte();
        packet p{to_server, std::string(as_text(in.bytes(in.below(64))))};
        if ((how & 1) != 0 && !flights_.empty()) {
            const auto& real = flights_[how % flights_.size()].bytes;
            if (real.size() > p.bytes.size()) p.bytes += real.substr(p.bytes.size());
        }
        if ((how & 2) != 0) p.bytes.resize(1200);
        receive(p, (how & 4) != 0 ? home(p) : *link::address::parse("127.0.0.3", 77));
    }
    void plan(end& e, input& in) {
        if (e.program == nullptr || e.program->wanted.size() > 4) return;
        const auto how = in.byte();
        const auto kind = (how & 1) != 0 ? direction::uni : direction::bidi;
        const auto action = how % 8 == 6   ? talker::plan::what::reset
                            : how % 8 == 7 ? talker::plan::what::stop
                                           : talker::plan::what::send;
        e.program->wanted.push_back({action, kind, std::size_t{40} * in.byte()});
        e.program->connection.wake();
    }
    void deliver_all() {
        for (int i = 0; i < 300 && !flights_.empty(); ++i) {
            const auto p = std::move(flights_.front());
            flights_.pop_front();
            receive(p, home(p));
            if (flights_.empty()) turn();
        }
    }
    void turn() {
        for (auto* e : {&client_, &server_})
            for (int turns = 0; e->endpoint.pump(now_) && turns < 20; ++turns) {
            }
    }
    void pass(duration d) {
        const auto until = now_ + d;
        for (int i = 0; i < 1000 && now_ < until; ++i) {
            auto next = until;
            for (auto* e : {&client_, &server_}) next = std::min(next, e->endpoint.deadline().value_or(until));
            now_ = std::max(now_, next);
            for (auto* e : {&client_, &server_}) {
                for (int n = 0; e->endpoint.deadline().value_or(time_point::max()) <= now_; ++n) {
                    must(n < 10, "expire() moves the deadline on");
                    e->endpoint.expire(now_);
                    e->endpoint.pump(now_);
                }
            }
        }
        now_ = std::max(now_, until);
    }

    time_point now_{1s};
    std::deque<packet> flights_;
    end client_{false, flights_};
    end server_{true, flights_};
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 2048) return 0;
    take_over_openssl();
    static_cast<void>(tls());
    input in{data, size};
    dice = sim::chance{in.byte()};
    stage s;
    while (!in.empty()) s.operate(in);
    s.finish();
    return 0;
}
