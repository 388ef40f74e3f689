// Errors of the application API: Boost's error_code in one category.
#pragma once

#include <boost/system/error_code.hpp>
#include <cstdint>
#include <moqlite/core/error.hpp>
#include <optional>
#include <string>
#include <type_traits>

namespace moqlite {

struct session_closed;

/// The category of our own errors, and of codes that a peer sent. Each has a readable message; `code ==
/// errc::not_found` compares what it means, whoever found it.
[[nodiscard]] const boost::system::error_category& error_category() noexcept;

/// An error that was found here.
[[nodiscard]] boost::system::error_code make_error(errc why) noexcept;
/// The code of a request or session that ended: a peer's, or ours.
[[nodiscard]] boost::system::error_code make_error(app_error code) noexcept;
/// The number that the peer sent, at most 4 194 303; nullopt: the error was found here.
[[nodiscard]] std::optional<std::uint64_t> remote_code(const boost::system::error_code& error) noexcept;

/// "lagged (26)", "not_found (0x33)", "code 77": name and number on the wire; a code that was not sent has none.
[[nodiscard]] std::string to_text(app_error code);
/// "closed by the peer with unauthorized (6): no such root".
[[nodiscard]] std::string to_text(const session_closed& how);

[[nodiscard]] inline boost::system::error_condition make_error_condition(errc why) noexcept {
    return {static_cast<int>(why), error_category()};
}

} // namespace moqlite

namespace boost::system {
template <>
struct is_error_condition_enum<moqlite::errc> : std::true_type {};
} // namespace boost::system
