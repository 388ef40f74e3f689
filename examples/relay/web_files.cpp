#include "web_files.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <spdlog/fmt/fmt.h>
#include <utility>

namespace moqlite::programs {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 11> types{{
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".txt", "text/plain; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".wasm", "application/wasm"},
}};

std::string_view type_of(const fs::path& file) {
    const auto extension = file.extension().string();
    for (const auto& [known, type] : types)
        if (extension == known) return type;
    return "application/octet-stream";
}

std::string tag_of(std::string_view content) {
    return fmt::format("\"{:x}-{:x}\"", content.size(), std::hash<std::string_view>{}(content));
}

bool is_hidden(const fs::path& relative) {
    for (const auto& part : relative)
        if (part.string().starts_with('.')) return true;
    return false;
}

} // namespace

web_files::web_files(const std::string& root, std::size_t most, std::size_t total) {
    std::error_code error;
    for (fs::recursive_directory_iterator it{root, error}, end; !error && it != end; it.increment(error)) {
        const auto path = it->path().lexically_relative(root);
        std::error_code ignored;
        const auto size = it->is_regular_file(ignored) ? it->file_size(ignored) : 0;
        if (ignored || size == 0 || size > total || files_.size() >= most || is_hidden(path)) continue;
        std::string content(size, '\0');
        std::ifstream in{it->path(), std::ios::binary};
        if (!in.read(content.data(), static_cast<std::streamsize>(size))) continue;
        total -= size;
        auto tag = tag_of(content);
        files_.emplace("/" + path.generic_string(), web_file{std::move(content), type_of(path), std::move(tag)});
    }
}

const web_file* web_files::find(std::string_view path) const {
    const auto found = files_.find(path == "/" ? "/index.html" : path);
    return found != files_.end() ? &found->second : nullptr;
}

} // namespace moqlite::programs
