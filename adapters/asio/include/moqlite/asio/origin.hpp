// The origin: who publishes what, here and at every peer, and who reads it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <moqlite/asio/announcements.hpp>
#include <moqlite/asio/broadcast.hpp>
#include <moqlite/asio/fwd.hpp>
#include <moqlite/asio/reader.hpp>
#include <moqlite/asio/track_name.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/link/log.hpp>
#include <moqlite/relay/relay_stats.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::asio {

struct origin_options {
    limits bounds{};
    hop_id hop{};             ///< Unique among all nodes; 0: random.
    link::log_function log{}; ///< Of its clients and servers, too.
    /// Called with each notice (moqlite/asio/notice.hpp), in a handler of its own. While 4096 wait, further ones are
    /// dropped, but for those of sessions that come and go. An exception that leaves it is logged.
    std::function<void(const notice&)> on_notice{};
};

/// A relay with ends in this process: what is published here reaches every peer, and what peers publish can be read
/// here. Copies share it. All that is made from it belongs to its executor, which must run one thing at a time.
class origin {
public:
    explicit origin(boost::asio::any_io_executor on, const origin_options& options = {});
    explicit origin(std::shared_ptr<detail::origin_state> state) noexcept : state_(std::move(state)) {}

    /// False: it was moved from. Then operations complete with errc::closed, and get_executor(), publish() and
    /// on_demand() throw it.
    [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }
    [[nodiscard]] boost::asio::any_io_executor get_executor() const;

    /// Announces a broadcast while the handle lives. errc::invalid_argument and others of session::announce() are
    /// thrown as boost::system::system_error: the name is the program's.
    [[nodiscard]] broadcast publish(std::string_view path);

    /// The paths that are published here, on_demand() prefixes among them.
    [[nodiscard]] std::vector<std::string> published() const;

    /// `make` is called when somebody subscribes to a track at or below `prefix` that has no writer. The prefix is
    /// announced, as a broadcast that covers all below it. A later handler of the prefix takes the place of this one;
    /// an exception that leaves it refuses its track, and is logged. An empty one is errc::invalid_argument, thrown.
    /// Requests that wait for an answer are bounded by limits.unanswered_tracks, and each peer's by half of what is
    /// left; others are refused.
    [[nodiscard]] broadcast on_demand(std::string_view prefix, std::function<void(track_request)> make);
    /// The same with a coroutine. An exception that leaves it ends its track, and is logged.
    template <class F>
        requires std::same_as<std::invoke_result_t<F&, track_request>, boost::asio::awaitable<void>>
    [[nodiscard]] broadcast on_demand(std::string_view prefix, F make) {
        return on_demand(prefix,
            std::function<void(track_request)>{[on = get_executor(), log = log_exceptions(), make](track_request r) {
                // Which keeps a copy of the handler as long as it runs.
                boost::asio::co_spawn(on, [make, r = std::move(r)]() mutable { return make(std::move(r)); }, log);
            }});
    }

    /// void(error_code, track_reader): reads a track of whoever publishes it, here or at a peer; waits until the
    /// broadcast is announced and the publisher has accepted.
    template <class Token = boost::asio::deferred_t>
    auto async_subscribe(track_name track, const subscribe_request& how, Token&& token = {}) {
        return detail::initiate<track_reader>(
            std::forward<Token>(token), state_, [track = std::move(track), how](const auto& state, auto handler) {
                subscribe(state, track, how, std::move(handler));
            });
    }
    template <class Token = boost::asio::deferred_t>
        requires(!std::convertible_to<Token, subscribe_request>)
    auto async_subscribe(track_name track, Token&& token = {}) {
        return async_subscribe(std::move(track), subscribe_request{}, std::forward<Token>(token));
    }
    /// void(error_code, group_reader): one group, of any age; waits until its broadcast is announced, for
    /// limits.request_timeout.
    template <class Token = boost::asio::deferred_t>
    auto async_fetch(track_name track, std::uint64_t group, Token&& token = {}) {
        return detail::initiate<group_reader>(
            std::forward<Token>(token), state_, [track = std::move(track), group](const auto& state, auto handler) {
                fetch(state, track, group_sequence{group}, std::move(handler));
            });
    }
    /// The broadcasts below `prefix`; hidden ones only if it names them.
    [[nodiscard]] asio::announcements announcements(std::string_view prefix = {});

    [[nodiscard]] relay_stats stats() const;
    /// Returns memory that is kept for reuse to the heap.
    void trim() noexcept;
    /// Logs an exception that left a handler, for co_spawn().
    [[nodiscard]] std::function<void(std::exception_ptr)> log_exceptions() const;
    [[nodiscard]] const std::shared_ptr<detail::origin_state>& state() const noexcept { return state_; }

private:
    static void subscribe(const std::shared_ptr<detail::origin_state>&, const track_name&, const subscribe_request&,
        detail::completion<track_reader>::handler);
    static void fetch(const std::shared_ptr<detail::origin_state>&, const track_name&, group_sequence,
        detail::completion<group_reader>::handler);
    std::shared_ptr<detail::origin_state> state_;
};

} // namespace moqlite::asio
