// What the operator of a server hears and commands.
#include "api_stage.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <moqlite/asio/notice.hpp>
#include <vector>

namespace moqlite::test::api_operator_test {

using namespace api_stage;

namespace {

std::string number_of(std::uint64_t n) { return "#" + std::to_string(n) + " "; }

/// The operator's view of a notice, as a line.
struct told {
    std::string operator()(const moq::session_opened& n) const {
        return number_of(n.session) + "opened, " + n.protocol + (n.is_webtransport ? " by WebTransport" : "");
    }
    std::string operator()(const moq::session_admitted& n) const { return number_of(n.session) + "below " + n.root; }
    std::string operator()(const session_ended& n) const { return number_of(n.session) + "ended: " + n.reason; }
    std::string operator()(const broadcast_changed& n) const {
        return number_of(n.session) + n.path + (n.available ? " begins" : " ends");
    }
    template <class Other>
    std::string operator()(const Other&) const {
        return "other";
    }
};

using lines = std::vector<std::string>;

/// A server whose notices are kept.
struct observed {
    explicit observed(stage& s, moq::server_options o = {})
        : origin(s.io.get_executor(), options(s)), server(origin, std::move(o)) {
        REQUIRE(!server.listen("127.0.0.1:0"));
    }
    moq::origin_options options(stage& s) {
        auto o = s.logging({});
        o.on_notice = [this](const moq::notice& n) {
            heard.push_back(std::visit(told{}, n));
            if (throws) throw std::runtime_error{"no more paper"};
        };
        return o;
    }
    [[nodiscard]] std::string url(std::string_view scheme, std::string_view path) const {
        return std::string(scheme).append("://").append(server.addresses().front()).append(path);
    }
    lines heard;
    bool throws = false;
    moq::origin origin;
    moq::server server;
};

} // namespace

TEST_CASE("the operator hears of sessions by their numbers, from the first fact to the end", "[api][operator]") {
    const std::string scheme = GENERATE("moqt", "https");
    stage s;
    observed o{s};
    std::uint64_t number = 0;
    o.server.on_session([&](moq::session its) { number = its.number(); });
    auto client = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await client.async_connect(o.url(scheme, "/room?token=1"), net::use_awaitable);
        CHECK(session.number() != 0);
        {
            const auto cam = session.origin().publish("cam");
            const bool heard = co_await s.until([&] { return o.heard.size() == 3; });
            CHECK(heard);
        }
        const bool ended = co_await s.until([&] { return o.heard.size() == 4; });
        CHECK(ended);
        CHECK(o.server.stats().connections == 1);
        CHECK(o.server.stats().webtransport_sessions == (scheme == "https" ? 1u : 0u));
        session.close(app_error::cancel, "bye");
        const bool closed = co_await s.until([&] { return o.heard.size() == 5; });
        CHECK(closed);
    });
    const auto* how = scheme == "https" ? " by WebTransport" : "";
    CHECK(o.heard == lines{std::string{"#1 opened, moq-lite-06"} + how, "#1 below room", "#1 room/cam begins",
                         "#1 room/cam ends", "#1 ended: bye"});
    CHECK(number == 1);
    CHECK(moq::session{}.number() == 0);
    o.origin.trim();
}

TEST_CASE("an exception of the operator's handler is logged, and harms no session", "[api][operator]") {
    stage s;
    observed o{s};
    o.throws = true;
    auto client = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await client.async_connect(o.url("moqt", "/"), net::use_awaitable);
        const bool heard = co_await s.until([&] { return o.heard.size() == 2; });
        CHECK(heard);
        CHECK(session.is_open());
    });
    CHECK(s.logged("a handler ended: no more paper"));
}

TEST_CASE("a certificate is renewed on demand, and its predecessor may still be pinned", "[api][operator]") {
    stage s;
    const auto first = s.server.fingerprint();
    CHECK(s.server.fingerprints() == lines{first});
    CHECK(s.server.certificate_validity().until - s.server.certificate_validity().from <= std::chrono::days{14});
    s.server.reload_certificate();
    CHECK(s.server.fingerprints() == lines{s.server.fingerprint(), first});
    CHECK(s.server.fingerprint() != first);
    CHECK(s.logged("certificate renewed, sha256 " + s.server.fingerprint() + ", valid until 20"));
    s.server.resume(); // At any time.
    auto client = s.client();
    s.run([&]() -> net::awaitable<void> { co_await connect(client, s.url("https")); });
}

TEST_CASE("an IPv6 wildcard leaves IPv4 to another address of its port", "[api][operator]") {
    stage s;
    REQUIRE(!s.server.listen("0.0.0.0:0"));
    const auto where = s.server.addresses().back();
    const auto wide = "[::]" + where.substr(where.rfind(':'));
    CHECK(s.server.listen(wide));
    CHECK(s.logged("cannot listen on " + wide));
    CHECK(!s.server.listen(wide, {.ipv6_only = true}));
}

TEST_CASE("a server without WebTransport takes native sessions only", "[api][operator]") {
    stage s{{.webtransport = false}};
    auto client = s.client();
    s.run([&]() -> net::awaitable<void> {
        co_await connect(client, s.url("moqt"));
        const auto refused = co_await failure(connect(client, s.url("https")));
        CHECK(refused);
    });
}

TEST_CASE("after close() the end of a server can be awaited, and its reason arrives", "[api][operator]") {
    stage s;
    observed o{s, {.farewell = 2s}};
    auto client = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await client.async_connect(o.url("moqt", "/"), net::use_awaitable);
        const bool admitted = co_await s.until([&] { return o.heard.size() == 2; });
        CHECK(admitted);
        o.server.close(app_error{77}, "the show is over");
        co_await o.server.async_shutdown(1h, "", net::use_awaitable);
        const auto how = co_await failure(closed(session));
        CHECK(remote_code(how) == 77);
    });
}

} // namespace moqlite::test::api_operator_test
