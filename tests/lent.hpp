// The bytes lent to a transport, and a copy of them: QUIC sends again from where it lies, so it must stay as it was.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/ids.hpp>
#include <must.hpp>
#include <set>
#include <span>
#include <vector>

namespace moqlite::test {

/// The books of one connection. Bytes leave them when they are acknowledged, when a reset of their stream or a close
/// has been executed, or with their stream; each time, and whenever something may be sent again, they are compared.
class lent_memory {
public:
    /// A write of `data`, of which `taken` bytes were accepted.
    void lend(stream_id id, std::span<const byte_view> data, std::size_t taken) {
        for (auto part : data) {
            part = part.first(std::min(part.size(), taken));
            taken -= part.size();
            if (!part.empty()) streams_[id].push_back({part.data(), {part.begin(), part.end()}});
        }
    }
    /// The next `n` bytes arrived.
    void acked(stream_id id, std::uint64_t n) {
        const auto found = streams_.find(id);
        if (found == streams_.end()) return;
        auto& pieces = found->second;
        while (n != 0 && !pieces.empty()) {
            auto& p = pieces.front();
            compare(p);
            const auto here = static_cast<std::size_t>(std::min<std::uint64_t>(n, p.copy.size()));
            n -= here;
            p.at += here;
            p.copy.erase(p.copy.begin(), p.copy.begin() + static_cast<std::ptrdiff_t>(here));
            if (p.copy.empty()) pieces.pop_front();
        }
        if (pieces.empty()) streams_.erase(found);
    }
    /// RESET_STREAM was queued in the transport; executed when that has flushed.
    void reset(stream_id id) { resetting_.insert(id); }
    void close() noexcept { closing_ = true; }
    void executed() {
        compare_all();
        for (const auto id : resetting_) streams_.erase(id);
        resetting_.clear();
        if (closing_) streams_.clear();
    }
    /// The transport has let go of the stream.
    void closed(stream_id id) {
        if (const auto found = streams_.find(id); found != streams_.end())
            for (const auto& p : found->second) compare(p);
        streams_.erase(id);
        resetting_.erase(id);
    }
    /// The connection is no more.
    void over() { streams_.clear(); }
    /// As if all of it were sent again now.
    void compare_all() const {
        for (const auto& [id, pieces] : streams_)
            for (const auto& p : pieces) compare(p);
    }
    [[nodiscard]] std::size_t bytes() const {
        std::size_t sum = 0;
        for (const auto& [id, pieces] : streams_)
            for (const auto& p : pieces) sum += p.copy.size();
        return sum;
    }

    /// One range of bytes with what it was when it was lent. Under AddressSanitizer, freed memory is found as well.
    static void compare(const std::byte* at, std::span<const std::byte> copy) {
        ++comparisons();
        const bool same = copy.empty() || std::memcmp(at, copy.data(), copy.size()) == 0;
        sim::must(same, "lent bytes stay until they are given back");
    }
    /// Comparisons of all connections of this program.
    [[nodiscard]] static std::uint64_t& comparisons() noexcept {
        static std::uint64_t count = 0;
        return count;
    }

private:
    struct piece {
        const std::byte* at;
        std::vector<std::byte> copy;
    };
    static void compare(const piece& p) { compare(p.at, p.copy); }

    std::map<stream_id, std::deque<piece>> streams_;
    std::set<stream_id> resetting_;
    bool closing_ = false;
};

} // namespace moqlite::test
