#include "raw_handlers.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

namespace moqlite::bench {

void raw_endless::pump(link::connection& to, time_point) {
    if (!stream_) stream_ = to.open(direction::uni);
    while (stream_ && !blocked_) {
        const auto taken = to.write({*stream_, {&bytes_, 1}, bytes_.size(), false});
        if (!taken) break;
        blocked_ = *taken == 0;
    }
    to.flush();
}

void raw_pipe::append(byte_view bytes) {
    while (!bytes.empty()) {
        const auto used = static_cast<std::size_t>(end_ - base_);
        if (used == blocks_.size() * block_size) {
            if (spare_.empty()) spare_.push_back(std::unique_ptr<block>{new block});
            blocks_.push_back(std::move(spare_.back()));
            spare_.pop_back();
        }
        const auto at = used % block_size;
        const auto n = std::min(bytes.size(), block_size - at);
        std::memcpy(blocks_.back()->bytes.data() + at, bytes.data(), n);
        bytes = bytes.subspan(n);
        end_ += n;
    }
}

std::span<const byte_view> raw_pipe::lend(std::size_t& size) {
    std::size_t count = 0;
    size = 0;
    for (auto from = written_; from < end_ && count < ranges_.size();) {
        const auto offset = static_cast<std::size_t>(from - base_);
        const auto at = offset % block_size;
        const auto n = std::min<std::size_t>(block_size - at, static_cast<std::size_t>(end_ - from));
        ranges_[count++] = byte_view{blocks_[offset / block_size]->bytes}.subspan(at, n);
        size += n;
        from += n;
    }
    return std::span{ranges_}.first(count);
}

void raw_pipe::acked(std::uint64_t n) {
    acked_ += n;
    while (acked_ - base_ >= block_size) {
        spare_.push_back(std::move(blocks_.front()));
        blocks_.pop_front();
        base_ += block_size;
    }
}

raw_pipe_in::raw_pipe_in(link::connection& c, raw_pipe_out& out) noexcept : raw_handler{c}, out_{&out} {
    out.from(this);
}

raw_pipe_in::~raw_pipe_in() {
    if (out_ != nullptr) out_->from(nullptr);
}

void raw_pipe_in::stream_received(stream_id id, byte_view bytes, bool, time_point) {
    stream_ = id;
    if (out_ != nullptr) out_->feed(bytes);
}

void raw_pipe_out::pump(link::connection& to, time_point) {
    if (!stream_) stream_ = to.open(direction::uni);
    while (stream_ && !blocked_) {
        std::size_t size = 0;
        const auto data = pipe_.lend(size);
        if (size == 0) break;
        const auto taken = to.write({*stream_, data, size, false});
        if (!taken) break;
        blocked_ = *taken == 0;
        pipe_.wrote(*taken);
    }
    to.flush();
}

void raw_fan::pump(link::connection& to, time_point) {
    const std::uint64_t whole = frames_.group.size();
    while (!blocked_ && at_ < frames_.due) {
        if (!stream_) stream_ = to.open(direction::uni);
        if (!stream_) {
            blocked_ = true;
            break;
        }
        const auto from = at_ % whole;
        const auto n = static_cast<std::size_t>(std::min(whole - from, frames_.due - at_));
        const byte_view data = byte_view{frames_.group}.subspan(static_cast<std::size_t>(from), n);
        const bool fin = from + n == whole;
        const auto taken = to.write({*stream_, {&data, 1}, n, fin});
        if (!taken) break;
        blocked_ = *taken == 0;
        at_ += *taken;
        if (fin && *taken == n) stream_.reset();
    }
    to.flush();
}

} // namespace moqlite::bench
