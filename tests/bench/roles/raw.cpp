#include "endpoints.hpp"
#include "raw_handlers.hpp"
#include "roles.hpp"
#include "source.hpp"

#include <boost/asio/steady_timer.hpp>
#include <malloc.h>
#include <memory>
#include <moqlite/asio/clock.hpp>

namespace moqlite::bench {

namespace {

namespace net = boost::asio;

asio::options options_of(const char* role, std::uint64_t window) {
    asio::options o;
    o.quic.log = log_of(role);
    o.quic.stream_window = window;
    return o;
}

class raw_server {
public:
    explicit raw_server(const raw_server_role& plan)
        : plan_{plan},
          server_{io_.get_executor(), options_of("raw server", plan.window)},
          channel_{io_, [this](const std::string& word) { return answer(word); }, [this] { io_.stop(); }} {
        frames_.group = pattern(plan.fan.size * plan.fan.group);
        listen(server_, {"raw-pull", "raw-in", "raw-out", "raw-fan"},
            [this](link::connection& c, time_point) { return accept(c); });
    }
    int run() {
        io_.run();
        return 0;
    }

private:
    std::unique_ptr<link::handler> accept(link::connection& c) {
        if (c.alpn() == "raw-pull") return std::make_unique<raw_endless>(c, payload_);
        if (c.alpn() == "raw-out") {
            auto made = std::make_unique<raw_pipe_out>(c);
            out_ = made.get();
            return made;
        }
        if (c.alpn() == "raw-in" && out_ != nullptr) return std::make_unique<raw_pipe_in>(c, *out_);
        if (c.alpn() != "raw-fan") return nullptr;
        return std::make_unique<fan_member>(*this, c);
    }

    /// On the list of receivers of frames.
    class fan_member final : public raw_fan {
    public:
        fan_member(raw_server& home, link::connection& c) : raw_fan{c, home.frames_}, home_{home} {
            home_.members_.push_back(&c);
        }
        ~fan_member() override { std::erase(home_.members_, &on()); }

    private:
        raw_server& home_;
    };

    void begin() {
        began_ = asio::now();
        first_ = due_;
        wait();
    }
    void wait() {
        timer_.expires_at(asio::to_steady(time_of(due_)));
        timer_.async_wait([this](const auto& error) {
            if (error) return;
            const auto now = asio::now();
            while (time_of(due_) <= now) ++due_;
            frames_.due = due_ * plan_.fan.size;
            for (auto* c : members_) c->wake();
            wait();
        });
    }
    [[nodiscard]] time_point time_of(std::uint64_t frame) const {
        return began_ +
               duration{static_cast<duration::rep>(static_cast<double>(frame - first_) / plan_.fan.rate * 1e9)};
    }
    nlohmann::json answer(const std::string& word) {
        if (word == "go") begin();
        if (word == "stop") timer_.cancel();
        if (word == "trim") ::malloc_trim(0);
        const auto& wire = server_.stats();
        return {{"turns", wire.turns}, {"reads", wire.reads}, {"writes", wire.writes}, {"sent", wire.datagrams_sent},
            {"received", wire.datagrams_received}};
    }

    raw_server_role plan_;
    net::io_context io_{1};
    net::steady_timer timer_{io_};
    std::vector<std::byte> payload_ = pattern(64 * 1024);
    raw_frames frames_;
    std::vector<link::connection*> members_;
    raw_pipe_out* out_ = nullptr;
    std::uint64_t due_ = 0;   ///< Frames.
    std::uint64_t first_ = 0; ///< The first frame of this rate.
    time_point began_{};
    asio::quic_server server_;
    channel channel_;
};

class raw_client {
public:
    explicit raw_client(const raw_client_role& plan)
        : plan_{plan},
          payload_{pattern(64 * 1024)},
          client_{io_.get_executor(), options_of("raw client", plan.window)},
          dialer_{
              client_, plan.port, plan.alpn, plan.count, [this](link::connection& c, time_point) { return accept(c); }},
          channel_{io_, [this](const std::string&) { return nlohmann::json{{"bytes", bytes_}}; },
              [this] { leave(io_, client_); }} {}
    int run() {
        io_.run();
        return 0;
    }

private:
    std::unique_ptr<link::handler> accept(link::connection& c) {
        if (++made_ == plan_.count) channel::say({{"ready", true}});
        if (plan_.alpn == "raw-in") return std::make_unique<raw_endless>(c, payload_);
        return std::make_unique<raw_sink>(c, bytes_);
    }

    raw_client_role plan_;
    std::vector<std::byte> payload_;
    net::io_context io_{1};
    std::uint64_t bytes_ = 0;
    unsigned made_ = 0;
    asio::quic_client client_;
    dialer dialer_;
    channel channel_;
};

} // namespace

int run(const raw_server_role& plan) { return raw_server{plan}.run(); }
int run(const raw_client_role& plan) { return raw_client{plan}.run(); }

int run(const aes_role&) {
    // A second of CPU on its own core, like the measurements that it is compared with.
    const auto speed = [](std::size_t block) {
        const double at = seconds_now(), cpu = cpu_now();
        const double measured = ngtcp2::aes_128_gcm_speed(block, 200);
        return measured * (seconds_now() - at) / (cpu_now() - cpu);
    };
    channel::say({{"packets", speed(1400)}, {"blocks", speed(16384)}});
    return 0;
}

} // namespace moqlite::bench
