#include <algorithm>
#include <array>
#include <charconv>
#include <moqlite/asio/error.hpp>
#include <moqlite/session/event.hpp>
#include <string>

namespace moqlite {

namespace {

// A peer's code: a bit that says so, its meaning, and its number.
constexpr int is_remote = 1 << 30;
constexpr int number_bits = 22;
constexpr std::uint64_t number_max = (1 << number_bits) - 1;

constexpr app_error::meaning meaning_in(int value) noexcept {
    return static_cast<app_error::meaning>((value & ~is_remote) >> number_bits);
}

/// What found here would have that meaning.
constexpr errc same_here(app_error::meaning m) noexcept {
    for (const auto& row : detail::error_table)
        if (row.code == m && row.name == to_string(m)) return row.rule;
    return m == app_error::cancel ? errc::closed : m == app_error::timeout ? errc::stream_timeout : errc::refused;
}

class category final : public boost::system::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "moqlite"; }
    [[nodiscard]] std::string message(int value) const override {
        if ((value & is_remote) == 0) return std::string{to_string(static_cast<errc>(value))};
        const auto number = std::to_string(static_cast<std::uint64_t>(value) & number_max);
        return std::string{to_string(meaning_in(value))}.append(" (code ").append(number).append(" of the peer)");
    }
    [[nodiscard]] boost::system::error_condition default_error_condition(int value) const noexcept override {
        if ((value & is_remote) == 0) return {value, *this};
        return {static_cast<int>(same_here(meaning_in(value))), *this};
    }
};

} // namespace

const boost::system::error_category& error_category() noexcept {
    static const category the_one;
    return the_one;
}

boost::system::error_code make_error(errc why) noexcept { return {static_cast<int>(why), error_category()}; }

boost::system::error_code make_error(app_error sent) noexcept {
    // No number of any peer: our own relay has refused it.
    if (sent.registry() == code_registry::ours) return make_error(same_here(sent.means()));
    const auto number = static_cast<int>(std::min(static_cast<std::uint64_t>(sent), number_max));
    return {is_remote | static_cast<int>(sent.means()) << number_bits | number, error_category()};
}

std::optional<std::uint64_t> remote_code(const boost::system::error_code& error) noexcept {
    if (error.category() != error_category() || (error.value() & is_remote) == 0) return std::nullopt;
    return static_cast<std::uint64_t>(error.value()) & number_max;
}

std::string to_text(app_error code) {
    const auto name = to_string(code);
    if (code.registry() == code_registry::ours) return std::string{name};
    const auto n = static_cast<std::uint64_t>(code);
    // The registries of moq-lite-06 and of gomoqt are written in hexadecimal.
    const bool hexadecimal = code.registry() > code_registry::lite && n < 64;
    std::array<char, 20> digits{};
    auto* const end = std::to_chars(digits.data(), digits.data() + digits.size(), n, hexadecimal ? 16 : 10).ptr;
    const auto number = std::string{hexadecimal ? "0x" : ""}.append(digits.data(), end);
    return name.empty() ? "code " + number : std::string{name} + " (" + number + ')';
}

std::string to_text(const session_closed& how) {
    const auto why = how.reason.empty() ? std::string{} : ": " + std::string{how.reason};
    if (how.by_peer) return "closed by the peer with " + to_text(how.code) + why;
    if (how.code == app_error::transport) return "connection lost" + why;
    return "closed with " + to_text(how.code) + why;
}

} // namespace moqlite
