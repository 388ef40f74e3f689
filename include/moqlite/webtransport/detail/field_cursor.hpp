// Reads HTTP structured fields (RFC 9651 §4.2) as far as WebTransport needs them: strings with parameters.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace moqlite::webtransport::detail {

[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] constexpr bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }
[[nodiscard]] constexpr bool is_alpha(char c) noexcept { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
[[nodiscard]] constexpr bool is_printable(char c) noexcept { return c >= 0x20 && c <= 0x7e; }

/// Members that return a bool return whether the field is well-formed so far; if not, it must be ignored.
class field_cursor {
public:
    explicit field_cursor(std::string_view field) noexcept : rest_(field) {}

    [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
    void skip_spaces() noexcept {
        skip_all([](char c) { return c == ' '; });
    }
    void skip_blanks() noexcept {
        skip_all([](char c) { return c == ' ' || c == '\t'; });
    }

    bool take(char c) noexcept {
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }

    /// A string, without quotes and escapes. Skips its parameters.
    bool string_item(std::string& out) { return string(out) && skip_parameters(); }

private:
    template <class Of>
    std::size_t skip_all(Of of) noexcept {
        const auto end = std::find_if_not(rest_.begin(), rest_.end(), of);
        const auto size = static_cast<std::size_t>(end - rest_.begin());
        rest_.remove_prefix(size);
        return size;
    }

    bool string(std::string& out) {
        if (!take('"')) return false;
        while (!rest_.empty()) {
            char c = rest_.front();
            rest_.remove_prefix(1);
            if (c == '"') return true;
            if (!is_printable(c)) return false;
            if (c == '\\') {
                if (!rest_.starts_with('"') && !rest_.starts_with('\\')) return false;
                c = rest_.front();
                rest_.remove_prefix(1);
            }
            out.push_back(c);
        }
        return false;
    }

    bool skip_parameters() {
        while (take(';')) {
            skip_spaces();
            if (rest_.empty() || !(is_lower(rest_[0]) || rest_[0] == '*')) return false;
            skip_all([](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*'; });
            if (take('=') && !skip_bare_item()) return false;
        }
        return true;
    }

    bool skip_bare_item() {
        if (rest_.empty()) return false;
        switch (rest_.front()) {
        case '"': {
            std::string ignored;
            return string(ignored);
        }
        case ':': return skip_byte_sequence();
        case '?': return take('?') && (take('0') || take('1'));
        case '@': return take('@') && skip_integer();
        case '%': return skip_display_string();
        default: return skip_token() || skip_number();
        }
    }

    bool skip_token() noexcept {
        if (!is_alpha(rest_[0]) && rest_[0] != '*') return false;
        skip_all([](char c) {
            return is_alpha(c) || is_digit(c) ||
                   std::string_view{"!#$%&'*+-.^_`|~:/"}.find(c) != std::string_view::npos;
        });
        return true;
    }

    bool skip_integer() noexcept {
        take('-');
        const auto digits = skip_all(is_digit);
        return digits >= 1 && digits <= 15;
    }

    bool skip_number() noexcept {
        take('-');
        const auto digits = skip_all(is_digit);
        if (digits == 0 || digits > 15) return false;
        if (!take('.')) return true;
        const auto fraction = skip_all(is_digit);
        return digits <= 12 && fraction >= 1 && fraction <= 3;
    }

    bool skip_byte_sequence() noexcept {
        take(':');
        skip_all([](char c) { return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '='; });
        return take(':');
    }

    /// The quoted text may contain %xx escapes.
    bool skip_display_string() noexcept {
        take('%');
        if (!take('"')) return false;
        while (!rest_.empty()) {
            const char c = rest_.front();
            rest_.remove_prefix(1);
            if (c == '"') return true;
            if (!is_printable(c)) return false;
            if (c != '%') continue;
            for (int i = 0; i < 2; ++i) {
                if (rest_.empty() || !(is_digit(rest_[0]) || (rest_[0] >= 'a' && rest_[0] <= 'f'))) return false;
                rest_.remove_prefix(1);
            }
        }
        return false;
    }

    std::string_view rest_;
};

} // namespace moqlite::webtransport::detail
