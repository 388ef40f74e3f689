// What must be refused, as a session receives it: the stream or the session ends with a named error, and nothing else
// is lost: neither the other requests of that session, nor another session of the same program.
//
// Reads the negative entries of moq-lite-06 and 07 in $MOQLITE_VECTORS, like vectors_test.cpp.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <session/subject.hpp>
#include <string>
#include <string_view>
#include <vector>

#ifndef MOQLITE_VECTORS_DIR
#define MOQLITE_VECTORS_DIR MOQLITE_TESTS_DIR "/wire/vectors"
#endif

namespace moqlite::test::refused_vectors_test {
namespace {

using json = nlohmann::json;

/// How far an entry's error reaches.
enum class reach : std::uint8_t { nothing, stream, session };

struct entry {
    version v;
    std::string message, hex, reason;
    bool state = false;

    [[nodiscard]] reach expected() const {
        if (message == "DATAGRAM") return reach::nothing; // Dropped.
        if (message == "SETUP" || state) return reach::session;
        // Without these it would not be known what is announced, nor what later announcements build on.
        if (message == "ANNOUNCE_OK" || message == "ANNOUNCE_END") return reach::session;
        if (reason.find("keep without a base") != std::string::npos) return reach::session;
        return reach::stream;
    }
};

/// A client with a group that is arriving, and one that is being sent; and another session that shares its
/// announcements.
class stage {
public:
    explicit stage(version v) : other(role::server, v, options()), us(role::client, v, options()) {
        begin(other);
        CHECK(other.receive(client_bidi(0), v == version::lite_07_wip ? "01 02 00 01" : "01 01 00").empty());
        static_cast<void>(other.outputs());
        begin(us);
        REQUIRE(us->subscribe({"room", "video"}));
        CHECK(us.receive(server_bidi(0), subscribe_bytes(v, "3e", "room", "video")).size() == 2);
        static_cast<void>(us->accept(request_id{0}, group_sequence{0}));
        sending_ = us->open_group(request_id{0}, group_sequence{0}).value();
        REQUIRE(sending_->write_frame(timestamp{0}, as_bytes("first")));
        static_cast<void>(us.outputs());
        CHECK(us.receive(server_uni(1), group_bytes(v, "00", "05") + "00 01 61").size() == 2);
    }
    /// Bytes of the peer on one more stream, or where it answers us.
    list receive(const entry& e);
    /// What was going on goes on.
    void check_undisturbed() {
        CHECK(us.receive(server_uni(1), "00 01 62", true) ==
              list{"frame_data 7 frame 1 at 0 of 1 time 0 62", "group_closed 7 of 0 sequence 5 complete"});
        REQUIRE(sending_->write_frame(timestamp{0}, as_bytes("second")));
        REQUIRE(sending_->finish());
        const auto said = us.outputs();
        CHECK(std::ranges::any_of(
            said, [](const auto& line) { return line.ends_with(to_hex(as_bytes("second")) + " fin"); }));
    }
    void check_other() {
        CHECK_FALSE(other->is_closed());
        table_.set("elsewhere", {{hop_id{3}}, 99});
        CHECK(without(other.outputs(), "credit").size() == 1);
    }

private:
    session_options options() { return {.origin = hop_id{9}, .table = &table_, .key = ++sessions_}; }
    list on_request(std::string_view type, const std::string& bytes, bool fin = false) {
        return us.receive(server_bidi(9), std::string(type) + bytes, fin);
    }
    /// On the stream that we opened last.
    list answer(const std::string& bytes) {
        static_cast<void>(us.outputs());
        return us.receive(client_bidi(1), bytes);
    }

    announcements table_;
    std::uint64_t sessions_ = 0;

public:
    subject other;
    subject us;

private:
    group_ref sending_;
};

list stage::receive(const entry& e) {
    const auto& m = e.message;
    const auto& bytes = e.hex;
    if (m == "varint") return on_request("", bytes, true);
    if (m == "string") return on_request("02", sized("00 0161" + bytes + options_bytes(e.v)));
    if (m == "STREAM_TYPE(bidi)") return on_request("", bytes);
    if (m == "ANNOUNCE_REQUEST") return on_request("01", bytes);
    if (m == "SUBSCRIBE") return on_request("02", bytes, true);
    if (m == "FETCH") return on_request("03", bytes);
    if (m == "GOAWAY") return on_request("05", bytes);
    if (m == "TRACK") return on_request("06", bytes);
    if (m == "SUBSCRIBE_UPDATE") {
        CHECK(on_request("", subscribe_bytes(e.v, "07", "a", "b")).size() == 2);
        return on_request("", bytes);
    }
    if (m == "GROUP") return us.receive(server_uni(9), "00" + bytes);
    if (m == "FRAMES") {
        CHECK(us.receive(server_uni(9), group_bytes(e.v, "00", "06")).size() == 1);
        return us.receive(server_uni(9), bytes, true);
    }
    if (m == "DATAGRAM") {
        us->datagram_received(hex(bytes), us.now);
        return us.events();
    }
    if (m == "PROBE") {
        REQUIRE(us->probe());
        return answer(bytes);
    }
    if (m == "TRACK_INFO") {
        REQUIRE(us->request_track({"a", "b"}));
        return answer(bytes);
    }
    if (m.starts_with("SUBSCRIBE_")) {
        REQUIRE(us->subscribe({"a", "b"}));
        return answer(bytes);
    }
    if (m.starts_with("STREAM announce")) {
        REQUIRE(us->watch(""));
        return answer(bytes);
    }
    if (m.starts_with("ANNOUNCE_")) {
        REQUIRE(us->watch(""));
        if (m == "ANNOUNCE_OK") return answer(bytes);
        static_cast<void>(answer("02 07 00"));
        const bool bases = has_announce_bases(e.v);
        for (const auto* name : {"a", "b", "c", "d"}) // Announce ids 0 to 3.
            CHECK(answer("00" + sized((bases ? "00 00" : "") + wire_text(name) + (bases ? "00 00 00" : "00") + "00 00"))
                      .size() == 1);
        return answer(bytes);
    }
    FAIL("no stream is known for " << m);
    return {};
}

bool has_line(const list& lines, std::string_view begin) {
    return std::ranges::any_of(lines, [&](const auto& line) { return line.starts_with(begin); });
}

void check(const entry& e) {
    if (e.message == "SETUP") {
        stage s{e.v};
        subject fresh{role::client, e.v};
        const auto told = fresh.receive(server_uni(0), "01" + e.hex, true);
        REQUIRE_FALSE(told.empty());
        CHECK(told.back().starts_with("session_closed "));
        CHECK(has_line(fresh.outputs(), "close "));
        return s.check_other();
    }
    stage s{e.v};
    const auto told = s.receive(e);
    CAPTURE(told);
    switch (e.expected()) {
    case reach::nothing:
        CHECK(told.empty());
        s.check_undisturbed();
        break;
    case reach::stream:
        CHECK(std::ranges::count_if(told, [](const auto& l) { return l.starts_with("stream_rejected "); }) == 1);
        CHECK_FALSE(s.us->is_closed());
        s.check_undisturbed();
        break;
    case reach::session:
        REQUIRE_FALSE(told.empty());
        CHECK(told.back().starts_with("session_closed "));
        CHECK(has_line(s.us.outputs(), "close "));
        break;
    }
    s.check_other();
}

/// The negative entries of `v`; without those that a library accepts.
std::vector<entry> entries_of(version v) {
    const auto* given = std::getenv("MOQLITE_VECTORS");
    const std::filesystem::path folder = given != nullptr && *given != '\0' ? given : MOQLITE_VECTORS_DIR;
    std::vector<entry> out;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
        if (file.path().extension() != ".json") continue;
        std::ifstream in(file.path());
        for (const auto& data : json::parse(in)) {
            if (data.value("version", "") != alpn(v) || data.value("kind", "") != "negative") continue;
            if (data.value("disputed", false)) continue;
            out.push_back(
                {v, data.at("message"), data.at("hex"), data.value("reason", ""), data.value("state", false)});
        }
    }
    return out;
}

} // namespace

TEST_CASE("each refused message of moq-lite-06 and 07 ends its stream or its session with a named error, and no other",
    "[vectors][bad input][dialects §16.1.7][dialects §bad.12]") {
    for (const auto v : {version::lite_06, version::lite_07_wip}) {
        const auto all = entries_of(v);
        CHECK(all.size() > 30);
        for (const auto& e : all) {
            DYNAMIC_SECTION(alpn(v) << ' ' << e.message << ": " << e.reason << " (" << e.hex << ")") { check(e); }
        }
    }
}

} // namespace moqlite::test::refused_vectors_test
