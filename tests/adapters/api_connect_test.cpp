// A client's connections that end at a bad moment. Real sockets on loopback.
#include "api_stage.hpp"
#include "memory_pair.hpp"

#include <array>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <memory>
#include <moqlite/asio/quic_server.hpp>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::test::api_connect {
namespace {

using namespace api_stage;

/// What async_connect() was answered.
struct answers {
    void operator()(error_code error, moq::session s) {
        errors.push_back(error);
        session = std::move(s);
    }
    [[nodiscard]] auto handler() {
        return [this](error_code error, moq::session s) { (*this)(error, std::move(s)); };
    }
    std::vector<error_code> errors;
    moq::session session;
};

/// True: `done` within the limit.
bool run(net::io_context& context, const std::function<bool()>& done, std::chrono::milliseconds limit = 20s) {
    const auto end = std::chrono::steady_clock::now() + limit;
    context.restart();
    while (!done() && std::chrono::steady_clock::now() < end)
        if (context.run_one_for(10ms) == 0) context.restart();
    return done();
}
bool never() { return false; }

moq::client client_on(net::io_context& context) {
    return moq::client{context.get_executor(), {.trusted = moq::trust::insecure()}};
}
moq::connect_request within(duration timeout) {
    moq::connect_request how;
    how.timeout = timeout;
    return how;
}

const std::string nowhere = "moqt://127.0.0.1:9";

/// A moq-lite-05 server that resets every request.
class refusing final : public link::handler {
public:
    explicit refusing(link::connection& c) : connection_{c} { connection_.wake(); }
    void stream_received(stream_id id, byte_view bytes, bool, time_point) override {
        if (!bytes.empty()) connection_.credit(id, bytes.size());
        if ((number(id) & 2) == 0 && last_ != id) last_ = id, is_asked_ = true;
        connection_.wake();
    }
    void pump(link::connection& to, time_point) override {
        if (!greeted_) {
            static constexpr std::array setup{std::byte{1}, std::byte{1}, std::byte{0}};
            const std::array<byte_view, 1> data{setup};
            const auto id = to.open(direction::uni);
            greeted_ = id && to.write({.stream = *id, .data = data, .size = setup.size(), .fin = false});
        }
        if (std::exchange(is_asked_, false)) {
            to.reset(*last_, app_error{11});
            to.stop(*last_, app_error{11});
        }
        to.flush();
    }
    void stream_reset(stream_id, app_error, time_point) override {}
    void stream_stopped(stream_id, app_error, time_point) override {}
    void stream_writable(stream_id, time_point) override {}
    void stream_acked(stream_id, std::uint64_t, time_point) override {}
    void stream_closed(stream_id, std::optional<app_error>, time_point) override {}
    void streams_available(direction, time_point) override { connection_.wake(); }
    void on_closed(const link::closed&, time_point) override {}

private:
    link::connection& connection_;
    std::optional<stream_id> last_;
    bool is_asked_ = false, greeted_ = false;
};

TEST_CASE("a peer that refuses to announce its broadcasts ends what waits for one, with its code", "[api][attack]") {
    net::io_context context;
    asio::quic_server server{context.get_executor()};
    std::string why;
    REQUIRE(server.listen(
        "127.0.0.1:0", server_tls(), [](link::connection& c, time_point) { return std::make_unique<refusing>(c); },
        why));
    moq::client client{context.get_executor(), {.trusted = moq::trust::insecure(), .protocols = {"moq-lite-05"}}};
    answers got;
    client.async_connect("moqt://" + to_string(server.local_address()), got.handler());
    REQUIRE(run(context, [&] { return got.session.is_open(); }));
    std::optional<error_code> refused, ended;
    got.session.async_subscribe({"film", "t"}, [&](error_code error, moq::track_reader) { refused = error; });
    auto all = got.session.announcements();
    all.async_next([&](error_code error, const auto&) { ended = error; });
    REQUIRE(run(context, [&] { return refused && ended; }));
    CHECK(remote_code(*refused) == 11);
    CHECK(remote_code(*ended) == 11);
    CHECK(got.session.is_open());
}

TEST_CASE("a client that is destroyed after its connect timeout has passed answers once", "[api][attack]") {
    net::io_context context;
    answers got;
    std::optional<moq::client> client{client_on(context)};
    net::steady_timer sooner{context, std::chrono::steady_clock::time_point::min()};
    sooner.async_wait([&](const auto&) { client.reset(); });
    client->async_connect(nowhere, within({}), got.handler());
    run(context, never, 50ms);
    CHECK(got.errors == std::vector<error_code>{net::error::operation_aborted});
}

TEST_CASE("a client may be destroyed right after async_shutdown(), which is aborted with it", "[api][attack]") {
    net::io_context context;
    answers got;
    std::vector<error_code> done;
    std::optional<moq::client> client{client_on(context)};
    client->async_connect(nowhere, got.handler());
    client->async_shutdown([&](error_code error) { done.push_back(error); });
    client.reset();
    run(context, never, 50ms);
    CHECK(done == std::vector<error_code>{net::error::operation_aborted});
    CHECK(got.errors == std::vector<error_code>{net::error::operation_aborted});
}

TEST_CASE(
    "a server that cannot be reached is reported once, though the connect timeout passes afterwards", "[api][attack]") {
    net::io_context context;
    answers got;
    auto client = client_on(context);
    client.async_connect(nowhere, within(300ms), got.handler());
    REQUIRE(run(context, [&] { return !got.errors.empty(); }));
    run(context, never, 400ms);
    CHECK(got.errors.size() == 1);
    CHECK(got.session.ended()->text.find("refused") != std::string::npos);
}

TEST_CASE("after the connect timeout was reported an answer makes no session", "[api][attack]") {
    net::io_context near;
    stage far;
    answers got;
    auto client = client_on(near);
    client.async_connect(far.url("moqt"), within(50ms), got.handler());
    REQUIRE(run(near, [&] { return !got.errors.empty(); }));
    for (int i = 0; i != 20; ++i) {
        run(far.io, never, 10ms);
        run(near, never, 10ms);
    }
    CHECK(got.errors == std::vector<error_code>{net::error::timed_out});
    CHECK_FALSE(got.session.is_open());
    CHECK(got.session.ended()->text.find("no answer (timeout after 0 s)") != std::string::npos);
    CHECK(far.server.sessions() == 0);
}

TEST_CASE(
    "an answer that is read in the same round as the connect timeout makes a session and no failure", "[api][attack]") {
    net::io_context near;
    stage far;
    answers got;
    auto client = client_on(near);
    const auto passed = std::chrono::steady_clock::now() + 2100ms;
    client.async_connect(far.url("moqt"), within(2s), got.handler());
    run(near, never, 50ms);
    run(far.io, [&] { return std::chrono::steady_clock::now() > passed; }); // The client's thread is busy.
    REQUIRE(run(near, [&] { return !got.errors.empty(); }));
    run(near, never, 50ms);
    CHECK(got.errors == std::vector<error_code>{{}});
    CHECK(got.session.is_open());
}

TEST_CASE("a session that is closed while it follows GOAWAY is not connected again", "[api][attack]") {
    stage s;
    answers got;
    auto client = s.client();
    moq::server successor{s.origin};
    REQUIRE(!successor.listen("127.0.0.1:0"));
    moq::connect_request how;
    how.follow_goaway = [&](const std::string&) {
        net::post(s.io, [&] { got.session.close(); });
        return true;
    };
    client.async_connect(s.url("moqt"), how, got.handler());
    REQUIRE(run(s.io, [&] { return s.server.sessions() == 1 && got.session.is_open(); }));
    s.server.async_shutdown(5s, "moqt://" + successor.addresses().front(), [](error_code) {});
    REQUIRE(run(s.io, [&] { return !got.session.is_open() && s.server.sessions() == 0; }));
    run(s.io, never, 200ms);
    CHECK(successor.sessions() == 0);
    CHECK(got.errors.size() == 1);
}

TEST_CASE("the peers of a server that is closed and destroyed at once hear why", "[api]") {
    stage s;
    const std::string scheme = GENERATE("moqt://", "https://");
    auto other = std::make_unique<moq::server>(s.origin);
    REQUIRE(!other->listen("127.0.0.1:0"));
    s.run([&]() -> net::awaitable<void> {
        auto peer = s.client();
        auto session = co_await peer.async_connect(scheme + other->addresses().front(), net::use_awaitable);
        other->close(app_error::going_away, "so long");
        other.reset();
        const auto over = co_await failure(closed(session));
        CHECK(remote_code(over)); // Which no time-out has.
    });
}

TEST_CASE("a client that dials a server as it closes never hears that it is unauthorized", "[api]") {
    bool connects = false;
    for (int handlers = 0; !connects; ++handlers) {
        CAPTURE(handlers);
        stage s;
        auto peer = s.client();
        std::optional<error_code> how;
        moq::session session;
        peer.async_connect(s.url("moqt"), [&](error_code error, moq::session made) {
            how = error;
            session = std::move(made);
        });
        for (int i = 0; i != handlers && !how && s.io.run_one_for(1s) != 0; ++i) {
        }
        connects = how.has_value();
        s.server.close();
        while (!how && s.io.run_one_for(5s) != 0) {
        }
        REQUIRE(how);
        CHECK(*how != errc::unauthorized);
    }
}

} // namespace
} // namespace moqlite::test::api_connect
