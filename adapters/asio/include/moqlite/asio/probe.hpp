// PROBE: what the publisher measures of the path to us (moq-lite-wire §9.8).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <moqlite/asio/completion.hpp>
#include <moqlite/asio/fwd.hpp>
#include <optional>
#include <utility>

namespace moqlite::asio {

namespace detail {
class probe_state;
} // namespace detail

/// nullopt: not known, or not in this version.
struct probe_report {
    std::optional<std::uint64_t> bitrate; ///< Bits a second.
    std::optional<std::chrono::milliseconds> rtt;
};

/// A peer's reports, which it sends while a handle lives; also those of the session that replaces a lost one.
class probe {
public:
    probe() = default;
    explicit probe(std::shared_ptr<detail::probe_state> state) noexcept : state_(std::move(state)) {}
    probe(probe&&) noexcept = default;
    probe& operator=(probe&& other) noexcept;
    ~probe() { leave(); }

    /// void(error_code, std::optional<probe_report>): the newest report that was not read yet; nothing: the peer, or
    /// the session, has ended without an error. errc::unsupported: the peer measures nothing.
    template <class Token = boost::asio::deferred_t>
    auto async_next(Token&& token = {}) {
        return detail::initiate<std::optional<probe_report>>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { next(state, std::move(handler)); });
    }

private:
    static void next(
        const std::shared_ptr<detail::probe_state>&, detail::completion<std::optional<probe_report>>::handler);
    void leave() noexcept;
    std::shared_ptr<detail::probe_state> state_;
};

} // namespace moqlite::asio
