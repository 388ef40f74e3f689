// A recorded direction of a stream, `STREAM <kind>[, <sender>-><receiver>]`: the messages in its fields, and whether
// the inspector finds them in its bytes.
#pragma once

#include "inspected_text.hpp"
#include "vector_fields.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <deque>
#include <hex.hpp>
#include <moqlite/wire/lite/inspect.hpp>
#include <moqlite/wire/writer.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::test::vectors {

using json = nlohmann::json;
namespace lite = wire::lite;
using lines = std::vector<std::string>;

/// How the sender ends a direction.
enum class stream_end : std::uint8_t { open, fin, reset };

/// One parsed entry. An unknown form throws: it would not be checked.
class recorded_stream {
public:
    recorded_stream(const json& data, version v)
        : dialect(v), kind(data.at("kind")), bytes(hex(data.at("hex").get<std::string>())) {
        disputed = data.value("disputed", false);
        state = data.value("state", false);
        read_name(data.at("message"));
        read_end(data.value("end", kind == "negative" ? "FIN" : "kept open"));
        if (is_told()) read_fields(data.contains("decoded") ? data.at("decoded") : data.at("fields"));
    }

    /// Bytes that only the inspector classifies.
    recorded_stream(const lite::inspection& of, std::vector<std::byte> recorded)
        : dialect(of.dialect), kind("positive"), bytes(std::move(recorded)), what(of) {
        if (of.answers) type = *of.answers;
        inspected_end = inspect(what, bytes, [&](const lite::inspected& m) {
            if (const auto* bidi = std::get_if<lite::bidi_type>(&m.message))
                type = *bidi;
            else if (const auto* uni = std::get_if<lite::uni_type>(&m.message))
                is_setup = *uni == lite::uni_type::setup;
            else
                messages.push_back(m);
        });
    }

    recorded_stream(const recorded_stream&) = delete; // Its messages alias its bytes.
    recorded_stream& operator=(const recorded_stream&) = delete;

    version dialect;
    std::string kind;
    std::vector<std::byte> bytes;
    bool disputed = false;
    bool state = false; ///< Each message is well-formed; only those before it on the stream forbid the last.
    lite::inspection what;
    lite::bidi_type type{}; ///< Of a bidirectional stream.
    bool is_setup = false;  ///< Of a unidirectional one: SETUP, else GROUP.
    stream_end end = stream_end::open;
    app_error code = app_error::cancel; ///< Of a reset.
    /// After the stream's type, from the fields.
    std::vector<lite::inspected> messages;
    lite::inspection_end inspected_end; ///< Their offsets, by the inspector.

    [[nodiscard]] bool is_told() const { return kind == "positive" || kind == "decode-only"; }
    [[nodiscard]] bool is_bidi() const { return what.kind == lite::carrier::bidi; }
    [[nodiscard]] bool is_answer() const { return what.answers.has_value(); }

private:
    [[noreturn]] static void unknown(const std::string& what) {
        throw std::invalid_argument{"no check is known for " + what};
    }

    void read_name(const std::string& name) {
        const auto comma = name.find(", ");
        const auto stream = name.substr(7, comma == std::string::npos ? comma : comma - 7);
        const auto way = comma == std::string::npos ? std::string{} : name.substr(comma + 2);
        what.dialect = dialect;
        what.from = way == "subscriber->publisher" ? lite::sender::subscriber : lite::sender::publisher;
        if (stream == "group" || stream == "setup") {
            what.kind = lite::carrier::uni;
            is_setup = stream == "setup";
            return;
        }
        if (way != "subscriber->publisher" && way != "publisher->subscriber") unknown(name);
        using enum lite::bidi_type;
        for (auto known : {announce, subscribe, fetch, probe, goaway, track}) {
            std::string lower{to_string(known)};
            lower[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(lower[0])));
            if (stream != lower) continue;
            type = known;
            // A publisher opens no bidirectional stream but GOAWAY.
            if (what.from == lite::sender::publisher && type != goaway) what.answers = type;
            return;
        }
        unknown(name);
    }

    void read_end(const std::string& text) {
        if (text.starts_with("FIN")) {
            end = stream_end::fin;
        } else if (text.starts_with("RESET") || text.starts_with("reset")) {
            end = stream_end::reset;
            const auto digits = text.find_first_of("0123456789");
            if (digits != std::string::npos) code = app_error{std::stoull(text.substr(digits))};
        } else if (!text.starts_with("kept open") && !text.starts_with("open")) {
            unknown("the end '" + text + "'");
        }
    }

    void read_fields(const json& fields) {
        // In their permitted order.
        static constexpr std::array names{"SETUP", "ANNOUNCE_REQUEST", "ANNOUNCE_OK", "SUBSCRIBE", "SUBSCRIBE_UPDATE",
            "SUBSCRIBE_OK", "SUBSCRIBE_END", "SUBSCRIBE_DROP", "TRACK", "TRACK_INFO", "FETCH", "GROUP", "PROBE",
            "GOAWAY"};
        for (const auto& [name, value] : fields.items()) {
            const bool known = std::find(names.begin(), names.end(), name) != names.end();
            if (!known && name != "stream_type" && name != "messages" && name != "frames") unknown(name);
        }
        if (fields.contains("stream_type")) check_type(fields.at("stream_type"));
        for (const std::string name : names) {
            if (!fields.contains(name)) continue;
            const auto& value = fields.at(name);
            if (!value.is_array()) add(name, value);
            for (const auto& one : value.is_array() ? value : json::array()) add(name, one);
        }
        for (const auto& m : fields.value("messages", json::array())) add_listed(m);
        for (const auto& f : fields.value("frames", json::array())) add_frame(f);
    }

    void check_type(const json& number) {
        const auto told = number.get<std::uint64_t>();
        const auto named = is_bidi() ? static_cast<std::uint64_t>(type) : std::uint64_t{is_setup};
        if (is_answer() || told != named) unknown("stream type " + number.dump());
    }

    /// One of "messages": {NAME: fields}, or fields with a type or status of their own.
    void add_listed(const json& m) {
        if (m.size() == 1 && m.begin()->is_object()) return add(m.begin().key(), m.front());
        if (m.contains("status")) return add("ANNOUNCE", m);
        if (!m.contains("type")) unknown(m.dump());
        std::string name = m.at("type");
        if (name == "START(OK)" || (name == "START" && type == lite::bidi_type::subscribe)) name = "OK";
        if (name == "RESTART") name = "UPDATE";
        const std::string family = type == lite::bidi_type::announce ? "ANNOUNCE_" : "SUBSCRIBE_";
        add(name.starts_with(family) ? name : family + name, m);
    }

    void add(const std::string& name, const json& fields) {
        if (name == "SETUP") return add_as<lite::setup>(fields);
        if (name == "ANNOUNCE_REQUEST") return add_as<lite::announce_request>(fields);
        if (name == "ANNOUNCE_OK") return add_as<lite::announce_ok>(fields);
        if (name == "ANNOUNCE" || name == "ANNOUNCE_BROADCAST") return add_as<lite::announce>(fields);
        if (name == "ANNOUNCE_START") return add_as<lite::announce_start>(fields);
        if (name == "ANNOUNCE_END") return add_as<lite::announce_end>(fields);
        if (name == "ANNOUNCE_UPDATE") return add_as<lite::announce_update>(fields);
        if (name == "SUBSCRIBE") return add_as<lite::subscribe>(fields);
        if (name == "SUBSCRIBE_UPDATE") return add_as<lite::subscribe_update>(fields);
        if (name == "SUBSCRIBE_OK") return add_as<lite::subscribe_ok>(fields);
        if (name == "SUBSCRIBE_END") return add_as<lite::subscribe_end>(fields);
        if (name == "SUBSCRIBE_DROP") return add_as<lite::subscribe_drop>(fields);
        if (name == "TRACK") return add_as<lite::track>(fields);
        if (name == "TRACK_INFO") return add_as<lite::track_info>(fields);
        if (name == "FETCH") return add_as<lite::fetch>(fields);
        if (name == "GROUP") return add_as<lite::group_header>(fields);
        if (name == "PROBE") return add_as<lite::probe>(fields);
        if (name == "GOAWAY") return add_as<lite::goaway>(fields);
        unknown(name);
    }

    template <class M>
    void add_as(const json& fields) {
        auto& kept = jsons_.emplace_back(fields);
        if (!kept.contains("path")) kept["path"] = nullptr;
        if (kept.contains("hops")) kept["hop_count"] = kept["hops"];
        const auto m = fields_.emplace_back(kept, dialect).template as<M>();
        const bool starts = std::is_same_v<M, lite::announce_start>;
        messages.push_back({.message = m, .announce_id = starts ? started_++ : 0});
    }

    void add_frame(const json& fields) {
        const auto time = fields.contains("timestamp") ? vector_number(fields.at("timestamp")) : 0;
        auto& payload = payloads_.emplace_back();
        if (fields.contains("payload_utf8")) {
            const auto& text = fields.at("payload_utf8").get_ref<const std::string&>();
            payload.assign(as_bytes(text).begin(), as_bytes(text).end());
        } else {
            payload = hex(fields.at("payload").get<std::string>());
        }
        const auto delta = static_cast<std::int64_t>(time) - static_cast<std::int64_t>(std::exchange(time_, time));
        messages.push_back({.message = lite::frame{delta, timestamp{time}, payload}});
    }

    std::deque<json> jsons_;
    std::deque<vector_fields> fields_;
    std::deque<std::vector<std::byte>> payloads_;
    std::uint64_t started_ = 0;
    std::uint64_t time_ = 0;
};

/// The message with each path normalised, which other implementations do as they decode.
[[nodiscard]] inline std::string normalised_text(version v, lite::inspected m) {
    static const json none = json::object();
    vector_fields fields{none, v};
    std::visit(
        [&](auto& x) {
            if constexpr (std::is_class_v<std::decay_t<decltype(x)>> &&
                          !std::is_same_v<std::decay_t<decltype(x)>, lite::setup>)
                x = fields.normalised(x);
        },
        m.message);
    return text(v, m);
}

/// The bytes of the messages, as the codecs write them.
[[nodiscard]] inline std::string encoded(const recorded_stream& s) {
    std::vector<std::byte> out;
    if (!s.is_answer()) {
        const auto type = s.is_bidi() ? static_cast<std::uint64_t>(s.type) : std::uint64_t{s.is_setup};
        wire::writer{out}.varint(type); // One byte in every version.
    }
    const auto write_one = [&](const auto& m) {
        if constexpr (std::is_same_v<std::decay_t<decltype(m)>, lite::frame>) {
            std::array<std::byte, lite::frame_header_size_max> header{};
            const auto size = lite::write_frame_header(s.dialect, m.delta, m.payload.size(), header);
            out.insert(out.end(), header.begin(), header.begin() + static_cast<std::ptrdiff_t>(size));
            out.insert(out.end(), m.payload.begin(), m.payload.end());
        } else if constexpr (std::is_class_v<std::decay_t<decltype(m)>>) {
            static_cast<void>(encode(s.dialect, m, out));
        }
    };
    for (const auto& m : s.messages) std::visit(write_one, m.message);
    return to_hex(out);
}

/// The first difference found by the inspector; empty if none.
[[nodiscard]] inline std::string inspector_verdict(const recorded_stream& s) {
    const bool exact = s.kind == "positive";
    const auto line = [&](const lite::inspected& m) {
        return exact ? text(s.dialect, m) : normalised_text(s.dialect, m);
    };
    lines found;
    const auto end = inspect(s.what, s.bytes, [&](const lite::inspected& m) {
        const bool type =
            std::holds_alternative<lite::bidi_type>(m.message) || std::holds_alternative<lite::uni_type>(m.message);
        const bool skipped = std::holds_alternative<lite::unknown_announcement>(m.message);
        if (!type && !skipped) found.push_back(line(m));
    });
    const bool whole =
        end.how == lite::ending::whole || (end.how == lite::ending::incomplete && s.end != stream_end::fin);
    if (!s.is_told()) return whole && !s.disputed && !s.state ? "accepted by the inspector" : "";
    if (!whole)
        return "refused by the inspector with " + std::string{to_string(end.error)} + " at " +
               std::to_string(end.offset);
    for (std::size_t i = 0; i < std::max(found.size(), s.messages.size()); ++i) {
        const auto told = i < s.messages.size() ? line(s.messages[i]) : "nothing";
        const auto is = i < found.size() ? found[i] : "nothing";
        if (told != is) return "the inspector finds " + is + " instead of " + told;
    }
    // The parameters of a SETUP may be in any order.
    const auto again = encoded(s);
    const bool same = s.is_setup ? again.size() == 2 * s.bytes.size() : again == to_hex(s.bytes);
    return exact && !same ? "the fields encode as " + again : "";
}

} // namespace moqlite::test::vectors
