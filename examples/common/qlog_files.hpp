// qlog in a directory: one file a connection, <original destination connection id>_<role>.sqlog.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <moqlite/core/ids.hpp>
#include <moqlite/link/log.hpp>
#include <string>
#include <string_view>

namespace moqlite::programs {

class qlog_files : public std::enable_shared_from_this<qlog_files> {
public:
    static constexpr std::size_t most_open = 256;
    static constexpr std::size_t most = 10'000; ///< Total: any client can start connections.

    explicit qlog_files(std::string directory) : directory_{std::move(directory)} {}

    /// The writer of a new file; empty if there is none, which is logged once.
    [[nodiscard]] link::qlog_function open(role, std::string_view id);

private:
    struct file; ///< One connection's file.
    void warn_missing(const std::string& why);
    void warn_truncated(const std::string& why);

    std::string directory_;
    std::size_t open_ = 0, count_ = 0;
    bool warned_missing_ = false; ///< Each warning is logged once.
    bool warned_truncated_ = false;
};

/// For endpoint_options::qlog; an empty function for an empty `directory`.
[[nodiscard]] std::function<link::qlog_function(role, std::string_view)> qlog_into(const std::string& directory);

} // namespace moqlite::programs
