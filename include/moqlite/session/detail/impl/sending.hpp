// Groups in flight: which is written next, acknowledgement, and loss. Part of publishing.hpp.
#pragma once

#include <moqlite/session/detail/publishing.hpp>

namespace moqlite::detail {

/// Groups that have grown, ended or been evicted since the last pump.
inline void publishing::take_woken() {
    while (group_reader* reader = c_.wake.woken.pop_front()) {
        auto& s = static_cast<served_group&>(*reader);
        if (s.lost) continue;
        if (s.evicted()) {
            lose(s, *s.evicted(), true);
            continue;
        }
        const bool aborted = s.source()->ended() == group::state::aborted;
        if (aborted && (start(s) != errc::ok || !s.is_final())) {
            lose(s, s.source()->abort_code(), true);
            continue;
        }
        begin(s);
    }
    // Groups may grow for a long time without another being served.
    while (incoming_request* r = to_recount_.pop_front()) bound_backlog(*r);
}

/// Writes what precedes the bytes of the log. errc::frame_incomplete: the first frame wanted has not arrived yet.
inline errc publishing::start(served_group& s) {
    if (s.started) return errc::ok;
    const bool is_fetch = s.request->kind == request_kind::fetch;
    const auto first = s.frames().first;
    const bool too_short = s.source()->ended() == group::state::finished && first >= s.source()->next_object();
    if (is_fetch && too_short && first != object_id{}) return errc::not_found;
    std::array<std::byte, wire::lite::frame_header_size_max> header;
    const auto of_header = s.start(header);
    if (!of_header) return of_header.error();
    const auto before = std::span{s.prefix}.first<wire::lite::group_prefix_size_max>();
    const auto of_group =
        is_fetch ? 0 : wire::lite::write_group_prefix(c_.dialect, {s.request->wire_id, s.sequence(), first}, before);
    std::copy_n(header.begin(), *of_header, s.prefix.begin() + static_cast<std::ptrdiff_t>(of_group));
    s.prefix_size = static_cast<std::uint8_t>(of_group + *of_header);
    s.started = true;
    return errc::ok;
}

/// The next group to write, bound to a stream; nullptr: none can be written.
inline served_group* publishing::next(ring<stream_id>& ids) {
    auto* item = scheduler_.top(!ids.empty());
    for (; item != nullptr; item = scheduler_.top(!ids.empty())) {
        auto& oldest = static_cast<served_group&>(*item);
        if (!is_stuck_and_old(oldest)) break;
        lose(oldest, app_error::old, true);
    }
    if (item == nullptr) return nullptr;
    auto& s = static_cast<served_group&>(*item);
    if (!s.stream) {
        scheduler_.remove(s);
        s.stream = ids.pop();
        c_.streams.insert(*s.stream, s);
        scheduler_.add(s, scheduler::lane::bound);
        --s.request->unbound;
        ++s.request->streams;
        write_end(*s.request, s.request->end);
    }
    return &s;
}

/// The ranges to write for a group, and whether FIN follows.
inline write_stream publishing::lend(served_group& s, std::span<byte_view> out) {
    std::size_t count = 0;
    std::size_t size = 0;
    if (s.prefix_written < s.prefix_size) {
        out[count++] = byte_view{s.prefix}.first(s.prefix_size).subspan(s.prefix_written);
        size = out[0].size();
    }
    const auto l = s.lend(out.subspan(count), write_size_max);
    count += l.ranges;
    size += l.bytes;
    const bool fin = l.all && s.is_final();
    return {*s.stream, out.first(count), size, fin};
}

inline void publishing::written(served_group& s, std::size_t offered, std::size_t n, bool fin) {
    assert((offered != 0 || fin) && "what is scheduled has something to write");
    if (n == 0 && offered != 0) {
        s.blocked = true;
        if (!s.request->options.end) c_.out.stall.blocked(s);
        scheduler_.remove(s);
        return;
    }
    scheduler_.served(s);
    const auto of_prefix = std::min<std::size_t>(n, static_cast<std::size_t>(s.prefix_size - s.prefix_written));
    s.prefix_written = static_cast<std::uint8_t>(s.prefix_written + of_prefix);
    s.wrote(n - of_prefix);
    if (fin && n == offered) s.fin_written = true;
    if (n != 0) c_.out.stall.wrote(s, n, nothing_to_write(s));
    account(s);
    if (s.fin_written || nothing_to_write(s)) {
        scheduler_.remove(s);
        s.fin_written ? await_end(s) : s.wait();
    }
}

/// False: more bytes than were written.
inline bool publishing::acked(served_group& s, std::uint64_t n) {
    const auto of_prefix = std::min<std::uint64_t>(n, static_cast<std::uint64_t>(s.prefix_written - s.prefix_acked));
    s.prefix_acked = static_cast<std::uint8_t>(s.prefix_acked + of_prefix);
    if (s.request != nullptr && !s.request->growing.empty() && !s.request->list_hook<recount_tag>::linked())
        to_recount_.push_back(*s.request);
    if (s.lost) return true;
    if (n > of_prefix && !s.acked(n - of_prefix)) return false;
    const bool all = s.prefix_acked == s.prefix_written && s.unacked() == 0;
    c_.out.stall.acked(s, n, all);
    if (all && nothing_to_write(s)) await_end(s);
    return true;
}

inline void publishing::writable(served_group& s) {
    if (!s.blocked || s.lost) return;
    s.blocked = false;
    c_.out.stall.unblocked(s);
    schedule(s);
}

inline void publishing::closed(served_group& s, std::optional<app_error> code) {
    auto& r = *s.request;
    if (!s.lost) {
        if (!code && s.fin_written) {
            s.source()->note_delivered();
            c_.emit(group_delivered{r.id, s.sequence()});
        } else
            c_.emit(group_lost{r.id, s.sequence(), code.value_or(app_error::cancel)});
    }
    destroy(s);
    finish_if_delivered(r);
}

/// A peer that has the whole fetched group must end its side within the timeout for a first message.
inline void publishing::await_end(served_group& s) {
    auto& stream = *s.request->stream;
    if (fetched_whole(*s.request) && !s.is_lent() && stream.is_read()) c_.expect_message(stream);
}

/// A Group End was added or removed: a reader with one may withhold stream credit for ever.
inline void publishing::recount(incoming_request& r) {
    r.groups.for_each([&](served_group& s) {
        if (s.blocked && !s.lost) r.options.end ? c_.out.stall.unblocked(s) : c_.out.stall.blocked(s);
    });
}

/// Gives up delivery of a group: its unsent rest is not sent.
inline void publishing::lose(served_group& s, app_error code, bool report) {
    auto& r = *s.request;
    c_.out.make_room(4); // Allocates first: its stream must not be left without a reset.
    c_.events.make_room(2);
    if (s.scheduled()) scheduler_.remove(s);
    c_.out.stall.forget(s);
    leave_order(s, true);
    forget_backlog(s);
    s.lost = true;
    const auto sequence = s.sequence();
    c_.emit(group_lost{r.id, sequence, code});
    if (r.kind == request_kind::fetch) return end_fetch(r, code);
    if (s.stream) {
        c_.out.reset(*s.stream, code);
        s.retire();
        if (!s.is_lent() || !c_.out.await_reset(s, resetting_)) s.detach();
    } else {
        destroy(s);
    }
    if (report) write_drop(r, sequence, sequence, code);
    finish_if_delivered(r);
}

inline void publishing::lose_all(incoming_request& r, app_error code) {
    const bool own_streams = r.kind == request_kind::subscribe;
    r.groups.for_each([&](served_group& s) {
        const bool sent =
            s.lost || (s.fin_written && !s.is_lent()); // The prefix counts: an empty group has nothing else.
        if (s.stream && own_streams && !sent) c_.out.reset(*s.stream, code);
        if (s.stream && own_streams) c_.streams.erase(*s.stream);
        keep_until_reset(s);
    });
}

inline void publishing::orphan(served_group& s) {
    if (s.scheduled()) scheduler_.remove(s);
    c_.out.stall.forget(s);
    leave_order(s, false);
    forget_backlog(s);
    s.list_hook<of_request_tag>::unlink();
    --s.request->group_count;
    s.request->unbound -= !s.stream;
    s.request = nullptr;
    s.retire();
}

inline void publishing::keep_until_reset(served_group& s) {
    orphan(s);
    if (!s.is_lent() || !c_.out.await_reset(s, resetting_)) free(s);
}

inline void publishing::end_fetch(incoming_request& r, app_error code) {
    c_.abandon_reading(*r.stream, code);
    c_.out.abandon(*r.stream, code);
    lose_all(r, code);
    end(r, code);
}

} // namespace moqlite::detail
