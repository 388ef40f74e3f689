#include "qlog_files.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <spdlog/spdlog.h>
#include <utility>

namespace moqlite::programs {

/// Ends where the disk is full.
struct qlog_files::file {
    file(std::shared_ptr<qlog_files> h, std::string n, std::FILE* s)
        : home{std::move(h)}, name{std::move(n)}, stream{s} {
        ++home->open_, ++home->count_;
    }
    ~file() {
        --home->open_;
        if (std::fclose(stream) != 0 && good) home->cut_short(name + ": " + std::strerror(errno));
    }
    file(const file&) = delete;
    file& operator=(const file&) = delete;

    void write(byte_view bytes) {
        if (!good) return;
        good = std::fwrite(bytes.data(), 1, bytes.size(), stream) == bytes.size();
        if (!good) home->cut_short(name + ": " + std::strerror(errno));
    }

    std::shared_ptr<qlog_files> home;
    std::string name;
    std::FILE* stream;
    bool good = true;
};

link::qlog_function qlog_files::open(role side, std::string_view id) {
    if (open_ == most_open || count_ == most) {
        give_up("too many");
        return {};
    }
    const auto name = fmt::format("{}/{}_{}.sqlog", directory_, id, side == role::server ? "server" : "client");
    // A stranger who sends an old first packet again does not overwrite what came of it.
    std::FILE* stream = std::fopen(name.c_str(), "wxe");
    if (stream == nullptr) {
        if (errno != EEXIST) give_up(name + ": " + std::strerror(errno));
        return {};
    }
    return [to = std::make_shared<file>(shared_from_this(), name, stream)](byte_view bytes) { to->write(bytes); };
}

void qlog_files::give_up(const std::string& why) {
    if (!std::exchange(told_missing_, true)) spdlog::warn("no qlog for some connections: {}", why);
}

void qlog_files::cut_short(const std::string& why) {
    if (!std::exchange(told_short_, true)) spdlog::warn("qlog files are truncated: {}", why);
}

std::function<link::qlog_function(role, std::string_view)> qlog_into(const std::string& directory) {
    if (directory.empty()) return {};
    return [files = std::make_shared<qlog_files>(directory)](
               role side, std::string_view id) { return files->open(side, id); };
}

} // namespace moqlite::programs
