// Recorded messages, streams and datagrams of moq-transport: what the codec makes of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <hex.hpp>
#include <moqlite/wire/moqt/inspect_fields.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace moqlite::test::moqt_vectors {

using json = nlohmann::json;
namespace moqt = wire::moqt;

inline constexpr moqt::quirks none{.empty_prefix = false};
inline constexpr moqt::quirks all{
    .empty_prefix = true, .namespace_by_request = true, .moqtail_track_status = true, .moqtail_switch = true};

/// What was found in some bytes.
struct found {
    std::vector<moqt::inspected> what;
    wire::moqt::inspection_end end;
};

[[nodiscard]] inline found read(
    const moqt::draft& rules, byte_view bytes, moqt::carrier kind, const moqt::quirks& reads) {
    found out;
    out.end =
        moqt::inspect({{.rules = rules, .reads = reads}, kind}, bytes, [&](const auto& m) { out.what.push_back(m); });
    return out;
}

[[nodiscard]] inline json pairs_of(const moqt::pair_list& list) {
    auto out = json::array();
    moqt::for_each_pair(list, [&](std::uint64_t type, const auto& value) {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, byte_view>)
            out.push_back({{"type", type}, {"bytes_hex", to_hex(value)}});
        else
            out.push_back({{"type", type}, {"value", value}});
    });
    return out;
}

/// The fields as JSON; text and payloads as hex, since they may be any bytes.
[[nodiscard]] inline json fields_of(const moqt::draft& rules, const moqt::inspected& m) {
    const auto value_of = [](const auto& value) -> json {
        using type = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<type, std::string_view>) {
            return {{"hex", to_hex(as_bytes(value))}};
        } else if constexpr (std::is_same_v<type, byte_view>) {
            return {{"hex", to_hex(value)}};
        } else if constexpr (std::is_same_v<type, moqt::location>) {
            return {{"group", number(value.group)}, {"object", number(value.object)}};
        } else if constexpr (std::is_same_v<type, moqt::pair_list>) {
            return pairs_of(value);
        } else if constexpr (std::is_same_v<type, std::span<const std::string_view>>) {
            auto out = json::array();
            for (auto field : value) out.push_back({{"hex", to_hex(as_bytes(field))}});
            return out;
        } else if constexpr (std::is_same_v<type, std::span<const std::uint64_t>>) {
            return std::vector<std::uint64_t>(value.begin(), value.end());
        } else {
            return value;
        }
    };
    json out;
    moqt::for_each_field(
        rules, m, [&](std::string_view name, const auto& value) { out[std::string{name}] = value_of(value); });
    return out;
}

/// `told` as fields_of() would write it: numbers beyond 2^53 and versions are text there, and text is plain.
[[nodiscard]] inline bool same(const json& told, const json& is) {
    if (told.is_array())
        return is.is_array() && told.size() == is.size() &&
               std::equal(
                   told.begin(), told.end(), is.begin(), [](const auto& a, const auto& b) { return same(a, b); });
    if (told.is_string() && is.is_number())
        return std::stoull(told.get<std::string>(), nullptr, 0) == is.get<std::uint64_t>();
    if (told.is_string())
        return is.is_object() && is.contains("hex") &&
               is.at("hex") == to_hex(as_bytes(told.get_ref<const std::string&>()));
    if (told.is_boolean()) return is == (told.get<bool>() ? 1 : 0);
    if (!told.is_object()) return told == is;
    for (const auto& [name, value] : told.items()) {
        if (name == "name") continue; // For people.
        if (name == "bytes_utf8") {
            if (is.at("bytes_hex") != to_hex(as_bytes(value.get_ref<const std::string&>()))) return false;
        } else if (name == "hex" ? is != told
                                 : !is.contains(name) ||
                                       (name == "bytes_hex" ? is.at(name) != value : !same(value, is.at(name)))) {
            return false;
        }
    }
    return true;
}

/// Where the fields of `m` differ from those told; "": nowhere. Fields of `apart` are checked elsewhere.
[[nodiscard]] inline std::string differs(
    const moqt::draft& rules, const json& told, const moqt::inspected& m, const std::set<std::string>& apart) {
    const auto is = fields_of(rules, m);
    for (const auto& [name, value] : told.items()) {
        if (apart.contains(name)) continue;
        // An empty list of extensions is none.
        if (name == "extensions" && value.is_array() && value.empty() && !is.contains(name)) continue;
        if (!is.contains(name)) return "no field " + name + " in " + is.dump();
        if (!same(value, is.at(name))) return name + " is " + is.at(name).dump() + ", not " + value.dump();
    }
    return {};
}

/// The same bytes again.
[[nodiscard]] inline std::string encoded(const moqt::draft& rules, const std::vector<moqt::inspected>& found) {
    std::vector<std::byte> out;
    const moqt::subgroup_header* subgroup = nullptr;
    std::optional<object_id> before;
    moqt::fetch_cursor cursor;
    auto error = errc::ok;
    for (const auto& m : found) {
        wire::writer to{out, rules.form};
        if (const auto* message = std::get_if<moqt::any_message>(&m.what)) {
            error = std::visit([&](const auto& each) { return moqt::encode(rules, each, out); }, *message);
        } else if (const auto* datagram = std::get_if<moqt::object_datagram>(&m.what)) {
            error = moqt::encode(rules, *datagram, out);
        } else if (const auto* header = std::get_if<moqt::subgroup_header>(&m.what)) {
            moqt::write(to, rules, *header);
            subgroup = header;
        } else if (const auto* object = std::get_if<moqt::subgroup_object>(&m.what)) {
            moqt::write(to, rules, *subgroup, before, object->header);
            to.bytes(object->payload);
            before = object->header.object;
        } else if (const auto* fetch = std::get_if<moqt::fetch_header>(&m.what)) {
            moqt::write(to, rules, *fetch);
        } else if (const auto* fetched = std::get_if<moqt::fetch_object>(&m.what)) {
            moqt::write(to, rules, cursor, fetched->header);
            cursor.note(fetched->header);
            to.bytes(fetched->payload);
        }
        if (error == errc::ok) error = to.error();
        if (error != errc::ok) return std::string{to_string(error)};
    }
    return to_hex(out);
}

/// The primitives, which have no message around them. nullopt: `kind` is none of them.
struct primitive {
    errc error = errc::ok;
    json fields{};
    std::string encoded{};
};

[[nodiscard]] inline std::optional<primitive> read_primitive(const std::string& kind, byte_view bytes) {
    const auto& rules = moqt::draft_14;
    wire::reader in{bytes, rules.form};
    std::vector<std::byte> out;
    wire::writer to{out, rules.form};
    primitive p;
    if (kind == "VARINT") {
        const auto value = in.varint();
        p.fields["value"] = value;
        to.varint(value);
    } else if (kind == "LOCATION") {
        const auto where = moqt::detail::read_location(in);
        p.fields = {{"group", number(where.group)}, {"object", number(where.object)}};
        moqt::detail::write_location(to, where);
    } else if (kind == "TUPLE") {
        const auto space = moqt::detail::read_namespace(in, 0, wire::default_limits);
        p.fields["fields"] = json::array();
        for (auto field : space.fields()) p.fields["fields"].push_back({{"hex", to_hex(as_bytes(field))}});
        moqt::detail::write_namespace(to, space, 0);
    } else if (kind == "REASON_PHRASE") {
        const auto reason = moqt::detail::read_reason(in);
        p.fields["reason"] = {{"hex", to_hex(as_bytes(reason))}};
        moqt::detail::write_reason(to, reason);
    } else if (kind == "KEY_VALUE_PAIR") {
        moqt::key_value_reader pairs{rules, in.rest()};
        if (const auto pair = pairs.next()) {
            p.fields = pairs_of({rules, bytes}).at(0);
            to.bytes(moqt::key_value_writer{rules}.add(*pair).bytes());
        }
        if (pairs.error() != errc::ok) in.fail(pairs.error());
        if (pairs.left() != 0) in.fail(errc::message_too_long);
    } else if (kind == "PARAMETERS") {
        const auto list = moqt::detail::read_parameters(in, rules);
        p.fields["parameters"] = pairs_of({rules, list.pairs});
        moqt::detail::write_parameters(to, list);
    } else if (kind == "AUTH_TOKEN") {
        const auto token = moqt::decode_token(rules, in.rest());
        if (!token) return primitive{.error = token.error()};
        p.fields = {{"alias_type", static_cast<std::uint64_t>(token->how)}, {"alias", token->alias},
            {"token_type", token->type}, {"token_hex", {{"hex", to_hex(token->value)}}}};
        moqt::encode_token(rules, *token, out);
    } else {
        return std::nullopt;
    }
    p.error = in.finish();
    p.encoded = to_hex(out);
    return p;
}

[[nodiscard]] inline moqt::carrier carrier_of(const std::string& message) {
    if (message == "OBJECT_DATAGRAM" || message == "DATAGRAM") return moqt::carrier::datagram;
    const bool stream = message.ends_with("_STREAM") || message == "SUBGROUP_HEADER";
    return stream && message != "CONTROL_STREAM" ? moqt::carrier::uni : moqt::carrier::bidi;
}

/// Of what was told to be right.
[[nodiscard]] inline std::string accepted_verdict(
    const moqt::draft& rules, const json& data, const moqt::quirks& reads, bool exactly) {
    const std::string message = data.at("message");
    const auto bytes = hex(data.at("hex").get<std::string>());
    const auto& told = data.at("fields");
    const bool encodes = exactly && !data.value("note", "").starts_with("decode only");
    if (const auto p = read_primitive(message, bytes)) {
        if (p->error != errc::ok) return "refused with " + std::string{to_string(p->error)};
        for (const auto& [name, value] : told.items()) {
            const bool hexadecimal = name.ends_with("_hex") && p->fields.at(name).is_object();
            if (name == "minimal") continue;
            if (hexadecimal           ? p->fields.at(name).at("hex") != value
                : name == "bytes_hex" ? p->fields.at(name) != value
                                      : !same(value, p->fields.at(name)))
                return name + " is " + p->fields.at(name).dump();
        }
        return !encodes || p->encoded == data.at("hex").get<std::string>() ? "" : "encodes as " + p->encoded;
    }
    const auto out = read(rules, bytes, carrier_of(message), reads);
    if (out.end.how != moqt::ending::whole)
        return out.end.how == moqt::ending::malformed ? "refused with " + std::string{to_string(out.end.error)}
                                                      : "incomplete";
    std::set<std::string> apart{"type", "fin", "objects", "note", "filter", "extra_alias", "api_value", "wire_value",
        "objects_meant", "object_ids_on_wire"};
    if (data.at("kind") == "observed") apart.insert("reason"); // Told by hand, in another case.
    if (message == "CONTROL_STREAM") {
        const auto& messages = told.at("messages");
        if (messages.size() != out.what.size()) return "other messages";
        for (std::size_t i = 0; i < messages.size(); ++i) {
            if (moqt::name_of(rules, out.what[i]) != messages[i].at("message").get<std::string>())
                return "another message";
            if (auto problem = differs(rules, messages[i], out.what[i], {"message"}); !problem.empty()) return problem;
        }
    } else {
        if (carrier_of(message) == moqt::carrier::bidi &&
            (out.what.size() != 1 || moqt::name_of(rules, out.what[0]) != message))
            return "another message: " + std::string{moqt::name_of(rules, out.what[0])};
        if (auto problem = differs(rules, told, out.what[0], apart); !problem.empty()) return problem;
        const auto objects = told.value("objects", json::array());
        if (told.contains("objects") && objects.size() + 1 != out.what.size()) return "other objects";
        for (std::size_t i = 0; i < objects.size(); ++i)
            if (auto problem = differs(rules, objects[i], out.what[i + 1], {}); !problem.empty()) return problem;
    }
    const auto again = encoded(rules, out.what);
    return !encodes || again == data.at("hex").get<std::string>() ? "" : "encodes again as " + again;
}

/// Of what was told to be refused. `skipped`: why this cannot be seen in these bytes alone.
[[nodiscard]] inline std::string refused_verdict(const json& data, std::string& skipped) {
    const std::string message = data.at("message");
    const auto& expect = data.at("expect");
    const auto bytes = hex(data.at("hex").get<std::string>());
    auto error = errc::ok;
    if (const auto p = read_primitive(message, bytes)) {
        error = p->error;
    } else {
        const auto out = read(moqt::draft_14, bytes, carrier_of(message), none);
        error = out.end.how == moqt::ending::incomplete ? errc::stream_ended_early : out.end.error;
    }
    const std::string name = expect.value("name", "");
    const bool by_session = message == "CONTROL_STREAM" || message == "SUBSCRIBE_UPDATE" || expect.contains("state") ||
                            expect.contains("role") ||
                            (name != "PROTOCOL_VIOLATION" && name != "KEY_VALUE_FORMATTING_ERROR");
    if (error == errc::ok && by_session) {
        skipped = "moq-transport has no session yet, which refuses it";
        return {};
    }
    if (error == errc::ok) return "accepted";
    // The alias of the one that is public is cut off, so that its token cannot be parsed either.
    if (error == errc::bad_parameter && name == "UNKNOWN_AUTH_TOKEN_ALIAS") return {};
    if (name == "MALFORMED_TRACK")
        return error == errc::object_order ? "" : "refused with " + std::string{to_string(error)};
    const auto code = moqt::session_code_of(error);
    if (by_session && name != to_string(code)) return "refused with " + std::string{to_string(error)};
    return name == to_string(code)
               ? ""
               : "refused with " + std::string{to_string(error)} + ", " + std::string{to_string(code)};
}

/// An entry of a later draft tells of them by their names in draft-14.
[[nodiscard]] inline json without_parameters(json data) {
    for (const auto* name : {"subscriber_priority", "group_order", "forward", "filter"}) data.at("fields").erase(name);
    if (data.at("message") == "SUBSCRIBE_OK") data.at("fields").erase("request_id");
    return data;
}

/// The error of one entry; "": none.
[[nodiscard]] inline std::string verdict(const json& data, std::string& skipped) {
    const std::string kind = data.at("kind");
    const auto number = data.at("draft").get<int>();
    const auto* rules = std::ranges::find(moqt::drafts, number, &moqt::draft::number);
    if (rules == moqt::drafts.end()) {
        skipped = "moq-transport has no codec of this draft yet";
        return {};
    }
    // Fields of draft-14 that are parameters or properties since.
    if (kind == "other-draft") return accepted_verdict(*rules, without_parameters(data), {}, true);
    if (kind == "negative") return refused_verdict(data, skipped);
    if (kind == "positive" || kind == "observed") {
        return accepted_verdict(*rules, data, {}, true);
    }
    if (kind == "private") return accepted_verdict(*rules, data, all, true);
    if (kind != "deviation") return "no check is known for the kind " + kind;
    // What only a quirk reads is refused without it.
    auto problem = accepted_verdict(*rules, data, all, false);
    const std::string message = data.at("message");
    const bool by_quirk = message.starts_with("TRACK_STATUS") || message == "UNSUBSCRIBE_NAMESPACE";
    if (problem.empty() && by_quirk && accepted_verdict(*rules, data, none, false).empty())
        return "accepted without its quirk";
    return problem;
}

} // namespace moqlite::test::moqt_vectors
