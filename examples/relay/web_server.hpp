// Plain HTTP beside the relay: a few pages that are asked for anew each time, and the files of one folder.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <moqlite/link/address.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace moqlite::programs {

/// What GET is answered with. It is not kept by who asked.
struct web_page {
    std::string type{}; ///< Content-Type.
    std::string text{};
    unsigned status = 200;
    bool for_every_origin = false; ///< Pages from elsewhere may read it (CORS).
};

struct web_options {
    std::string root{};            ///< A folder of files; empty, or not there: `without_root`.
    std::string without_root{};    ///< What "/" says then.
    std::size_t connections = 64;  ///< A further one takes the place of the oldest that asks nothing.
    std::size_t header = 8 * 1024; ///< Bytes of one request.
    std::size_t files = 64;        ///< Further ones are left out.
    std::size_t total = 16u << 20; ///< Bytes of all files; one that goes beyond it is left out.
    unsigned seconds_to_ask = 10;  ///< Also between two requests of a connection.
    unsigned seconds_to_answer = 30;
    std::function<void(const std::string&)> warn{}; ///< Takes a line for the log.
};

/// Files are read once, at the start, so that no request reaches the disk. GET and HEAD only.
class web_server {
public:
    /// The page of a path such as "/health"; nullopt: it is a file, or nothing.
    using page_function = std::function<std::optional<web_page>(std::string_view path)>;

    web_server(boost::asio::any_io_executor, web_options, page_function);
    ~web_server();
    web_server(const web_server&) = delete;
    web_server& operator=(const web_server&) = delete;

    /// HOST:PORT with a numeric host or none; false: `why`.
    [[nodiscard]] bool listen(std::string_view where, std::string& why);
    /// Accepts again, where std::bad_alloc has ended that.
    void resume();
    [[nodiscard]] link::address local_address() const;

private:
    class state;
    class visitor;
    std::shared_ptr<state> state_;
};

} // namespace moqlite::programs
