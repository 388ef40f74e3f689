#include <algorithm>
#include <array>
#include <moqlite/nghttp3/header.hpp>
#include <moqlite/webtransport/protocols.hpp>

namespace moqlite::nghttp3 {

namespace {

// RFC 9114 §4.2: those of a connection must not appear; "te" means nothing here.
constexpr std::array reserved{std::string_view{"connection"}, std::string_view{"keep-alive"},
    std::string_view{"proxy-connection"}, std::string_view{"transfer-encoding"}, std::string_view{"upgrade"},
    std::string_view{"te"}, std::string_view{"host"}, std::string_view{"content-length"}, std::string_view{"origin"},
    webtransport::available_protocols_field, webtransport::protocol_field, webtransport::draft_request_field.first,
    webtransport::draft_answer_field.first};

constexpr bool is_token(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}

constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

constexpr bool is_text(char c) noexcept {
    const auto code = static_cast<unsigned char>(c);
    return c == '\t' || (code >= 0x20 && code != 0x7f);
}

bool is_sendable(const header_field& f) noexcept {
    if (f.name.empty() || !std::ranges::all_of(f.name, is_token)) return false;
    if (std::ranges::find(reserved, std::string_view{f.name}) != reserved.end()) return false;
    if (f.value.empty()) return true;
    return std::ranges::all_of(f.value, is_text) && !is_blank(f.value.front()) && !is_blank(f.value.back());
}

} // namespace

std::optional<std::string_view> find_field(const header_fields& fields, std::string_view name) noexcept {
    const auto found = std::ranges::find(fields, name, &header_field::name);
    return found == fields.end() ? std::nullopt : std::optional<std::string_view>{found->value};
}

bool is_sendable(const header_fields& fields) noexcept {
    std::size_t size = 0;
    for (const auto& f : fields) size += f.name.size() + f.value.size();
    return fields.size() <= sent_fields_max && size <= sent_fields_size_max &&
           std::ranges::all_of(fields, [](const header_field& f) { return is_sendable(f); });
}

} // namespace moqlite::nghttp3
