#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <hex.hpp>
#include <moqlite/webtransport/stream_prefix.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::test::stream_prefix_test {

using namespace moqlite::webtransport;

namespace {

constexpr stream_id client_bidi{4};
constexpr stream_id server_bidi{1};
constexpr stream_id client_uni{2};
constexpr stream_id server_uni{3};
constexpr std::array<stream_id, 4> every_kind{client_bidi, server_bidi, client_uni, server_uni};

/// A stream's classification, as a line of text, with its reported bytes.
std::string told(stream_peek& peek, byte_view in, bool fin) {
    const auto out = peek.receive(in, fin);
    if (std::holds_alternative<undecided_stream>(out)) return "undecided";
    if (std::holds_alternative<empty_stream>(out)) return "empty";
    if (const auto* s = std::get_if<session_stream>(&out))
        return "session " + std::to_string(number(s->session)) + " " + to_hex(s->payload);
    if (const auto* h = std::get_if<http3_stream>(&out))
        return "http3 " + std::to_string(h->type) + " " + to_hex(h->held) + to_hex(in);
    return std::string{to_string(std::get<violation>(out))};
}

std::string told(stream_id id, std::string_view bytes, bool fin = false) {
    stream_peek peek{id};
    return told(peek, hex(bytes), fin);
}

/// The same for a stream in pieces of `size` bytes, with the bytes after its prefix.
std::string told_in_pieces(stream_id id, byte_view bytes, bool fin, std::size_t size) {
    stream_peek peek{id};
    for (std::size_t at = 0;; at += size) {
        const auto piece = bytes.subspan(at, std::min(size, bytes.size() - at));
        const bool last = at + piece.size() == bytes.size();
        auto out = told(peek, piece, fin && last);
        if (out != "undecided" && !out.starts_with("session") && !out.starts_with("http3")) return out;
        if (out != "undecided") return out + to_hex(bytes.subspan(at + piece.size()));
        if (last) return out;
    }
}

} // namespace

TEST_CASE("a stream of WebTransport begins with its signal and the id of its session", "[webtransport]") {
    CHECK(told(client_uni, "4054 00 aabb") == "session 0 aabb");
    CHECK(told(server_uni, "4054 04 aabb", true) == "session 4 aabb");
    CHECK(told(client_bidi, "4041 00 aabb") == "session 0 aabb");
    CHECK(told(server_bidi, "4041 7ffc") == "session 16380 ");
    CHECK(told(server_bidi, "4041 fffffffffffffffc 01") == "session 4611686018427387900 01");
}

TEST_CASE("a prefix is understood in any length of its two numbers", "[webtransport]") {
    for (const std::string type : {"4054", "80000054", "c000000000000054"})
        for (const std::string session : {"04", "4004", "80000004", "c000000000000004"})
            CHECK(told(client_uni, type + session + "ff") == "session 4 ff");
}

TEST_CASE("a stream with any other beginning belongs to HTTP/3", "[webtransport]") {
    // Control, push, QPACK's two, greasing ones, and the signal of the other direction.
    CHECK(told(client_uni, "00 04 00") == "http3 0 000400");
    CHECK(told(client_uni, "02") == "http3 2 02");
    CHECK(told(server_uni, "03 ff") == "http3 3 03ff");
    CHECK(told(server_uni, "01") == "http3 1 01");
    CHECK(told(client_uni, "4021 00") == "http3 33 402100");
    CHECK(told(client_uni, "4041 00") == "http3 65 404100");
    CHECK(told(client_bidi, "01 0a") == "http3 1 010a");
    CHECK(told(client_bidi, "4054 00") == "http3 84 405400");
    CHECK(told(client_bidi, "ffffffffffffffff", true) == "http3 4611686018427387903 ffffffffffffffff");
}

TEST_CASE("a stream with too few bytes stays undecided", "[webtransport]") {
    for (const auto id : every_kind) {
        CHECK(told(id, "") == "undecided");
        CHECK(told(id, "40") == "undecided");
        CHECK(told(id, "c0000000000000") == "undecided");
    }
    CHECK(told(client_uni, "4054") == "undecided");
    CHECK(told(client_uni, "c000000000000054 c0000000000000") == "undecided");
    CHECK(told(client_bidi, "4041 40") == "undecided");
}

TEST_CASE("a unidirectional stream may end before its type", "[webtransport]") {
    for (const auto id : {client_uni, server_uni})
        for (const auto* bytes : {"", "40", "c0000000000000"}) CHECK(told(id, bytes, true) == "empty");
}

TEST_CASE("a bidirectional stream that ends before its type is cut off", "[webtransport]") {
    CHECK(told(client_bidi, "", true) == "empty_request");
    CHECK(told(server_bidi, "", true) == "prefix_truncated");
    CHECK(told(client_bidi, "40", true) == "prefix_truncated");
    CHECK(told(server_bidi, "40", true) == "prefix_truncated");
}

TEST_CASE("a stream of WebTransport that ends within its session id is cut off", "[webtransport]") {
    for (const auto* bytes : {"4054", "4054 40", "4054 c0000000000000"}) {
        CHECK(told(client_uni, bytes, true) == "prefix_truncated");
        CHECK(told(server_uni, bytes, true) == "prefix_truncated");
    }
    CHECK(told(client_bidi, "4041", true) == "prefix_truncated");
    CHECK(told(server_bidi, "4041 80", true) == "prefix_truncated");
}

TEST_CASE("a session id is that of a stream which can carry a request", "[webtransport]") {
    for (const auto* session : {"01", "02", "03", "05", "4007", "ffffffffffffffff"}) {
        CHECK(told(client_uni, std::string{"4054"} + session) == "bad_session_id");
        CHECK(told(server_bidi, std::string{"4041"} + session) == "bad_session_id");
    }
}

TEST_CASE("a server opens no bidirectional stream but WebTransport's", "[webtransport]") {
    CHECK(told(server_bidi, "00") == "unexpected_server_stream");
    CHECK(told(server_bidi, "01 0a", true) == "unexpected_server_stream");
    CHECK(told(server_bidi, "4054 00") == "unexpected_server_stream");
}

TEST_CASE("a FIN alone may follow a prefix, or end an undecided stream", "[webtransport]") {
    stream_peek whole{client_uni};
    CHECK(told(whole, hex("4054 00"), true) == "session 0 ");
    stream_peek cut{client_uni};
    CHECK(told(cut, hex("4054"), false) == "undecided");
    CHECK(cut.held() == 2);
    CHECK(told(cut, {}, true) == "prefix_truncated");
    stream_peek empty{client_bidi};
    CHECK(told(empty, {}, false) == "undecided");
    CHECK(told(empty, {}, true) == "empty_request");
}

TEST_CASE("a stream is classified the same in whatever pieces it arrives", "[webtransport]") {
    for (const auto* text : {"4054 00 010203", "4041 00 010203", "c000000000000054 c000000000000004 0102",
             "4041 4005 00", "c000000000000041 c000000000000004 0102", "00 04 00", "4021 0102", "c000000000000001 0a0b",
             "4054 01", "4054 c0", "40", ""}) {
        const auto bytes = hex(text);
        for (const auto id : every_kind)
            for (const bool fin : {false, true})
                for (std::size_t size = 1; size <= bytes.size(); ++size) {
                    CAPTURE(text, number(id), fin, size);
                    CHECK(told_in_pieces(id, bytes, fin, size) == told_in_pieces(id, bytes, fin, 1000));
                }
    }
}

TEST_CASE("a prefix that we write is the one that is read", "[webtransport]") {
    for (const auto id : every_kind)
        for (const auto session : {0ull, 4ull, 64ull, 16384ull, (1ull << 62) - 4}) {
            std::array<std::byte, stream_prefix_size_max> out{};
            const auto size = write_stream_prefix(direction_of(id), stream_id{session}, out);
            stream_peek peek{id};
            CHECK(told(peek, byte_view{out}.first(size), false) == "session " + std::to_string(session) + " ");
        }
    std::array<std::byte, stream_prefix_size_max> out{};
    CHECK(to_hex(byte_view{out}.first(write_stream_prefix(direction::uni, stream_id{0}, out))) == "405400");
    CHECK(to_hex(byte_view{out}.first(write_stream_prefix(direction::bidi, stream_id{0}, out))) == "404100");
}

} // namespace moqlite::test::stream_prefix_test
