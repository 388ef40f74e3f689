// The log of one group, the only owner of payload: written once and read by every subscriber.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <moqlite/containers/list.hpp>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/core/frame_range.hpp>
#include <moqlite/core/frame_record.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/result.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/session/ready.hpp>
#include <moqlite/session/slab_chain.hpp>
#include <moqlite/wire/frame_format.hpp>
#include <moqlite/wire/lite/frame.hpp>
#include <new>
#include <optional>
#include <utility>

namespace moqlite {

class group;
class group_reader;

namespace detail {
struct reader_tag;
struct waiting_tag;
struct resized_tag;
struct watching_memory_tag;
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

/// Is put on a list when the memory of its group changes after the group has ended, so that whoever counts it need not
/// look at all groups.
struct memory_watch : detail::list_hook<detail::resized_tag>, detail::list_hook<detail::watching_memory_tag> {
    [[nodiscard]] bool is_resized() const noexcept { return detail::list_hook<detail::resized_tag>::linked(); }
    detail::list<memory_watch, detail::resized_tag>* resized = nullptr;
};

/// What brings the bytes of a group, held back by its readers; told when they have taken some, or no longer hold back.
class group_feed {
public:
    virtual void taken() noexcept = 0;

protected:
    ~group_feed() = default;
};

/// An append-only log of the frames of one group, in the wire image of one format (the body of a group stream after
/// its header); it is lent unchanged to readers of that format. The frame headers of another format are made once per
/// group and format, by the first reader that comes to them, and kept beside the log. Memory is freed from the front
/// once no reader and no pin needs it.
class group {
public:
    enum class state : std::uint8_t { open, finished, aborted };

    /// An empty group whose bytes come from `pool`; an empty reference if there is no memory. `first`: the number of
    /// the first frame that it will hold.
    [[nodiscard]] static group_ref make(slab_pool& pool, group_sequence sequence, frame_format format,
        subgroup_id subgroup = {}, object_id first = {}) {
        if (!pool.charge(sizeof(group))) return {};
        auto* made = new (std::nothrow) group(pool, sequence, format, subgroup, first);
        if (made == nullptr) pool.uncharge(sizeof(group));
        return group_ref{made};
    }
    [[nodiscard]] static group_ref make(slab_pool& pool, group_sequence sequence, version v, object_id first = {}) {
        return make(pool, sequence, frames_of(v), {}, first);
    }
    group(const group&) = delete;
    group& operator=(const group&) = delete;

    // Writing.

    /// Appends a whole frame. Copies it once.
    result<void> write_frame(timestamp time, byte_view payload) {
        if (auto begun = begin_frame(time, payload.size()); !begun) return begun;
        return append_payload(payload);
    }

    /// Begins the next frame, whose payload append_payload() adds as it arrives. Memory is allocated in proportion to
    /// the bytes `at_hand`, so that a peer cannot claim it by announcing a size. errc::unsupported: the format cannot
    /// express the record.
    result<void> begin_frame(const frame_record& frame, std::size_t at_hand = SIZE_MAX);
    result<void> begin_frame(timestamp time, std::uint64_t size, std::size_t at_hand = SIZE_MAX) {
        return begin_frame({.object = next_object(), .time = time, .size = size, .extensions = {}}, at_hand);
    }

    /// Appends to the frame in progress. errc::out_of_memory_limit, here as above, aborts the group.
    result<void> append_payload(byte_view bytes) {
        if (state_ != state::open) return errc::group_ended;
        if (bytes.size() > missing_) return errc::invalid_argument;
        if (!log_.append(pool_, bytes, bytes.size())) return no_memory();
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

    /// It was aborted, and its log ends where its frames do.
    [[nodiscard]] bool can_reopen() const noexcept { return state_ == state::aborted && !is_torn_; }
    /// Takes an abort back: more frames follow. Readers that have not seen it yet read on.
    void reopen() noexcept {
        if (can_reopen()) state_ = state::open;
    }

    /// Aborts the group: subscribers that have not been sent everything see a reset with `code`.
    void abort(app_error code) {
        if (state_ != state::open) return;
        state_ = state::aborted;
        abort_code_ = code;
        wake_all();
    }

    /// Resets, with `code`, every reader that keeps at least `least` bytes in memory, and in an open group those that
    /// wait for growth, so that memory can be freed. False: there is none.
    bool evict_readers(app_error code, std::uint64_t least = 0);

    // Facts.

    [[nodiscard]] group_sequence sequence() const noexcept { return sequence_; }
    [[nodiscard]] subgroup_id subgroup() const noexcept { return subgroup_; }
    [[nodiscard]] frame_format format() const noexcept { return format_; }
    [[nodiscard]] state ended() const noexcept { return state_; }
    [[nodiscard]] app_error abort_code() const noexcept { return abort_code_; }
    /// Frames that it has held, the last of which may be incomplete.
    [[nodiscard]] std::uint64_t frames() const noexcept { return frames_; }
    [[nodiscard]] object_id first_object() const noexcept { return first_; }
    /// The number of the next frame.
    [[nodiscard]] object_id next_object() const noexcept { return object_id{number(first_) + frames_}; }
    /// Frame `last`, and so every frame before it, is complete.
    [[nodiscard]] bool has_up_to(object_id last) const noexcept {
        return number(last) + (missing_ != 0 ? 1 : 0) < number(next_object());
    }
    /// The frames from `first` on are here, or will be.
    [[nodiscard]] bool keeps_from(object_id first) const noexcept {
        if (first < first_) return false;
        return lost_head() == 0 || first >= next_object() || find_frame(first);
    }
    /// The size and timestamp of the last frame.
    [[nodiscard]] std::uint64_t last_size() const noexcept { return last_size_; }
    [[nodiscard]] timestamp last_time() const noexcept { return last_time_; }
    /// The timestamp of the first frame that it has held; 0 without frames.
    [[nodiscard]] timestamp first_time() const noexcept { return first_time_; }
    /// Payload bytes that the last frame still lacks.
    [[nodiscard]] std::uint64_t missing() const noexcept { return missing_; }
    /// Bytes of wire image written so far.
    [[nodiscard]] std::uint64_t size() const noexcept { return log_.end(); }
    /// Bytes freed at the front; a new reader needs 0, unless it starts with a later frame.
    [[nodiscard]] std::uint64_t lost_head() const noexcept { return log_.begin(); }
    /// Bytes of memory that it holds, unused room included.
    [[nodiscard]] std::size_t memory() const noexcept {
        auto sum = log_.memory();
        for (const auto& headers : headers_) sum += headers.memory();
        return sum;
    }
    [[nodiscard]] bool has_readers() const noexcept { return !readers_.empty(); }
    /// A subscriber, at a peer or in this process, has all of it.
    [[nodiscard]] bool is_delivered() const noexcept { return is_delivered_; }
    void note_delivered() noexcept {
        if (!std::exchange(is_delivered_, true) && deliveries_) ++*deliveries_;
    }
    /// Counts it among the delivered groups of its track, once it is.
    void count_delivery(std::shared_ptr<std::uint64_t> of_track) noexcept { deliveries_ = std::move(of_track); }
    // Holding back: by readers in this process, as long as nobody else reads it.

    /// Begins, or ends, with one that is attached twice.
    void hold_back(bool begins) noexcept {
        begins ? ++holders_ : --holders_;
        if (feed_ != nullptr) feed_->taken();
    }
    /// One of them has taken that much of the payload, or needs it before it can take any.
    void took(std::uint64_t payload) noexcept {
        if (payload <= taken_) return;
        taken_ = payload;
        if (feed_ != nullptr) feed_->taken();
    }
    /// With that much payload it has no more than `most` that the fastest of them has not taken.
    [[nodiscard]] bool has_room(std::uint64_t payload, std::uint64_t most) const noexcept {
        return holders_ == 0 || attached_ > 2 * holders_ || payload <= taken_ + most;
    }
    /// nullptr: none any more.
    void fed_by(group_feed* feed) noexcept { feed_ = feed; }
    [[nodiscard]] const group_feed* feed() const noexcept { return feed_; }

    /// Until it is destroyed.
    void watch_memory(memory_watch& who) noexcept { watches_.push_back(who); }

private:
    friend class group_ref;
    friend class group_pin;
    friend class group_reader;

    group(slab_pool& pool, group_sequence sequence, frame_format format, subgroup_id subgroup, object_id first) noexcept
        : pool_(pool.store_), sequence_(sequence), subgroup_(subgroup), first_(first), format_(format) {
        pool_.retain();
    }
    ~group() {
        log_.clear(pool_);
        for (auto& headers : headers_) headers.clear(pool_);
        pool_.uncharge(sizeof(group));
        pool_.release();
    }

    /// Part of the bytes may be in the log, so that later ones would be misread as their rest.
    errc no_memory() {
        is_torn_ = true;
        abort(wire_code(errc::out_of_memory_limit));
        return errc::out_of_memory_limit;
    }

    /// Where a frame begins in the log.
    struct frame_place {
        detail::chain_position at;
        timestamp before{}; ///< The timestamp of the frame before it.
    };
    /// nullopt: the frame is not there yet, or not any more. O(slabs, and frames that begin in one of them).
    [[nodiscard]] std::optional<frame_place> find_frame(object_id which) const noexcept;
    /// The next frame begins at `at`, in slab `s`.
    void note_frame(slab& s, std::uint64_t at) const noexcept {
        if (s.frame != slab::no_frame) return;
        s.frame = number(next_object());
        s.frame_at = at;
        s.time_before = last_time_;
    }

    // The headers of other formats; a chain without a slab: none are kept.
    [[nodiscard]] detail::slab_chain& headers_of(frame_format f) noexcept {
        return headers_[static_cast<std::size_t>(f)];
    }
    /// Adds the header of the frame at `at` in the log, the first that has none yet. False: no memory.
    [[nodiscard]] bool make_header(frame_format f, const detail::chain_position& at) noexcept;

    void free_front() noexcept {
        const bool is_watched = !watches_.empty() && state_ != state::open;
        const auto before = is_watched ? memory() : 0;
        log_.free_front(pool_);
        // A later reader would need the headers from their beginning.
        if (lost_head() != 0)
            for (auto& headers : headers_) headers.free_front(pool_);
        if (is_watched && memory() != before) resized();
    }
    void resized() noexcept {
        if (state_ == state::open) return;
        watches_.for_each([](memory_watch& each) {
            if (!each.is_resized()) each.resized->push_back(each);
        });
    }
    void wake_readers() noexcept;
    void wake_all() noexcept;
    void attached(bool begins) noexcept {
        begins ? ++attached_ : --attached_;
        if (feed_ != nullptr && holders_ != 0) feed_->taken();
    }

    detail::slab_store& pool_;
    detail::slab_chain log_;
    std::array<detail::slab_chain, frame_formats> headers_;
    std::array<std::uint64_t, frame_formats> headers_made_{}; ///< How many of each format.
    std::uint64_t missing_ = 0;
    std::uint64_t last_size_ = 0;
    std::uint64_t frames_ = 0;
    group_sequence sequence_;
    subgroup_id subgroup_;
    object_id first_;
    timestamp first_time_{};
    timestamp last_time_{};
    detail::list<group_reader, detail::reader_tag> readers_;
    detail::list<group_reader, detail::waiting_tag> waiting_;
    detail::list<memory_watch, detail::watching_memory_tag> watches_;
    group_feed* feed_ = nullptr;
    std::uint64_t taken_ = 0;    ///< Payload, by the fastest reader that holds back.
    std::uint32_t attached_ = 0; ///< Number of readers,
    std::uint32_t holders_ = 0;  ///< and of those that hold back.
    app_error abort_code_ = app_error::cancel;
    std::uint32_t references_ = 0;
    frame_format format_;
    state state_ = state::open;
    bool is_torn_ = false; ///< There was no memory for a part of it.
    bool is_delivered_ = false;
    std::shared_ptr<std::uint64_t> deliveries_; ///< Delivered groups of its track.
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
#include <moqlite/session/impl/group_frames.hpp>
