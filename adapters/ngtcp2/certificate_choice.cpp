// The certificate of a server for the name that a client asks for.
#include "detail/endpoint_state.hpp"

#include <exception>

namespace moqlite::ngtcp2::detail {

std::string lower_case(std::string_view name) {
    std::string out{name};
    for (auto& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

namespace {

void keep_reason(connection_state& c, std::string_view failure) noexcept {
    try {
        c.error_detail = "choosing a certificate failed: " + printable(failure);
    } catch (...) { // No memory for the text; the alert remains.
    }
}

} // namespace

// The caller is C: no exception leaves this.
certificate_choice choose_certificate(
    connection_state& c, const tls_rules& rules, std::string_view server_name) noexcept {
    using result = certificate_choice::result;
    try {
        std::optional<tls> found = rules.by_name ? rules.by_name(lower_case(server_name)) : std::nullopt;
        if (found || rules.has_default) return {std::move(found), result::chosen};
        c.error_detail = "no certificate for \"" + printable(server_name) + '"';
        return {std::nullopt, result::refused};
    } catch (const std::exception& e) {
        keep_reason(c, e.what());
    } catch (...) {
        keep_reason(c, "an exception");
    }
    return {std::nullopt, result::failed};
}

} // namespace moqlite::ngtcp2::detail
