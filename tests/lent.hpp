// The bytes lent to a transport, with a copy: QUIC retransmits them from there, so they must not change.
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

/// The lent ranges of one connection, until they are acknowledged, or a reset of their stream or a close has been
/// executed, or their stream has ended; then, and whenever they may be retransmitted, they are compared.
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
    /// The transport has released the stream.
    void closed(stream_id id) {
        if (const auto found = streams_.find(id); found != streams_.end())
            for (const auto& p : found->second) compare(p);
        streams_.erase(id);
        resetting_.erase(id);
    }
    /// The connection has ended.
    void over() { streams_.clear(); }
    /// As if everything were retransmitted now.
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

    /// One range with its content when it was lent. AddressSanitizer also detects freed memory.
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
