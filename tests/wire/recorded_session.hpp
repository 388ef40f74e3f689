// A session of another implementation, recorded at the client: its streams, and their events in order.
#pragma once

#include "vector_streams.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <hex.hpp>
#include <map>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/wire/lite/inspect.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::test::vectors {

/// How a direction ended, and by which side.
enum class recorded_end : std::uint8_t { open, fin, reset, stopped };

struct recorded_session_stream;

struct recorded_direction {
    recorded_session_stream* stream = nullptr;
    bool from_opener = true;
    role sender = role::client;
    lite::inspection what = {};
    std::vector<std::byte> bytes = {};
    recorded_end end = recorded_end::open;
    app_error code = app_error::cancel; ///< Of a reset.
};

struct recorded_session_stream {
    role opener = role::client;
    direction kind = direction::bidi;
    std::uint64_t ordinal = 0;            ///< Its number among its opener's streams of this kind.
    std::optional<lite::bidi_type> type;  ///< Of a bidirectional one.
    std::array<recorded_direction, 2> of; ///< From its opener, from its peer.

    [[nodiscard]] stream_id id() const noexcept {
        return stream_id{4 * ordinal + (kind == direction::uni ? 2U : 0U) + (opener == role::server ? 1U : 0U)};
    }
};

/// One event: a datagram, bytes of a direction, or (neither) the direction's end.
struct recorded_step {
    role sender = role::client;
    recorded_direction* on = nullptr; ///< None: a datagram.
    byte_view bytes = {};
    bool is_end = false;
};

/// Throws std::exception on an unknown form of recording.
class recorded_session {
public:
    explicit recorded_session(const json& transcript) {
        const std::string name = transcript.at("version");
        const auto v = version_from_alpn(name);
        if (!v) throw std::invalid_argument{"no such version: " + name};
        dialect = *v;
        for (const auto& s : transcript.at("streams")) add(s);
        for (const auto& d : transcript.value("datagrams", json::array())) {
            datagrams_.push_back(hex(d.at("hex").get<std::string>()));
            steps.emplace(d.at("seq"), recorded_step{.sender = side_of(d.at("from")), .bytes = datagrams_.back()});
        }
    }
    recorded_session(const recorded_session&) = delete; // Steps point into it.
    recorded_session& operator=(const recorded_session&) = delete;

    version dialect = version::lite_05;
    std::deque<recorded_session_stream> streams;
    std::multimap<std::uint64_t, recorded_step> steps; ///< In order.

private:
    static role side_of(const json& who) {
        if (who == "client") return role::client;
        if (who == "server") return role::server;
        throw std::invalid_argument{"nobody is called " + who.dump()};
    }

    void add(const json& data) {
        auto& s = streams.emplace_back();
        s.opener = side_of(data.at("opener"));
        const std::string kind = data.at("kind");
        if (kind != "bidi" && kind != "uni") throw std::invalid_argument{"no stream is " + kind};
        s.kind = kind == "uni" ? direction::uni : direction::bidi;
        s.ordinal = data.at("ordinal");
        const auto peer = s.opener == role::client ? role::server : role::client;
        s.of[0] = {.stream = &s, .from_opener = true, .sender = s.opener};
        s.of[1] = {.stream = &s, .from_opener = false, .sender = peer};
        add(s.of[0], data, "fromOpener");
        add(s.of[1], data, "fromPeer");
        name(s);
    }
    void add(recorded_direction& d, const json& data, const std::string& key) {
        const auto parts = data.value(key, json::array());
        for (const auto& part : parts)
            for (auto b : hex(part.at("hex").get<std::string>())) d.bytes.push_back(b);
        if (to_hex(d.bytes) != data.value(key + "Hex", "")) throw std::invalid_argument{"pieces that are not " + key};
        std::size_t used = 0;
        for (const auto& part : parts) {
            const auto n = part.at("hex").get_ref<const std::string&>().size() / 2;
            steps.emplace(part.at("seq"), recorded_step{d.sender, &d, byte_view{d.bytes}.subspan(used, n)});
            used += n;
        }
        if (!data.contains(key + "End")) return;
        const auto& end = data.at(key + "End");
        read_end(d, end.at("how"));
        if (d.end != recorded_end::open)
            steps.emplace(end.at("seq"), recorded_step{.sender = d.sender, .on = &d, .is_end = true});
    }
    static void read_end(recorded_direction& d, const std::string& how) {
        if (how == "fin") {
            d.end = recorded_end::fin;
        } else if (how == "stop_sending") {
            d.end = recorded_end::stopped;
        } else if (const auto at = how.find("RESET_STREAM: "); at != std::string::npos) {
            d.end = recorded_end::reset;
            d.code = app_error{std::stoull(how.substr(at + 14))};
        } else if (how.find("session error") == std::string::npos) { // That ends everything, after all else.
            throw std::invalid_argument{"an end of no known kind: " + how};
        }
    }
    /// The types of both directions.
    void name(recorded_session_stream& s) {
        for (auto& d : s.of) d.what.dialect = dialect;
        if (s.kind == direction::uni) {
            s.of[0].what.kind = lite::carrier::uni;
            s.of[0].what.from = lite::sender::publisher; // Both sides may send SETUP.
            return;
        }
        const auto type = lite::take_bidi_type(dialect, s.of[0].bytes);
        if (!type) throw std::invalid_argument{"a stream of no known type: " + to_hex(s.of[0].bytes)};
        s.type = type->type;
        s.of[0].what.from = lite::sender::subscriber; // Both sides may send GOAWAY.
        s.of[1].what.from = lite::sender::publisher;
        s.of[1].what.answers = s.type;
    }

    std::deque<std::vector<std::byte>> datagrams_;
};

} // namespace moqlite::test::vectors
