// A plain HTTP server beside the relay: a few dynamic pages, and the files of one folder.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <moqlite/link/address.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace moqlite::programs {

/// The answer to a GET; not cached.
struct web_page {
    std::string type{}; ///< Content-Type.
    std::string text{};
    unsigned status = 200;
    bool for_every_origin = false; ///< Readable by pages of other origins (CORS).
};

struct web_options {
    std::string root{};            ///< A folder of files; empty or missing: `without_root`.
    std::string without_root{};    ///< The answer to "/" then.
    std::size_t connections = 64;  ///< Beyond it, a new one replaces the oldest idle one.
    std::size_t header = 8 * 1024; ///< Maximum bytes of a request.
    std::size_t files = 64;        ///< Maximum number; others are skipped.
    std::size_t total = 16u << 20; ///< Maximum bytes of all files; a file beyond it is skipped.
    unsigned seconds_to_ask = 10;  ///< Time limit for a request, also for the next one of a connection.
    unsigned seconds_to_answer = 30;
    std::function<void(const std::string&)> warn{}; ///< Takes a line for the log.
};

/// Files are read once, at the start, so that no request reaches the disk. GET and HEAD only.
class web_server {
public:
    /// The page of a path such as "/health"; nullopt: a file, or not found.
    using page_function = std::function<std::optional<web_page>(std::string_view path)>;

    web_server(boost::asio::any_io_executor, web_options, page_function);
    ~web_server();
    web_server(const web_server&) = delete;
    web_server& operator=(const web_server&) = delete;

    /// HOST:PORT with a numeric host or none; false: `why`.
    [[nodiscard]] bool listen(std::string_view where, std::string& why);
    /// Accepts again after std::bad_alloc.
    void resume();
    [[nodiscard]] link::address local_address() const;

private:
    class state;
    class visitor;
    std::shared_ptr<state> state_;
};

} // namespace moqlite::programs
