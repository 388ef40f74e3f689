// Files, pipes and terminals, read and written without ever waiting for one.
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

/// What became of a read or write.
struct transfer {
    enum class state : std::uint8_t {
        done,    ///< `bytes` of them.
        waiting, ///< Nothing now; when_ready() says when.
        ended,   ///< A read: no more will come.
        failed,  ///< `why` of the descriptor.
    };
    state what = state::done;
    std::size_t bytes = 0;
};

/// One open file. A regular file is read and written as it stands; anything that can make its caller
/// wait is asked first whether it would.
class descriptor {
public:
    explicit descriptor(boost::asio::any_io_executor);
    ~descriptor();
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;

    /// "-" or "": standard input. False: why() says so.
    [[nodiscard]] bool open_input(const std::string& path);
    /// "-" or "": standard output. A FIFO that nobody reads yet is opened when somebody does.
    [[nodiscard]] bool open_output(const std::string& path);

    [[nodiscard]] transfer read(std::span<std::byte> into);
    [[nodiscard]] transfer write(byte_view bytes);
    /// Calls `ready` once, when the next read or write would not wait; nothing if one is waiting already.
    void when_ready(std::function<void()> ready);
    /// False: what was written did not get where it should.
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
    int flags_ = 0; ///< As they were.
    bool output_ = false;
    bool may_wait_ = false;    ///< A pipe, FIFO, socket or terminal.
    bool nonblocking_ = false; ///< Opened so by us; what we inherit we share with others and leave as it is.
    bool unopened_ = false;    ///< A FIFO without a reader.
    bool armed_ = false;       ///< when_ready() has not called yet.
};

} // namespace moqlite::programs
