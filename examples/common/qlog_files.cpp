#include "qlog_files.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <spdlog/spdlog.h>
#include <utility>

namespace moqlite::programs {

/// Truncated when the disk is full.
struct qlog_files::file {
    file(std::shared_ptr<qlog_files> h, std::string n, std::FILE* s)
        : owner{std::move(h)}, name{std::move(n)}, stream{s} {
        ++owner->open_, ++owner->count_;
    }
    ~file() {
        --owner->open_;
        if (std::fclose(stream) != 0 && good) owner->warn_truncated(name + ": " + std::strerror(errno));
    }
    file(const file&) = delete;
    file& operator=(const file&) = delete;

    void write(byte_view bytes) {
        if (!good) return;
        good = std::fwrite(bytes.data(), 1, bytes.size(), stream) == bytes.size();
        if (!good) owner->warn_truncated(name + ": " + std::strerror(errno));
    }

    std::shared_ptr<qlog_files> owner;
    std::string name;
    std::FILE* stream;
    bool good = true;
};

link::qlog_function qlog_files::open(role side, std::string_view id) {
    if (open_ == most_open || count_ == most) {
        warn_missing("too many");
        return {};
    }
    const auto name = fmt::format("{}/{}_{}.sqlog", directory_, id, side == role::server ? "server" : "client");
    // A replayed first packet must not overwrite the file of the original connection.
    std::FILE* stream = std::fopen(name.c_str(), "wxe");
    if (stream == nullptr) {
        if (errno != EEXIST) warn_missing(name + ": " + std::strerror(errno));
        return {};
    }
    return [to = std::make_shared<file>(shared_from_this(), name, stream)](byte_view bytes) { to->write(bytes); };
}

void qlog_files::warn_missing(const std::string& why) {
    if (!std::exchange(warned_missing_, true)) spdlog::warn("no qlog for some connections: {}", why);
}

void qlog_files::warn_truncated(const std::string& why) {
    if (!std::exchange(warned_truncated_, true)) spdlog::warn("qlog files are truncated: {}", why);
}

std::function<link::qlog_function(role, std::string_view)> qlog_into(const std::string& directory) {
    if (directory.empty()) return {};
    return [files = std::make_shared<qlog_files>(directory)](
               role side, std::string_view id) { return files->open(side, id); };
}

} // namespace moqlite::programs
