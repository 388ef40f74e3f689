// Parses messages from the front of the bytes that have arrived on a control stream.
#pragma once

#include <cstddef>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/session/detail/control_stream.hpp>
#include <moqlite/wire/message.hpp>

namespace moqlite::detail {

/// Parses one message. `arrived(body)` returns the rule that it broke, or errc::ok.
template <class F>
wire::taken<std::size_t> take_one(const context& c, byte_view in, F&& arrived) {
    const auto message = wire::lite::take_message(c.dialect, in, c.bounds.control_message);
    if (message.status == wire::progress::error) return message.error;
    if (!message) return {};
    if (const errc why = arrived(message->body); why != errc::ok) return why;
    return message->size;
}

/// The same for the first message of a stream, after which nothing may follow.
template <class F>
wire::taken<std::size_t> take_first(const context& c, control_stream& s, byte_view in, F&& arrived) {
    if (s.reading != read_state::first) return errc::unexpected_message; // Rejects trailing bytes at once.
    const auto used = take_one(c, in, arrived);
    if (used) s.first_arrived();
    return used;
}

} // namespace moqlite::detail
