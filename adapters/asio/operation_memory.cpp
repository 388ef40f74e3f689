#include <array>
#include <moqlite/asio/operation_memory.hpp>
#include <moqlite/containers/spare_memory.hpp>
#include <new>

namespace moqlite::asio::detail {

namespace {

constexpr std::size_t step = 64; ///< Between one size and the next; larger pieces than the last are not kept.
constexpr std::size_t sizes = 8;

thread_local bool kept_is_gone = false; ///< A thread that ends may still complete operations.
struct kept_pieces {
    std::array<moqlite::detail::spare_memory, sizes> of_size;
    ~kept_pieces() { kept_is_gone = true; }
};
thread_local kept_pieces kept;

constexpr std::size_t index_of(std::size_t size) { return (size + step - 1) / step - 1; }
constexpr std::size_t whole(std::size_t index) { return (index + 1) * step; }

} // namespace

void* take_operation_memory(std::size_t size) {
    const auto i = index_of(size);
    if (i >= sizes) return ::operator new(size);
    return kept_is_gone ? ::operator new(whole(i)) : kept.of_size[i].take(whole(i));
}

void give_back_operation_memory(void* piece, std::size_t size) noexcept {
    const auto i = index_of(size);
    if (i >= sizes || kept_is_gone) return ::operator delete(piece);
    kept.of_size[i].give_back(piece, whole(i));
}

} // namespace moqlite::asio::detail
