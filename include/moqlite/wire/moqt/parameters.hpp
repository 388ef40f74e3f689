// The parameters of SETUP and of other messages, and the authorisation token among them, draft-14 §9.2 and §9.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/result.hpp>
#include <moqlite/wire/moqt/key_values.hpp>
#include <moqlite/wire/reader.hpp>
#include <moqlite/wire/writer.hpp>
#include <vector>

namespace moqlite::wire::moqt {

/// Types that have a meaning in CLIENT_SETUP and SERVER_SETUP.
namespace setup_parameter {
inline constexpr std::uint64_t path = 0x01;
inline constexpr std::uint64_t max_request_id = 0x02; ///< Absent: the peer may send no request (quirk: any number).
inline constexpr std::uint64_t authorization_token = 0x03;
inline constexpr std::uint64_t max_auth_token_cache_size = 0x04;
inline constexpr std::uint64_t authority = 0x05;
/// Printed as 0x05 in the draft, where it collides; every implementation that was seen writes 0x07.
inline constexpr std::uint64_t implementation = 0x07;
} // namespace setup_parameter

/// Types that have a meaning in other messages.
namespace message_parameter {
inline constexpr std::uint64_t delivery_timeout = 0x02; ///< Milliseconds.
inline constexpr std::uint64_t authorization_token = 0x03;
inline constexpr std::uint64_t max_cache_duration = 0x04; ///< Milliseconds.
} // namespace message_parameter

/// A counted list of pairs, which aliases the message that it was decoded from. Unknown types are kept.
struct parameter_list {
    std::size_t count = 0;
    byte_view pairs = {};

    friend bool operator==(const parameter_list& a, const parameter_list& b) noexcept {
        return a.count == b.count && as_text(a.pairs) == as_text(b.pairs);
    }
};

/// How a token names its value.
enum class alias_type : std::uint8_t { remove = 0, enter = 1, use_alias = 2, use_value = 3 };

/// The value of an AUTHORIZATION TOKEN parameter.
struct auth_token {
    alias_type how = alias_type::use_value;
    std::uint64_t alias = 0; ///< Not of use_value.
    std::uint64_t type = 0;  ///< Of the value; of enter and use_value.
    byte_view value = {};

    friend bool operator==(const auth_token& a, const auth_token& b) noexcept {
        return a.how == b.how && a.alias == b.alias && a.type == b.type && as_text(a.value) == as_text(b.value);
    }
};

/// errc::bad_parameter: it cannot be parsed.
[[nodiscard]] inline result<auth_token> decode_token(const draft& d, byte_view bytes) noexcept {
    reader in{bytes, d.form};
    const auto how = in.varint();
    if (how > static_cast<std::uint64_t>(alias_type::use_value)) return errc::bad_parameter;
    auth_token token{.how = static_cast<alias_type>(how)};
    if (token.how != alias_type::use_value) token.alias = in.varint();
    if (token.how == alias_type::enter || token.how == alias_type::use_value) {
        token.type = in.varint();
        token.value = in.rest();
    }
    if (in.finish() != errc::ok) return errc::bad_parameter;
    return token;
}

inline void encode_token(const draft& d, const auth_token& token, std::vector<std::byte>& out) {
    writer to{out, d.form};
    to.varint(static_cast<std::uint64_t>(token.how));
    if (token.how != alias_type::use_value) to.varint(token.alias);
    if (token.how != alias_type::enter && token.how != alias_type::use_value) return;
    to.varint(token.type);
    to.bytes(token.value);
}

namespace detail {

/// Types of which a second one breaks the protocol, one bit each.
using type_set = std::uint64_t;
[[nodiscard]] constexpr type_set set_of(std::initializer_list<std::uint64_t> types) noexcept {
    type_set all = 0;
    for (auto type : types) all |= type_set{1} << type;
    return all;
}

inline constexpr auto once_in_setup = set_of({setup_parameter::path, setup_parameter::max_request_id,
    setup_parameter::max_auth_token_cache_size, setup_parameter::authority, setup_parameter::implementation});
inline constexpr auto once_in_messages =
    set_of({message_parameter::delivery_timeout, message_parameter::max_cache_duration});

/// At most `count` pairs, or exactly if `counted`. Unknown types are allowed, and may repeat.
[[nodiscard]] inline byte_view read_pairs(
    reader& in, const draft& d, type_set once, std::uint64_t count, bool counted) noexcept {
    key_value_reader pairs{d, in.remaining()};
    type_set seen = 0;
    std::uint64_t read = 0;
    for (; read < count; ++read) {
        const auto pair = pairs.next();
        if (!pair) break;
        if (pair->type == message_parameter::authorization_token)
            if (const auto token = decode_token(d, pair->bytes); !token) in.fail(token.error());
        const auto bit = pair->type < 64 ? type_set{1} << pair->type & once : 0;
        if ((seen & bit) != 0) in.fail(errc::duplicate_parameter);
        seen |= bit;
    }
    if (pairs.error() != errc::ok) in.fail(pairs.error());
    if (counted && read < count) in.fail(errc::message_too_short);
    return in.bytes(in.remaining().size() - pairs.left());
}

/// A count, then the pairs.
[[nodiscard]] inline parameter_list read_parameters(
    reader& in, const draft& d, type_set once = once_in_messages) noexcept {
    const auto count = in.varint();
    const auto pairs = read_pairs(in, d, once, count, true);
    return in.error() == errc::ok ? parameter_list{as_size(count), pairs} : parameter_list{};
}

inline void write_parameters(writer& out, const parameter_list& list) {
    out.varint(list.count);
    out.bytes(list.pairs);
}

} // namespace detail

} // namespace moqlite::wire::moqt
