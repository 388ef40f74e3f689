// qlog in a directory: one file a connection, <original destination connection id>_<role>.sqlog.
#pragma once

#include <cstddef>
#include <memory>
#include <moqlite/core/ids.hpp>
#include <moqlite/link/log.hpp>
#include <string>
#include <string_view>

namespace moqlite::programs {

class qlog_files : public std::enable_shared_from_this<qlog_files> {
public:
    static constexpr std::size_t most_open = 256;
    static constexpr std::size_t most = 10'000; ///< In all: strangers can make us begin connections.

    explicit qlog_files(std::string directory) : directory_{std::move(directory)} {}

    /// A new file's writer; empty, and the first time a line in our log: there is none.
    [[nodiscard]] link::qlog_function open(role, std::string_view id);

private:
    struct file; ///< Of one connection.
    void give_up(const std::string& why);
    void cut_short(const std::string& why);

    std::string directory_;
    std::size_t open_ = 0, count_ = 0;
    bool told_missing_ = false; ///< Each is said once.
    bool told_short_ = false;
};

/// For endpoint_options::qlog; nothing for an empty `directory`.
[[nodiscard]] std::function<link::qlog_function(role, std::string_view)> qlog_into(const std::string& directory);

} // namespace moqlite::programs
