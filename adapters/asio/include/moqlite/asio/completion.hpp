// How operations of the application API start and complete.
#pragma once

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/operation_memory.hpp>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace moqlite::asio {

using boost::system::error_code;

namespace detail {

/// Handlers that are never called.
using dropped_handlers = std::vector<std::shared_ptr<void>>;

/// The executor that a handler brings along.
template <class Handler>
struct own_executor {
    struct none : boost::asio::system_executor {};
    using type = boost::asio::associated_executor_t<Handler, none>;
    static constexpr bool has = !std::is_same_v<type, none>;
    static constexpr bool fits = !has || std::is_convertible_v<type, boost::asio::any_io_executor>;
    static boost::asio::any_io_executor get(const Handler& h) {
        if constexpr (has && fits) return boost::asio::associated_executor<Handler, none>::get(h, none{});
        return {};
    }
};

/// A pending operation. It completes exactly once, by a handler that is posted, never inline: with its results, or
/// with operation_aborted if it is destroyed.
template <class... Results>
class completion {
public:
    using signature = void(error_code, Results...);
    using erased = boost::asio::any_completion_handler<signature>;
    /// A handler, and where it runs: taken from it while its type is known, since an erased one allocates to tell.
    struct handler {
        template <class Handler>
            requires(!std::is_same_v<Handler, handler>)
        handler(Handler h) : asks(!own_executor<Handler>::fits), on(own_executor<Handler>::get(h)) {
            using allocator = operation_allocator<void>;
            if constexpr (std::is_same_v<boost::asio::associated_allocator_t<Handler, allocator>, allocator>)
                erased{in_kept_memory(std::move(h))}.swap(call);
            else
                erased{std::move(h)}.swap(call);
        }
        bool asks;                       ///< Its executor is of a kind that `on` cannot hold.
        boost::asio::any_io_executor on; ///< Empty: where the operation completes.
        erased call;
    };

    completion() = default;
    completion(handler h, const boost::asio::any_io_executor& from) {
        using boost::asio::execution::outstanding_work;
        from_ = boost::asio::prefer(from, outstanding_work.tracked);
        handler_.swap(h.call);
        if (h.asks)
            on_ = boost::asio::prefer(boost::asio::get_associated_executor(handler_, from), outstanding_work.tracked);
        else
            on_ = h.on ? boost::asio::prefer(h.on, outstanding_work.tracked) : from_;
    }
    completion(completion&& other) noexcept { take(other); }
    completion& operator=(completion&& other) noexcept {
        abort();
        take(other);
        return *this;
    }
    ~completion() { abort(); }

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(handler_); }
    /// Calls `cancel` when the application cancels the operation, which is to complete it.
    template <class F>
    void on_cancel(F cancel) {
        auto slot = boost::asio::get_associated_cancellation_slot(handler_);
        // A copy: when the operation completes, the slot is cleared, and what it holds destroyed.
        if (slot.is_connected()) slot.assign([cancel](boost::asio::cancellation_type) { F{cancel}(); });
    }
    void operator()(error_code error, Results... results) {
        if (!handler_) return;
        auto slot = boost::asio::get_associated_cancellation_slot(handler_);
        if (slot.is_connected()) slot.clear();
        struct posted {
            erased done;
            executor on;
            error_code error;
            std::tuple<Results...> all;
            void operator()() {
                const auto run = [&](const auto& to) {
                    boost::asio::dispatch(to, [done = std::move(done), error = error, all = std::move(all)]() mutable {
                        std::apply([&](auto&... each) { std::move(done)(error, std::move(each)...); }, all);
                    });
                };
                std::visit(run, executor{std::move(on)});
            }
        };
        const auto from = std::exchange(from_, {});
        post_operation(from, posted{std::exchange(handler_, nullptr), std::exchange(on_, {}), error,
                                 std::tuple<Results...>{std::move(results)...}});
    }
    /// Ends it without completing: its execution context is ending. Its handler, which may own anything, goes with
    /// `dropped`.
    void drop(dropped_handlers& dropped) {
        if (handler_) dropped.push_back(std::make_shared<erased>(std::exchange(handler_, nullptr)));
        on_ = {};
        from_ = {};
    }
    void abort() {
        if (handler_) (*this)(boost::asio::error::operation_aborted, Results{}...);
    }

private:
    void take(completion& other) noexcept {
        from_ = std::exchange(other.from_, {});
        on_ = std::exchange(other.on_, {});
        handler_ = nullptr;
        handler_.swap(other.handler_); // Its move assignment recurses for ever in Boost 1.81.
    }
    using executor = std::variant<boost::asio::any_io_executor, boost::asio::any_completion_executor>;
    boost::asio::any_io_executor from_; ///< What it waits for completes here,
    executor on_;                       ///< and its handler runs here.
    erased handler_;
};

/// Operations that wait for the same, each of which can be cancelled.
template <class... Results>
class completions : public std::enable_shared_from_this<completions<Results...>> {
    using queue = std::map<std::uint64_t, completion<Results...>>; ///< By the order in which they began.

public:
    void add(completion<Results...> one) {
        const auto n = added_++;
        waiting_.emplace(n, std::move(one)).first->second.on_cancel([self = this->weak_from_this(), n] {
            const auto here = self.lock();
            if (auto its = here ? here->waiting_.extract(n) : typename queue::node_type{}) its.mapped().abort();
        });
    }
    void operator()(error_code error, const Results&... results) {
        for (auto& [n, one] : std::exchange(waiting_, {})) one(error, results...);
    }
    void drop(dropped_handlers& dropped) {
        for (auto& [n, one] : waiting_) one.drop(dropped);
    }

private:
    queue waiting_;
    std::uint64_t added_ = 0;
};

/// The state of a handle; an empty one is errc::closed, thrown.
template <class State>
const std::shared_ptr<State>& required(const std::shared_ptr<State>& state) {
    if (!state) throw boost::system::system_error{make_error(errc::closed), "an empty handle"};
    return state;
}

/// Posts to a handler's own executor, also to one that can only dispatch.
template <class Executor, class F>
void post_on(const Executor& on, F f) {
    using namespace boost::asio;
    if constexpr (can_require_v<Executor, execution::blocking_t::never_t>)
        post(on, std::move(f));
    else
        post(system_executor{}, [to = prefer(on, execution::outstanding_work.tracked), f = std::move(f)]() mutable {
            dispatch(to, std::move(f));
        });
}

/// Starts an operation of a handle with any completion token: calls start(state, handler) with its type-erased handler.
/// That of an empty handle, which has no executor, completes with errc::closed on its handler's own, or on the
/// system's.
template <class... Results, class Token, class State, class Start>
auto initiate(Token&& token, std::shared_ptr<State> state, Start start) {
    return boost::asio::async_initiate<Token, void(error_code, Results...)>(
        [state = std::move(state), start = std::move(start)]<class Handler>(Handler&& handler) mutable {
            if (state) return start(state, typename completion<Results...>::handler{std::forward<Handler>(handler)});
            const auto on = boost::asio::get_associated_executor(handler);
            post_on(on, [done = std::decay_t<Handler>(std::forward<Handler>(handler))]() mutable {
                std::move(done)(make_error(errc::closed), Results{}...);
            });
        },
        token);
}

} // namespace detail
} // namespace moqlite::asio
