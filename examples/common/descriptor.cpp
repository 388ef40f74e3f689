#include "descriptor.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace moqlite::programs {

namespace net = boost::asio;

descriptor::descriptor(net::any_io_executor executor) : waiter_{executor}, timer_{std::move(executor)} {}

descriptor::~descriptor() { static_cast<void>(close()); }

bool descriptor::fail(const std::string& doing, int error) {
    why_ = "cannot " + doing + " " + name_ + ": " + std::strerror(error);
    return false;
}

bool descriptor::open_input(const std::string& path) {
    name_ = path.empty() || path == "-" ? "standard input" : path;
    if (name_ != path) return adopt(STDIN_FILENO);
    return open(path, O_RDONLY | O_NONBLOCK);
}

bool descriptor::open_output(const std::string& path) {
    output_ = true;
    name_ = path.empty() || path == "-" ? "standard output" : path;
    if (name_ == path) return open(path, O_WRONLY | O_NONBLOCK | O_CREAT | O_TRUNC);
    if (!adopt(STDOUT_FILENO)) return false;
    if (!may_wait_) return true;
    // Only an open file description of our own may be non-blocking: the inherited one is shared.
    const int own = ::open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (own < 0) return true;
    waiter_.release();
    nonblocking_ = true;
    return adopt(own);
}

bool descriptor::open(const std::string& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    unopened_ = fd < 0 && errno == ENXIO && output_;
    if (unopened_) return true;
    if (fd < 0) return fail("open", errno);
    nonblocking_ = true;
    return adopt(fd);
}

bool descriptor::adopt(int fd) {
    struct stat about{};
    if (::fstat(fd, &about) != 0) return fail("use", errno);
    fd_ = fd;
    flags_ = ::fcntl(fd, F_GETFL);
    const int mode = flags_ & O_ACCMODE;
    if (mode == (output_ ? O_RDONLY : O_WRONLY)) return fail("use", EBADF);
    if (S_ISDIR(about.st_mode)) return fail("use", EISDIR);
    may_wait_ = S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode) || ::isatty(fd) == 1;
    boost::system::error_code error;
    if (may_wait_) waiter_.assign(fd, error);
    return !error || fail("wait for", error.value());
}

bool descriptor::ready_now(short events) const {
    pollfd asked{fd_, events, 0};
    return ::poll(&asked, 1, 0) > 0;
}

transfer descriptor::read(std::span<std::byte> into) {
    if (may_wait_ && !ready_now(POLLIN)) return {transfer::state::waiting};
    const auto n = ::read(fd_, into.data(), into.size());
    if (n > 0) return {transfer::state::done, static_cast<std::size_t>(n)};
    if (n == 0) return {transfer::state::ended};
    if (errno == EINTR || errno == EAGAIN) return {transfer::state::waiting};
    fail("read", errno);
    return {transfer::state::failed};
}

transfer descriptor::write(byte_view bytes) {
    if (unopened_ && !open(name_, O_WRONLY | O_NONBLOCK)) return {transfer::state::failed};
    if (unopened_ || (may_wait_ && !ready_now(POLLOUT))) return {transfer::state::waiting};
    // A pipe that is ready takes PIPE_BUF bytes at once (POSIX).
    const auto most = may_wait_ && !nonblocking_ ? std::min<std::size_t>(bytes.size(), PIPE_BUF) : bytes.size();
    const auto n = ::write(fd_, bytes.data(), most);
    if (n >= 0) return {transfer::state::done, static_cast<std::size_t>(n)};
    if (errno == EINTR || errno == EAGAIN) return {transfer::state::waiting};
    fail("write to", errno);
    return {transfer::state::failed};
}

void descriptor::when_ready(std::function<void()> ready) {
    if (std::exchange(armed_, true)) return;
    auto call = [this, ready = std::move(ready)](const boost::system::error_code& error) {
        if (error == net::error::operation_aborted) return;
        armed_ = false;
        ready();
    };
    if (unopened_) {
        timer_.expires_after(std::chrono::milliseconds{20});
        timer_.async_wait(std::move(call));
    } else if (may_wait_) {
        const auto what = output_ ? net::posix::descriptor_base::wait_write : net::posix::descriptor_base::wait_read;
        waiter_.async_wait(what, std::move(call));
    } else {
        net::post(waiter_.get_executor(), [call = std::move(call)] { call({}); });
    }
}

bool descriptor::close() {
    timer_.cancel();
    if (waiter_.is_open()) waiter_.release();
    const int fd = std::exchange(fd_, -1);
    if (fd < 0) return true;
    // Waiting has made the shared description non-blocking: restore it.
    if (fd <= STDERR_FILENO) ::fcntl(fd, F_SETFL, flags_);
    if (fd == STDIN_FILENO) return true;
    return ::close(fd) == 0 || errno == EINTR || fail("finish writing to", errno);
}

} // namespace moqlite::programs
