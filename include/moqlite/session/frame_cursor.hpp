// Splits a group's log into frames.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <moqlite/core/limits.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/wire/lite/frame.hpp>
#include <optional>

namespace moqlite {

/// Reads the available frames of a group in order, and frees the bytes that it has read.
class frame_cursor {
public:
    /// A contiguous part of a frame. A frame without payload is one empty piece.
    struct piece {
        object_id object{};       ///< The frame's number in the group.
        std::uint64_t size = 0;   ///< Size of the frame's whole payload.
        std::uint64_t offset = 0; ///< Offset of `data` in the payload.
        timestamp time{};
        byte_view data;
    };

    /// Precondition: the group has lost no bytes.
    explicit frame_cursor(group_ref g) noexcept : frame_(number(g->first_object())) {
        reader_.attach(std::move(g), nobody_);
    }

    /// The next piece; the same until consume(). nullopt: nothing more has arrived, or nothing will.
    [[nodiscard]] std::optional<piece> next() noexcept {
        if (!inside_ && !enter()) return std::nullopt;
        std::array<byte_view, 1> range;
        const auto left = std::min<std::uint64_t>(size_ - offset_, SIZE_MAX);
        if (left != 0 && reader_.lend(range, static_cast<std::size_t>(left)).bytes == 0) return std::nullopt;
        return piece{object_id{frame_}, size_, offset_, time_, range[0]};
    }

    /// The rest of the frame that next() is in has arrived.
    [[nodiscard]] bool has_frame() const noexcept { return reader_.unsent() >= size_ - offset_; }

    /// The first `n` bytes of the piece have been consumed; its view is invalid. 0 for an empty frame.
    void consume(std::size_t n) noexcept {
        advance(n);
        offset_ += n;
        if (offset_ != size_) return;
        inside_ = false;
        ++frame_;
    }

    [[nodiscard]] const group_ref& source() const noexcept { return reader_.source(); }
    /// Bytes of the log that have not been read.
    [[nodiscard]] std::uint64_t unread() const noexcept { return reader_.unsent(); }
    /// Set once the group was evicted: the memory is needed.
    [[nodiscard]] std::optional<app_error> evicted() const noexcept { return reader_.evicted(); }
    /// The group has ended and everything has been read.
    [[nodiscard]] bool at_end() const noexcept {
        return !inside_ && reader_.unsent() == 0 && reader_.source()->ended() != group::state::open;
    }

private:
    bool enter() noexcept {
        std::array<byte_view, 4> ranges;
        const auto l = reader_.lend(ranges, wire::lite::frame_header_size_max);
        std::array<std::byte, wire::lite::frame_header_size_max> bytes;
        auto to = bytes.begin();
        for (const auto& r : std::span{ranges}.first(l.ranges)) to = std::copy(r.begin(), r.end(), to);
        const auto header =
            wire::lite::take_frame_header(source()->format(), byte_view{bytes}.first(l.bytes), UINT64_MAX);
        if (!header) return false;
        advance(header->consumed);
        time_ =
            wire::lite::apply_delta(time_, header->delta).value_or(time_); // The log has written it, so it is valid.
        size_ = header->size;
        offset_ = 0;
        inside_ = true;
        return true;
    }
    void advance(std::size_t n) noexcept {
        reader_.wrote(n);
        reader_.acked(n);
    }

    wake_queue nobody_;
    group_reader reader_;
    std::uint64_t frame_;
    std::uint64_t size_ = 0;
    std::uint64_t offset_ = 0;
    timestamp time_{};
    bool inside_ = false;
};

} // namespace moqlite
