#include "endpoints.hpp"
#include "roles.hpp"

#include <boost/asio/steady_timer.hpp>
#include <malloc.h>
#include <memory>
#include <moqlite/asio/clock.hpp>
#include <moqlite/link/session_handler.hpp>
#include <moqlite/nghttp3/server.hpp>
#include <moqlite/relay/relay.hpp>
#include <unordered_map>
#include <utility>

namespace moqlite::bench {

namespace {

namespace net = boost::asio;

class relay_program {
public:
    explicit relay_program(const relay_role& plan)
        : relay_{{.bounds = bounds(plan), .origin = hop_id{1}}},
          server_{io_.get_executor(), options_of()},
          channel_{io_, [this](const std::string& word) { return answer(word); }, [this] { io_.stop(); }} {
        std::vector<std::string> names;
        for (auto v : all_versions) names.emplace_back(alpn(v));
        names.emplace_back("h3");
        listen(server_, std::move(names), door());
    }
    int run() {
        wait();
        io_.run();
        return 0;
    }

private:
    /// Owned by a connection's handler.
    class seat {
    public:
        seat(relay_program& at, std::uint64_t key) noexcept : at_{&at}, key_{key} {}
        seat(seat&& other) noexcept : at_{std::exchange(other.at_, nullptr)}, key_{other.key_} {}
        ~seat() {
            if (at_ != nullptr) at_->forget(key_);
        }
        void operator()(const event& e) const { at_->handle(key_, e); }

    private:
        relay_program* at_;
        std::uint64_t key_;
    };

    static limits bounds(const relay_role& plan) {
        limits out;
        out.cache = plan.cache;
        out.memory = plan.cache + 64 * 1024 * 1024;
        return out;
    }
    asio::options options_of() {
        asio::options o;
        o.quic.log = log_of("relay");
        o.before_pump = [this](time_point now) {
            relay_.tick(now);
            wake_ready();
        };
        return o;
    }

    link::accept_function door() {
        link::accept_function own = [this](link::connection& c, time_point now) { return accept(c, now); };
        auto by_http3 = nghttp3::serve({.log = log_of("relay")}, [own](const nghttp3::request& r) {
            return nghttp3::answer{.status = 200, .protocol = r.protocols.at(0), .accept = own};
        });
        return [own, by_http3](
                   link::connection& c, time_point now) { return c.alpn() == "h3" ? by_http3(c, now) : own(c, now); };
    }
    std::unique_ptr<link::handler> accept(link::connection& c, time_point now) {
        const auto key = relay_.add(role::server, c.alpn(), now);
        if (!key) return nullptr;
        connections_.emplace(*key, &c);
        return std::make_unique<link::session_handler<any_session*, seat>>(relay_.session(*key), seat{*this, *key});
    }
    void handle(std::uint64_t key, const event& e) {
        relay_.handle(key, e, asio::now());
        if (std::holds_alternative<session_closed>(e)) connections_.erase(key);
        take_notices();
        wake_ready();
    }
    void forget(std::uint64_t key) {
        connections_.erase(key);
        relay_.remove(key);
    }
    void wake_ready() {
        while (const auto key = relay_.poll_ready())
            if (const auto found = connections_.find(*key); found != connections_.end()) found->second->wake();
    }
    void take_notices() {
        while (const auto n = relay_.poll_notice()) {
            if (const auto* wanted = std::get_if<admission_wanted>(&*n)) {
                static_cast<void>(relay_.admit(wanted->session, {}));
            } else if (const auto* ended = std::get_if<session_ended>(&*n)) {
                closed_.push_back(
                    {{"at", seconds_now()}, {"reason", ended->reason}, {"why", to_string(ended->how.why)}});
            } else if (const auto* bad = std::get_if<peer_misbehaved>(&*n)) {
                std::cerr << "relay: a peer misbehaved: " << to_string(bad->why) << '\n';
            }
        }
    }

    nlohmann::json answer(const std::string& word) {
        if (word == "trim") {
            relay_.trim();
            ::malloc_trim(0);
        }
        const auto s = relay_.stats();
        const auto& wire = server_.stats();
        return {{"broadcasts", s.broadcasts}, {"sessions", s.sessions}, {"readers", s.readers}, {"lost", s.groups_lost},
            {"memory", s.memory}, {"cached", s.cached_bytes}, {"closed", closed_}, {"turns", wire.turns},
            {"reads", wire.reads}, {"writes", wire.writes}, {"sent", wire.datagrams_sent},
            {"received", wire.datagrams_received}};
    }
    /// The cache's timer, when there is no other turn.
    void wait() {
        timer_.expires_after(std::chrono::milliseconds{100});
        timer_.async_wait([this](const auto& error) {
            if (error) return;
            relay_.tick(asio::now());
            wake_ready();
            wait();
        });
    }

    net::io_context io_{1};
    net::steady_timer timer_{io_};
    relay relay_;
    std::unordered_map<std::uint64_t, link::connection*> connections_;
    nlohmann::json closed_ = nlohmann::json::array();
    asio::quic_server server_;
    channel channel_;
};

} // namespace

int run(const relay_role& plan) { return relay_program{plan}.run(); }

} // namespace moqlite::bench
