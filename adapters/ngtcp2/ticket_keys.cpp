#include "detail/tls_library.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <moqlite/ngtcp2/ticket_keys.hpp>
#include <mutex>
#include <string_view>

namespace moqlite::ngtcp2 {

namespace {

using period_number = std::int64_t; ///< Of a period, since the epoch.

std::string_view view_of(const secret& s) { return {reinterpret_cast<const char*>(s.data()), s.size()}; }

/// The keys of one period.
std::optional<ticket_keys::key> derive(const secret& from) {
    const auto name = detail::hmac_sha256(view_of(from), "moqlite ticket name");
    const auto encryption = detail::hmac_sha256(view_of(from), "moqlite ticket encryption");
    const auto authentication = detail::hmac_sha256(view_of(from), "moqlite ticket authentication");
    if (!name || !encryption || !authentication) return std::nullopt;
    ticket_keys::key made{{}, *encryption, *authentication};
    std::copy_n(name->begin(), made.name.size(), made.name.begin());
    return made;
}

} // namespace

struct ticket_keys::ring {
    explicit ring(std::chrono::seconds p) : period{std::max(p, std::chrono::seconds{1})} {}

    [[nodiscard]] period_number period_at(wall_time t) const { return t.time_since_epoch() / period; }

    /// The secret of a period; nullopt: none has been drawn for it.
    [[nodiscard]] std::optional<secret> of(period_number n) const {
        if (master) return detail::hmac_sha256(view_of(*master), "moqlite tickets of period " + std::to_string(n));
        const auto found = drawn.find(n);
        return found != drawn.end() ? std::optional{found->second} : std::nullopt;
    }
    /// Draws the secret of the current period, and forgets all but it and its neighbours.
    void turn_to(period_number n) {
        if (master || drawn.contains(n)) return;
        std::erase_if(drawn, [n](const auto& each) { return each.first < n - 1 || each.first > n + 1; });
        detail::draw(drawn[n]);
    }

    const std::chrono::seconds period;
    std::optional<secret> master;
    std::mutex guard; ///< For `drawn`: shards have threads of their own.
    std::map<period_number, secret> drawn;
};

ticket_keys ticket_keys::random(std::chrono::seconds period) { return ticket_keys{std::make_shared<ring>(period)}; }

ticket_keys ticket_keys::shared(const secret& master, std::chrono::seconds period) {
    auto made = std::make_shared<ring>(period);
    made->master = master;
    return ticket_keys{std::move(made)};
}

std::optional<ticket_keys::key> ticket_keys::current(wall_time now) const {
    const std::lock_guard lock{ring_->guard};
    const auto n = ring_->period_at(now);
    ring_->turn_to(n);
    const auto from = ring_->of(n);
    return from ? derive(*from) : std::nullopt;
}

std::optional<ticket_keys::key> ticket_keys::find(const std::array<std::byte, 16>& name, wall_time now) const {
    const std::lock_guard lock{ring_->guard};
    const auto n = ring_->period_at(now);
    ring_->turn_to(n);
    for (const auto each : {n, n - 1, n + 1}) { // The next one: clocks of several servers differ.
        const auto from = ring_->of(each);
        const auto made = from ? derive(*from) : std::nullopt;
        if (made && made->name == name) return made;
    }
    return std::nullopt;
}

std::chrono::seconds ticket_keys::period() const noexcept { return ring_->period; }

} // namespace moqlite::ngtcp2
