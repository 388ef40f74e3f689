// A client: connections that are being made, and sessions that are to be made again.
#pragma once

#include "session_state.hpp"

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <moqlite/asio/client.hpp>
#include <moqlite/asio/clock.hpp>
#include <moqlite/asio/quic_client.hpp>
#include <moqlite/asio/url.hpp>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace moqlite::asio::detail {

class client_state final : public std::enable_shared_from_this<client_state>, public waiter {
public:
    /// Decides about a server before it is sent anything; false: its session has been refused.
    using admit_function = std::function<bool(const std::shared_ptr<session_state>&)>;

    client_state(std::shared_ptr<origin_state> of, client_options o);

    /// With `admit` the session is not the handle's.
    void connect(
        const std::string& text, const connect_request& how, completion<session> done, admit_function admit = {});
    void shutdown(std::string_view reason, completion<> done);
    void end() noexcept {
        is_over_ = true;
        for (const auto& a : std::exchange(attempts_, {})) {
            a->timer.cancel();
            a->done.abort();
            if (a->replaced) a->replaced->end(boost::asio::error::operation_aborted, {});
        }
        stopping_.abort();
        transport_.reset();
    }
    void abandon(dropped_handlers& dropped) override {
        for (const auto& a : attempts_) a->done.drop(dropped);
        stopping_.drop(dropped);
    }
    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept { return of_->executor(); }

private:
    static constexpr duration settled = std::chrono::seconds{5};      ///< A session that lasts as long was a success.
    static constexpr duration attempt_time = std::chrono::seconds{3}; ///< To connect again, at most.

    struct attempt {
        explicit attempt(const boost::asio::any_io_executor& on) : timer(on) {}
        url where;
        connect_request how;
        completion<session> done;
        admit_function admit;
        boost::asio::steady_timer timer;
        unsigned dials = 0;                        ///< Only the last one counts.
        std::shared_ptr<session_state> replaced{}; ///< It is to go on by another session,
        duration at_most{};                        ///< this long after its end:
        std::optional<time_point> give_up_at{};    ///< until then. nullopt: it goes on.
        bool is_lost = false;                      ///< It has ended.
        duration pause{};                          ///< About as long before the next attempt.
    };
    using attempt_ref = std::shared_ptr<attempt>;

    /// How a session came to be: one that ends soon was no success, and its successor goes on with the pauses.
    struct origin_of {
        time_point since{};
        bool replaced_another = false;
        std::optional<time_point> give_up_at{};
        duration pause{};
    };

    [[nodiscard]] std::optional<tls> trusted(std::string& why);
    void dial(const attempt_ref&);
    void limit(const attempt_ref&);
    std::unique_ptr<link::handler> connected(const attempt_ref&, link::connection&, time_point now);
    void answer(const attempt_ref& a, error_code error, session s = {}) {
        if (attempts_.erase(a) == 0) return;
        a->timer.cancel();
        std::exchange(a->done, {})(error, std::move(s));
    }
    void fail(const attempt_ref&, error_code, session_end as, const std::string& why);
    void failed(const attempt_ref&, const link::closed&);

    // Another session in place of one that was lost, or that asked for it.
    bool replace(const url& where, const connect_request&, const std::shared_ptr<session_state>&, const origin_of&,
        const session_end* lost);
    void lost(attempt&, const session_end& as);
    void again(const attempt_ref&, const std::string& why);
    void keep(const url& where, const connect_request&, const std::shared_ptr<session_state>&, const origin_of&);

    std::shared_ptr<origin_state> of_;
    client_options options_;
    std::optional<tls> tls_;
    std::unique_ptr<quic_client> transport_;
    std::set<attempt_ref> attempts_;
    completion<> stopping_;
    bool is_stopping_ = false;
    std::minstd_rand random_{std::random_device{}()};
    bool is_over_ = false;
};

} // namespace moqlite::asio::detail
