#include "endpoints.hpp"
#include "roles.hpp"
#include "source.hpp"

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <moqlite/asio/clock.hpp>
#include <moqlite/link/session_handler.hpp>
#include <optional>

namespace moqlite::bench {

namespace {

namespace net = boost::asio;

class publisher_program {
public:
    explicit publisher_program(const publisher_role& plan)
        : plan_{plan},
          client_{io_.get_executor(), options_of()},
          dialer_{client_, plan.port, plan.protocol, 1,
              [this](link::connection& c, time_point now) { return accept(c, now); }},
          channel_{io_, [this](const std::string& word) { return answer(word); }, [this] { leave(io_, client_); }} {}
    int run() {
        io_.run();
        return 0;
    }

private:
    asio::options options_of() {
        asio::options o;
        o.quic.log = log_of("publisher");
        o.before_pump = [this](time_point now) { write(now); };
        return o;
    }

    std::unique_ptr<link::handler> accept(link::connection& c, time_point now) {
        connection_ = &c;
        session_.emplace(role::client, version_of(c), session_options{}, now);
        live_.emplace(*session_, "live", plan_.live);
        bulk_.emplace(*session_, "bulk", plan_.bulk);
        static_cast<void>(session_->announce("bench"));
        channel::say({{"ready", true}});
        const auto handle = [this](const event& e) {
            if (std::holds_alternative<session_closed>(e)) give_up("the publisher's session was closed");
            if (const auto* query = std::get_if<track_requested>(&e))
                static_cast<void>(session_->answer_track(query->request, {}));
            live_->handle(e);
            bulk_->handle(e);
        };
        return std::make_unique<link::session_handler<session*, decltype(handle)>>(&*session_, handle);
    }

    void write(time_point now) {
        if (!going_ || connection_ == nullptr) return;
        const bool some = live_->write(now);
        if (bulk_->write(now) || some) connection_->wake();
    }
    void wait() {
        const auto due = live_->due();
        if (!due) return;
        timer_.expires_at(asio::to_steady(*due));
        timer_.async_wait([this](const auto& error) {
            if (error || !going_) return;
            write(asio::now());
            wait();
        });
    }

    nlohmann::json answer(const std::string& word) {
        if (word == "go" && !going_) {
            going_ = true;
            live_->begin(asio::now());
            wait();
            connection_->wake();
        } else if (word == "stop") {
            going_ = false;
            live_->pause();
            bulk_->pause();
            connection_->wake();
        }
        return {{"live", live_->written()}, {"bulk", bulk_->written()}, {"lost", live_->lost() + bulk_->lost()}};
    }

    publisher_role plan_;
    net::io_context io_{1};
    net::steady_timer timer_{io_};
    std::optional<session> session_;
    std::optional<source> live_, bulk_;
    link::connection* connection_ = nullptr;
    bool going_ = false;
    asio::quic_client client_;
    dialer dialer_;
    channel channel_;
};

} // namespace

int run(const publisher_role& plan) { return publisher_program{plan}.run(); }

} // namespace moqlite::bench
