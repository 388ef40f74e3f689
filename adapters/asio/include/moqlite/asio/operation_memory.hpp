// Memory of operations that wait, or are about to complete.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/execution/allocator.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/require.hpp>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace moqlite::asio::detail {

// Each thread keeps some pieces for its next operations. Asio's own allocator keeps two, fewer than a reader and a
// writer in one thread need.
[[nodiscard]] void* take_operation_memory(std::size_t size);
/// From any thread.
void give_back_operation_memory(void* piece, std::size_t size) noexcept;

/// The allocator of a handler that has none of its own.
template <class T>
class operation_allocator {
public:
    using value_type = T;
    operation_allocator() noexcept = default;
    template <class U>
    operation_allocator(const operation_allocator<U>&) noexcept {}
    [[nodiscard]] T* allocate(std::size_t n) {
        static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
        return static_cast<T*>(take_operation_memory(n * sizeof(T)));
    }
    void deallocate(T* at, std::size_t n) noexcept { give_back_operation_memory(at, n * sizeof(T)); }
    template <class U>
    [[nodiscard]] bool operator==(const operation_allocator<U>&) const noexcept {
        return true;
    }
};

/// The same handler, with that allocator.
template <class Handler>
auto in_kept_memory(Handler h) {
    return boost::asio::bind_allocator(operation_allocator<void>{}, std::move(h));
}

/// Posts f: to an io_context, as most executors are, in memory of ours, else as Asio does.
template <class F>
void post_operation(const boost::asio::any_io_executor& on, F f) {
    using namespace boost::asio;
    using untracked = io_context::executor_type;
    using tracked =
        std::decay_t<decltype(prefer(std::declval<const untracked&>(), execution::outstanding_work.tracked))>;
    const auto posted_to = [&](const auto* context) {
        if (context == nullptr) return false;
        require(*context, execution::blocking.never, execution::allocator(operation_allocator<void>{}))
            .execute(std::move(f));
        return true;
    };
    if (!posted_to(on.target<untracked>()) && !posted_to(on.target<tracked>())) post(on, std::move(f));
}

} // namespace moqlite::asio::detail
