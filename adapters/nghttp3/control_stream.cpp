#include "detail/control_stream.hpp"

#include <algorithm>
#include <moqlite/webtransport/settings.hpp>
#include <utility>

namespace moqlite::nghttp3::detail {

bool control_stream::take(std::vector<std::byte> bytes) {
    if (!std::exchange(begun_, true)) {
        // nghttp3 writes whole frames: the first bytes are the stream's type and all of SETTINGS.
        auto completed = webtransport::with_added_settings(bytes);
        if (!completed) return false;
        bytes = std::move(*completed);
    }
    pieces_.push_back(std::move(bytes));
    return true;
}

bool control_stream::write(link::connection& to) {
    std::size_t before = 0; // The end of the pieces looked at.
    for (const auto& piece : pieces_) {
        before += piece.size();
        if (written_ >= before) continue;
        if (blocked_) return true;
        const byte_view rest = byte_view{piece}.last(before - written_);
        const auto taken = to.write({id_, {&rest, 1}, rest.size(), false});
        if (!taken) return false;
        written_ += *taken;
        blocked_ = *taken < rest.size();
    }
    return true;
}

void control_stream::acked(std::uint64_t n) noexcept {
    acked_ += n;
    while (!pieces_.empty() && acked_ >= pieces_.front().size()) {
        const auto size = pieces_.front().size();
        acked_ -= size;
        written_ -= std::min(written_, size);
        pieces_.pop_front();
    }
}

} // namespace moqlite::nghttp3::detail
