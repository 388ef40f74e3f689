// Which session a connection gets: by its name, or by the first bytes of its first bidirectional stream.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <moqlite/session/acceptor.hpp>
#include <string>

namespace moqlite::test::acceptor_test {

namespace {

/// A session that notes its inputs. It is one of a protocol whose name does not decide: a connection without a name, or
/// named "open", is its own where the first bytes are 20 and a version, 1 or 2.
class listener {
public:
    explicit listener(int version, time_point made = {}) : version_(version), made_(made) {}
    void stream_received(stream_id id, byte_view data, bool fin, time_point) {
        said.push_back(std::to_string(number(id)) + " " + to_hex(data) + (fin ? " fin" : ""));
    }
    void stream_reset(stream_id id, app_error, time_point) { said.push_back(std::to_string(number(id)) + " reset"); }
    void stream_stopped(stream_id id, app_error, time_point) {
        said.push_back(std::to_string(number(id)) + " stopped");
    }
    void stream_closed(stream_id id, std::optional<app_error>, time_point) {
        said.push_back(std::to_string(number(id)) + " closed");
    }
    void streams_available(direction, time_point) { said.push_back("streams"); }
    void datagram_received(byte_view data, time_point) { said.push_back("datagram " + to_hex(data)); }
    void path_measured(const path_facts& path, time_point now) {
        said.push_back("path " + std::to_string(path.rate) + " at " + std::to_string((now - t0).count()));
    }
    [[nodiscard]] int version() const { return version_; }
    [[nodiscard]] time_point made() const { return made_; }
    list said;

private:
    int version_;
    time_point made_;
};

struct in_band {
    static bool speaks(std::string_view) { return false; }
    static recognition recognises(std::string_view name, byte_view first) {
        if (!name.empty() && name != "open") return recognition::no;
        if (first.size() < 2 && (first.empty() || first[0] == std::byte{0x20})) return recognition::needs_more;
        return first[0] == std::byte{0x20} && first[1] <= std::byte{2} ? recognition::yes : recognition::no;
    }
    static void make(role, std::string_view name, session_options, time_point now, std::optional<listener>& into) {
        into.emplace(static_cast<int>(name.size()), now);
    }
};
struct by_name {
    static bool speaks(std::string_view name) { return name == "named"; }
    static recognition recognises(std::string_view, byte_view) { return recognition::no; }
    static void make(role, std::string_view, session_options, time_point, std::optional<listener>& into) {
        into.emplace(100);
    }
};
using either = basic_acceptor<listener, by_name, in_band>;

constexpr stream_id first_bidi{0};
constexpr stream_id first_uni{2};

/// One connection with a name that does not decide.
struct connection {
    explicit connection(const session_options& options = {}) { REQUIRE(accept.make("open", options, t0, session)); }
    result<void> receive(stream_id id, std::string_view bytes, bool fin = false) {
        const auto data = hex(bytes);
        accept.stream_received(id, data, fin, t0);
        return accept.decide(t0, session);
    }
    list replayed() {
        while (accept.replay(*session)) {
        }
        return session->said;
    }
    either accept{role::server};
    std::optional<listener> session;
};

} // namespace

TEST_CASE("a name that decides makes its session at once", "[acceptor]") {
    std::optional<any_session> session;
    REQUIRE(acceptor{role::server}.make("moq-lite-04", {}, t0, session));
    REQUIRE(session);
    CHECK(session->negotiated().lite() == version::lite_04);

    std::optional<listener> other;
    either accept{role::server};
    REQUIRE(accept.make("named", {}, t0, other));
    REQUIRE(other);
    CHECK(other->version() == 100);
    CHECK_FALSE(accept.is_waiting());
    CHECK_FALSE(accept.deadline());
}

TEST_CASE("a name that nobody speaks is refused at once", "[acceptor]") {
    std::optional<any_session> session;
    CHECK(acceptor{role::server}.make("h3", {}, t0, session).error() == errc::unsupported);
    CHECK(acceptor{role::server}.make("", {}, t0, session).error() == errc::unsupported);
    CHECK_FALSE(session);
    std::optional<listener> other;
    CHECK(either{role::server}.make("h3", {}, t0, other).error() == errc::unsupported);
    // Whose bytes come first cannot wait for the other's.
    CHECK(either{role::client}.make("open", {}, t0, other).error() == errc::unsupported);
}

TEST_CASE("first bytes decide, and the session gets all that came before, in order", "[acceptor]") {
    connection c;
    CHECK(c.accept.is_waiting());
    CHECK(c.accept.deadline() == t0 + limits{}.handshake_timeout);
    c.accept.path_measured({.rate = 7}, t0 + milliseconds{1});
    c.accept.streams_available(direction::uni, t0);
    CHECK(c.receive(first_uni, "0500"));
    CHECK(c.receive(first_bidi, "20"));
    c.accept.datagram_received(hex("aabb"), t0);
    c.accept.stream_reset(first_uni, app_error::cancel, t0);
    CHECK_FALSE(c.session);
    CHECK(c.receive(first_bidi, "02ff", true));
    REQUIRE(c.session);
    CHECK(c.session->version() == 4);
    CHECK_FALSE(c.accept.is_waiting());
    CHECK(c.session->said.empty());
    CHECK(c.replayed() ==
          list{"path 7 at 1000000", "streams", "2 0500", "0 20", "datagram aabb", "2 reset", "0 02ff fin"});
    CHECK_FALSE(c.accept.replay(*c.session));
}

TEST_CASE("bytes of one stream that come in small pieces are one input", "[acceptor]") {
    connection c;
    for (int n = 0; n < 1000; ++n) REQUIRE(c.receive(first_uni, "aa"));
    REQUIRE(c.receive(first_bidi, ""));
    REQUIRE(c.receive(first_bidi, "20"));
    REQUIRE(c.receive(first_bidi, "01"));
    REQUIRE(c.session);
    std::string all;
    for (int n = 0; n < 1000; ++n) all += "aa";
    CHECK(c.replayed() == list{"2 " + all, "0 2001"});
}

TEST_CASE("another bidirectional stream than the first decides nothing", "[acceptor]") {
    connection c;
    CHECK(c.receive(first_bidi, "20"));
    CHECK(c.receive(stream_id{4}, "2001"));
    CHECK_FALSE(c.session);
    CHECK(c.receive(first_bidi, "01"));
    CHECK(c.session);
}

TEST_CASE("a connection whose first bytes nobody knows is refused", "[acceptor]") {
    connection c;
    CHECK(c.receive(first_bidi, "21").error() == errc::unsupported);
    connection other;
    CHECK(other.receive(first_bidi, "2003").error() == errc::unsupported);
}

TEST_CASE("a peer that does not say in time what it speaks, or says too much before it, is refused", "[acceptor]") {
    connection silent;
    CHECK(silent.accept.decide(*silent.accept.deadline() - std::chrono::nanoseconds{1}, silent.session));
    CHECK(silent.accept.decide(*silent.accept.deadline(), silent.session).error() == errc::setup_timeout);

    session_options small;
    small.bounds.control_message = 10;
    connection talker{small};
    CHECK(talker.receive(first_uni, "00010203040506070809"));
    CHECK(talker.receive(first_uni, "0a").error() == errc::message_too_large);
    CHECK(talker.receive(first_bidi, "20").error() == errc::message_too_large);

    connection busy;
    result<void> last;
    for (std::uint64_t n = 0; n < 1000 && last; ++n) last = busy.receive(stream_id{4 * n + 2}, "00");
    CHECK(last.error() == errc::too_many_streams);
}

TEST_CASE("first bytes for which there is no more room make no session without them", "[acceptor]") {
    connection c;
    REQUIRE(c.receive(first_bidi, "20"));
    for (std::uint64_t n = 1; n < 256; ++n) REQUIRE(c.receive(stream_id{4 * n + 2}, "00"));
    CHECK(c.receive(first_bidi, "01").error() == errc::too_many_streams);
    CHECK_FALSE(c.session);
}

TEST_CASE(
    "a session that first bytes made is as old as its connection, and so no younger than its inputs", "[acceptor]") {
    connection c;
    c.accept.path_measured({.rate = 7}, t0 + milliseconds{1});
    c.accept.stream_received(first_bidi, hex("2001"), false, t0 + milliseconds{2});
    REQUIRE(c.accept.decide(t0 + milliseconds{3}, c.session));
    REQUIRE(c.session);
    CHECK(c.session->made() == t0);
    CHECK(c.replayed() == list{"path 7 at 1000000", "0 2001"});
}

} // namespace moqlite::test::acceptor_test
