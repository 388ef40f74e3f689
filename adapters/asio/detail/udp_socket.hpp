// One UDP socket by its native handle: GSO, GRO, destination addresses, ECN. Never blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <moqlite/asio/options.hpp>
#include <moqlite/link/address.hpp>
#include <moqlite/link/datagram.hpp>
#include <moqlite/link/log.hpp>
#include <string>

namespace moqlite::asio::detail {

/// The dual-stack IPv6 wildcard, or IPv4's where the kernel has no IPv6.
[[nodiscard]] link::address any_address(std::uint16_t port);

class udp_socket {
public:
    udp_socket(socket_options, link::log_function);
    ~udp_socket();
    udp_socket(const udp_socket&) = delete;
    udp_socket& operator=(const udp_socket&) = delete;

    /// An IPv6 wildcard address includes IPv4 unless options.ipv6_only. A socket in the options is taken as it is
    /// bound, and `local` ignored. False: `why`.
    [[nodiscard]] bool open(const link::address& local, std::string& why);
    void close() noexcept;
    [[nodiscard]] int handle() const noexcept { return fd_; }
    [[nodiscard]] const link::address& local() const noexcept { return local_; }

    /// Calls `take` for each received datagram, up to `most` and the rest of a batch;
    /// false: the socket is empty.
    [[nodiscard]] bool read(std::size_t most, const std::function<void(const link::datagram&)>& take);

    /// Calls `take` for each ICMP error, with the beginning of the datagram that it quotes and an errno.
    void read_errors(const std::function<void(byte_view, int)>& take);

    enum class sent : std::uint8_t { all, full, lost };
    /// Full: only `done` bytes were taken. Lost: the kernel refuses it permanently.
    [[nodiscard]] sent write(const link::burst&, std::size_t& done);
    /// The last datagram lost: its size and errno.
    [[nodiscard]] std::size_t lost_size() const noexcept { return lost_size_; }
    [[nodiscard]] int lost_reason() const noexcept { return lost_reason_; }

    [[nodiscard]] const socket_stats& stats() const noexcept { return stats_; }
    socket_stats& stats() noexcept { return stats_; }

private:
    /// Delivers one message, which GRO may have merged from several datagrams; returns how many.
    std::size_t take_message(std::size_t i, const std::function<void(const link::datagram&)>&);
    [[nodiscard]] bool make(const link::address& local, std::string& why);
    /// Checks the socket that the options gave.
    [[nodiscard]] bool take(std::string& why);
    /// Reads local_; false: errno.
    [[nodiscard]] bool find_address();
    void set_options();
    void set_buffers();
    [[nodiscard]] sent send_piece(const link::burst&, byte_view piece, std::size_t segment);
    void log(link::log_level, const std::string&) const;

    socket_options options_;
    link::log_function log_;
    link::address local_;
    struct arrivals;
    std::unique_ptr<arrivals> arrivals_;
    socket_stats stats_;
    std::size_t lost_size_ = 0;
    int lost_reason_ = 0;
    int fd_ = -1;
    bool v6_ = false;
    bool gso_ = false;
    bool gro_ = false;
};

} // namespace moqlite::asio::detail
