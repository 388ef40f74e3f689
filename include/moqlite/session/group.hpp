// The only owner of payload: the log of one group, written once and read by every subscriber.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <moqlite/containers/list.hpp>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/result.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/session/ready.hpp>
#include <moqlite/session/slab.hpp>
#include <moqlite/wire/lite/frame.hpp>
#include <new>
#include <utility>

namespace moqlite {

class group;
class group_reader;

namespace detail {
struct reader_tag;
struct waiting_tag;
} // namespace detail

/// A counted reference to a group. Not atomic: one thread at a time, like everything here.
class group_ref {
public:
    group_ref() noexcept = default;
    group_ref(const group_ref& other) noexcept;
    group_ref(group_ref&& other) noexcept : group_(std::exchange(other.group_, nullptr)) {}
    group_ref& operator=(group_ref other) noexcept {
        std::swap(group_, other.group_);
        return *this;
    }
    ~group_ref();

    [[nodiscard]] explicit operator bool() const noexcept { return group_ != nullptr; }
    [[nodiscard]] group& operator*() const noexcept { return *group_; }
    [[nodiscard]] group* operator->() const noexcept { return group_; }
    [[nodiscard]] bool operator==(const group_ref&) const noexcept = default;

private:
    friend class group;
    explicit group_ref(group* g) noexcept;
    group* group_ = nullptr;
};

/// An append-only log of the frames of one group, in the wire image of one dialect (the body of a
/// group stream after its GROUP message): a subscriber of that dialect is lent it as it stands.
/// Its memory goes, from the front, when no reader and no pin needs it any more.
class group {
public:
    enum class state : std::uint8_t { open, finished, aborted };

    /// An empty group whose bytes come from `pool`; an empty reference if there is no memory.
    [[nodiscard]] static group_ref make(slab_pool& pool, group_sequence sequence, version dialect) {
        if (!pool.charge(sizeof(group))) return {};
        auto* made = new (std::nothrow) group(pool, sequence, dialect);
        if (made == nullptr) pool.uncharge(sizeof(group));
        return group_ref{made};
    }
    group(const group&) = delete;
    group& operator=(const group&) = delete;

    // Writing.

    /// Appends a whole frame. Copies it once.
    result<void> write_frame(timestamp time, byte_view payload) {
        if (auto begun = begin_frame(time, payload.size()); !begun) return begun;
        return append_payload(payload);
    }

    /// Begins a frame of `size` bytes; append_payload() brings them, as they arrive. Memory is taken by
    /// how much of it is `at_hand` already: a peer cannot have it for a promise.
    result<void> begin_frame(timestamp time, std::uint64_t size, std::size_t at_hand = SIZE_MAX) {
        if (state_ != state::open) return errc::group_ended;
        if (missing_ != 0) return errc::frame_incomplete;
        const auto delta = wire::lite::delta(last_time_, time);
        if (!delta) return errc::value_too_large;
        std::array<std::byte, wire::lite::frame_header_size_max> header;
        const auto used = wire::lite::write_frame_header(dialect_, *delta, size, header);
        if (used == 0) return errc::value_too_large;
        const auto soon = std::min(size, 4 * std::min<std::uint64_t>(size, at_hand));
        if (!append(byte_view{header}.first(used), used + static_cast<std::size_t>(soon))) return no_memory();
        last_time_ = time;
        missing_ = size;
        ++frames_;
        if (size == 0) wake_readers();
        return {};
    }

    /// Appends to the frame that was begun. errc::out_of_memory_limit, here as above, aborts the group.
    result<void> append_payload(byte_view bytes) {
        if (state_ != state::open) return errc::group_ended;
        if (bytes.size() > missing_) return errc::invalid_argument;
        if (!append(bytes, bytes.size())) return no_memory();
        missing_ -= bytes.size();
        wake_readers();
        return {};
    }

    /// No more frames: subscribers see FIN.
    result<void> finish() {
        if (state_ != state::open) return errc::group_ended;
        if (missing_ != 0) return errc::frame_incomplete;
        state_ = state::finished;
        wake_readers();
        return {};
    }

    /// Cut off: subscribers that have not been sent all of it see a reset with `code`.
    void abort(app_error code) {
        if (state_ != state::open) return;
        state_ = state::aborted;
        abort_code_ = code;
        wake_all();
    }

    /// Resets every reader that waits for more, or for more than `least` bytes to be acknowledged, with
    /// `code`, so that the memory can go. False: there is none.
    bool evict_readers(app_error code, std::uint64_t least = 0);

    // Facts.

    [[nodiscard]] group_sequence sequence() const noexcept { return sequence_; }
    [[nodiscard]] version dialect() const noexcept { return dialect_; }
    [[nodiscard]] state ended() const noexcept { return state_; }
    [[nodiscard]] app_error abort_code() const noexcept { return abort_code_; }
    [[nodiscard]] std::uint64_t frames() const noexcept { return frames_; }
    /// Payload bytes that the last frame still misses.
    [[nodiscard]] std::uint64_t missing() const noexcept { return missing_; }
    /// Bytes of wire image written so far.
    [[nodiscard]] std::uint64_t size() const noexcept { return tail_ != nullptr ? tail_->end() : 0; }
    /// Bytes at the front that are gone; a new reader needs 0.
    [[nodiscard]] std::uint64_t lost_head() const noexcept { return head_ != nullptr ? head_->begin : 0; }
    /// Bytes of memory that it holds, unused room included.
    [[nodiscard]] std::size_t memory() const noexcept { return memory_; }
    [[nodiscard]] bool has_readers() const noexcept { return !readers_.empty(); }

private:
    friend class group_ref;
    friend class group_pin;
    friend class group_reader;

    group(slab_pool& pool, group_sequence sequence, version dialect) noexcept
        : pool_(pool.store_), sequence_(sequence), dialect_(dialect) {
        pool_.retain();
    }
    ~group() {
        while (head_ != nullptr) pool_.give_back(std::exchange(head_, head_->next));
        pool_.uncharge(sizeof(group));
        pool_.release();
    }

    /// Some of the bytes may be in the log: what follows them would be read as the rest.
    errc no_memory() {
        abort(wire_code(errc::out_of_memory_limit));
        return errc::out_of_memory_limit;
    }
    bool append(byte_view bytes, std::size_t expected) noexcept {
        do {
            if (tail_ == nullptr || (tail_->room() == 0 && !bytes.empty()))
                if (!add_slab(expected)) return false;
            const auto n = std::min<std::size_t>(bytes.size(), tail_->room());
            if (n != 0) std::memcpy(tail_->data() + tail_->size, bytes.data(), n);
            tail_->size += static_cast<std::uint32_t>(n);
            bytes = bytes.subspan(n);
        } while (!bytes.empty());
        return true;
    }

    bool add_slab(std::size_t expected) noexcept {
        slab* s = pool_.take(expected, tail_);
        if (s == nullptr) return false;
        s->begin = size();
        memory_ += s->capacity;
        (tail_ != nullptr ? tail_->next : head_) = s;
        tail_ = s;
        if (head_ == s) s->pins = std::exchange(early_pins_, 0);
        if (passing_) free_head();
        return true;
    }

    // A pin on a group without a slab yet waits for the first.
    slab* pin_head() noexcept {
        ++(head_ != nullptr ? head_->pins : early_pins_);
        return head_;
    }
    void unpin(slab* s) noexcept {
        // A pin taken before the first slab went to that slab, which it keeps in place.
        --(s != nullptr ? s->pins : head_ != nullptr ? head_->pins : early_pins_);
    }
    void free_head() noexcept {
        passing_ = true;
        while (head_ != tail_ && head_->pins == 0) {
            memory_ -= head_->capacity;
            pool_.give_back(std::exchange(head_, head_->next));
        }
    }
    void wake_readers() noexcept;
    void wake_all() noexcept;

    detail::slab_store& pool_;
    slab* head_ = nullptr;
    slab* tail_ = nullptr;
    std::size_t memory_ = 0;
    std::uint64_t missing_ = 0;
    std::uint64_t frames_ = 0;
    group_sequence sequence_;
    timestamp last_time_{};
    detail::list<group_reader, detail::reader_tag> readers_;
    detail::list<group_reader, detail::waiting_tag> waiting_;
    app_error abort_code_ = app_error::cancel;
    std::uint32_t references_ = 0;
    std::uint32_t early_pins_ = 0;
    bool passing_ = false; ///< Somebody has let go of its front: what nobody pins is not kept.
    version dialect_;
    state state_ = state::open;
};

inline group_ref::group_ref(group* g) noexcept : group_(g) {
    if (group_ != nullptr) ++group_->references_;
}
inline group_ref::group_ref(const group_ref& other) noexcept : group_ref(other.group_) {}
inline group_ref::~group_ref() {
    if (group_ != nullptr && --group_->references_ == 0) delete group_;
}

} // namespace moqlite

#include <moqlite/session/group_reader.hpp>
