// Which protocol a new connection speaks, from its ALPN or WebTransport sub-protocol.
#pragma once

#include <moqlite/session/any_session.hpp>
#include <optional>
#include <string_view>

namespace moqlite {

/// Makes the session for what was negotiated; errc::unsupported: nobody here speaks it.
/// A protocol that is chosen by its first bytes (moq-transport's SETUP) would be told apart here.
class acceptor {
public:
    explicit acceptor(role side) noexcept : side_(side) {}

    /// Makes the session in `into`.
    result<void> make(
        std::string_view protocol, session_options options, time_point now, std::optional<any_session>& into) const {
        const auto v = version_from_alpn(protocol);
        if (!v) return errc::unsupported;
        into.emplace(std::in_place_type<session>, side_, *v, std::move(options), now);
        return {};
    }

private:
    role side_;
};

} // namespace moqlite
