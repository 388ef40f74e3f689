// Which broadcasts there are.
#pragma once

#include <memory>
#include <moqlite/asio/completion.hpp>
#include <moqlite/asio/fwd.hpp>
#include <optional>
#include <string>

namespace moqlite::asio {

namespace detail {
class announcements_state;
} // namespace detail

struct announcement {
    std::string path;
    bool available = false; ///< Else it has ended.
    bool restart = false;   ///< It was available, by another publisher.
};

/// The broadcasts below a prefix, and their changes. What is not read in time is coalesced per path.
class announcements {
public:
    announcements() = default;
    explicit announcements(std::shared_ptr<detail::announcements_state> state) noexcept : state_(std::move(state)) {}
    announcements(announcements&&) noexcept = default;
    announcements& operator=(announcements&& other) noexcept;
    ~announcements() { leave(); }

    /// void(error_code, std::optional<announcement>); nothing: the session they were asked of
    /// has ended. Those of an origin have no end. An error is that of the session.
    template <class Token = boost::asio::deferred_t>
    auto async_next(Token&& token = {}) {
        return detail::initiate<std::optional<announcement>>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { next(state, std::move(handler)); });
    }

private:
    static void next(
        const std::shared_ptr<detail::announcements_state>&, detail::completion<std::optional<announcement>>::handler);
    void leave() noexcept;
    std::shared_ptr<detail::announcements_state> state_;
};

} // namespace moqlite::asio
