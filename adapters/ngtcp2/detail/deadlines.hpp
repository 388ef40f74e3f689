// Timers in a binary heap whose members know their index, so that moving one is O(log n).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <moqlite/core/time.hpp>
#include <utility>
#include <vector>

namespace moqlite::ngtcp2::detail {

/// Base of everything with a deadline.
struct timed {
    enum class kind : std::uint8_t { connection, closing_record };
    explicit timed(kind k) noexcept : what{k} {}

    static constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();
    time_point due{};
    std::size_t place = nowhere;
    kind what;
};

class deadlines {
public:
    [[nodiscard]] timed* top() const noexcept { return heap_.empty() ? nullptr : heap_.front().who; }

    /// Adds `t`, or moves it.
    void set(timed& t, time_point due) {
        if (t.place != timed::nowhere && t.due == due) return;
        t.due = due;
        if (t.place == timed::nowhere) {
            heap_.push_back({due, &t}); // First: it may throw.
            t.place = heap_.size() - 1;
        } else {
            heap_[t.place].due = due;
        }
        down(up(t.place));
    }

    void remove(timed& t) noexcept {
        if (t.place == timed::nowhere) return;
        const std::size_t at = std::exchange(t.place, timed::nowhere);
        const entry last = heap_.back();
        heap_.pop_back();
        if (at == heap_.size()) return;
        put(at, last);
        down(up(at));
    }

private:
    struct entry {
        time_point due; // Beside the pointer, so that sifting stays within the array.
        timed* who;
    };

    void put(std::size_t at, entry e) noexcept {
        heap_[at] = e;
        e.who->place = at;
    }

    std::size_t up(std::size_t at) noexcept {
        const entry e = heap_[at];
        while (at > 0 && e.due < heap_[(at - 1) / 2].due) {
            put(at, heap_[(at - 1) / 2]);
            at = (at - 1) / 2;
        }
        put(at, e);
        return at;
    }

    void down(std::size_t at) noexcept {
        const entry e = heap_[at];
        for (;;) {
            std::size_t child = 2 * at + 1;
            if (child >= heap_.size()) break;
            if (child + 1 < heap_.size() && heap_[child + 1].due < heap_[child].due) ++child;
            if (!(heap_[child].due < e.due)) break;
            put(at, heap_[child]);
            at = child;
        }
        put(at, e);
    }

    std::vector<entry> heap_;
};

} // namespace moqlite::ngtcp2::detail
