// Which pages the relay as it ships accepts: not those that reach it by a name of their own (DNS rebinding).
#include "memory_pair.hpp"
#include "relay_process.hpp"

#include <algorithm>
#include <catch2/generators/catch_generators.hpp>
#include <functional>
#include <memory>
#include <moqlite/asio/quic_client.hpp>
#include <moqlite/nghttp3/client.hpp>

namespace moqlite::test::relay_origin_test {

namespace {

class relay_for_pages {
public:
    relay_for_pages(const std::string& program, std::vector<std::string> flags)
        : relay_{context_, command(program, std::move(flags))}, client_{context_.get_executor()} {
        REQUIRE(run([this] { return !relay_.said_on_stdout().empty(); }));
        const auto& line = relay_.said_on_stdout()[0]; // "listening HOST:PORT protocols ..."
        const auto where = line.substr(0, line.find(" protocols"));
        port_ = static_cast<std::uint16_t>(std::stoul(where.substr(where.rfind(':') + 1)));
    }
    /// The answer to a page of `origin` that requests https://`host`:PORT/: "", or the reason for rejection.
    std::string ask(const std::string& origin, const std::string& host) {
        std::optional<std::string> outcome;
        auto accepted = [&outcome](link::connection& c, time_point) {
            outcome = "";
            return std::make_unique<recorder>(c);
        };
        auto failed = [&outcome](const link::closed& how) { outcome = how.reason; };
        nghttp3::client_options o{
            .authority = host + ':' + std::to_string(port_), .origin = origin, .protocols = {"moq-lite-05"}};
        client_.connect({"127.0.0.1", port_, "localhost", {"h3"}, client_tls()},
            nghttp3::connect(std::move(o), accepted, failed), failed);
        REQUIRE(run([&] { return outcome.has_value(); }));
        return *outcome;
    }
    /// The log, read from a pipe of its own, has one line with these words.
    bool says_once(std::string_view words) {
        return run([&] { return !relay_.said(words).empty(); }) && relay_.said(words).size() == 1;
    }

private:
    static std::vector<std::string> command(const std::string& program, std::vector<std::string> flags) {
        flags.insert(flags.begin(), program);
        if (std::ranges::find(flags, "--listen") == flags.end()) flags.insert(flags.end(), {"--listen", "127.0.0.1:0"});
        return flags;
    }
    bool run(const std::function<bool()>& done, std::chrono::seconds limit = 10s) {
        const auto end = std::chrono::steady_clock::now() + limit;
        context_.restart();
        while (!done() && std::chrono::steady_clock::now() < end)
            if (context_.run_one_for(20ms) == 0) context_.restart();
        return done();
    }

    boost::asio::io_context context_;
    relay_process relay_;
    asio::quic_client client_;
    std::uint16_t port_ = 0;
};

const std::string refused = "the server answered 403 to /";

std::string program() {
    std::string why;
    auto file = relay_process::program(why);
    if (file.empty()) SKIP(why);
    return file;
}

} // namespace

TEST_CASE("a page is accepted under a name of the relay, not under its own that resolves to it", "[relay][origin]") {
    relay_for_pages relay{program(), {"--tls-generate", "relay.example,*.cdn.example,192.0.2.1"}};
    CHECK(relay.ask("https://relay.example", "relay.example").empty());
    CHECK(relay.ask("http://RELAY.example:8080", "relay.example").empty());
    CHECK(relay.ask("https://a.cdn.example", "a.cdn.example").empty());
    CHECK(relay.ask("http://192.0.2.1:8080", "192.0.2.1").empty());
    CHECK(relay.ask("https://evil.example", "evil.example") == refused); // Its name resolves to the relay.
    CHECK(relay.says_once("evil.example:"));
    CHECK(relay.says_once("is not a name of this server"));
    CHECK(relay.ask("http://evil.example:8080", "relay.example") == refused);
    CHECK(relay.ask("http://relay.example", "evil.example") == refused);
    CHECK(relay.ask("null", "relay.example") == refused);
    CHECK(relay.ask("http://relay.example/", "relay.example") == refused);
    CHECK(relay.ask("", "evil.example").empty()); // No page.
}

TEST_CASE("a page on localhost is accepted if the relay listens on loopback", "[relay][origin]") {
    const auto* listen = GENERATE("127.0.0.1:0", "0.0.0.0:0");
    relay_for_pages relay{program(), {"--tls-generate", "relay.example", "--listen", listen}};
    for (const auto* page : {"http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]"})
        for (const auto* host : {"localhost", "127.0.0.1", "[::1]"}) {
            CAPTURE(page, host);
            CHECK(relay.ask(page, host).empty());
        }
    CHECK(relay.ask("http://evil.example", "localhost") == refused);
    CHECK(relay.ask("http://localhost", "evil.example") == refused);
}

TEST_CASE("--host adds a name, and --allow-origin checks no name", "[relay][origin]") {
    relay_for_pages named{program(), {"--tls-generate", "localhost", "--host", "relay.example"}};
    CHECK(named.ask("https://relay.example", "relay.example").empty());
    CHECK(named.ask("https://evil.example", "evil.example") == refused);

    relay_for_pages listed{program(), {"--tls-generate", "localhost", "--allow-origin", "https://app.example"}};
    CHECK(listed.ask("https://app.example", "relay.example").empty());
    CHECK(listed.ask("https://relay.example", "relay.example") == refused);
}

} // namespace moqlite::test::relay_origin_test
