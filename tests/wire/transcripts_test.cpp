// Sessions of another implementation, recorded at the client: each direction of each stream decodes as annotated, and a
// session that receives it reports the corresponding events; so does one in the place of either end, for all streams
// together.
//
// Reads *.json in $MOQLITE_TRANSCRIPTS: {version, streams: [{opener, kind, fromOpenerHex, fromPeerHex, messages,
// ...}]}.
#include "session_replay.hpp"
#include "vector_sessions.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <hex.hpp>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#ifndef MOQLITE_TRANSCRIPTS_DIR
#define MOQLITE_TRANSCRIPTS_DIR MOQLITE_TESTS_DIR "/wire/transcripts"
#endif

namespace moqlite::test::vectors {
namespace {

/// A value of either side as text: "0x10" and 16 are the same, so are true and 1.
std::string plain(const json& value) {
    if (value.is_boolean()) return value.get<bool>() ? "1" : "0";
    if (value.is_array()) {
        std::string out;
        for (const auto& one : value) out += plain(one) + ".";
        return out;
    }
    if (!value.is_string()) return value.dump();
    const std::string text = value;
    return text.starts_with("0x") ? std::to_string(std::stoull(text, nullptr, 16)) : text;
}

/// The fields whose names in a transcript differ from the drafts.
std::string draft_name(const std::string& message, const std::string& field) {
    if (field == "id") return message.starts_with("SUBSCRIBE") ? "subscribe_id" : "announce_id";
    if (field == "origin") return message == "SETUP" ? "origin" : "hop_id";
    static const std::map<std::string, std::string> names{{"maxLatency", "max_latency_ms"},
        {"latencyMax", "max_latency_ms"}, {"startGroup", "start_group"}, {"endGroup", "end_group"},
        {"excludeHop", "exclude_hop"}, {"active", "active_count"}, {"subscribe", "subscribe_id"}, {"sequence", "group"},
        {"payloadBytes", "size"}, {"timestampDelta", "timestamp_delta"}, {"rtt", "rtt_ms"}, {"warmCost", "warm_cost"},
        {"coldCost", "cold_cost"}, {"maxAge", "max_latency_ms"}, {"hops", "hop_ids"}};
    const auto found = names.find(field);
    return found != names.end() ? found->second : field;
}

std::map<std::string, std::string> fields_of(version v, const lite::inspected& m) {
    std::map<std::string, std::string> out;
    for_each_field(v, m, [&](std::string_view name, const auto& value) {
        using value_type = std::decay_t<decltype(value)>;
        auto& to = out[std::string{name}];
        if constexpr (std::is_same_v<value_type, std::string_view>)
            to = value;
        else if constexpr (std::is_same_v<value_type, lite::hop_list>)
            for (auto hop : value) to += std::to_string(number(hop)) + ".";
        else if constexpr (std::is_arithmetic_v<value_type>)
            to = std::to_string(value);
    });
    // On versions with only a hop count, the transcript has that many unnamed ones.
    if (const auto count = out.find("hop_count"); count != out.end())
        for (auto n = std::stoull(count->second); n > 0; --n) out["hop_ids"] += "0.";
    return out;
}

/// The difference between an annotated message and the inspected one.
void compare(version v, const json& noted, const lite::inspected& m) {
    CAPTURE(noted.dump(), text(v, m));
    CHECK(noted.at("offset") == m.offset);
    CHECK(noted.at("length") == m.size);
    const std::string name = noted.at("message");
    const auto fields = fields_of(v, m);
    if (!noted.contains("fields")) {
        CHECK(name.starts_with("stream type "));
        return;
    }
    // For announcements by type it has the equivalent status.
    const bool typed = has_typed_announces(v) && name == "ANNOUNCE";
    for (const auto& [field, value] : noted.at("fields").items()) {
        if (typed && field == "status") continue;
        const auto found = fields.find(draft_name(name, field));
        CAPTURE(field);
        if (found != fields.end() && !found->second.empty())
            CHECK(found->second == plain(value));
        else
            CHECK((plain(value) == "0" || plain(value).empty())); // Fields that the version does not have are 0.
    }
}

struct counts {
    std::size_t directions = 0;
    std::size_t messages = 0;
    std::size_t sessions = 0;
};

/// One direction, and `how` it ended for the client.
void replay(
    const lite::inspection& what, const std::string& bytes, const json& noted, std::string_view how, counts& to) {
    CAPTURE(bytes);
    const auto raw = hex(bytes);
    std::size_t n = 0;
    recorded_stream stream{what, raw};
    const auto end = inspect(what, raw, [&](const lite::inspected& m) {
        REQUIRE(n < noted.size());
        compare(what.dialect, noted[n++], m);
    });
    CHECK(n == noted.size());
    CHECK(end.how == lite::ending::whole);
    ++to.directions;
    to.messages += n;
    // A STOP_SENDING of the receiver, or the end of the session, is not the sender's end.
    if (how == "fin") stream.end = stream_end::fin;
    if (how.find("RESET_STREAM") != std::string_view::npos) stream.end = stream_end::reset;
    CHECK(session_verdict(stream) == "");
    ++to.sessions;
}

void replay(version v, const json& stream, counts& to) {
    CAPTURE(stream.at("opener").dump(), stream.at("kind").dump(), stream.at("ordinal").dump());
    const bool uni = stream.at("kind") == "uni";
    const auto opener =
        uni ? lite::sender::publisher : lite::sender::subscriber; // SETUP and GOAWAY may be from both sides.
    const auto how = [&](const char* key) -> std::string {
        return stream.contains(key) ? stream.at(key).at("how").get<std::string>() : "";
    };
    lite::inspection what{v, uni ? lite::carrier::uni : lite::carrier::bidi, opener, {}};
    const std::string asked = stream.at("fromOpenerHex");
    replay(what, asked, stream.at("messages").at("fromOpener"), how("fromOpenerEnd"), to);
    if (stream.value("fromPeerHex", "").empty()) return;
    const auto bytes = hex(asked);
    const auto type = lite::take_bidi_type(v, bytes);
    REQUIRE(type);
    what.from = lite::sender::publisher;
    what.answers = type->type;
    replay(what, stream.at("fromPeerHex"), stream.at("messages").at("fromPeer"), how("fromPeerEnd"), to);
}

void replay_datagram(version v, const json& data) {
    const auto raw = hex(data.at("hex").get<std::string>());
    CAPTURE(data.dump());
    std::size_t found = 0;
    const auto end =
        lite::inspect({v, lite::carrier::datagram, lite::sender::publisher, {}}, raw, [&](const lite::inspected& m) {
            const auto& noted = data.at("fields");
            const auto* d = std::get_if<lite::datagram>(&m.message);
            REQUIRE(d != nullptr);
            CHECK(std::to_string(d->subscription) == plain(noted.at("subscribe")));
            CHECK(number(d->sequence) == noted.at("sequence"));
            CHECK(static_cast<std::uint64_t>(d->timestamp) == noted.at("timestamp"));
            CHECK(to_hex(d->payload) == noted.at("payload").get<std::string>());
            ++found;
        });
    CHECK(end.how == lite::ending::whole);
    CHECK(found == 1);
}

/// Every transcript; fails if there is none.
template <class F>
void for_each_transcript(F&& each) {
    const auto* given = std::getenv("MOQLITE_TRANSCRIPTS");
    const std::filesystem::path folder = given != nullptr && *given != '\0' ? given : MOQLITE_TRANSCRIPTS_DIR;
    CAPTURE(folder);
    REQUIRE(std::filesystem::is_directory(folder));
    std::size_t files = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
        if (file.path().extension() != ".json") continue;
        CAPTURE(file.path());
        std::ifstream in(file.path());
        each(json::parse(in));
        ++files;
    }
    CHECK(files != 0);
}

} // namespace

TEST_CASE("every recorded stream decodes as annotated, and a session reports the same", "[vectors]") {
    for_each_transcript([](const json& transcript) {
        const auto v = version_from_alpn(transcript.at("version").get<std::string>());
        REQUIRE(v);
        counts out;
        for (const auto& stream : transcript.at("streams")) replay(*v, stream, out);
        for (const auto& data : transcript.value("datagrams", json::array())) replay_datagram(*v, data);
        CHECK(out.directions != 0);
        std::cout << "transcripts: " << alpn(*v) << ": " << out.directions << " directions, " << out.messages
                  << " messages; " << out.sessions << " directions through a session\n";
    });
}

TEST_CASE("a session replayed as either end reports what the other end did", "[vectors]") {
    for_each_transcript([](const json& transcript) {
        const recorded_session script{transcript};
        for (const auto us : {role::server, role::client}) {
            const auto* name = us == role::server ? "server" : "client";
            CAPTURE(name);
            session_replay replay{script, us};
            CHECK(replay.verdict() == "");
            std::cout << "transcripts: " << alpn(script.dialect) << ": the whole session, as its " << name << ": "
                      << script.steps.size() << " steps, " << replay.events() << " events\n";
        }
    });
}

} // namespace moqlite::test::vectors
