// The report of the bench: a table, JSON, and goals.
#pragma once

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::bench {

enum class bound : std::uint8_t { at_most, at_least };

class report {
public:
    void title(std::string_view text) const { std::printf("\n== %.*s\n", static_cast<int>(text.size()), text.data()); }
    /// printf() with a newline.
    [[gnu::format(printf, 2, 3)]] void line(const char* format, ...) const;
    /// Records a goal and its result; returns "pass" or "FAIL", for the table.
    const char* goal(std::string what, double value, bound kind, double limit);

    [[nodiscard]] nlohmann::json& data() noexcept { return data_; }
    /// Lists the goals and writes the JSON; the exit code.
    [[nodiscard]] int finish(const std::string& file);

private:
    struct wanted {
        std::string what;
        double value;
        bound kind;
        double limit;
        bool met;
    };
    std::vector<wanted> goals_;
    nlohmann::json data_ = nlohmann::json::object();
};

} // namespace moqlite::bench
