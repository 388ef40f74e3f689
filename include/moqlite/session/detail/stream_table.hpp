// The streams of a session by id, and lists of the peer's streams that wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/containers/id_table.hpp>
#include <moqlite/containers/list.hpp>
#include <moqlite/containers/object_pool.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/session/detail/control_stream.hpp>
#include <utility>

namespace moqlite::detail {

struct served_group;

/// What a stream belongs to: exactly one of three. Costs a compiler less than a std::variant.
class any_stream {
public:
    any_stream() noexcept = default;
    any_stream(control_stream& s) noexcept : it_(&s), kind_(kind::control) {}
    any_stream(incoming_group& g) noexcept : it_(&g), kind_(kind::incoming) {}
    any_stream(served_group& g) noexcept : it_(&g), kind_(kind::served) {}
    /// nullptr: it belongs to another.
    [[nodiscard]] control_stream* control() const noexcept { return as<control_stream>(kind::control); }
    [[nodiscard]] incoming_group* incoming() const noexcept { return as<incoming_group>(kind::incoming); }
    [[nodiscard]] served_group* served() const noexcept { return as<served_group>(kind::served); }

private:
    enum class kind : std::uint8_t { control, incoming, served };
    template <class T>
    [[nodiscard]] T* as(kind k) const noexcept {
        return kind_ == k ? static_cast<T*>(it_) : nullptr;
    }
    void* it_ = nullptr;
    kind kind_ = kind::control;
};

struct stream_table {
    explicit stream_table(const limits& bounds) noexcept : partial_bytes_max_(bounds.partial_messages) {}

    object_pool<control_stream> controls;
    list<control_stream, parked_tag> parked; ///< Requests that wait for admission, or for the peer to read our replies.
    std::size_t parked_count = 0;
    std::size_t peer_requests = 0;       ///< Open bidirectional streams of the peer.
    list<receiving, silent_tag> silent;  ///< Streams of the peer whose first message is awaited, oldest first.
    list<receiving, silent_tag> undated; ///< The same, if they began after the last input.

    /// nullptr: absent. The pointer is valid until the next insert or erase.
    [[nodiscard]] any_stream* find(stream_id id) noexcept { return by_id_.find(number(id)); }
    void insert(stream_id id, any_stream stream) { by_id_.insert(number(id), stream); }
    void erase(stream_id id) noexcept { by_id_.erase(number(id)); }

    void park(control_stream& s) noexcept {
        parked.push_back(s);
        ++parked_count;
    }
    void unpark(control_stream& s) noexcept {
        if (!s.list_hook<parked_tag>::linked()) return;
        s.list_hook<parked_tag>::unlink();
        --parked_count;
    }
    /// Counts the incomplete message that the stream keeps; false: the peer's incomplete messages are too large.
    [[nodiscard]] bool keep_partial(control_stream& s) noexcept {
        partial_bytes_ = partial_bytes_ - s.counted + s.in.size();
        s.counted = s.in.size();
        return partial_bytes_ <= partial_bytes_max_;
    }
    void forget_partial(control_stream& s) noexcept {
        partial_bytes_ -= std::exchange(s.counted, 0);
        s.in.clear();
    }

private:
    id_table<any_stream> by_id_;
    std::size_t partial_bytes_max_;
    std::size_t partial_bytes_ = 0; ///< Bytes in `in` of all control streams.
};

} // namespace moqlite::detail
