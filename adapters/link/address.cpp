#include <cstring>
#include <moqlite/link/address.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace moqlite::link {

static_assert(address::capacity == sizeof(sockaddr_in6));

namespace {

const sockaddr_in6& as_v6(const void* p) noexcept { return *static_cast<const sockaddr_in6*>(p); }
const sockaddr_in& as_v4(const void* p) noexcept { return *static_cast<const sockaddr_in*>(p); }

} // namespace

// Field by field: padding and flow labels must not make equal addresses differ.
address::address(const void* from, std::size_t size) noexcept {
    if (size < sizeof(sa_family_t)) return;
    sa_family_t family{};
    std::memcpy(&family, from, sizeof family);
    if (family == AF_INET && size >= sizeof(sockaddr_in)) {
        sockaddr_in in{}, out{};
        std::memcpy(&in, from, sizeof in);
        out.sin_family = AF_INET;
        out.sin_addr = in.sin_addr;
        out.sin_port = in.sin_port;
        std::memcpy(bytes_.data(), &out, sizeof out);
        size_ = sizeof out;
    } else if (family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
        sockaddr_in6 in{}, out{};
        std::memcpy(&in, from, sizeof in);
        out.sin6_family = AF_INET6;
        out.sin6_addr = in.sin6_addr;
        out.sin6_port = in.sin6_port;
        if (IN6_IS_ADDR_LINKLOCAL(&in.sin6_addr)) out.sin6_scope_id = in.sin6_scope_id;
        std::memcpy(bytes_.data(), &out, sizeof out);
        size_ = sizeof out;
    }
}

std::optional<address> address::parse(std::string_view ip, std::uint16_t port) {
    const std::string text{ip};
    sockaddr_in v4{};
    if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        return address{&v4, sizeof v4};
    }
    sockaddr_in6 v6{};
    if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        return address{&v6, sizeof v6};
    }
    return std::nullopt;
}

bool address::is_v6() const noexcept { return size_ == sizeof(sockaddr_in6); }

bool address::is_v4_mapped() const noexcept { return is_v6() && IN6_IS_ADDR_V4MAPPED(&as_v6(data()).sin6_addr); }

std::uint16_t address::port() const noexcept {
    if (empty()) return 0;
    return ntohs(is_v6() ? as_v6(data()).sin6_port : as_v4(data()).sin_port);
}

void address::port(std::uint16_t n) noexcept {
    // The port is at the same place in both.
    static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
    const std::uint16_t network = htons(n);
    if (!empty()) std::memcpy(bytes_.data() + offsetof(sockaddr_in, sin_port), &network, 2);
}

std::string to_string(const address& a) {
    if (a.empty()) return "(none)";
    char text[INET6_ADDRSTRLEN] = {};
    std::string host;
    if (!a.is_v6()) {
        host = inet_ntop(AF_INET, &as_v4(a.data()).sin_addr, text, sizeof text);
    } else if (a.is_v4_mapped()) {
        host = inet_ntop(AF_INET, &as_v6(a.data()).sin6_addr.s6_addr[12], text, sizeof text);
    } else {
        host = '[';
        host += inet_ntop(AF_INET6, &as_v6(a.data()).sin6_addr, text, sizeof text);
        host += ']';
    }
    return host + ':' + std::to_string(a.port());
}

} // namespace moqlite::link
