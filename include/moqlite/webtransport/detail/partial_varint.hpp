// Reads consecutive varints from bytes that arrive in pieces.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/wire/varint.hpp>
#include <optional>

namespace moqlite::webtransport::detail {

class partial_varint {
public:
    /// Consumes the missing bytes from the front of `in`. Returns the value once complete; then the next begins.
    [[nodiscard]] constexpr std::optional<std::uint64_t> take(byte_view& in) noexcept {
        while (!in.empty()) {
            held_[size_++] = in.front();
            in = in.subspan(1);
            byte_view all{held_.data(), size_};
            if (const auto value = wire::read_varint(all)) return size_ = 0, value;
        }
        return std::nullopt;
    }
    /// Whether a varint is incomplete.
    [[nodiscard]] constexpr bool begun() const noexcept { return size_ != 0; }

private:
    std::array<std::byte, wire::varint_size_max> held_{};
    std::size_t size_ = 0;
};

} // namespace moqlite::webtransport::detail
