// HTTP/3 by hand: a client that sends whatever a test wants.
#pragma once

#include "webtransport_pair.hpp"

#include <initializer_list>
#include <map>
#include <memory>
#include <moqlite/wire/varint.hpp>
#include <utility>

namespace moqlite::test {

inline std::string varint(std::uint64_t n) {
    std::array<std::byte, wire::varint_size_max> out{};
    return std::string{as_text(byte_view{out}.first(wire::write_varint(n, out)))};
}

inline std::string frame(std::uint64_t type, std::string_view payload) {
    return varint(type) + varint(payload.size()) + std::string{payload};
}

/// An integer of QPACK (RFC 7541 §5.1), `first` being the bits before it.
inline std::string prefixed(unsigned first, unsigned bits, std::size_t n) {
    const std::size_t most = (std::size_t{1} << bits) - 1;
    if (n < most) return {static_cast<char>(first | n)};
    std::string out{static_cast<char>(first | most)};
    for (n -= most; n >= 128; n /= 128) out += static_cast<char>(n % 128 | 128);
    return out + static_cast<char>(n);
}

using fields = std::vector<std::pair<std::string, std::string>>;

/// A field section (RFC 9204 §4.5): every field by its name, without a table.
inline std::string section(const fields& all) {
    std::string out(2, '\0');
    for (const auto& [name, value] : all)
        out += prefixed(0x20, 3, name.size()) + name + prefixed(0, 7, value.size()) + value;
    return out;
}

inline std::string headers(const fields& all) { return frame(0x01, section(all)); }
inline std::string data_frame(std::string_view payload) { return frame(0x00, payload); }

inline fields get(std::string method = "GET", std::string path = "/") {
    return {
        {":method", std::move(method)}, {":scheme", "https"}, {":authority", "localhost"}, {":path", std::move(path)}};
}
inline fields connect(std::string path = "/room", std::string protocol = "webtransport") {
    auto out = get("CONNECT", std::move(path));
    out.emplace_back(":protocol", std::move(protocol));
    return out;
}

/// The entries of SETTINGS in a control stream.
inline std::string control(std::initializer_list<std::pair<std::uint64_t, std::uint64_t>> settings) {
    std::string entries;
    for (const auto& [id, value] : settings) entries += varint(id) + varint(value);
    return varint(0x00) + frame(0x04, entries);
}
inline std::string usual_settings() { return control({{0x33, 1}, {0x2b603742, 1}}); }

/// Digits in the Huffman code of RFC 7541, Appendix B: 0, 1 and 2 have five bits, the others six.
inline int huffman_digits(std::string_view bytes) {
    std::uint64_t bits = 0;
    for (const char c : bytes) bits = bits << 8 | static_cast<unsigned char>(c);
    int out = 0;
    for (auto left = static_cast<int>(8 * bytes.size()); left >= 5;) {
        const auto five = static_cast<int>(bits >> (left - 5) & 0x1f);
        if (five == 0x1f) break; // Padding.
        const bool is_short = five < 3;
        out = 10 * out + (is_short ? five : static_cast<int>(bits >> (left - 6) & 0x3f) - 0x19 + 3);
        left -= is_short ? 5 : 6;
    }
    return out;
}

/// The status in the HEADERS at the start of `stream`; 0: there are none.
inline int status_in(std::string_view stream) {
    if (stream.size() < 5 || stream[0] != 0x01) return 0;
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(stream[i]); };
    constexpr std::size_t line = 4; // After the frame's type and length, and the section's prefix.
    if (at(line) < 0xc0) {          // Its name by table index, in two bytes; then its value.
        const std::size_t size = at(line + 2) & 0x7f;
        const auto value = stream.substr(line + 3, size);
        return at(line + 2) < 0x80 ? std::stoi(std::string{value}) : huffman_digits(value);
    }
    static const std::map<int, int> table{
        {24, 103}, {25, 200}, {26, 304}, {27, 404}, {28, 503}, {64, 204}, {66, 302}, {67, 400}, {68, 403}, {71, 500}};
    const int index = at(line) & 0x3f; // 63 and above take another byte.
    return table.at(index < 0x3f ? index : 0x3f + at(line + 1));
}

/// A client on a QUIC connection whose ALPN is h3, to the server of a pair.
class raw_http3 {
public:
    explicit raw_http3(webtransport_pair& p, const std::string& control_stream = usual_settings()) : pair_{p} {
        p.open_quic([this](link::connection& c, time_point) {
            auto made = std::make_unique<lasting>(c, past_);
            made->ended = ended = std::make_shared<std::optional<link::closed>>();
            upper = made.get();
            return made;
        });
        REQUIRE(p.run([&] { return upper != nullptr; }));
        if (!control_stream.empty()) open(direction::uni, control_stream);
    }

    stream_id open(direction kind, std::string bytes, bool fin = false) {
        std::optional<stream_id> id;
        upper->in_pump([&, kind](link::connection& c) {
            id = c.open(kind);
            if (!id) return;
            upper->sent[*id].bytes = std::move(bytes);
            upper->sent[*id].fin = fin;
        });
        pair_.run([&] { return id.has_value(); }, 5s);
        REQUIRE(id);
        return *id;
    }
    void more(stream_id id, const std::string& bytes, bool fin = false) {
        upper->in_pump([this, id, bytes, fin](link::connection&) { append(id, bytes, fin); });
        pair_.run_for(50ms);
    }
    /// The same within a pump, which then sends it.
    void append(stream_id id, const std::string& bytes, bool fin) {
        auto& out = upper->sent[id];
        auto longer = out.bytes + bytes;
        older.push_back(std::exchange(out.bytes, std::move(longer))); // Some of it may be in flight.
        out.fin = fin;
        out.done = false;
    }
    void datagram(const std::string& bytes) {
        for (bool sent = false; !sent && !is_over();) {
            upper->in_pump([&](link::connection& c) { sent = c.send(as_bytes(bytes)); });
            pair_.run_for(50ms);
        }
    }
    void reset(stream_id id, std::uint64_t code) {
        upper->in_pump([id, code](link::connection& c) { c.reset(id, app_error{code}); });
        pair_.run_for(50ms);
    }
    /// The status in the answer to a request.
    int ask(const fields& header, bool fin = true) {
        const auto id = open(direction::bidi, headers(header), fin);
        return answer(id);
    }
    int answer(stream_id id) {
        pair_.run([&] { return is_over() || status(id) != 0; }, 5s);
        return status(id);
    }
    int status(stream_id id) { return status_in(received(id).bytes); }
    /// The bytes received on a stream, also after the connection has ended.
    const recorder::incoming& received(stream_id id) { return (is_over() ? *past_ : upper->received)[id]; }
    /// The code with which the server reset it.
    std::uint64_t reset_code(stream_id id) {
        pair_.run([&] { return is_over() || received(id).reset.has_value(); }, 5s);
        REQUIRE(received(id).reset);
        return number(*received(id).reset);
    }
    /// A session of the server's, on the stream of this id.
    stream_id session() {
        const auto id = open(direction::bidi, headers(connect()));
        REQUIRE(answer(id) == 200);
        return id;
    }
    bool is_over() const { return ended->has_value(); }
    /// The code of the connection's close.
    std::uint64_t code() {
        pair_.run([&] { return is_over(); }, 30s);
        REQUIRE(is_over());
        return (*ended)->code;
    }

    recorder* upper = nullptr; ///< Dangling after its end.
    std::shared_ptr<std::optional<link::closed>> ended;
    std::deque<std::string> older;

private:
    using streams = std::map<stream_id, recorder::incoming>;
    /// Its records outlive it.
    struct lasting final : recorder {
        lasting(link::connection& c, std::shared_ptr<streams> p) : recorder{c}, past{std::move(p)} {}
        ~lasting() override { *past = received; }
        app_error code_of(std::uint64_t wire) const override { return app_error{wire}; }
        std::shared_ptr<streams> past;
    };

    webtransport_pair& pair_;
    std::shared_ptr<streams> past_ = std::make_shared<streams>();
};

} // namespace moqlite::test
