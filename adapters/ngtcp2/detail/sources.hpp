// How much of an endpoint each address uses, so that none uses all of it.
#pragma once

#include "connection_state.hpp"

#include <cstddef>
#include <cstdint>
#include <moqlite/link/address.hpp>
#include <unordered_map>

namespace moqlite::ngtcp2::detail {

/// The addresses of one host or household: an IPv4 address, mapped or not, or the /64 of an IPv6 address.
struct source {
    std::uint64_t prefix = 0;
    bool is_v6 = false;

    friend bool operator==(const source&, const source&) noexcept = default;
};
[[nodiscard]] source source_of(const link::address&) noexcept;

/// Keyed hash: IPv6 prefixes are cheap, and an attacker must not choose buckets.
struct source_hash {
    std::uint64_t key = 0;

    std::size_t operator()(const source& s) const noexcept {
        std::uint64_t h = (key ^ s.prefix ^ (s.is_v6 ? 1u : 0u)) * 0xd6e8feb86659fd93;
        h = (h ^ (h >> 29)) * 0xff51afd7ed558ccd;
        return static_cast<std::size_t>(h ^ (h >> 32));
    }
};

/// Incoming connections by source, and the half-open ones by age. Every operation is O(1).
class source_table {
public:
    /// Counts the half-open ones in `half_open`.
    explicit source_table(std::size_t& half_open) noexcept : half_open_{half_open} {}
    /// Precondition: the table is empty.
    void rekey(std::uint64_t key) { sources_ = decltype(sources_){16, source_hash{key}}; }

    /// nullptr: the address has no connection here.
    [[nodiscard]] source_usage* find(const link::address&) noexcept;
    /// Counts a handshake that begins.
    void enter(connection_state&, time_point now);
    /// Counts the handshake as complete.
    void complete(connection_state&) noexcept;
    /// Removes a connection or handshake that ended. No effect if it is not counted.
    void leave(connection_state&) noexcept;

    /// nullptr: none.
    [[nodiscard]] connection_state* oldest() noexcept { return by_age_.empty() ? nullptr : &by_age_.front(); }
    [[nodiscard]] std::size_t size() const noexcept { return sources_.size(); }

private:
    std::unordered_map<source, source_usage, source_hash> sources_;
    moqlite::detail::list<connection_state, half_open_tag> by_age_;
    std::size_t& half_open_;
};

} // namespace moqlite::ngtcp2::detail
