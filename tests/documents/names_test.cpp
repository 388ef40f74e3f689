// What README.md, the guide and comments name exists: files, errors and functions.
#include "table.hpp"

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <moqlite/core/error.hpp>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace moqlite::test::names_test {

namespace {

namespace fs = std::filesystem;
const fs::path source = fs::path{MOQLITE_TESTS_DIR}.parent_path();

std::string content(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>{in}, {}};
}

std::vector<fs::path> files_below(const fs::path& folder, const std::string& extension) {
    std::vector<fs::path> out;
    for (const auto& file : fs::recursive_directory_iterator(folder))
        if (file.path().extension() == extension) out.push_back(file.path());
    return out;
}

std::vector<fs::path> documents() {
    auto out = files_below(source / "include/moqlite/guide", ".md");
    out.push_back(source / "README.md");
    return out;
}

/// Of a line of C++: its code, and its comment.
struct parts {
    std::string code;
    std::string comment;
};
parts apart(const std::string& line) {
    const auto at = line.find("//");
    return {line.substr(0, at), at == std::string::npos ? "" : line.substr(at)};
}

} // namespace

TEST_CASE("every file that README.md and the guide name exists", "[documents]") {
    const std::regex path{"(include|adapters|tests|examples|fuzz|moqlite)/[A-Za-z0-9_./-]+"};
    std::size_t found = 0;
    for (const auto& document : documents())
        for (const auto& name : quoted(content(document))) {
            if (!std::regex_match(name, path)) continue;
            ++found;
            CAPTURE(document.filename(), name);
            CHECK((fs::exists(source / name) || fs::exists(source / "include" / name)));
        }
    CHECK(found > 30);
}

TEST_CASE("every error that a document or a comment names exists", "[documents]") {
    std::set<std::string> errors;
    for (const auto& row : detail::error_table) errors.emplace(row.name);
    auto files = documents();
    for (const auto* folder : {"include", "adapters"})
        for (auto& file : files_below(source / folder, ".hpp")) files.push_back(std::move(file));
    const std::regex named{"errc::([a-z0-9_]+)"};
    std::size_t found = 0;
    for (const auto& file : files) {
        const auto text = content(file);
        for (std::sregex_iterator at{text.begin(), text.end(), named}, end; at != end; ++at, ++found) {
            CAPTURE(file.filename(), at->str());
            CHECK(errors.contains((*at)[1].str()));
        }
    }
    CHECK(found > 100);
}

TEST_CASE("every function that a comment in a header names exists", "[documents]") {
    std::set<std::string> known;
    std::map<std::string, std::string> called; // Each with a file that names it.
    const std::regex word{"[A-Za-z_][A-Za-z_0-9]*"};
    const std::regex call{"([A-Za-z_][A-Za-z_0-9]*)\\(\\)"};
    for (const auto* folder : {"include", "adapters"})
        for (const auto* extension : {".hpp", ".cpp"})
            for (const auto& file : files_below(source / folder, extension)) {
                std::ifstream in(file);
                for (std::string line; std::getline(in, line);) {
                    const auto [code, comment] = apart(line);
                    for (std::sregex_iterator at{code.begin(), code.end(), word}, end; at != end; ++at)
                        known.insert(at->str());
                    if (file.extension() != ".hpp" || comment.starts_with("///     ")) continue; // An example.
                    for (std::sregex_iterator at{comment.begin(), comment.end(), call}, end; at != end; ++at)
                        called[(*at)[1].str()] = file.filename().string();
                }
            }
    CHECK(called.size() > 100);
    for (const auto& [name, file] : called) {
        CAPTURE(name, file);
        CHECK(known.contains(name));
    }
}

} // namespace moqlite::test::names_test
