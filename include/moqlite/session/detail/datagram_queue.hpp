// Datagrams waiting for the next pump. Late ones are worthless, so the oldest are dropped first.
#pragma once

#include <algorithm>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/wire/lite/datagram.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace moqlite::detail {

class datagram_queue {
public:
    explicit datagram_queue(context& c) noexcept : c_(c) {}

    errc push(const wire::lite::datagram& message) {
        const auto carried = c_.path.datagram_size != 0 ? c_.path.datagram_size : c_.bounds.datagram;
        const auto most = std::min(c_.bounds.datagram, carried);
        if (message.payload.size() > most) return errc::value_too_large;
        c_.scratch.clear();
        if (const auto why = wire::lite::encode(c_.dialect, message, c_.scratch); why != errc::ok) return why;
        if (c_.scratch.size() > most) return errc::value_too_large;
        if (waiting_.size() >= c_.bounds.datagrams) free_.push(waiting_.pop());
        auto bytes = free_.empty() ? std::vector<std::byte>{} : free_.pop();
        bytes.assign(c_.scratch.begin(), c_.scratch.end());
        waiting_.push(std::move(bytes));
        c_.ready.mark();
        return errc::ok;
    }
    /// The oldest; its bytes are valid until the next call.
    std::optional<byte_view> pop() {
        if (waiting_.empty()) return std::nullopt;
        free_.push(std::exchange(last_, waiting_.pop()));
        return last_;
    }

private:
    context& c_;
    ring<std::vector<std::byte>> waiting_;
    ring<std::vector<std::byte>> free_; ///< Recycled buffers, so that a datagram allocates nothing.
    std::vector<std::byte> last_;
};

} // namespace moqlite::detail
