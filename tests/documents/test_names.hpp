// The names and tags of all Catch2 tests, read from their sources.
#pragma once

#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::test {

struct test_name {
    std::string name;
    std::string tags;
};

/// Consecutive string literals from `at` on, joined; `at` is then behind them.
inline std::string literal(std::string_view text, std::size_t& at) {
    std::string out;
    for (;;) {
        while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at])) != 0) ++at;
        if (at == text.size() || text[at] != '"') return out;
        for (++at; at < text.size() && text[at] != '"'; ++at) {
            if (text[at] == '\\' && at + 1 < text.size()) ++at;
            out.push_back(text[at]);
        }
        if (at < text.size()) ++at;
    }
}

inline std::vector<test_name> names_in(std::string_view source) {
    constexpr std::string_view word = "TEST_CASE(";
    std::vector<test_name> out;
    for (std::size_t at = 0; (at = source.find(word, at)) != std::string_view::npos;) {
        at += word.size();
        test_name found{.name = literal(source, at), .tags = {}};
        if (at < source.size() && source[at] == ',') found.tags = literal(source, ++at);
        if (!found.name.empty()) out.push_back(std::move(found));
    }
    return out;
}

/// In every C++ source below `folder`.
inline std::vector<test_name> all_tests(const std::filesystem::path& folder) {
    std::vector<test_name> out;
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
        const auto kind = file.path().extension();
        if (kind != ".cpp" && kind != ".hpp") continue;
        std::ifstream in(file.path());
        const std::string text{std::istreambuf_iterator<char>{in}, {}};
        for (auto& t : names_in(text)) out.push_back(std::move(t));
    }
    return out;
}

} // namespace moqlite::test
