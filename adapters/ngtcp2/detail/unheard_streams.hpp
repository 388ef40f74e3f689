// The peer's streams whose first byte has not arrived, but a later one has: no handler knows of them, so the endpoint
// times them out.
#pragma once

#include <chrono>
#include <deque>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>
#include <optional>
#include <unordered_set>

namespace moqlite::ngtcp2::detail {

/// Bounded by the streams that the peer may open. A stream whose first byte arrives first costs nothing here.
class unheard_streams {
public:
    /// The timeout of a stream whose first byte is missing; as long as a session gives a silent stream.
    static constexpr duration patience = std::chrono::seconds{10};

    /// The frame that is being read has opened `id`.
    void opened(stream_id id, time_point now) {
        settle(now);
        fresh_ = id;
    }
    /// The first bytes of the stream have arrived, or it is closed.
    void heard(stream_id id) {
        if (fresh_ == id)
            fresh_.reset();
        else if (!waiting_.empty())
            waiting_.erase(number(id));
    }
    /// The packet has been read: a stream that was opened without its first byte has a gap.
    void settle(time_point now) {
        if (!fresh_) return;
        if (waiting_.insert(number(*fresh_)).second) order_.push_back({*fresh_, now + patience});
        fresh_.reset();
        // Without this, entries of filled gaps would accumulate.
        if (order_.size() > 2 * waiting_.size() + 64)
            std::erase_if(order_, [this](const entry& e) { return !waiting_.contains(number(e.id)); });
    }
    [[nodiscard]] std::optional<time_point> deadline() {
        drop_heard();
        if (order_.empty()) return std::nullopt;
        return order_.front().due;
    }
    /// Removes and returns a stream whose timeout has passed.
    [[nodiscard]] std::optional<stream_id> overdue(time_point now) {
        drop_heard();
        if (order_.empty() || order_.front().due > now) return std::nullopt;
        const stream_id id = order_.front().id;
        order_.pop_front();
        waiting_.erase(number(id));
        return id;
    }

private:
    struct entry {
        stream_id id;
        time_point due;
    };
    void drop_heard() {
        while (!order_.empty() && !waiting_.contains(number(order_.front().id))) order_.pop_front();
    }

    std::optional<stream_id> fresh_;
    std::unordered_set<std::uint64_t> waiting_;
    std::deque<entry> order_; ///< The oldest first; some have been heard since.
};

} // namespace moqlite::ngtcp2::detail
