#include "detail/udp_socket.hpp"

#include "detail/control_message.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace moqlite::asio::detail {

namespace {

using link::address;
using link::log_level;

template <class T>
bool set(int fd, int level, int name, T value) noexcept {
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/// Errors that belong to an earlier datagram.
bool is_icmp(int error) noexcept {
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == EMSGSIZE ||
           error == EPROTO || error == EACCES;
}

} // namespace

/// Buffers of one recvmmsg. Unused memory is never touched.
struct udp_socket::arrivals {
    static constexpr std::size_t batch = 16;
    static constexpr std::size_t size = 65536; ///< The largest message that GRO makes.

    arrivals() noexcept {
        for (std::size_t i = 0; i < batch; ++i) {
            pieces[i] = {buffer.get() + i * size, size};
            heads[i].msg_hdr.msg_name = &from[i];
            heads[i].msg_hdr.msg_iov = &pieces[i];
            heads[i].msg_hdr.msg_iovlen = 1;
            heads[i].msg_hdr.msg_control = control[i];
            reset(i);
        }
    }
    /// The kernel overwrites the sizes.
    void reset(std::size_t i) noexcept {
        heads[i].msg_hdr.msg_namelen = sizeof from[i];
        heads[i].msg_hdr.msg_controllen = control_size;
    }

    arrivals(const arrivals&) = delete;
    arrivals& operator=(const arrivals&) = delete;

    /// Not zeroed: that would touch it.
    std::unique_ptr<std::byte[]> buffer{new std::byte[batch * size]};
    mmsghdr heads[batch] = {};
    iovec pieces[batch] = {};
    sockaddr_storage from[batch] = {};
    alignas(cmsghdr) std::byte control[batch][control_size] = {};
};

address any_address(std::uint16_t port) {
    const int probe = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe >= 0) ::close(probe);
    return *address::parse(probe >= 0 ? "::" : "0.0.0.0", port);
}

udp_socket::udp_socket(socket_options options, link::log_function log)
    : options_{options}, log_{std::move(log)}, fd_{options.native_handle} {
    arrivals_ = std::make_unique<arrivals>();
}

udp_socket::~udp_socket() { close(); }

void udp_socket::close() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void udp_socket::log(log_level level, const std::string& line) const {
    if (log_) log_(level, line);
}

bool udp_socket::open(const address& local, std::string& why) {
    if (!(fd_ >= 0 ? take(why) : make(local, why))) {
        close();
        return false;
    }
    set_options();
    set_buffers();
    return true;
}

bool udp_socket::make(const address& local, std::string& why) {
    const auto failed = [&](const char* what) {
        why = std::string{what} + ' ' + to_string(local) + ": " + std::strerror(errno);
        return false;
    };
    v6_ = local.is_v6();
    fd_ = ::socket(v6_ ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return failed("cannot open a UDP socket for");
    if (v6_) set(fd_, IPPROTO_IPV6, IPV6_V6ONLY, is_wildcard(local) && !options_.ipv6_only ? 0 : 1);
    if (::bind(fd_, static_cast<const sockaddr*>(local.data()), static_cast<socklen_t>(local.size())) != 0)
        return failed("cannot listen on");
    return find_address() || failed("cannot get the address of the socket on");
}

bool udp_socket::take(std::string& why) {
    const auto option = [this](int name) {
        int value = 0;
        socklen_t size = sizeof value;
        return ::getsockopt(fd_, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
    };
    why = "the given socket cannot be used: ";
    const int family = option(SO_DOMAIN);
    if (option(SO_PROTOCOL) != IPPROTO_UDP || (family != AF_INET && family != AF_INET6)) {
        why += "it is not a UDP socket";
        return false;
    }
    v6_ = family == AF_INET6;
    if (!find_address() || local_.port() == 0) {
        why += "it is not bound";
        return false;
    }
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd_, reinterpret_cast<sockaddr*>(&peer), &size) == 0) {
        why += "it is connected";
        return false;
    }
    why.clear();
    return true;
}

bool udp_socket::find_address() {
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (::getsockname(fd_, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return false;
    local_ = address{&bound, size};
    return true;
}

void udp_socket::set_options() {
    set(fd_, IPPROTO_IP, IP_PKTINFO, 1);
    set(fd_, IPPROTO_IP, IP_RECVTOS, 1); // Also on IPv6 sockets, for IPv4 peers.
    // Never fragmented, and path MTU is found by probing: the kernel's cache can be poisoned.
    set(fd_, IPPROTO_IP, IP_MTU_DISCOVER, int{IP_PMTUDISC_PROBE});
    if (v6_) {
        set(fd_, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
        set(fd_, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
        set(fd_, IPPROTO_IPV6, IPV6_MTU_DISCOVER, int{IPV6_PMTUDISC_PROBE});
    }
    if (options_.icmp_errors) {
        set(fd_, IPPROTO_IP, IP_RECVERR, 1);
        if (v6_) set(fd_, IPPROTO_IPV6, IPV6_RECVERR, 1);
    }
    gro_ = options_.gro && set(fd_, IPPROTO_UDP, UDP_GRO, 1);
    if (options_.gro && !gro_)
        log(log_level::warning, std::string{"UDP_GRO is not available: "} + std::strerror(errno));
    // Setting the current value changes nothing and shows whether the kernel supports it.
    int segment = 0;
    socklen_t size = sizeof segment;
    gso_ = options_.gso && ::getsockopt(fd_, IPPROTO_UDP, UDP_SEGMENT, &segment, &size) == 0;
    if (options_.gso && !gso_)
        log(log_level::warning, std::string{"UDP_SEGMENT is not available: "} + std::strerror(errno));
}

void udp_socket::set_buffers() {
    const int want = static_cast<int>(std::min<std::size_t>(options_.buffer, 1 << 30));
    const auto ask = [&](int force, int normal) {
        // Root may exceed the system's limit.
        if (!set(fd_, SOL_SOCKET, force, want)) set(fd_, SOL_SOCKET, normal, want);
        int got = 0;
        socklen_t size = sizeof got;
        ::getsockopt(fd_, SOL_SOCKET, normal, &got, &size);
        return got / 2; // The kernel doubles the value for its own overhead.
    };
    const int in = ask(SO_RCVBUFFORCE, SO_RCVBUF);
    const int out = ask(SO_SNDBUFFORCE, SO_SNDBUF);
    std::string line = "UDP socket " + to_string(local_) + ": buffers " + std::to_string(in / 1024) + " KiB in, " +
                       std::to_string(out / 1024) + " KiB out";
    const bool enough = in >= want && out >= want;
    if (!enough)
        line += "; to raise: sysctl -w net.core.rmem_max=" + std::to_string(want) +
                " net.core.wmem_max=" + std::to_string(want);
    log(enough ? log_level::debug : log_level::warning, line);
}

bool udp_socket::read(std::size_t most, const std::function<void(const link::datagram&)>& take) {
    for (std::size_t count = 0; fd_ >= 0 && count < most;) {
        const int n = ::recvmmsg(fd_, arrivals_->heads, arrivals::batch, MSG_DONTWAIT, nullptr);
        if (n < 0) {
            if (errno == EINTR) continue;
            // An ICMP error for an earlier datagram; read_errors() reports which.
            if (!is_icmp(errno)) return false;
            ++count;
            continue;
        }
        for (int i = 0; i < n; ++i) count += take_message(static_cast<std::size_t>(i), take);
        // Not all buffers were used: the socket is empty, which saves another call.
        if (n < static_cast<int>(arrivals::batch)) return false;
    }
    return fd_ >= 0;
}

void udp_socket::read_errors(const std::function<void(byte_view, int)>& take) {
    std::byte quoted[256]; // Enough for a long header.
    alignas(cmsghdr) std::byte control[512];
    for (int most = 16; fd_ >= 0 && most > 0; --most) {
        iovec piece{quoted, sizeof quoted};
        msghdr m{};
        m.msg_iov = &piece;
        m.msg_iovlen = 1;
        m.msg_control = control;
        m.msg_controllen = sizeof control;
        const ssize_t n = ::recvmsg(fd_, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
        if (n < 0) return;
        if (const int error = icmp_error(m); error != 0) take({quoted, static_cast<std::size_t>(n)}, error);
    }
}

std::size_t udp_socket::take_message(std::size_t i, const std::function<void(const link::datagram&)>& take) {
    auto& head = arrivals_->heads[i];
    const arrival a = parse_control(head.msg_hdr, local_);
    link::datagram d{a.local, address{&arrivals_->from[i], head.msg_hdr.msg_namelen}, a.ecn, {}};
    const byte_view all{arrivals_->buffer.get() + i * arrivals::size, head.msg_len};
    const std::size_t segment = a.segment != 0 ? a.segment : std::max<std::size_t>(all.size(), 1);
    std::size_t count = 0;
    ++stats_.reads;
    stats_.bytes_received += all.size();
    for (std::size_t at = 0; at < all.size(); at += segment, ++count) {
        d.bytes = all.subspan(at, std::min(segment, all.size() - at));
        take(d);
    }
    stats_.datagrams_received += count;
    arrivals_->reset(i);
    return std::max<std::size_t>(count, 1);
}

udp_socket::sent udp_socket::send_piece(const link::burst& b, byte_view bytes, std::size_t segment) {
    alignas(cmsghdr) std::byte control[control_size] = {};
    iovec piece{const_cast<std::byte*>(bytes.data()), bytes.size()};
    msghdr m{};
    m.msg_name = const_cast<void*>(b.remote.data());
    m.msg_namelen = static_cast<socklen_t>(b.remote.size());
    m.msg_iov = &piece;
    m.msg_iovlen = 1;
    m.msg_control = control;
    add_source(m, b.local);
    add_ecn(m, b.remote, b.ecn);
    if (bytes.size() > segment) add_segment(m, static_cast<std::uint16_t>(segment));
    if (m.msg_controllen == 0) m.msg_control = nullptr;
    for (bool again = options_.icmp_errors;;) {
        if (::sendmsg(fd_, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
            ++stats_.writes;
            stats_.datagrams_sent += (bytes.size() + segment - 1) / segment;
            stats_.bytes_sent += bytes.size();
            return sent::all;
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return sent::full;
        // The first error may be an ICMP error of another datagram.
        if (is_icmp(errno) && std::exchange(again, false)) continue;
        lost_size_ = std::min(segment, bytes.size());
        lost_reason_ = errno;
        return sent::lost;
    }
}

udp_socket::sent udp_socket::write(const link::burst& b, std::size_t& done) {
    sent result = sent::all;
    while (done < b.bytes.size()) {
        const bool together = gso_ && b.bytes.size() - done > b.segment;
        const auto piece =
            b.bytes.subspan(done, together ? b.bytes.size() - done : std::min(b.segment, b.bytes.size() - done));
        const sent s = send_piece(b, piece, b.segment);
        if (s == sent::full) {
            ++stats_.full;
            return s;
        }
        if (s == sent::lost) {
            // EIO: the device cannot checksum a burst, and never will. EINVAL, EMSGSIZE: a segment is
            // above some MTU. Sent one by one, only the segments that are too large, such as path probes, are lost.
            if (together && (errno == EIO || errno == EINVAL || errno == EMSGSIZE)) {
                const bool for_good = errno == EIO;
                if (for_good) log(log_level::warning, "the kernel rejects UDP_SEGMENT; sending datagrams one by one");
                gso_ = false;
                const sent rest = write(b, done);
                gso_ = !for_good;
                return rest;
            }
            ++stats_.dropped;
            result = s;
        }
        done += piece.size();
    }
    return result;
}

} // namespace moqlite::asio::detail
