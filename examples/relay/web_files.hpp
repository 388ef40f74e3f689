// The files of a folder, in memory, for the web server.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace moqlite::programs {

struct web_file {
    std::string content;
    std::string_view type;
    std::string tag; ///< ETag; changes with the content.
};

/// By request path, such as "/app.js"; index.html also as "/".
class web_files {
public:
    /// Reads at most `most` files and `total` bytes; skips hidden and unreadable ones.
    web_files(const std::string& root, std::size_t most, std::size_t total);

    [[nodiscard]] const web_file* find(std::string_view path) const;

private:
    std::map<std::string, web_file, std::less<>> files_;
};

} // namespace moqlite::programs
