// Files, pipes and terminals, read and written without blocking.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <moqlite/core/bytes.hpp>
#include <span>
#include <string>

namespace moqlite::programs {

/// The result of a read or write.
struct transfer {
    enum class state : std::uint8_t {
        done,    ///< `bytes` were transferred.
        waiting, ///< Would block; use when_ready().
        ended,   ///< End of input.
        failed,  ///< See why().
    };
    state what = state::done;
    std::size_t bytes = 0;
};

/// One open file. A regular file is read and written directly; what can block is polled first.
class descriptor {
public:
    explicit descriptor(boost::asio::any_io_executor);
    ~descriptor();
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;

    /// "-" or "": standard input. False: why().
    [[nodiscard]] bool open_input(const std::string& path);
    /// "-" or "": standard output. A FIFO without a reader is opened when it has one.
    [[nodiscard]] bool open_output(const std::string& path);

    [[nodiscard]] transfer read(std::span<std::byte> into);
    [[nodiscard]] transfer write(byte_view bytes);
    /// Calls `ready` once, when the next read or write would not block; no effect while one is pending.
    void when_ready(std::function<void()> ready);
    /// False: the written bytes may be lost.
    [[nodiscard]] bool close();

    [[nodiscard]] const std::string& why() const noexcept { return why_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

private:
    [[nodiscard]] bool open(const std::string& path, int flags);
    [[nodiscard]] bool adopt(int fd);
    [[nodiscard]] bool ready_now(short events) const;
    bool fail(const std::string& doing, int error);

    boost::asio::posix::stream_descriptor waiter_;
    boost::asio::steady_timer timer_;
    std::string name_;
    std::string why_;
    int fd_ = -1;
    int flags_ = 0; ///< Original flags.
    bool output_ = false;
    bool may_wait_ = false;    ///< A pipe, FIFO, socket or terminal.
    bool nonblocking_ = false; ///< Opened by us. An inherited descriptor is shared, so that its mode stays unchanged.
    bool unopened_ = false;    ///< A FIFO without a reader.
    bool armed_ = false;       ///< A when_ready() is pending.
};

} // namespace moqlite::programs
