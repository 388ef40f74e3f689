// A packet is lost, and before QUIC retransmits it its content is released: the memory may then hold another user's
// data, none of which may be sent. On native QUIC and WebTransport.
#include "raw_http3.hpp"

#include <algorithm>
#include <catch2/generators/catch_generators.hpp>
#include <functional>
#include <map>
#include <memory>
#include <moqlite/link/session_handler.hpp>
#include <moqlite/session/session.hpp>
#include <optional>
#include <utility>

namespace moqlite::test::webtransport_lent_bytes_test {

namespace {

enum class carrier : std::uint8_t { quic, webtransport };

/// The first messages of a client: SETUP, SUBSCRIBE room/video from 0, FETCH room/video 5.
struct script {
    std::string setup, subscribe, fetch;
};
script words() {
    session s{role::client, version::lite_05, {}, time_point{1s}};
    while (s.poll_event()) {
    }
    REQUIRE(s.subscribe({"room", "video"}, {.start = group_sequence{0}}));
    REQUIRE(s.fetch({"room", "video"}, group_sequence{5}));
    script out;
    std::uint64_t bidi = 0;
    while (auto o = s.poll_output()) {
        if (const auto* open = std::get_if<open_stream>(&*o))
            s.stream_opened(open->kind, stream_id{open->kind == direction::uni ? 2 : 4 * bidi++});
        const auto* w = std::get_if<write_stream>(&*o);
        if (w == nullptr) continue;
        auto& into = number(w->stream) == 2 ? out.setup : number(w->stream) == 0 ? out.subscribe : out.fetch;
        for (auto part : w->data) into += as_text(part);
        s.stream_written(w->stream, w->size);
    }
    return out;
}

/// A server's session that shares memory with a relay's other sessions, and a scripted client.
class scene {
public:
    explicit scene(carrier by) {
        pair_options o;
        o.drop = [this](std::string&) { return to_drop_ > 0 && (--to_drop_, ++dropped_, true); };
        const auto accept = [this](link::connection& c, time_point now) -> std::unique_ptr<link::handler> {
            connection_ = &c;
            server = std::make_shared<session>(role::server, version::lite_05, session_options{.pool = &pool}, now);
            auto on = [this](const event& e) { handle(e); };
            return std::make_unique<link::session_handler<std::shared_ptr<session>, decltype(on)>>(server, on);
        };
        if (by == carrier::webtransport) {
            auto made = std::make_shared<webtransport_pair>(o);
            made->serve([accept](const nghttp3::request& r) { return accept_with(r, accept); });
            raw_.emplace(*made);
            connect_ = raw_->session();
            client = raw_->upper;
            pair = std::move(made);
        } else {
            pair = std::make_shared<memory_pair>(o);
            pair->server.endpoint.serve(server_tls(), accept);
            pair->connect();
            REQUIRE(pair->run([&] { return !pair->client.handlers.empty() && connection_ != nullptr; }));
            client = pair->client.handlers.back();
        }
        open(direction::uni, said.setup);
        subscription = open(direction::bidi, said.subscribe);
        REQUIRE(pair->run([&] { return asked.size() == 1; }));
        fetch = open(direction::bidi, said.fetch);
        REQUIRE(pair->run([&] { return asked.size() == 2; }));
        pair->run_for(2s);
        client->on_received = [this](stream_id id) {
            seen_[id] = client->received[id].bytes;
            if (!armed_ || std::exchange(done_, true)) return;
            for (auto& a : violation) client->actions.push_back(a);
        };
    }

    stream_id open(direction kind, std::string_view bytes) {
        std::optional<stream_id> id;
        client->in_pump([&](link::connection& c) { id = begin(c, kind, bytes); });
        REQUIRE(pair->run([&] { return id.has_value(); }, 5s));
        return *id;
    }
    std::optional<stream_id> begin(link::connection& c, direction kind, std::string_view bytes, bool plain = false) {
        const auto id = c.open(kind);
        if (!id) return id;
        auto& out = client->sent[*id];
        if (connect_ && !plain) out.bytes = varint(kind == direction::uni ? 0x54 : 0x41) + varint(number(*connect_));
        out.bytes += bytes;
        out.fin = false;
        return id;
    }
    void append(stream_id id, std::string_view bytes, bool fin) {
        auto& out = client->sent[id];
        older_.push_back(std::exchange(out.bytes, out.bytes + std::string{bytes})); // Some may be in flight.
        out.fin = fin;
        out.done = false;
    }
    /// Along with the acknowledgement of packets that arrive while one is lost.
    void then(std::function<void(link::connection&)> what) { violation.push_back(std::move(what)); }

    /// Sends the server's pending data in packets that are lost.
    void lose() {
        to_drop_ = 1;
        connection_->wake();
        pair->run_for(4ms); // ngtcp2 paces.
        REQUIRE(dropped_ == 1);
    }
    /// A group that arrives.
    void send_more() {
        armed_ = true;
        write(asked[0], 1, 6000, 'b');
        connection_->wake();
        pair->run_for(3s);
        CHECK(done_);
    }
    void write(request_id id, std::uint64_t sequence, std::size_t size, char what) {
        auto g = server->open_group(id, group_sequence{sequence});
        REQUIRE((*g)->write_frame(timestamp{0}, as_bytes(std::string(size, what))));
        if (sequence != 1) last = *g;
    }
    /// Another user's frames, in all free memory.
    void let_others_in() {
        last = group_ref{};
        for (std::uint64_t i = 0; i != 8; ++i) {
            others_.push_back(group::make(pool, group_sequence{9}, version::lite_05));
            REQUIRE(others_.back()->write_frame(timestamp{0}, as_bytes(std::string(900, 'S'))));
            blocks_.emplace_back(128, 'S');
        }
    }
    [[nodiscard]] std::size_t secrets() const {
        std::size_t sum = 0;
        for (const auto& [id, bytes] : seen_) sum += static_cast<std::size_t>(std::ranges::count(bytes, 'S'));
        return sum;
    }

    const script said = words();
    slab_pool pool;
    std::shared_ptr<memory_pair> pair; ///< Of either kind: shared_ptr remembers which.
    std::shared_ptr<session> server;
    std::vector<request_id> asked;
    recorder* client = nullptr;
    stream_id subscription{}, fetch{};
    group_ref last;
    std::vector<std::function<void(link::connection&)>> violation;

private:
    void handle(const event& e) {
        if (std::holds_alternative<setup_received>(e)) static_cast<void>(server->admit({}));
        if (const auto* q = std::get_if<subscribe_requested>(&e)) asked.push_back(q->request);
        if (const auto* q = std::get_if<fetch_requested>(&e)) asked.push_back(q->request);
        const bool gone = std::holds_alternative<session_closed>(e) || std::holds_alternative<request_ended>(e) ||
                          std::holds_alternative<group_lost>(e) || std::holds_alternative<stream_rejected>(e);
        if (gone) let_others_in();
    }

    std::optional<raw_http3> raw_;
    std::optional<stream_id> connect_;
    link::connection* connection_ = nullptr;
    std::deque<std::string> older_;
    std::vector<group_ref> others_;
    std::vector<std::string> blocks_;
    std::map<stream_id, std::string> seen_;
    int to_drop_ = 0, dropped_ = 0;
    bool armed_ = false, done_ = false;
};

} // namespace

TEST_CASE("bytes of a group lent by a failed session are not sent from reused memory", "[lent]") {
    const auto by = GENERATE(carrier::quic, carrier::webtransport);
    INFO((by == carrier::quic ? "quic" : "webtransport"));
    scene s{by};
    const bool with_request = GENERATE(false, true); // HTTP/3's answers are sent before sessions' data.
    s.write(s.asked[0], 0, 900, 'a');
    s.lose();
    s.then([&](link::connection& c) {
        s.begin(c, direction::uni, s.said.setup); // A second one: the session is closed.
        if (with_request) s.begin(c, direction::bidi, headers(get()), true);
    });
    s.send_more();
    CHECK(s.server->is_closed());
    CHECK(s.secrets() == 0);
}

TEST_CASE("bytes of a FETCH lent by a failed session are not sent from reused memory", "[lent]") {
    const auto by = GENERATE(carrier::quic, carrier::webtransport);
    INFO((by == carrier::quic ? "quic" : "webtransport"));
    scene s{by};
    s.write(s.asked[1], 5, 900, 'a');
    s.lose();
    s.then([&](link::connection& c) { s.begin(c, direction::uni, s.said.setup); });
    s.send_more();
    CHECK(s.server->is_closed());
    CHECK(s.secrets() == 0);
}

TEST_CASE("a live session drops groups without sending reused memory", "[lent]") {
    const auto by = GENERATE(carrier::quic, carrier::webtransport);
    INFO((by == carrier::quic ? "quic" : "webtransport"));
    scene s{by};
    SECTION("the subscriber leaves") {
        s.write(s.asked[0], 0, 900, 'a');
        s.lose();
        s.then([&](link::connection&) { s.append(s.subscription, "", true); });
    }
    SECTION("the subscriber breaks a rule on its stream") {
        s.write(s.asked[0], 0, 900, 'a');
        s.lose();
        s.then([&](link::connection& c) {
            s.append(s.subscription, std::string(2, '\0'), false);
            s.begin(c, direction::bidi, headers(get()), true);
        });
    }
    SECTION("the fetch is stopped and reset") {
        s.write(s.asked[1], 5, 900, 'a');
        s.lose();
        s.then([&](link::connection& c) {
            c.stop(s.fetch, app_error::cancel);
            c.reset(s.fetch, app_error::cancel);
        });
    }
    SECTION("the group is evicted") {
        s.write(s.asked[0], 0, 900, 'a');
        s.lose();
        REQUIRE(s.last->evict_readers(app_error::evicted));
        s.let_others_in();
    }
    SECTION("the group is aborted") {
        s.write(s.asked[0], 0, 900, 'a');
        s.lose();
        s.last->abort(app_error::cancel);
        s.let_others_in();
    }
    SECTION("the request is rejected") {
        s.write(s.asked[1], 5, 900, 'a');
        s.lose();
        REQUIRE(s.server->reject(s.asked[1], app_error::unauthorized));
        s.let_others_in();
    }
    s.send_more();
    CHECK_FALSE(s.server->is_closed());
    CHECK(s.secrets() == 0);
}

TEST_CASE("control bytes of an abandoned stream are not sent from reused memory", "[lent]") {
    const auto by = GENERATE(carrier::quic, carrier::webtransport);
    INFO((by == carrier::quic ? "quic" : "webtransport"));
    scene s{by};
    REQUIRE(s.server->accept(s.asked[0], group_sequence{0}));
    s.lose();
    SECTION("the subscriber breaks a rule on the stream") {
        s.then([&](link::connection& c) {
            s.append(s.subscription, std::string(2, '\0'), false);
            s.begin(c, direction::bidi, headers(get()), true);
        });
    }
    SECTION("the session is closed") {
        s.then([&](link::connection& c) { s.begin(c, direction::uni, s.said.setup); });
    }
    s.send_more();
    CHECK(s.secrets() == 0);
}

} // namespace moqlite::test::webtransport_lent_bytes_test
