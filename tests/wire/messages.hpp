// Helpers for message tests: round trip, and each truncation refused with a named error.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <catch2/catch_tostring.hpp>
#include <concepts>
#include <cstddef>
#include <hex.hpp>
#include <moqlite/wire/lite/print.hpp>
#include <string>
#include <string_view>
#include <vector>

template <class M>
    requires requires(const M& m) {
        { moqlite::wire::lite::to_string(m) } -> std::same_as<std::string>;
    }
struct Catch::StringMaker<M> {
    static std::string convert(const M& m) { return moqlite::wire::lite::to_string(m); }
};

template <>
struct Catch::StringMaker<moqlite::errc> {
    static std::string convert(moqlite::errc e) { return std::string{moqlite::to_string(e)}; }
};

namespace moqlite::test {

inline constexpr auto all_versions = {
    version::lite_03, version::lite_04, version::lite_05, version::lite_06, version::lite_07_wip};

/// The whole message in hexadecimal, or the name of the error.
template <class M>
[[nodiscard]] std::string encoded(version v, const M& m) {
    auto out = hex("aa");
    const auto error = wire::lite::encode(v, m, out);
    CHECK(out.front() == std::byte{0xaa});
    if (error == errc::ok) return to_hex(byte_view{out}.subspan(1));
    CHECK(out.size() == 1);
    return std::string{to_string(error)};
}

/// The front of `in` up to the end of its first message, framed as M is; or need_more, or an error.
template <class M>
[[nodiscard]] wire::taken<wire::framed> take(version v, byte_view in) {
    if constexpr (wire::lite::typed_message<M>) {
        const auto message = wire::lite::take_typed_message(v, in);
        if (message.status == wire::progress::error) return message.error;
        if (!message) return {};
        return wire::framed{message->body, message->size};
    } else {
        return wire::lite::take_message(v, in);
    }
}

/// The error of the one whole message in `text`, or ok.
template <class M>
[[nodiscard]] errc refusal(version v, std::string_view text, const limits& bounds = wire::default_limits) {
    const auto bytes = hex(text);
    const auto message = take<M>(v, bytes);
    if (message.status == wire::progress::error) return message.error;
    REQUIRE(message);
    REQUIRE(message->size == bytes.size());
    return wire::lite::decode<M>(v, message->body, bounds).error();
}

/// `m` encodes to exactly `text`; prefixes and one more byte are refused.
template <class M>
void check_both_ways(version v, const M& m, std::string_view text) {
    const auto bytes = hex(text);
    CAPTURE(alpn(v), text);
    CHECK(encoded(v, m) == to_hex(bytes));

    const auto message = take<M>(v, bytes);
    REQUIRE(message);
    CHECK(message->size == bytes.size());
    const auto decoded = wire::lite::decode<M>(v, message->body);
    REQUIRE(decoded.error() == errc::ok);
    CHECK(*decoded == m);

    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
        CHECK(take<M>(v, byte_view{bytes}.first(cut)).status == wire::progress::need_more);
    for (std::size_t cut = 0; cut < message->body.size(); ++cut)
        CHECK(wire::lite::decode<M>(v, message->body.first(cut)).error() != errc::ok);

    auto longer = std::vector(message->body.begin(), message->body.end());
    longer.push_back(std::byte{0});
    CHECK(wire::lite::decode<M>(v, longer).error() == errc::message_too_long);
}

} // namespace moqlite::test
