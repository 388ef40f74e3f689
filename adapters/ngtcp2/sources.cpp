#include "detail/sources.hpp"

#include <cstring>
#include <netinet/in.h>
#include <utility>

namespace moqlite::ngtcp2::detail {

source source_of(const link::address& a) noexcept {
    if (a.empty()) return {};
    if (!a.is_v6()) {
        sockaddr_in in{};
        std::memcpy(&in, a.data(), sizeof in);
        return {in.sin_addr.s_addr, false};
    }
    sockaddr_in6 in{};
    std::memcpy(&in, a.data(), sizeof in);
    if (a.is_v4_mapped()) {
        std::uint32_t v4 = 0;
        std::memcpy(&v4, &in.sin6_addr.s6_addr[12], sizeof v4);
        return {v4, false};
    }
    source s{0, true};
    std::memcpy(&s.prefix, in.sin6_addr.s6_addr, sizeof s.prefix);
    return s;
}

source_usage* source_table::find(const link::address& a) noexcept {
    const auto found = sources_.find(source_of(a));
    return found == sources_.end() ? nullptr : &found->second;
}

void source_table::enter(connection_state& c, time_point now) {
    c.from = &sources_.try_emplace(source_of(c.peer)).first->second;
    c.from->address = c.peer;
    c.began = now;
    ++c.from->connections;
    ++c.from->handshakes;
    c.from->half_open.push_back(c);
    by_age_.push_back(c);
    ++half_open_;
}

void source_table::complete(connection_state& c) noexcept {
    auto& of_all = static_cast<moqlite::detail::list_hook<half_open_tag>&>(c);
    if (c.from == nullptr || !of_all.linked()) return;
    of_all.unlink();
    static_cast<moqlite::detail::list_hook<half_open_here_tag>&>(c).unlink();
    --c.from->handshakes;
    --half_open_;
}

void source_table::leave(connection_state& c) noexcept {
    complete(c);
    if (c.from == nullptr) return;
    auto& usage = *std::exchange(c.from, nullptr);
    if (--usage.connections == 0) sources_.erase(source_of(usage.address));
}

} // namespace moqlite::ngtcp2::detail
