// Inspected messages as one line of text each, for tests to compare and for people to read.
#pragma once

#include <hex.hpp>
#include <moqlite/wire/lite/inspect_fields.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace moqlite::test {

/// `NAME field=value ...`; missing or unknown values are "none", bytes are hexadecimal.
[[nodiscard]] inline std::string text(version v, const wire::lite::inspected& m) {
    std::string out{name_of(v, m)};
    for_each_field(v, m, [&](std::string_view name, const auto& value) {
        using value_type = std::decay_t<decltype(value)>;
        out.append(" ").append(name) += '=';
        if constexpr (std::is_same_v<value_type, std::nullopt_t>)
            out += "none";
        else if constexpr (std::is_same_v<value_type, std::string_view>)
            out += value;
        else if constexpr (std::is_same_v<value_type, byte_view>)
            out += to_hex(value);
        else if constexpr (std::is_same_v<value_type, wire::lite::hop_list>)
            for (auto hop : value) out += std::to_string(number(hop)) + ".";
        else
            out += std::to_string(value);
    });
    return out;
}

} // namespace moqlite::test
