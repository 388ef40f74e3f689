// GOAWAY, moq-lite-05: asks the peer to connect again, perhaps elsewhere.
#pragma once

#include <moqlite/wire/lite/codec.hpp>
#include <string_view>

namespace moqlite::wire::lite {

struct goaway {
    std::string_view uri = {}; ///< Empty: the same address.

    friend constexpr bool operator==(const goaway&, const goaway&) = default;
};

inline void read(reader& in, version v, goaway& m, const limits& bounds) noexcept {
    if (!has_goaway(v)) return in.fail(errc::unsupported);
    m.uri = in.string();
    if (m.uri.size() > bounds.uri) in.fail(errc::name_too_long);
}

inline void write(writer& out, version v, const goaway& m) {
    if (!has_goaway(v)) return out.fail(errc::unsupported);
    out.string(m.uri);
}

} // namespace moqlite::wire::lite
