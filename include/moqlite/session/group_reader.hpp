// Who reads a group's log: a pin keeps it, a reader goes through it. Part of group.hpp.
#pragma once

#include <moqlite/core/bytes.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/wire/varint.hpp>
#include <optional>
#include <span>

namespace moqlite {

/// Keeps a group and its bytes, from the first that is still there when the pin is made.
class group_pin {
public:
    group_pin() noexcept = default;
    explicit group_pin(group_ref g) noexcept : group_(std::move(g)), at_(group_->pin_head()) {}
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
        group_->unpin(at_);
        group_->free_head();
        group_ = {};
        at_ = nullptr;
    }
    [[nodiscard]] const group_ref& get() const noexcept { return group_; }
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(group_); }

private:
    group_ref group_;
    slab* at_ = nullptr;
};

/// What a reader is lent of a log.
struct lent {
    std::size_t ranges = 0;
    std::size_t bytes = 0;
    bool all = false; ///< Nothing follows, so far.
};

/// One subscriber's two marks on a group: what has been written to its stream, and what has been
/// acknowledged. Bytes between them stay where they are. A subscriber of a dialect without timestamps
/// reads a log that has them by stepping over each frame's Timestamp Delta: what is left is its own
/// wire image, lent from the same bytes.
class group_reader : public detail::list_hook<detail::reader_tag>,
                     public detail::list_hook<detail::waiting_tag>,
                     public detail::list_hook<detail::woken_tag> {
public:
    group_reader() noexcept = default;
    ~group_reader() { detach(); }

    /// Begins to read from the front, which must not be lost; with or without the timestamps that are
    /// there. `wake` hears of growth after wait().
    void attach(group_ref g, wake_queue& wake, bool skip_times = false) noexcept {
        assert(!group_ && g && g->lost_head() == 0);
        assert(!skip_times || has_timestamps(g->dialect()));
        group_ = std::move(g);
        wake_ = &wake;
        written_ = acked_ = mark{.at = 0, .left = skip_times ? 0 : UINT64_MAX, .in = group_->pin_head()};
        group_->readers_.push_back(*this);
    }

    /// Reads no further, and is not woken any more. What was lent stays until detach().
    void retire() noexcept {
        detail::list_hook<detail::reader_tag>::unlink();
        detail::list_hook<detail::waiting_tag>::unlink();
        detail::list_hook<detail::woken_tag>::unlink();
    }

    /// Lets go of everything; what was lent must not be read any more.
    void detach() noexcept {
        if (!group_) return;
        retire();
        group_->unpin(acked_.in);
        group_->free_head();
        group_ = {};
        written_ = acked_ = {};
        evicted_.reset();
    }

    /// Fills `out` with what follows the written mark, at most `most` bytes in all.
    [[nodiscard]] lent lend(std::span<byte_view> out, std::size_t most) const noexcept {
        lent l;
        mark m = written_;
        while (l.ranges < out.size() && l.bytes < most && enter(m)) {
            const auto here = std::min(m.in->end() - m.at, m.left);
            const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(here, most - l.bytes));
            out[l.ranges++] = {m.in->data() + (m.at - m.in->begin), n};
            l.bytes += n;
            m.pass(n);
        }
        l.all = m.at == group_->size();
        return l;
    }

    /// The next `n` bytes have been written.
    void wrote(std::uint64_t n) noexcept {
        [[maybe_unused]] const auto left = advance(written_, n);
        assert(left == 0);
    }

    /// The next `n` of the written bytes have arrived and are no longer needed. False, and nothing has changed: so many
    /// were not written.
    bool acked(std::uint64_t n) noexcept {
        if (n > unacked()) return false;
        if (acked_.in == nullptr) acked_.in = group_->head_;
        const mark before = acked_;
        const auto left = advance(acked_, n);
        if (left != 0 || acked_.at > written_.at) return acked_ = before, false;
        if (acked_.in == before.in) return true;
        if (written_.in != nullptr) written_.hop(); // It may have stood at the end of what goes now.
        --before.in->pins;
        ++acked_.in->pins;
        group_->free_head();
        return true;
    }

    /// Puts it on its wake queue when the group next grows or ends.
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

    /// Bytes of the log behind the written mark, the timestamps that will be stepped over included.
    [[nodiscard]] std::uint64_t unsent() const noexcept { return group_->size() - written_.at; }
    /// The same between the two marks.
    [[nodiscard]] std::uint64_t unacked() const noexcept { return written_.at - acked_.at; }
    [[nodiscard]] const group_ref& source() const noexcept { return group_; }
    /// Set once the group was evicted under this reader.
    [[nodiscard]] std::optional<app_error> evicted() const noexcept { return evicted_; }

private:
    friend class group;
    struct mark {
        std::uint64_t at = 0;            ///< Offset in the log.
        std::uint64_t left = UINT64_MAX; ///< Bytes before the next Timestamp Delta that is stepped over.
        slab* in = nullptr;              ///< That of the byte at `at`, or before it.
        void pass(std::uint64_t n) noexcept {
            at += n;
            left -= n;
        }
        void hop() noexcept {
            while (at >= in->end() && in->next != nullptr) in = in->next;
        }
    };

    /// Comes to the next byte that is to be read; false: there is none yet.
    [[nodiscard]] bool enter(mark& m) const noexcept {
        if (m.at == group_->size()) return false;
        if (m.in == nullptr) m.in = group_->head_;
        m.hop();
        return m.left != 0 || enter_frame(m);
    }
    /// Steps over the Timestamp Delta. The log takes a frame's header as a whole, or is aborted.
    [[nodiscard]] bool enter_frame(mark& m) const noexcept {
        std::array<std::byte, wire::lite::frame_header_size_max> pieces;
        const auto header = wire::lite::take_frame_header(group_->dialect(), at_front(m, pieces), UINT64_MAX);
        if (!header) return false;
        // The log says a size in its shortest form.
        const auto of_size = wire::varint_size(header->size);
        m.at += header->consumed - of_size;
        m.left = of_size + header->size;
        m.hop();
        return true;
    }
    /// As much as a frame's header may need; copied to `pieces` where it lies in several slabs.
    [[nodiscard]] byte_view at_front(mark m, std::span<std::byte> pieces) const noexcept {
        const byte_view here{m.in->data() + (m.at - m.in->begin), as_size(m.in->end() - m.at)};
        if (here.size() >= pieces.size() || m.in->next == nullptr) return here;
        std::size_t n = 0;
        for (; n != pieces.size() && m.at != group_->size(); ++m.at, ++n) {
            m.hop();
            pieces[n] = m.in->data()[m.at - m.in->begin];
        }
        return pieces.first(n);
    }
    /// How much of `n` is not there.
    std::uint64_t advance(mark& m, std::uint64_t n) noexcept {
        while (n != 0 && enter(m)) {
            const auto step = std::min(n, m.left);
            m.pass(step);
            n -= step;
        }
        if (m.in != nullptr) m.hop();
        return n;
    }

    group_ref group_;
    wake_queue* wake_ = nullptr;
    mark written_;
    mark acked_;
    std::optional<app_error> evicted_;
};

inline void group::wake_readers() noexcept {
    while (!waiting_.empty()) waiting_.front().wake();
}

inline void group::wake_all() noexcept {
    readers_.for_each([](group_reader& r) { r.wake(); });
}

inline bool group::evict_readers(app_error code, std::uint64_t least) {
    bool any = false;
    readers_.for_each([&](group_reader& r) {
        const auto held = r.unsent() + r.unacked();
        if (held < least || (state_ == state::finished && held == 0)) return;
        r.evicted_ = code;
        r.wake();
        any = true;
    });
    return any;
}

} // namespace moqlite
