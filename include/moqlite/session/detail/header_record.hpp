// The entries of a group's header log: for each frame a record and the header of another format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/wire/varint.hpp>
#include <span>

namespace moqlite::detail {

/// Precedes each header of another format, and locates its frame in the log.
struct header_record {
    std::uint64_t step = 0;    ///< Bytes of the log's own header, which this header replaces.
    std::uint64_t header = 0;  ///< Bytes of the header that follows.
    std::uint64_t payload = 0; ///< Bytes of the log behind `step`.

    static constexpr std::size_t size_max = 3 * wire::varint_size_max;

    [[nodiscard]] std::size_t write(std::span<std::byte, size_max> out) const noexcept {
        std::size_t used = 0;
        for (const auto value : {step, header, payload})
            used += wire::write_varint(value, std::span{out}.subspan(used));
        return used;
    }
    /// Removes the record from the front of `in`.
    [[nodiscard]] static header_record take(byte_view& in) noexcept {
        header_record r;
        for (auto* value : {&r.step, &r.header, &r.payload}) *value = wire::read_varint(in).value_or(0);
        return r;
    }
};

} // namespace moqlite::detail
