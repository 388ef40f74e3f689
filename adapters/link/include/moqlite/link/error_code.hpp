// Application error codes of streams on native QUIC. Some implementations write them as they are, some mapped as in
// HTTP/3; several read one form only.
#pragma once

#include <cstdint>
#include <moqlite/core/error.hpp>
#include <moqlite/webtransport/error_code.hpp>
#include <optional>

namespace moqlite::link {

enum class code_form : std::uint8_t {
    raw,
    mapped, ///< Into HTTP/3's range of application codes (draft-ietf-webtrans-http3 §4.3).
};

/// The application's code in `wire`, in either form.
[[nodiscard]] constexpr app_error from_wire_code(std::uint64_t wire) noexcept {
    return webtransport::to_app_error(webtransport::http3_code{wire}).value_or(app_error{wire});
}

[[nodiscard]] constexpr std::uint64_t to_wire_code(app_error code, code_form form) noexcept {
    return static_cast<std::uint64_t>(
        form == code_form::raw ? code : app_error{static_cast<std::uint64_t>(webtransport::to_http3_code(code))});
}

/// The form that the sender of `wire` uses. nullopt: ambiguous, such as 0, which QUIC stacks send by themselves, also
/// for applications that map their codes.
[[nodiscard]] constexpr std::optional<code_form> form_of(std::uint64_t wire) noexcept {
    if (webtransport::to_app_error(webtransport::http3_code{wire})) return code_form::mapped;
    const bool fits = wire != 0 && wire <= static_cast<std::uint64_t>(webtransport::app_error_max);
    return fits ? std::optional{code_form::raw} : std::nullopt;
}

} // namespace moqlite::link
