// Control bytes that wait for their acknowledgement.
#include "cost.hpp"

#include <array>
#include <moqlite/session/detail/send_buffer.hpp>

namespace moqlite::bench::costs {

namespace {

/// 500 writes behind N that are not acknowledged.
void write_behind_unacknowledged(std::size_t n) {
    detail::send_buffer buffer;
    const std::array<std::byte, 100> message{};
    const auto write = [&] {
        std::array<byte_view, 16> ranges;
        std::size_t total = 0;
        buffer.append(message);
        static_cast<void>(buffer.lend(ranges, total));
        buffer.wrote(total);
    };
    for (std::size_t i = 0; i != n; ++i) write();
    const measured now;
    for (int i = 0; i != 500; ++i) write();
}

const scenes ours{{"control messages behind N that are not acknowledged", 1000, 1.1, write_behind_unacknowledged}};

} // namespace

} // namespace moqlite::bench::costs
