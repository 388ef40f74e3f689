// One reader of a peer's reports.
#pragma once

#include "origin_state.hpp"

#include <cstdint>
#include <memory>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/probe.hpp>
#include <optional>
#include <utility>

namespace moqlite::asio::detail {

class probe_state final : public std::enable_shared_from_this<probe_state>, public waiter {
public:
    probe_state(std::shared_ptr<session_state> of, std::optional<std::uint64_t> target);
    [[nodiscard]] const std::optional<std::uint64_t>& target() const noexcept { return target_; }
    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept { return executor_; }
    void next(completion<std::optional<probe_report>> done) {
        if (next_) return done(make_error(errc::too_many_requests), {});
        next_ = std::move(done);
        next_.on_cancel([self = weak_from_this()] {
            if (const auto here = self.lock()) here->next_.abort();
        });
        check();
    }
    void reported(const probe_report& latest) {
        latest_ = latest;
        check();
    }
    void end(error_code how) {
        if (!how_) how_ = how;
        check();
    }
    void leave() noexcept;
    void abandon(dropped_handlers& dropped) override { next_.drop(dropped); }

private:
    void check() {
        if (!next_ || (!latest_ && !how_)) return;
        auto done = std::move(next_);
        latest_ ? done({}, std::exchange(latest_, std::nullopt)) : done(*how_, {});
    }
    std::shared_ptr<session_state> of_;
    boost::asio::any_io_executor executor_;
    std::optional<std::uint64_t> target_; ///< Bits a second.
    std::optional<probe_report> latest_;
    std::optional<error_code> how_;
    completion<std::optional<probe_report>> next_;
};

} // namespace moqlite::asio::detail
