// A pin keeps a group's log in memory, a reader sends it. Part of group.hpp.
#pragma once

#include <cassert>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/frame_range.hpp>
#include <moqlite/core/result.hpp>
#include <moqlite/session/detail/header_record.hpp>
#include <moqlite/session/group.hpp>
#include <optional>
#include <span>

namespace moqlite {

/// Keeps a group and its bytes, from the first that is available when the pin is made.
class group_pin {
public:
    group_pin() noexcept = default;
    explicit group_pin(group_ref g) noexcept : group_(std::move(g)), at_(group_->log_.pin_front()) {}
    group_pin(group_pin&& other) noexcept : group_(std::move(other.group_)), at_(std::exchange(other.at_, nullptr)) {}
    group_pin& operator=(group_pin&& other) noexcept {
        release();
        group_ = std::move(other.group_);
        at_ = std::exchange(other.at_, nullptr);
        return *this;
    }
    ~group_pin() { release(); }

    void release() noexcept {
        if (!group_) return;
        group_->log_.unpin(at_);
        group_->free_front();
        group_ = {};
        at_ = nullptr;
    }
    [[nodiscard]] const group_ref& get() const noexcept { return group_; }
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(group_); }

private:
    group_ref group_;
    slab* at_ = nullptr;
};

/// The ranges of a log lent to a reader.
struct lent {
    std::size_t ranges = 0;
    std::size_t bytes = 0;
    bool all = false; ///< They reach the present end of the log.
};

/// One subscriber's two positions in a group: written to its stream, and acknowledged. Bytes between them stay in
/// place. A reader of another format shares the payload of the log. A format that only lacks the timestamps skips each
/// Timestamp Delta, and the remaining bytes are its wire image; any other is lent the headers that the group keeps for
/// it in place of the log's own, and makes those that no reader has come to yet.
class group_reader : public detail::list_hook<detail::reader_tag>,
                     public detail::list_hook<detail::waiting_tag>,
                     public detail::list_hook<detail::woken_tag> {
public:
    group_reader() noexcept = default;
    ~group_reader() { detach(); }

    /// Whether those frames of a group can be read in `format`, now or as they arrive.
    [[nodiscard]] static bool can_read(const group& g, frame_format format, const frame_range& frames) noexcept {
        if (!can_become(g.format(), format) || !g.keeps_from(frames.first)) return false;
        return g.lost_head() == 0 || format == g.format(); // Headers are made from the front on.
    }

    /// Reads the wanted frames in `format`. Precondition: can_read(). Unless they begin with the group's first, start()
    /// comes next. After wait(), growth is reported on `wake`.
    void attach(group_ref g, wake_queue& wake, frame_format format, const frame_range& frames) noexcept {
        assert(!group_ && g && can_read(*g, format, frames));
        image_ = format == g->format()                   ? image::whole
                 : only_lacks_times(g->format(), format) ? image::without_times
                                                         : image::own_headers;
        format_ = format;
        frames_ = frames;
        started_ = frames.first == g->first_object();
        bounded_ = !started_ || frames.last;
        limit_ = UINT64_MAX;
        group_ = std::move(g);
        wake_ = &wake;
        written_ = {.log = {0, group_->log_.pin_front()}, .left = image_ == image::whole ? UINT64_MAX : 0};
        if (image_ == image::own_headers) written_.headers.in = headers().pin_front();
        acked_ = written_;
        group_->readers_.push_back(*this);
        group_->attached(true);
    }
    /// The same for all frames of the log.
    void attach(group_ref g, wake_queue& wake, frame_format format) noexcept {
        const frame_range all{g->first_object(), {}};
        attach(std::move(g), wake, format, all);
    }
    /// The same in the log's own format.
    void attach(group_ref g, wake_queue& wake) noexcept {
        const auto format = g->format();
        attach(std::move(g), wake, format);
    }

    /// Goes to the first frame wanted. Writes that frame's header, with an absolute timestamp, to `header`, and returns
    /// its size; 0: none has to be sent before the log's bytes. A group that ended before that frame has nothing to
    /// read. errc::frame_incomplete: the frame has not arrived yet; others: it cannot be read.
    result<std::size_t> start(std::span<std::byte, wire::lite::frame_header_size_max> header) noexcept;
    /// Reads up to a later frame than before; nullopt: to the end of the group. False: that is not later.
    bool raise_last(std::optional<object_id> last) noexcept {
        if (!frames_.last || (last && *last <= *frames_.last)) return false;
        frames_.last = last;
        limit_ = UINT64_MAX;
        return true;
    }

    /// Stops reading and waking. Lent bytes stay until detach().
    void retire() noexcept {
        detail::list_hook<detail::reader_tag>::unlink();
        detail::list_hook<detail::waiting_tag>::unlink();
        detail::list_hook<detail::woken_tag>::unlink();
    }

    /// Releases everything; lent bytes must not be read any more.
    void detach() noexcept {
        if (!group_) return;
        retire();
        group_->log_.unpin(acked_.log.in);
        if (image_ == image::own_headers) headers().unpin(acked_.headers.in);
        group_->free_front();
        group_->attached(false);
        group_ = {};
        written_ = acked_ = {};
        evicted_.reset();
    }

    /// Fills `out` with the ranges after the written position, at most `most` bytes in total. Nothing, though unsent()
    /// is not 0: there was no memory for a header.
    [[nodiscard]] lent lend(std::span<byte_view> out, std::size_t most) const noexcept {
        lent l;
        mark m = written_;
        const auto behind = end();
        while (l.ranges < out.size() && l.bytes < most && enter(m)) {
            auto here = m.here();
            if (m.header_left == 0 && here.size() > behind - m.log.at) here = here.first(as_size(behind - m.log.at));
            const auto n = std::min(here.size(), most - l.bytes);
            out[l.ranges++] = here.first(n);
            l.bytes += n;
            m.pass(n);
        }
        l.all = !enter(m) && m.log.at == behind;
        return l;
    }

    /// The next `n` bytes have been written.
    void wrote(std::uint64_t n) noexcept {
        [[maybe_unused]] const auto left = advance(written_, n);
        assert(left == 0);
    }

    /// The next `n` of the written bytes were acknowledged. False, without any change: fewer bytes were written.
    bool acked(std::uint64_t n) noexcept {
        if (n > unacked()) return false;
        if (acked_.log.in == nullptr) acked_.log.in = group_->log_.front();
        if (image_ == image::own_headers && acked_.headers.in == nullptr) acked_.headers.in = headers().front();
        const mark before = acked_;
        const auto left = advance(acked_, n);
        if (left != 0 || acked_.log.at > written_.log.at || acked_.headers.at > written_.headers.at)
            return acked_ = before, false;
        if (acked_.log.in == before.log.in && acked_.headers.in == before.headers.in) return true;
        written_.hop(); // It may be at the end of a slab that is freed now.
        detail::slab_chain::move_pin(before.log.in, acked_.log.in);
        if (image_ == image::own_headers) detail::slab_chain::move_pin(before.headers.in, acked_.headers.in);
        group_->free_front();
        return true;
    }

    /// Queues it on its wake queue when the group next grows or ends.
    void wait() noexcept {
        if (!detail::list_hook<detail::waiting_tag>::linked()) group_->waiting_.push_back(*this);
    }
    /// Puts it on its wake queue now.
    void wake() noexcept {
        detail::list_hook<detail::waiting_tag>::unlink();
        if (detail::list_hook<detail::woken_tag>::linked()) return;
        wake_->woken.push_back(*this);
        if (wake_->entry != nullptr) wake_->entry->mark();
    }

    /// Bytes of the log after the written position, skipped ones included, and of headers of its own format.
    [[nodiscard]] std::uint64_t unsent() const noexcept {
        const auto of_log = end() - written_.log.at;
        if (image_ != image::own_headers || (of_log == 0 && written_.header_left == 0)) return of_log;
        return of_log + headers().end() - written_.headers.at;
    }
    /// Nothing will follow the bytes that can be lent now.
    [[nodiscard]] bool is_final() const noexcept {
        if (group_->ended() == group::state::finished) return started_;
        return started_ && frames_.last && group_->has_up_to(*frames_.last);
    }
    [[nodiscard]] const frame_range& frames() const noexcept { return frames_; }
    /// The same between the two positions.
    [[nodiscard]] std::uint64_t unacked() const noexcept {
        return written_.log.at - acked_.log.at + written_.headers.at - acked_.headers.at;
    }
    /// Bytes that it keeps in memory: those that it has yet to send or to see acknowledged, and those that it does not
    /// want, before its first frame and behind its last.
    [[nodiscard]] std::uint64_t held() const noexcept {
        const auto from = std::max(acked_.log.at, acked_.log.in != nullptr ? acked_.log.in->begin : 0);
        return std::max(unsent() + unacked(), group_->size() - from);
    }
    [[nodiscard]] const group_ref& source() const noexcept { return group_; }
    /// Set once the group was evicted under this reader.
    [[nodiscard]] std::optional<app_error> evicted() const noexcept { return evicted_; }

private:
    friend class group;
    /// How the wire image is made from the log.
    enum class image : std::uint8_t { whole, without_times, own_headers };

    struct mark {
        detail::chain_position log{};
        std::uint64_t left = UINT64_MAX;  ///< Bytes of the log before the next header to skip or to replace.
        detail::chain_position headers{}; ///< In the headers of its own format.
        std::uint64_t header_left = 0;    ///< Bytes left of the current header.

        /// The next bytes, up to the end of their slab.
        [[nodiscard]] byte_view here() const noexcept {
            const auto& in = header_left != 0 ? headers : log;
            const auto most = header_left != 0 ? header_left : left;
            const auto all = in.here();
            return all.first(static_cast<std::size_t>(std::min<std::uint64_t>(all.size(), most)));
        }
        void pass(std::uint64_t n) noexcept {
            (header_left != 0 ? headers : log).at += n;
            (header_left != 0 ? header_left : left) -= n;
        }
        void hop() noexcept {
            if (log.in != nullptr) log.hop();
            if (headers.in != nullptr) headers.hop();
        }
    };

    [[nodiscard]] detail::slab_chain& headers() const noexcept { return group_->headers_of(format_); }

    /// The offset behind the last byte of the log that is wanted and has arrived.
    [[nodiscard]] std::uint64_t end() const noexcept { return bounded_ ? bounded_end() : group_->size(); }
    [[nodiscard]] std::uint64_t bounded_end() const noexcept {
        if (!started_) return written_.log.at;
        if (limit_ != UINT64_MAX) return limit_;
        if (!frames_.last || group_->next_object() <= next(*frames_.last)) return group_->size();
        // Not freed: it lies behind the written position.
        if (const auto behind = group_->find_frame(next(*frames_.last))) limit_ = behind->at.at;
        return std::min(limit_, group_->size());
    }
    /// Moves both positions, before anything is read.
    void jump(const mark& to) noexcept {
        const auto move = [](const detail::slab_chain& chain, slab* from, slab* to_slab) {
            if (to_slab != nullptr) detail::slab_chain::move_pin(from != nullptr ? from : chain.front(), to_slab);
        };
        move(group_->log_, acked_.log.in, to.log.in);
        if (image_ == image::own_headers) move(headers(), acked_.headers.in, to.headers.in);
        written_ = acked_ = to;
        started_ = true;
        group_->free_front();
    }
    [[nodiscard]] bool pass_headers(mark& m) noexcept;

    /// Moves to the next byte to send; false: there is none yet.
    [[nodiscard]] bool enter(mark& m) const noexcept {
        if (image_ == image::own_headers && m.header_left == 0 && m.left == 0 && !enter_header(m)) return false;
        if (m.header_left != 0) return true;
        if (m.log.at == end()) return false;
        if (m.log.in == nullptr) m.log.in = group_->log_.front();
        m.log.hop();
        return m.left != 0 || skip_time(m);
    }
    /// Moves to the next header of its own format, and in the log behind the header that it replaces.
    [[nodiscard]] bool enter_header(mark& m) const noexcept {
        if (m.log.at == end()) return false;
        const bool is_first = m.headers.at == headers().end(); // Of the readers of its format.
        if (m.log.in == nullptr) m.log.in = group_->log_.front();
        m.log.hop();
        if (is_first && !group_->make_header(format_, m.log)) return false;
        if (m.headers.in == nullptr) m.headers.in = headers().front();
        m.headers.hop();
        auto record = m.headers.here();
        const auto all = record.size();
        const auto frame = detail::header_record::take(record);
        m.headers.at += all - record.size();
        m.header_left = frame.header;
        m.log.at += frame.step;
        m.log.hop();
        m.left = frame.payload;
        return true;
    }
    /// Skips the Timestamp Delta.
    [[nodiscard]] bool skip_time(mark& m) const noexcept {
        std::array<std::byte, wire::lite::frame_header_size_max> pieces;
        const auto header = wire::lite::take_frame_header(group_->format(), m.log.gather(pieces), UINT64_MAX);
        if (!header) return false;
        // The log encodes sizes in their shortest form.
        const auto of_size = wire::varint_size(header->size);
        m.log.at += header->consumed - of_size;
        m.left = of_size + header->size;
        m.log.hop();
        return true;
    }
    /// Returns how many of `n` bytes are missing.
    std::uint64_t advance(mark& m, std::uint64_t n) noexcept {
        while (n != 0 && enter(m)) {
            const auto step = std::min<std::uint64_t>(n, image_ == image::whole ? m.left : m.here().size());
            m.pass(step);
            n -= step;
        }
        m.hop();
        return n;
    }

    group_ref group_;
    wake_queue* wake_ = nullptr;
    mark written_;
    mark acked_;
    frame_range frames_;
    mutable std::uint64_t limit_ = UINT64_MAX; ///< Where the last frame wanted ends, once more has arrived.
    image image_ = image::whole;
    frame_format format_{};
    bool started_ = false; ///< It is past the first frame wanted.
    bool bounded_ = false; ///< Not all frames of the log are wanted.
    std::optional<app_error> evicted_;
};

inline result<std::size_t> group_reader::start(
    std::span<std::byte, wire::lite::frame_header_size_max> header) noexcept {
    if (started_) return std::size_t{0};
    if (frames_.first >= group_->next_object()) {
        if (group_->ended() == group::state::open) return errc::frame_incomplete;
        jump({.log = {group_->size(), group_->log_.back()},
            .left = image_ == image::whole ? UINT64_MAX : 0,
            .headers = {headers().end(), headers().back()}});
        return std::size_t{0};
    }
    const auto place = group_->find_frame(frames_.first);
    if (!place) return errc::not_found;
    std::array<std::byte, wire::lite::frame_header_size_max> pieces;
    const auto frame = wire::lite::take_frame_header(group_->format(), place->at.gather(pieces), UINT64_MAX);
    const auto time = frame ? wire::lite::apply_delta(place->before, frame->delta) : std::nullopt;
    const auto absolute = time ? wire::lite::delta({}, *time) : std::nullopt;
    if (!absolute) return errc::value_too_large;
    const auto used = wire::lite::write_frame_header(format_, *absolute, frame->size, header);
    mark m{.log = place->at, .left = image_ == image::whole ? UINT64_MAX : frame->size};
    m.log.at += frame->consumed;
    m.log.hop();
    if (image_ == image::own_headers && !pass_headers(m)) return errc::out_of_memory_limit;
    jump(m);
    return used;
}

/// Makes the headers up to that of the first frame wanted, and moves behind it. O(slabs, and records of one of them) if
/// they are there.
inline bool group_reader::pass_headers(mark& m) noexcept {
    mark at = written_;
    started_ = true; // To read from the front.
    bool made = true;
    auto from = group_->first_object();
    for (slab* s = headers().front(); s != nullptr && s->frame <= number(frames_.first); s = s->next) {
        at.headers = {s->begin, s};
        at.log.at = s->frame_at;
        from = object_id{s->frame};
    }
    for (auto n = from; made && n <= frames_.first; n = next(n)) {
        at.log.at += std::exchange(at.left, 0);
        made = enter_header(at);
        at.headers.at += std::exchange(at.header_left, 0);
    }
    started_ = false;
    if (made) at.headers.hop();
    m.headers = at.headers;
    return made;
}

inline void group::wake_readers() noexcept {
    while (!waiting_.empty()) waiting_.front().wake();
}

inline void group::wake_all() noexcept {
    readers_.for_each([](group_reader& r) { r.wake(); });
}

inline bool group::evict_readers(app_error code, std::uint64_t least) {
    bool any = false;
    readers_.for_each([&](group_reader& r) {
        const auto held = r.held();
        if (held < least || (r.is_final() && held == 0)) return;
        r.evicted_ = code;
        r.wake();
        any = true;
    });
    return any;
}

} // namespace moqlite
