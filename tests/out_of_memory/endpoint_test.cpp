// One allocation of a server fails, each in turn: its connection may end, and nothing else happens to
// anybody.
#include "adapters/webtransport_pair.hpp"
#include "failing.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <memory>

using namespace moqlite;
using namespace moqlite::test;

namespace {

constexpr std::size_t amount = 20'000;

/// Receives, and sends `amount` bytes on a stream of its own. Not the recorder, which asserts.
struct plain_handler final : link::handler {
    plain_handler(link::connection& c, std::size_t& into, bool& end) : home{c}, received{into}, closed{end} {}
    void stream_received(stream_id id, byte_view bytes, bool, time_point) override {
        notes.emplace_back(bytes.size());
        received += bytes.size();
        if (!bytes.empty()) home.credit(id, bytes.size());
    }
    void stream_reset(stream_id, app_error, time_point) override {}
    void stream_stopped(stream_id, app_error, time_point) override {}
    void stream_writable(stream_id, time_point) override {}
    void stream_acked(stream_id, std::uint64_t, time_point) override {}
    void stream_closed(stream_id, std::optional<app_error>, time_point) override {}
    void streams_available(direction, time_point) override {}
    void pump(link::connection& to, time_point) override {
        if (!stream) stream = to.open(direction::uni);
        while (stream && written < amount) {
            const byte_view rest = as_bytes(payload).subspan(written);
            const auto n = to.write({*stream, {&rest, 1}, rest.size(), true});
            if (!n || *n == 0) break;
            written += *n;
        }
        to.flush();
    }
    void on_closed(const link::closed&, time_point) override { closed = true; }

    link::connection& home;
    std::size_t& received;
    bool& closed;
    std::deque<std::size_t> notes;
    std::string payload = std::string(amount, 'x');
    std::optional<stream_id> stream;
    std::size_t written = 0;
};

/// The connection of one client.
struct client_side {
    std::size_t received = 0;
    bool closed = false;
    bool begun = false;
    bool failed = false;
    [[nodiscard]] bool is_over() const { return closed || failed; }
};

enum class kind { native, webtransport, early_data };

ngtcp2::tls server_for(kind k) {
    if (k == kind::webtransport) return server_tls(test_identity(), {"h3"});
    std::string why;
    if (k == kind::early_data)
        if (auto made = ngtcp2::tls::server({.alpn = {"moq-lite-05"},
                                                .who = test_identity(),
                                                .tickets = ngtcp2::ticket_keys::random(),
                                                .early_data = true},
                why))
            return *made;
    return server_tls(test_identity(), {"moq-lite-05"}); // Also where the TLS library has no tickets.
}

/// A server whose allocations may fail, and clients whose do not.
class scene {
public:
    explicit scene(kind k) : by_webtransport_{k == kind::webtransport} {
        auto accept = [this](link::connection& c, time_point) {
            if (c.tls().early == link::early_data::pending) ++began_early;
            return std::make_unique<plain_handler>(c, server_received, server_closed_);
        };
        const auto answer = [accept](const nghttp3::request& r) { return accept_with(r, accept); };
        server_.endpoint.serve(
            server_for(k), by_webtransport_ ? nghttp3::serve({}, answer) : link::accept_function{accept});
    }
    client_side& connect() {
        auto& made = clients_.emplace_back();
        link::accept_function accept = [&made](link::connection& c, time_point) {
            made.begun = true;
            return std::make_unique<plain_handler>(c, made.received, made.closed);
        };
        auto failed = [&made](const link::closed&) { made.failed = true; };
        if (by_webtransport_) accept = nghttp3::connect({.authority = "localhost", .protocols = {"a"}}, accept, failed);
        const std::vector<std::string> alpn{by_webtransport_ ? "h3" : "moq-lite-05"};
        std::string why;
        REQUIRE(client_.endpoint.connect(client_tls(),
                    {server_.address, client_.address, "localhost", alpn, ngtcp2::resumption::early_data}, accept,
                    failed, why, now_) != nullptr);
        return made;
    }
    /// Lets time pass until `done`, at most `limit`.
    template <class Done>
    bool run(Done done, duration limit = 30s) {
        for (const auto end = now_ + limit; now_ < end && !done(); now_ += 1ms) {
            take(client_.outbox, to_server_);
            {
                const fallible from_here;
                for (; !to_server_.empty(); to_server_.pop_front())
                    server_.endpoint.receive({server_.address, client_.address, 0, as_bytes(to_server_.front())}, now_);
                if (const auto due = server_.endpoint.deadline(); due && *due <= now_) server_.endpoint.expire(now_);
                for (int turn = 0; server_.endpoint.pump(now_) && turn < 100; ++turn) {
                }
            }
            take(server_.outbox, to_client_);
            for (; !to_client_.empty(); to_client_.pop_front())
                client_.endpoint.receive({client_.address, server_.address, 0, as_bytes(to_client_.front())}, now_);
            if (const auto due = client_.endpoint.deadline(); due && *due <= now_) client_.endpoint.expire(now_);
            for (int turn = 0; client_.endpoint.pump(now_) && turn < 100; ++turn) {
            }
        }
        return done();
    }
    [[nodiscard]] std::size_t at_server() const { return server_.endpoint.connections(); }

    std::size_t server_received = 0;
    std::size_t began_early = 0; ///< Connections, at the server.

private:
    static void take(std::deque<memory_end::packet>& from, std::deque<std::string>& to) {
        for (; !from.empty(); from.pop_front()) to.push_back(std::move(from.front().bytes));
    }

    bool by_webtransport_;
    bool server_closed_ = false;
    time_point now_{1s};
    std::deque<client_side> clients_;
    std::deque<std::string> to_server_, to_client_;
    memory_end client_{{}, 1000}, server_{{}, 4443};
};

} // namespace

TEST_CASE("a failed allocation ends at most its own connection", "[out_of_memory]") {
    const auto how = GENERATE(kind::native, kind::webtransport, kind::early_data);
    const bool in_c = GENERATE(false, true); // In ngtcp2 and nghttp3.
    REQUIRE(tls_library_is_spared());
    const auto fail = [in_c](std::size_t n) { in_c ? fail_c_allocation(n) : fail_allocation(n); };
    std::size_t nth = 0, ended = 0, early = 0;
    for (bool all_failed = false; !all_failed;) {
        ++nth;
        CAPTURE(nth, static_cast<int>(how), in_c);
        scene s{how};
        auto& bystander = s.connect();
        REQUIRE(s.run([&] { return bystander.received >= amount; }));
        fail(nth);
        auto& first = s.connect();
        auto& second = s.connect();
        const auto is_done = [](const client_side& c) { return c.received >= amount || c.is_over(); };
        REQUIRE(s.run([&] { return is_done(first) && is_done(second); }));
        all_failed = !has_failed();
        fail(0);
        const int over = int{first.is_over()} + int{second.is_over()} + int{bystander.is_over()};
        CHECK(over <= 1);
        if (all_failed) CHECK(over == 0);
        ended += static_cast<std::size_t>(over);
        early += s.began_early;
        auto& later = s.connect(); // The server still works.
        REQUIRE(s.run([&] { return later.received >= amount; }));
        REQUIRE(s.run([&] { return s.at_server() == static_cast<std::size_t>(4 - over); }));
    }
    CHECK(nth > 50);
    CHECK(ended > 0);
#ifdef MOQLITE_TEST_OPENSSL
    CHECK((early > 0) == (how == kind::early_data));
#endif
}
