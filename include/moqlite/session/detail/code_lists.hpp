// The registry of each code that a session sends or receives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/app_error.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/session/detail/control_stream.hpp>
#include <string_view>

namespace moqlite::detail {

class code_lists {
public:
    explicit code_lists(version v) noexcept : dialect_(v) {}

    // gomoqt is known by what only it does. A leading slash alone proves nothing: we write it, too, to a peer that has
    // written no path yet.

    /// The peer has subscribed. gomoqt counts subscriptions from 1, all others from 0.
    void saw_subscribe(std::string_view path, std::uint64_t id) noexcept {
        const bool gomoqts = path.starts_with('/') && id != 0;
        (gomoqts ? gomoqt_ : other_) = true;
    }
    /// The peer has announced a broadcast. gomoqt does not count itself as a hop.
    void saw_announce(std::size_t hops) noexcept { gomoqt_ = gomoqt_ || hops == 0; }

    [[nodiscard]] code_registry of_session() const noexcept { return session_codes(dialect_, gomoqt()); }
    /// The list for a group's own stream; a FETCH has a control stream.
    [[nodiscard]] code_registry of_group() const noexcept { return of_stream(code_registry::gomoqt_group); }
    [[nodiscard]] code_registry of(const control_stream& s) const noexcept {
        switch (s.kind) {
        case control_kind::announce_in:
        case control_kind::announce_out: return of_stream(code_registry::gomoqt_announce);
        case control_kind::fetch_in:
        case control_kind::fetch_out: return of_stream(code_registry::gomoqt_fetch);
        case control_kind::probe_in:
        case control_kind::probe_out: return of_stream(code_registry::gomoqt_probe);
        default: return of_stream(code_registry::gomoqt_subscribe);
        }
    }

private:
    [[nodiscard]] bool gomoqt() const noexcept { return has_slash_dialect(dialect_) && gomoqt_ && !other_; }
    [[nodiscard]] code_registry of_stream(code_registry gomoqts) const noexcept {
        return gomoqt() ? stream_codes(dialect_, gomoqts) : stream_codes(dialect_);
    }

    version dialect_;
    bool gomoqt_ = false;
    bool other_ = false;
};

} // namespace moqlite::detail
