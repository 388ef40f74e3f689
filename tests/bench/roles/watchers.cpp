#include "endpoints.hpp"
#include "roles.hpp"
#include "source.hpp"
#include "watcher.hpp"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <moqlite/asio/clock.hpp>
#include <utility>

namespace moqlite::bench {

namespace {

namespace net = boost::asio;

class watchers_program {
public:
    explicit watchers_program(const watcher_role& plan)
        : plan_{plan},
          expected_{pattern(plan.plan.size)},
          client_{io_.get_executor(), options_of()},
          dialer_{client_, plan.port, plan.webtransport ? "h3" : plan.protocol, plan.count, door()},
          channel_{io_, [this](const std::string&) { return answer(); }, [this] { leave(io_, client_); }} {}
    int run() {
        if (plan_.how == watching::drained) wait();
        io_.run();
        return 0;
    }

private:
    asio::options options_of() {
        asio::options o;
        o.quic.log = log_of("watcher");
        if (!plan_.gives_credit) {
            // Enough for control streams; the first groups exhaust it.
            o.quic.stream_window = 256;
            o.quic.uni_streams = 4;
        }
        o.before_pump = [this](time_point) {
            if (ready_ || counts_.accepted < plan_.count) return;
            ready_ = true;
            channel::say({{"ready", true}});
        };
        return o;
    }
    link::accept_function door() {
        link::accept_function own = [this](link::connection& c, time_point now) { return accept(c, now); };
        return plan_.webtransport ? by_webtransport(plan_.protocol, std::move(own)) : own;
    }
    std::unique_ptr<link::handler> accept(link::connection& c, time_point now) {
        auto made = std::make_unique<watcher>(plan_, expected_, counts_, c, now);
        only_ = made.get();
        return made;
    }
    /// Lets the watcher consume its share of the last few milliseconds.
    void wait() {
        constexpr double every = 0.002;
        constexpr double most = 64 * 1024;
        timer_.expires_after(std::chrono::microseconds{static_cast<long>(every * 1e6)});
        timer_.async_wait([this](const auto& error) {
            if (error) return;
            const double time = seconds_now();
            allowance_ = std::min(allowance_ + plan_.drain * (time - last_), most + plan_.drain * every);
            last_ = time;
            if (only_ != nullptr && counts_.closed == 0 && allowance_ > 0)
                allowance_ -= static_cast<double>(only_->drain(static_cast<std::size_t>(allowance_), asio::now()));
            wait();
        });
    }
    nlohmann::json answer() {
        auto late = std::exchange(counts_.latencies, {});
        const auto count = late.size();
        return {{"frames", counts_.frames}, {"bytes", counts_.bytes}, {"first", counts_.first},
            {"began", counts_.began}, {"lost", counts_.lost}, {"wrong", counts_.wrong}, {"ended", counts_.ended},
            {"closed", counts_.closed},
            {"latency", {{"p50", percentile(late, 0.5)}, {"p99", percentile(late, 0.99)}, {"count", count}}}};
    }

    watcher_role plan_;
    std::vector<std::byte> expected_;
    net::io_context io_{1};
    net::steady_timer timer_{io_};
    tally counts_;
    watcher* only_ = nullptr;
    double allowance_ = 0;
    double last_ = seconds_now();
    bool ready_ = false;
    asio::quic_client client_;
    dialer dialer_;
    channel channel_;
};

} // namespace

int run(const watcher_role& plan) { return watchers_program{plan}.run(); }

} // namespace moqlite::bench
