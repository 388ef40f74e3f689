// A session under test: facts in as hexadecimal, events and outputs out as lines of text.
#pragma once

#include "hex.hpp"
#include "lent.hpp"
#include "sim/print.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <moqlite/session/checking_transport.hpp>
#include <moqlite/session/session.hpp>
#include <moqlite/session/transport.hpp>
#include <moqlite/wire/lite/subscribe.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::test {

using namespace std::chrono_literals;
using list = std::vector<std::string>;

inline constexpr time_point t0{1s};

/// The versions whose integers are those of QUIC, as the bytes in most tests are. Of moq-lite-07 there are tests of its
/// own.
inline constexpr std::array quic_versions{version::lite_03, version::lite_04, version::lite_05, version::lite_06};

/// The lines without those that begin with `word`.
[[nodiscard]] inline list without(list lines, std::string_view word) {
    std::erase_if(lines, [&](const std::string& l) { return l.starts_with(word); });
    return lines;
}

/// A transport that records everything, and can be told to block.
class recorder {
public:
    explicit recorder(role side) : side_(side) {}

    std::optional<stream_id> open(direction kind) {
        auto& left = kind == direction::uni ? uni_streams : bidi_streams;
        said.push_back(std::string(kind == direction::uni ? "open uni" : "open bidi") + (left == 0 ? " in vain" : ""));
        if (left == 0) return std::nullopt;
        --left;
        auto& next = kind == direction::uni ? next_uni_ : next_bidi_;
        const auto id = 4 * next++ + (kind == direction::uni ? 2u : 0u) + (side_ == role::server ? 1u : 0u);
        return stream_id{id};
    }
    std::optional<std::size_t> write(const write_stream& w) {
        lent.compare_all(); // A packet is begun, which may retransmit any of it.
        if (budget == 0) return std::nullopt;
        const auto room = stream_room.contains(w.stream) ? stream_room[w.stream] : SIZE_MAX;
        const auto n = std::min({w.size, room, budget});
        if (n == 0 && w.size != 0) return 0;
        if (stream_room.contains(w.stream)) stream_room[w.stream] -= n;
        budget -= n;
        std::vector<std::byte> bytes;
        for (auto part : w.data) bytes.insert(bytes.end(), part.begin(), part.end());
        if (bytes.size() != w.size) said.push_back("size is wrong");
        bytes.resize(n);
        const byte_view one[] = {bytes};
        said.push_back(text(write_stream{w.stream, one, n, w.fin && n == w.size}));
        unacked[w.stream] += n;
        lent.lend(w.stream, w.data, n);
        return n;
    }
    void reset(stream_id id, app_error code) {
        said.push_back(text(reset_stream{id, code}));
        codes.push_back(static_cast<std::uint64_t>(code));
        lent.reset(id);
    }
    void stop(stream_id id, app_error code) {
        said.push_back(text(stop_sending{id, code}));
        codes.push_back(static_cast<std::uint64_t>(code));
    }
    void credit(stream_id id, std::uint64_t n) { said.push_back(text(moqlite::credit{id, n})); }
    void close(app_error code, std::string_view reason) {
        said.push_back(text(close_connection{code, reason}));
        codes.push_back(static_cast<std::uint64_t>(code));
        lent.close();
    }
    void flush() { lent.executed(); }

    list said;
    std::vector<std::uint64_t> codes; ///< Numbers of resets, stops and closes.
    std::size_t bidi_streams = 1000;
    std::size_t uni_streams = 1000;
    std::size_t budget = SIZE_MAX;                ///< What the connection takes.
    std::map<stream_id, std::size_t> stream_room; ///< Bytes that a stream takes; without an entry all.
    std::map<stream_id, std::uint64_t> unacked;
    lent_memory lent;

private:
    role side_;
    std::uint64_t next_bidi_ = 0;
    std::uint64_t next_uni_ = 0;
};

static_assert(transport<recorder>);

/// The session's outputs are checked, its inputs are not: a test may pass it anything.
struct output_fault_is_failure {
    void operator()(std::string_view rule) const {
        const auto kind = rule.substr(0, rule.find(':'));
        for (const auto of_outputs : {"outputs", "write", "reset", "reset, stop", "stop", "credit"})
            sim::must(kind != of_outputs, rule.data());
    }
};

/// A session, its recorder, and a manual clock.
class subject {
public:
    explicit subject(role side, version v = version::lite_05, session_options options = {})
        : link(side), session_(side, v, std::move(options), t0), books_(side) {}

    session* operator->() { return &session_; }
    session& operator*() { return session_; }

    /// Takes inputs, and enters them in the books.
    auto& told() noexcept { return checked_; }

    /// All events that are due.
    list events() {
        list out;
        while (const auto e = checked_.poll_event()) out.push_back(text(*e));
        return out;
    }
    /// Pumps, and returns the outputs.
    list outputs() {
        link.said.clear();
        pump(checked_, wire_);
        return std::exchange(link.said, {});
    }
    /// Bytes arrive; their events are not polled yet.
    void arrives(std::uint64_t id, byte_view data, bool fin = false) {
        checked_.stream_received(stream_id{id}, data, fin, now);
    }
    /// Bytes arrive; returns the events.
    list receive(std::uint64_t id, std::string_view bytes, bool fin = false) {
        const auto data = hex(bytes);
        arrives(id, data, fin);
        return events();
    }
    list reset(std::uint64_t id, app_error code = app_error::cancel) {
        checked_.stream_reset(stream_id{id}, code, now);
        return events();
    }
    list stopped(std::uint64_t id, app_error code = app_error::cancel) {
        checked_.stream_stopped(stream_id{id}, code, now);
        return events();
    }
    void writable(std::uint64_t id) { checked_.stream_writable(stream_id{id}, now); }
    list acked(std::uint64_t id, std::uint64_t n) {
        link.lent.acked(stream_id{id}, n);
        checked_.stream_acked(stream_id{id}, n, now);
        return events();
    }
    /// Everything that was written on the stream arrives.
    list all_acked(std::uint64_t id) {
        const auto n = std::exchange(link.unacked[stream_id{id}], 0);
        return n != 0 ? acked(id, n) : list{};
    }
    list stream_closed(std::uint64_t id, std::optional<app_error> code = {}) {
        link.lent.closed(stream_id{id});
        checked_.stream_closed(stream_id{id}, code, now);
        return events();
    }
    list tick_after(duration d) {
        now += d;
        checked_.tick(now);
        return events();
    }

    recorder link;
    time_point now = t0;

private:
    session session_;
    contract_checker<output_fault_is_failure> books_;
    checking_session<session, output_fault_is_failure> checked_{session_, books_};
    checking_transport<recorder, output_fault_is_failure> wire_{link, books_};
};

/// Takes a session through its handshake: SETUP in both directions, and on a server admission.
inline void begin(subject& s, scope allowed = {}) {
    const bool server = s->side() == role::server;
    static_cast<void>(s.outputs());
    if (has_setup(s->negotiated())) {
        static_cast<void>(s.receive(server ? 2 : 3, "01 04 01 01 01 01", true));
        static_cast<void>(s.all_acked(server ? 3 : 2));
        static_cast<void>(s.stream_closed(server ? 3 : 2));
        static_cast<void>(s.stream_closed(server ? 2 : 3));
    } else {
        static_cast<void>(s.events());
    }
    if (server) static_cast<void>(s->admit(std::move(allowed)));
    static_cast<void>(s.outputs());
}

/// `body` (hexadecimal) after its length.
[[nodiscard]] inline std::string sized(std::string_view body) {
    std::array<std::byte, wire::varint_size_max> form{};
    const auto used = wire::write_varint(hex(body).size(), form);
    return to_hex(byte_view{form}.first(used)).append(" ").append(body);
}
/// The same in the integers of a version.
[[nodiscard]] inline std::string sized(version v, std::string_view body) {
    std::array<std::byte, wire::integer_size_max> form{};
    const auto used = wire::write_integer(wire::integers_of(v), hex(body).size(), form);
    return to_hex(byte_view{form}.first(used)).append(" ").append(body);
}
/// Text as a string on the wire.
[[nodiscard]] inline std::string wire_text(std::string_view text) { return sized(to_hex(as_bytes(text))); }

/// A subscribe stream's first bytes; `options` are priority, ordered, latency, start, end.
[[nodiscard]] inline std::string subscribe_bytes(std::string_view id, std::string_view broadcast,
    std::string_view track, std::string_view options = "00 00 00 00 00") {
    return "02 " + sized(std::string(id) + wire_text(broadcast) + wire_text(track) + std::string(options));
}
/// The same in the layout of a version.
[[nodiscard]] inline std::string options_bytes(version v, const subscribe_options& o = {}) {
    std::vector<std::byte> message;
    sim::must(wire::lite::encode(v, wire::lite::subscribe_update{o}, message) == errc::ok, "these options are encoded");
    return to_hex(byte_view{message}.subspan(1)); // Without its length.
}
[[nodiscard]] inline std::string subscribe_bytes(version v, std::string_view id, std::string_view broadcast,
    std::string_view track, const subscribe_options& o = {}) {
    return subscribe_bytes(id, broadcast, track, options_bytes(v, o));
}
/// SUBSCRIBE_UPDATE.
[[nodiscard]] inline std::string update_bytes(version v, const subscribe_options& o) {
    return sized(options_bytes(v, o));
}
/// A FETCH stream's first bytes.
[[nodiscard]] inline std::string fetch_bytes(
    version v, std::string_view broadcast, std::string_view track, std::string_view sequence) {
    return "03 " + sized(wire_text(broadcast) + wire_text(track) + "00" + std::string(sequence) +
                         (has_frame_ranges(v) ? "00 00" : ""));
}
/// A group stream's first bytes.
[[nodiscard]] inline std::string group_bytes(version v, std::string_view id, std::string_view sequence) {
    return "00 " + sized(std::string(id) + std::string(sequence) + (has_frame_ranges(v) ? "00" : ""));
}
/// The same as the session writes it.
[[nodiscard]] inline std::string compact(std::string_view spaced) { return to_hex(hex(spaced)); }
[[nodiscard]] inline std::string track_bytes(std::string_view broadcast, std::string_view track) {
    return "06 " + sized(wire_text(broadcast) + wire_text(track));
}

/// What follows a server's or client's first request streams and groups: ids as QUIC counts them.
[[nodiscard]] constexpr std::uint64_t client_bidi(std::uint64_t n) noexcept { return 4 * n; }
[[nodiscard]] constexpr std::uint64_t server_bidi(std::uint64_t n) noexcept { return 4 * n + 1; }
[[nodiscard]] constexpr std::uint64_t client_uni(std::uint64_t n) noexcept { return 4 * n + 2; }
[[nodiscard]] constexpr std::uint64_t server_uni(std::uint64_t n) noexcept { return 4 * n + 3; }

} // namespace moqlite::test
