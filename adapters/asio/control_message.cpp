#include "detail/control_message.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <linux/errqueue.h>
#include <netinet/in.h>

namespace moqlite::asio::detail {

using link::address;

namespace {

/// Appends one control message; `control` is zeroed and large enough.
template <class T>
void add_control(msghdr& m, int level, int type, const T& value) noexcept {
    auto* at = static_cast<std::byte*>(m.msg_control) + m.msg_controllen;
    cmsghdr head{};
    head.cmsg_level = level;
    head.cmsg_type = type;
    head.cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(at, &head, sizeof head);
    std::memcpy(at + CMSG_LEN(0), &value, sizeof value);
    m.msg_controllen += CMSG_SPACE(sizeof value);
}

template <class T>
T value_of(const cmsghdr* c) noexcept {
    T value{};
    std::memcpy(&value, CMSG_DATA(c), std::min(sizeof value, c->cmsg_len - CMSG_LEN(0)));
    return value;
}

} // namespace

bool is_wildcard(const address& a) noexcept {
    if (a.is_v6()) {
        sockaddr_in6 in{};
        std::memcpy(&in, a.data(), sizeof in);
        return IN6_IS_ADDR_UNSPECIFIED(&in.sin6_addr);
    }
    sockaddr_in in{};
    std::memcpy(&in, a.data(), sizeof in);
    return in.sin_addr.s_addr == htonl(INADDR_ANY);
}

/// The destination address, from which answers must be sent.
void add_source(msghdr& m, const address& from) noexcept {
    if (from.empty() || is_wildcard(from)) return;
    if (from.is_v6()) {
        sockaddr_in6 in{};
        std::memcpy(&in, from.data(), sizeof in);
        in6_pktinfo info{};
        info.ipi6_addr = in.sin6_addr;
        info.ipi6_ifindex = in.sin6_scope_id;
        add_control(m, IPPROTO_IPV6, IPV6_PKTINFO, info);
    } else {
        sockaddr_in in{};
        std::memcpy(&in, from.data(), sizeof in);
        in_pktinfo info{};
        info.ipi_spec_dst = in.sin_addr;
        add_control(m, IPPROTO_IP, IP_PKTINFO, info);
    }
}

void add_ecn(msghdr& m, const address& to, std::uint8_t ecn) noexcept {
    if (ecn == 0) return;
    const int value = ecn;
    if (to.is_v6() && !to.is_v4_mapped())
        add_control(m, IPPROTO_IPV6, IPV6_TCLASS, value);
    else
        add_control(m, IPPROTO_IP, IP_TOS, value);
}

arrival parse_control(msghdr& m, const address& bound) noexcept {
    arrival out{bound, 0, 0};
    for (auto* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            sockaddr_in6 in{};
            in.sin6_family = AF_INET6;
            const auto info = value_of<in6_pktinfo>(c);
            in.sin6_addr = info.ipi6_addr;
            in.sin6_scope_id = static_cast<std::uint32_t>(info.ipi6_ifindex); // Link-local only.
            in.sin6_port = htons(bound.port());
            out.local = address{&in, sizeof in};
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO && !bound.is_v6()) {
            sockaddr_in in{};
            in.sin_family = AF_INET;
            in.sin_addr = value_of<in_pktinfo>(c).ipi_addr;
            in.sin_port = htons(bound.port());
            out.local = address{&in, sizeof in};
        } else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
                   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)) {
            // One byte in IPv4, an int in IPv6; the bits are in the first byte of both.
            out.ecn = static_cast<std::uint8_t>(value_of<std::uint8_t>(c) & 3);
        } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            const int segment = value_of<int>(c);
            out.segment = segment > 0 ? static_cast<std::size_t>(segment) : 0;
        }
    }
    return out;
}

int icmp_error(msghdr& m) noexcept {
    for (auto* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
        const bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
        const bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
        if (!v4 && !v6) continue;
        const auto what = value_of<sock_extended_err>(c);
        const bool icmp = what.ee_origin == SO_EE_ORIGIN_ICMP || what.ee_origin == SO_EE_ORIGIN_ICMP6;
        // Path MTU discovery handles packets that are too large.
        return icmp && what.ee_errno != EMSGSIZE ? static_cast<int>(what.ee_errno) : 0;
    }
    return 0;
}

void add_segment(msghdr& m, std::uint16_t segment) noexcept { add_control(m, IPPROTO_UDP, UDP_SEGMENT, segment); }

} // namespace moqlite::asio::detail
