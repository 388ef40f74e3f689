// A value or an error: the small subset of std::expected that the library needs, in C++20 and 23.
#pragma once

#include <cassert>
#include <moqlite/core/error.hpp>
#include <optional>
#include <type_traits>
#include <utility>

namespace moqlite {

namespace detail {
/// An optional of a trivially copyable type, whose owner knows whether it holds a value: compiles in a fraction of the
/// time of std::optional.
template <class T>
class plain_value {
public:
    constexpr plain_value() noexcept : none_() {}
    constexpr plain_value(const T& value) noexcept : value_(value) {}
    [[nodiscard]] constexpr T& operator*() & noexcept { return value_; }
    [[nodiscard]] constexpr const T& operator*() const& noexcept { return value_; }
    [[nodiscard]] constexpr T&& operator*() && noexcept { return std::move(value_); }

private:
    union {
        char none_;
        T value_;
    };
};
} // namespace detail

/// The value of a command, or the error that refused it. Never empty, never throws.
template <class T>
class [[nodiscard]] result {
public:
    constexpr result(T value) : value_(std::move(value)) {}
    constexpr result(errc error) noexcept : error_(error) { assert(error != errc::ok); }

    [[nodiscard]] constexpr bool has_value() const noexcept { return error_ == errc::ok; }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return has_value(); }
    /// errc::ok if there is a value.
    [[nodiscard]] constexpr errc error() const noexcept { return error_; }

    /// Precondition: has_value().
    [[nodiscard]] constexpr T& value() & noexcept { return assert(has_value()), *value_; }
    [[nodiscard]] constexpr const T& value() const& noexcept { return assert(has_value()), *value_; }
    [[nodiscard]] constexpr T&& value() && noexcept { return assert(has_value()), *std::move(value_); }
    [[nodiscard]] constexpr T& operator*() & noexcept { return value(); }
    [[nodiscard]] constexpr const T& operator*() const& noexcept { return value(); }
    [[nodiscard]] constexpr T* operator->() noexcept { return &value(); }
    [[nodiscard]] constexpr const T* operator->() const noexcept { return &value(); }

private:
    std::conditional_t<std::is_trivially_copyable_v<T>, detail::plain_value<T>, std::optional<T>> value_;
    errc error_ = errc::ok;
};

template <>
class [[nodiscard]] result<void> {
public:
    constexpr result() noexcept = default;
    constexpr result(errc error) noexcept : error_(error) {}

    [[nodiscard]] constexpr bool has_value() const noexcept { return error_ == errc::ok; }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return has_value(); }
    [[nodiscard]] constexpr errc error() const noexcept { return error_; }
    constexpr void value() const noexcept { assert(has_value()); }

private:
    errc error_ = errc::ok;
};

} // namespace moqlite
