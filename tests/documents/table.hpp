// The rows of tables in Markdown: | id | ... | `test` `test` |.
#pragma once

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::test {

struct row {
    std::string id;
    std::string proof; ///< The last cell.
    std::vector<std::string> tests;
};

inline std::string trimmed(std::string text) {
    text.erase(0, text.find_first_not_of(' '));
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

inline std::vector<std::string> quoted(const std::string& cell) {
    std::vector<std::string> out;
    for (std::size_t at = 0; (at = cell.find('`', at)) != std::string::npos;) {
        const auto end = cell.find('`', at + 1);
        if (end == std::string::npos) break;
        out.push_back(cell.substr(at + 1, end - at - 1));
        at = end + 1;
    }
    return out;
}

/// Those whose id begins with `id`; "": all but heads of tables.
inline std::vector<row> rows_of(const std::string& document, std::string_view id = "") {
    std::vector<row> out;
    std::ifstream in(document);
    for (std::string line; std::getline(in, line);) {
        if (!line.starts_with("| " + std::string(id)) || line.starts_with("| row |")) continue;
        const auto end = line.find_last_of('|');
        const auto last = line.find_last_of('|', end - 1);
        const auto proof = trimmed(line.substr(last + 1, end - last - 1));
        out.push_back({trimmed(line.substr(1, line.find('|', 1) - 1)), proof, quoted(proof)});
    }
    return out;
}

inline bool is_file(const std::string& name) { return name.starts_with("tests/"); }

} // namespace moqlite::test
