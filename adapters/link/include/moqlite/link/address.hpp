// An IP address and a UDP port, as the socket calls want it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace moqlite::link {

/// A sockaddr_in or sockaddr_in6, padding zeroed: equal addresses have equal bytes.
class address {
public:
    static constexpr std::size_t capacity = 28; ///< sizeof(sockaddr_in6)

    address() = default;
    /// Copies a sockaddr; anything but IPv4 and IPv6 makes an empty address.
    address(const void* sockaddr, std::size_t size) noexcept;

    /// A numeric IPv4 or IPv6 address without brackets; nullopt: it is neither.
    [[nodiscard]] static std::optional<address> parse(std::string_view ip, std::uint16_t port);

    [[nodiscard]] const void* data() const noexcept { return bytes_.data(); }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] bool is_v6() const noexcept;
    /// An IPv4 peer of a dual-stack socket, in the IPv6 form (RFC 4291 §2.5.5.2).
    [[nodiscard]] bool is_v4_mapped() const noexcept;
    [[nodiscard]] std::uint16_t port() const noexcept;
    void port(std::uint16_t) noexcept;

    friend bool operator==(const address& a, const address& b) noexcept {
        return a.size_ == b.size_ && std::memcmp(a.bytes_.data(), b.bytes_.data(), a.size_) == 0;
    }

private:
    alignas(4) std::array<std::byte, capacity> bytes_{};
    std::uint8_t size_ = 0;
};

/// "192.0.2.1:443" or "[2001:db8::1]:443"; IPv4-mapped addresses are written as IPv4.
[[nodiscard]] std::string to_string(const address&);

} // namespace moqlite::link
