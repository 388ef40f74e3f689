#include "qlog_files.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <spdlog/spdlog.h>
#include <utility>

namespace moqlite::programs {

ngtcp2::qlog_function qlog_files::open(role side, std::string_view id) {
    if (open_ == most_open || count_ == most) {
        give_up("there are too many");
        return {};
    }
    const auto name = fmt::format("{}/{}_{}.sqlog", directory_, id, side == role::server ? "server" : "client");
    // A stranger who sends an old first packet again does not overwrite what came of it.
    std::FILE* file = std::fopen(name.c_str(), "wxe");
    if (file == nullptr) {
        if (errno != EEXIST) give_up(name + ": " + std::strerror(errno));
        return {};
    }
    ++open_, ++count_;
    const auto close = [self = shared_from_this()](std::FILE* f) {
        std::fclose(f);
        --self->open_;
    };
    return [held = std::shared_ptr<std::FILE>{file, close}](
               byte_view bytes) { std::fwrite(bytes.data(), 1, bytes.size(), held.get()); };
}

void qlog_files::give_up(const std::string& why) {
    if (!std::exchange(told_, true)) spdlog::warn("no qlog of some connections: {}", why);
}

std::function<ngtcp2::qlog_function(role, std::string_view)> qlog_into(const std::string& directory) {
    if (directory.empty()) return {};
    return [files = std::make_shared<qlog_files>(directory)](
               role side, std::string_view id) { return files->open(side, id); };
}

} // namespace moqlite::programs
