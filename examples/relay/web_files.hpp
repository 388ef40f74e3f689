// The files of a folder, in memory, as a web server gives them out.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace moqlite::programs {

struct web_file {
    std::string content;
    std::string_view type;
    std::string tag; ///< As an ETag; changes with the content.
};

/// By the path that they are asked for, such as "/app.js"; index.html is "/" as well.
class web_files {
public:
    /// Reads at most `most` files of at most `total` bytes; hidden ones, and what cannot be read, are left out.
    web_files(const std::string& root, std::size_t most, std::size_t total);

    [[nodiscard]] const web_file* find(std::string_view path) const;

private:
    std::map<std::string, web_file, std::less<>> files_;
};

} // namespace moqlite::programs
