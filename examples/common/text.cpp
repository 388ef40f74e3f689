#include "text.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <moqlite/wire/utf8.hpp>
#include <spdlog/fmt/fmt.h>
#include <utility>

namespace moqlite::programs {

std::optional<std::uint64_t> parse_size(std::string_view text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || !(number >= 0)) return std::nullopt;
    std::string unit{end, text.data() + text.size()};
    std::transform(
        unit.begin(), unit.end(), unit.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (unit.ends_with("IB"))
        unit.resize(unit.size() - 2);
    else if (unit.ends_with('B'))
        unit.pop_back();
    if (unit.size() > 1) return std::nullopt;
    const auto power = unit.empty() ? 0 : std::string_view{"KMGT"}.find(unit[0]) + 1;
    if (power == 0 && !unit.empty()) return std::nullopt;
    const double bytes = number * std::pow(1024.0, static_cast<double>(power));
    if (bytes > 9.0e15 || bytes != std::floor(bytes)) return std::nullopt;
    return static_cast<std::uint64_t>(bytes);
}

std::string size_text(double bytes) {
    constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < units.size()) {
        bytes /= 1024;
        ++unit;
    }
    return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, units[unit]);
}

std::string speed::text(std::uint64_t bytes, time_point now) {
    auto& oldest = samples_[next_++ % samples_.size()];
    const auto before = std::exchange(oldest, {now, bytes});
    const auto seconds = std::chrono::duration<double>{now - before.at}.count();
    return size_text(seconds > 0 ? static_cast<double>(bytes - before.bytes) / seconds : 0) + "/s";
}

std::string printable(std::string_view text) {
    constexpr std::size_t longest = 256;
    const auto all = wire::loggable(text, std::string::npos);
    return all.size() <= longest ? all : std::string{wire::utf8_prefix(all, longest)} + "...";
}

} // namespace moqlite::programs
