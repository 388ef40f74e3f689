// Frames enter a group's log, and the headers of other formats beside it. Part of group.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <moqlite/session/group.hpp>
#include <span>

namespace moqlite {

inline result<void> group::begin_frame(const frame_record& frame, std::size_t at_hand) {
    if (state_ != state::open) return errc::group_ended;
    if (missing_ != 0) return errc::frame_incomplete;
    // The formats of moq-lite have no field for it.
    if (frame.object != next_object() || frame.status != object_status::normal || !frame.extensions.empty())
        return errc::unsupported;
    const auto delta = wire::lite::delta(last_time_, frame.time);
    if (!delta) return errc::value_too_large;
    std::array<std::byte, wire::lite::frame_header_size_max> header;
    const auto used = wire::lite::write_frame_header(format_, *delta, frame.size, header);
    if (used == 0) return errc::value_too_large;
    const auto soon = std::min(frame.size, 4 * std::min<std::uint64_t>(frame.size, at_hand));
    const auto at = log_.end();
    const bool begins_slab = log_.is_full();
    if (!begins_slab) note_frame(*log_.back(), at); // The slab may be freed when the next is added.
    if (!log_.append(pool_, byte_view{header}.first(used), used + static_cast<std::size_t>(soon))) return no_memory();
    if (begins_slab) note_frame(*log_.back(), at);
    last_time_ = frame.time;
    missing_ = last_size_ = frame.size;
    ++frames_;
    if (frame.size == 0) wake_readers();
    if (frames_ == 1) first_time_ = frame.time;
    return {};
}

inline std::optional<group::frame_place> group::find_frame(object_id which) const noexcept {
    slab* in = nullptr;
    for (slab* s = log_.front(); s != nullptr; s = s->next) {
        if (s->frame == slab::no_frame) continue;
        if (s->frame > number(which)) break;
        in = s;
    }
    if (in == nullptr || which >= next_object()) return std::nullopt;
    frame_place place{{in->frame_at, in}, in->time_before};
    for (auto n = in->frame; n != number(which); ++n) {
        std::array<std::byte, wire::lite::frame_header_size_max> pieces;
        const auto frame = wire::lite::take_frame_header(format_, place.at.gather(pieces), UINT64_MAX);
        if (!frame) return std::nullopt;
        place.before = wire::lite::apply_delta(place.before, frame->delta).value_or(place.before);
        place.at.at += frame->consumed + frame->size;
    }
    return place;
}

inline bool group::make_header(frame_format f, const detail::chain_position& at) noexcept {
    std::array<std::byte, wire::lite::frame_header_size_max> pieces;
    // The log always contains a frame's whole header, or is aborted.
    const auto frame = wire::lite::take_frame_header(format_, at.gather(pieces), UINT64_MAX);
    if (!frame) return false;
    std::array<std::byte, wire::lite::frame_header_size_max> header;
    const auto used = wire::lite::write_frame_header(f, frame->delta, frame->size, header);
    std::array<std::byte, detail::header_record::size_max> record;
    const auto before = detail::header_record{frame->consumed, used, frame->size}.write(record);
    auto& headers = headers_of(f);
    const auto had = headers.memory();
    const bool added = headers.keep_together(pool_, before + used) &&
                       headers.append(pool_, byte_view{record}.first(before), 0) &&
                       headers.append(pool_, byte_view{header}.first(used), 0);
    if (headers.memory() != had) resized();
    if (!added) return false;
    slab& s = *headers.back();
    const auto number_of_it = number(first_) + headers_made_[static_cast<std::size_t>(f)]++;
    if (s.frame != slab::no_frame) return true;
    s.frame = number_of_it; // Its record is the first of this slab.
    s.frame_at = at.at;
    return true;
}

} // namespace moqlite
