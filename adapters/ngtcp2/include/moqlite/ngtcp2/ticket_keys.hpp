// The keys of a server's session tickets.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

namespace moqlite::ngtcp2 {

using secret = std::array<std::byte, 32>;

/// Calendar time, as in certificates.
using wall_time = std::chrono::sys_seconds;

/// Seals and opens session tickets; a key serves one period, and opens tickets for one more. Copies share the keys, and
/// may be used on several threads.
class ticket_keys {
public:
    static constexpr std::chrono::seconds usual_period = std::chrono::hours{12};

    /// Drawn at random for each period, and forgotten: tickets end with this process. `period` is at least a second.
    [[nodiscard]] static ticket_keys random(std::chrono::seconds period = usual_period);
    /// Derived from a secret: all servers with the same secret and period accept each other's tickets, also after a
    /// restart. Whoever has the secret can read recorded early data; replace it now and then.
    [[nodiscard]] static ticket_keys shared(const secret&, std::chrono::seconds period = usual_period);

    struct key {
        std::array<std::byte, 16> name; ///< Not secret: it precedes the ticket.
        secret encryption;
        secret authentication;
    };
    /// For a new ticket.
    [[nodiscard]] std::optional<key> current(wall_time now) const;
    /// Of a ticket with this name. Nullopt: it is too old, or another server's.
    [[nodiscard]] std::optional<key> find(const std::array<std::byte, 16>& name, wall_time now) const;
    [[nodiscard]] std::chrono::seconds period() const noexcept;

private:
    struct ring;
    explicit ticket_keys(std::shared_ptr<ring> r) : ring_{std::move(r)} {}
    std::shared_ptr<ring> ring_;
};

} // namespace moqlite::ngtcp2
