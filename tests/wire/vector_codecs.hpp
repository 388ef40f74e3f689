// Runs each codec over one recorded message.
#pragma once

#include "vector_fields.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <hex.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace moqlite::test::vectors {

using json = nlohmann::json;
using namespace wire;
namespace lite = wire::lite;

/// The error of bytes at the end of a stream, or ok.
template <class T>
errc at_end(const taken<T>& t) {
    return t.status == progress::need_more ? errc::stream_ended_early : t.error;
}

/// An entry read by the codec under test.
struct outcome {
    errc error = errc::ok; ///< Of decoding.
    bool as_told = false;  ///< The fields are those of the entry.
    std::string encoded;   ///< From the entry's fields; of positive entries only.
    std::string reencoded; ///< From what was decoded.
};

struct entry {
    const json& data;
    version v;
    std::vector<std::byte> bytes;

    [[nodiscard]] std::string kind() const { return data.at("kind"); }
    [[nodiscard]] bool is_positive() const { return kind() == "positive"; }
    [[nodiscard]] bool is_told() const { return is_positive() || kind() == "decode-only"; }
    /// The decoded fields, where they differ from the encoded ones.
    [[nodiscard]] const json& decoded() const {
        return data.contains("decoded") ? data.at("decoded") : data.at("fields");
    }
};

template <class M>
std::string encoded(version v, const M& m) {
    std::vector<std::byte> out;
    const auto error = lite::encode(v, m, out);
    return error == errc::ok ? to_hex(out) : std::string{to_string(error)};
}

template <class M>
result<M> decode_whole(const entry& e) {
    if constexpr (std::is_same_v<M, lite::datagram>) {
        return lite::decode<M>(e.v, e.bytes);
    } else if constexpr (lite::typed_message<M>) {
        const auto message = lite::take_typed_message(e.v, e.bytes);
        if (!message) return at_end(message);
        if (message->type != message_type(e.v, M{})) return errc::unknown_message_type;
        if (message->size != e.bytes.size()) return errc::message_too_long;
        return lite::decode<M>(e.v, message->body);
    } else {
        const auto message = lite::take_message(e.v, e.bytes);
        if (!message) return at_end(message);
        if (message->size != e.bytes.size()) return errc::message_too_long;
        return lite::decode<M>(e.v, message->body);
    }
}

template <class M>
outcome run_message(const entry& e) {
    outcome out;
    vector_fields decoded_fields{e.decoded(), e.v};
    vector_fields fields{e.data.at("fields"), e.v};
    const auto decoded = decode_whole<M>(e);
    out.error = decoded.error();
    if (e.is_positive()) out.encoded = encoded(e.v, fields.as<M>());
    if (!decoded) return out;
    out.reencoded = encoded(e.v, *decoded);
    if (!e.is_told()) return out;

    const auto told = decoded_fields.as<M>();
    out.as_told = *decoded == told || (!e.is_positive() && decoded_fields.normalised(*decoded) == told);
    return out;
}

/// SUBSCRIBE_OK, _END and _DROP, which only the type distinguishes.
inline outcome run_subscribe_response(const entry& e) {
    const auto types = lite::subscribe_response_types(e.v);
    const auto message = lite::take_typed_message(e.v, e.bytes, default_limits.control_message, types);
    if (!message) return {at_end(message), false, {}, {}};
    return {lite::decode_subscribe_response(e.v, *message).error(), false, {}, {}};
}

/// ANNOUNCE in the form of the version.
inline outcome run_announce(const entry& e) {
    if (!has_typed_announces(e.v)) return run_message<lite::announce>(e);
    const auto message = lite::take_typed_message(e.v, e.bytes);
    if (!message) return {at_end(message), false, {}, {}};
    return {lite::decode_announcement(e.v, *message).error(), false, {}, {}};
}

inline void put_integer(version v, std::uint64_t value, std::string& out) {
    std::array<std::byte, integer_size_max> form{};
    out += to_hex(byte_view{form}.first(write_integer(integers_of(v), value, form)));
}

inline outcome run_varint(const entry& e, const std::function<std::uint64_t(const json&)>& folded) {
    outcome out;
    byte_view in = e.bytes;
    const auto value = read_integer(integers_of(e.v), in);
    if (!value || !in.empty()) out.error = value ? errc::message_too_long : errc::message_too_short;
    if (value > varint_max) out.error = errc::value_too_large;
    if (e.is_positive()) put_integer(e.v, folded(e.data.at("fields").at("value")), out.encoded);
    if (out.error != errc::ok) return out;
    put_integer(e.v, *value, out.reencoded);
    out.as_told = e.is_told() && *value == folded(e.data.at("fields").at("value"));
    return out;
}

inline outcome run_string(const entry& e) {
    outcome out;
    reader in{e.bytes, integers_of(e.v)};
    const auto text = in.string();
    out.error = in.finish();
    const auto written = [&](std::string_view value) {
        std::vector<std::byte> bytes;
        writer{bytes, integers_of(e.v)}.string(value);
        return to_hex(bytes);
    };
    if (e.is_positive()) out.encoded = written(e.data.at("fields").at("value").get<std::string>());
    out.reencoded = written(text);
    out.as_told = e.is_told() && text == e.data.at("fields").at("value").get<std::string>();
    return out;
}

template <class Type>
outcome run_stream_type(const entry& e, const taken<lite::stream_prefix<Type>>& type,
    std::initializer_list<std::pair<const char*, Type>> names) {
    outcome out;
    out.error = at_end(type);
    const auto written = [](Type t) {
        std::vector<std::byte> bytes;
        lite::encode(t, bytes);
        return to_hex(bytes);
    };
    if (type) out.reencoded = written(type->type);
    for (const auto& [name, value] : names) {
        if (!e.is_told() || e.data.at("fields").at("name") != name) continue;
        if (e.is_positive()) out.encoded = written(value);
        out.as_told = type && type->type == value && type->size == e.bytes.size() &&
                      e.data.at("fields").at("type") == static_cast<std::uint64_t>(value);
    }
    return out;
}

struct whole_frame {
    timestamp time = {};
    std::string payload; ///< In hexadecimal.
    bool operator==(const whole_frame&) const = default;
};

inline std::string written(version v, const std::vector<whole_frame>& frames) {
    std::string out;
    timestamp last{};
    for (const auto& f : frames) {
        std::array<std::byte, lite::frame_header_size_max> header{};
        const auto delta = lite::delta(last, f.time);
        if (!delta) return "no delta";
        out += to_hex(byte_view{header}.first(lite::write_frame_header(v, *delta, f.payload.size() / 2, header)));
        out += f.payload;
        last = f.time;
    }
    return out;
}

inline errc read_frames(version v, byte_view in, std::vector<whole_frame>& out) {
    timestamp time{};
    while (!in.empty()) {
        const auto header = lite::take_frame_header(v, in);
        if (!header) return at_end(header);
        in = in.subspan(header->consumed);
        if (in.size() < header->size) return errc::stream_ended_early;
        const auto now = lite::apply_delta(time, header->delta);
        if (!now) return errc::timestamp_out_of_range;
        time = *now;
        out.push_back({time, to_hex(in.first(static_cast<std::size_t>(header->size)))});
        in = in.subspan(static_cast<std::size_t>(header->size));
    }
    return errc::ok;
}

inline outcome run_frames(const entry& e) {
    outcome out;
    std::vector<whole_frame> told, decoded;
    const auto& fields = e.data.at("fields");
    if (fields.contains("payload")) told.push_back({{}, fields.at("payload")});
    if (fields.contains("frames"))
        for (const auto& f : fields.at("frames"))
            told.push_back({timestamp{vector_number(f.at("timestamp"))}, f.at("payload")});
    if (e.is_positive()) out.encoded = written(e.v, told);
    out.error = read_frames(e.v, e.bytes, decoded);
    out.reencoded = written(e.v, decoded);
    out.as_told = decoded == told;
    return out;
}

using runner = std::function<outcome(const entry&)>;

inline const std::map<std::string, runner>& runners() {
    static const std::map<std::string, runner> all{
        {"varint", [](const entry& e) { return run_varint(e, vector_number); }},
        {"zigzag-varint",
            [](const entry& e) { return run_varint(e, [](const json& n) { return zigzag(vector_signed(n)); }); }},
        {"string", run_string},
        {"STREAM_TYPE(bidi)",
            [](const entry& e) {
                using enum lite::bidi_type;
                return run_stream_type(e, lite::take_bidi_type(e.v, e.bytes),
                    {{"Announce", announce}, {"Subscribe", subscribe}, {"Fetch", fetch}, {"Probe", probe},
                        {"Goaway", goaway}, {"Track", track}});
            }},
        {"STREAM_TYPE(uni)",
            [](const entry& e) {
                using enum lite::uni_type;
                return run_stream_type(e, lite::take_uni_type(e.v, e.bytes), {{"Group", group}, {"Setup", setup}});
            }},
        {"SETUP", run_message<lite::setup>},
        {"ANNOUNCE_REQUEST", run_message<lite::announce_request>},
        {"ANNOUNCE_OK", run_message<lite::announce_ok>},
        {"ANNOUNCE", run_announce},
        {"ANNOUNCE_BROADCAST", run_message<lite::announce>},
        {"ANNOUNCE_START", run_message<lite::announce_start>},
        {"ANNOUNCE_END", run_message<lite::announce_end>},
        {"ANNOUNCE_UPDATE", run_message<lite::announce_update>},
        {"SUBSCRIBE", run_message<lite::subscribe>},
        {"SUBSCRIBE_UPDATE", run_message<lite::subscribe_update>},
        {"SUBSCRIBE_OK", run_message<lite::subscribe_ok>},
        {"SUBSCRIBE_END", run_message<lite::subscribe_end>},
        {"SUBSCRIBE_DROP", run_message<lite::subscribe_drop>},
        {"SUBSCRIBE_RESPONSE", run_subscribe_response},
        {"TRACK", run_message<lite::track>},
        {"TRACK_INFO", run_message<lite::track_info>},
        {"FETCH", run_message<lite::fetch>},
        {"GROUP", run_message<lite::group_header>},
        {"FRAME", run_frames},
        {"FRAMES", run_frames},
        {"DATAGRAM", run_message<lite::datagram>},
        {"PROBE", run_message<lite::probe>},
        {"GOAWAY", run_message<lite::goaway>},
    };
    return all;
}

} // namespace moqlite::test::vectors
