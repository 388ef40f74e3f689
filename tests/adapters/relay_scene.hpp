// A relay in its own process, a well-behaved publisher and watcher that never stop, and others:
// guests, which use a session, and intruders, which write arbitrary bytes.
#pragma once

#include "../hex.hpp"
#include "memory_pair.hpp"
#include "relay_process.hpp"

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <moqlite/asio/quic_client.hpp>
#include <moqlite/link/session_handler.hpp>
#include <moqlite/session/acceptor.hpp>
#include <set>

namespace moqlite::test {

/// A client with a session; records what must not happen.
struct guest {
    link::accept_function accept() {
        return [this](link::connection& c, time_point now) -> std::unique_ptr<link::handler> {
            connection = &c;
            if (!acceptor{role::client}.make(c.alpn(), {}, now, session)) return nullptr;
            auto handle = [this](const event& e) { note(e); };
            return std::make_unique<link::session_handler<any_session*, decltype(handle)>>(&*session, handle);
        };
    }
    void note(const event& e) {
        if (const auto* b = std::get_if<broadcast_available>(&e)) there.emplace(b->path);
        if (const auto* b = std::get_if<broadcast_ended>(&e)) there.erase(std::string{b->path});
        if (const auto* r = std::get_if<stream_rejected>(&e))
            complaints.push_back("the relay violated the protocol: " + std::string{to_string(r->why)});
        if (std::holds_alternative<watch_ended>(e)) complaints.emplace_back("no announcements come any more");
        if (const auto* c = std::get_if<session_closed>(&e)) {
            connection = nullptr;
            complaints.push_back("session closed: " + std::string{c->reason});
        }
        if (on_event) on_event(e);
    }

    std::optional<any_session> session;
    link::connection* connection = nullptr; ///< Null: not yet, or ended.
    std::function<void(const event&)> on_event;
    std::set<std::string> there; ///< Broadcasts.
    std::vector<std::string> complaints;
};

/// Transfers groups of known bytes from one guest to another during its lifetime.
class transfer {
public:
    static constexpr std::uint64_t most_in_flight = 8;
    static constexpr std::size_t frame_size = 4096, frames = 4;

    transfer(boost::asio::io_context& context, guest& from, guest& to) : from_{from}, to_{to}, timer_{context} {
        from_.on_event = [this](const event& e) { publish(e); };
        to_.on_event = [this](const event& e) { watch(e); };
        beat();
    }

    [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
    [[nodiscard]] const std::vector<std::string>& damage() const noexcept { return damage_; }

private:
    void publish(const event& e) {
        auto& s = *from_.session;
        if (const auto* t = std::get_if<track_requested>(&e)) static_cast<void>(s.answer_track(t->request, {}));
        if (const auto* l = std::get_if<group_lost>(&e)) damaged(l->sequence, "was lost on its way to the relay");
        if (const auto* r = std::get_if<subscribe_requested>(&e)) {
            if (request_) damage_.emplace_back("the relay subscribed twice");
            request_ = r->request;
            static_cast<void>(s.accept(r->request, group_sequence{0}));
        }
    }
    void watch(const event& e) {
        auto& s = *to_.session;
        if (const auto* b = std::get_if<broadcast_available>(&e); b != nullptr && b->path == "well" && !subscription_)
            subscription_ =
                *s.subscribe({b->path, "video"}, {.max_age = milliseconds{60'000}, .start = group_sequence{0}});
        if (const auto* f = std::get_if<frame_data>(&e); f != nullptr && f->subscription == subscription_)
            arriving_[number(f->sequence)].append(as_text(f->data));
        if (const auto* g = std::get_if<group_closed>(&e); g != nullptr && g->subscription == subscription_) {
            if (!g->complete) damaged(g->sequence, "was cut off");
            if (arriving_[number(g->sequence)] != payload(number(g->sequence)))
                damaged(g->sequence, "is not what was sent");
            arriving_.erase(number(g->sequence));
            if (!arrived_.insert(number(g->sequence)).second) damaged(g->sequence, "came twice");
            while (arrived_.erase(received_) != 0) ++received_; // Only if nothing before it is missing.
        }
        if (const auto* d = std::get_if<groups_dropped>(&e); d != nullptr && d->subscription == subscription_)
            damaged(d->first, "was dropped");
        if (const auto* d = std::get_if<subscription_ended>(&e); d != nullptr && d->subscription == subscription_)
            damage_.emplace_back("the subscription ended");
    }
    void damaged(group_sequence which, std::string_view how) {
        damage_.push_back("group " + std::to_string(number(which)) + ' ' + std::string{how});
    }
    static std::string payload(std::uint64_t sequence) { return noise(frame_size * frames, sequence); }

    void beat() {
        timer_.expires_after(4ms);
        timer_.async_wait([this](const boost::system::error_code& error) {
            if (error) return;
            if (request_ && from_.connection != nullptr && sent_ < received_ + most_in_flight) send();
            beat();
        });
    }
    void send() {
        const auto bytes = payload(sent_);
        auto group = from_.session->open_group(*request_, group_sequence{sent_++});
        if (!group)
            return damage_.emplace_back("no group can be sent: " + std::string{to_string(group.error())}), void();
        for (std::size_t at = 0; at < bytes.size(); at += frame_size)
            static_cast<void>((*group)->write_frame(timestamp{0}, as_bytes(bytes).subspan(at, frame_size)));
        static_cast<void>((*group)->finish());
        from_.connection->wake();
    }

    guest& from_;
    guest& to_;
    boost::asio::steady_timer timer_;
    std::optional<request_id> request_;
    std::optional<subscribe_id> subscription_;
    std::map<std::uint64_t, std::string> arriving_;
    std::set<std::uint64_t> arrived_; ///< Those above `received_`.
    std::uint64_t sent_ = 0;
    std::uint64_t received_ = 0; ///< Groups 0 to this have arrived as they were sent.
    std::vector<std::string> damage_;
};

/// One that writes raw bytes to the relay.
struct intruder {
    [[nodiscard]] bool ended() const noexcept { return end->has_value(); }
    recorder* peer = nullptr; ///< Dangling once it has ended.
    std::shared_ptr<std::optional<link::closed>> end;
    std::string tag; ///< The tag of its lines in the relay's log: "#7 ".
};

class relay_scene {
public:
    explicit relay_scene(const std::string& program)
        : relay{context, {program, "--listen", "127.0.0.1:0", "--tls-generate", "localhost", "--cache-bytes", "1M"}},
          well_behaved{context.get_executor()},
          hostile{context.get_executor()} {
        REQUIRE(run([this] { return !relay.said_on_stdout().empty(); }));
        const auto& line = relay.said_on_stdout()[0]; // "listening 127.0.0.1:PORT protocols ..."
        port = static_cast<std::uint16_t>(std::stoul(line.substr(line.find(':') + 1)));
        welcome(watcher);
        static_cast<void>(watcher.session->watch(""));
        watcher.connection->wake();
        welcome(publisher);
        static_cast<void>(publisher.session->announce("well"));
        publisher.connection->wake();
        REQUIRE(run([this] { return media.received() > 50; }));
    }

    /// True: `done` within the limit.
    bool run(const std::function<bool()>& done, std::chrono::seconds limit = 10s) {
        const auto end = std::chrono::steady_clock::now() + limit;
        context.restart();
        while (!done() && std::chrono::steady_clock::now() < end)
            if (context.run_one_for(20ms) == 0) context.restart();
        return done();
    }

    void welcome(guest& who) {
        const auto failure = std::make_shared<std::string>();
        well_behaved.connect({"127.0.0.1", port, "localhost", {"moq-lite-05"}, client_tls()}, who.accept(),
            [failure](const link::closed& how) { *failure = how.reason; });
        run([&] { return who.connection != nullptr || !failure->empty(); });
        INFO(*failure);
        REQUIRE(who.connection != nullptr);
        ++arrivals_;
    }

    /// A new intruder, which has sent `setup` (hex, with the stream's type) unless empty.
    intruder intrude(std::string_view setup = "01 01 00") {
        const auto made = std::make_shared<intruder>();
        hostile.connect(
            {"127.0.0.1", port, "localhost", {"moq-lite-05"}, client_tls()},
            [made](link::connection& c, time_point) {
                auto peer = std::make_unique<recorder>(c);
                made->end = peer->ended = std::make_shared<std::optional<link::closed>>();
                made->peer = peer.get();
                return peer;
            },
            [](const link::closed&) {});
        ++arrivals_;
        REQUIRE(run([&] { return made->peer != nullptr && relay.said(" connected from ").size() == arrivals_; }));
        auto who = *made;
        const auto line = relay.said(" connected from ").back();
        const auto at = line.find('#');
        who.tag = line.substr(at, line.find(' ', at) - at + 1);
        if (!setup.empty()) who.peer->send(direction::uni, std::string{as_text(hex(setup))});
        return who;
    }
    /// A stream of its own with these bytes on it.
    stream_id write(intruder& who, direction kind, std::string bytes, bool fin) {
        auto id = std::make_shared<std::optional<stream_id>>();
        auto* peer = who.peer;
        peer->in_pump([=](link::connection& to) {
            *id = to.open(kind);
            if (*id) begin(*peer, **id, bytes, fin);
        });
        REQUIRE(run([&] { return id->has_value() || who.ended(); }));
        return id->value();
    }
    /// As many streams as granted, or `most`, each with these bytes and no FIN; returns how many.
    std::size_t write_all(intruder& who, direction kind, const std::string& bytes, std::size_t most = std::size_t(-1)) {
        const auto count = std::make_shared<std::size_t>(0);
        const auto done = std::make_shared<bool>(false);
        auto* peer = who.peer;
        peer->in_pump([=](link::connection& to) {
            for (; *count != most; ++*count) {
                const auto id = to.open(kind);
                if (!id) break;
                begin(*peer, *id, bytes, false);
            }
            *done = true;
        });
        REQUIRE(run([&] { return *done || who.ended(); }));
        return *count;
    }
    /// More bytes on an existing stream, of either initiator.
    static void add(intruder& who, stream_id to, std::string_view bytes, bool fin = false) {
        auto& out = who.peer->sent[to];
        out.bytes += bytes;
        out.fin = fin;
        out.done = false;
        who.peer->connection.wake();
    }
    /// Ends it, if the relay has not, and waits for the relay's log line.
    void dismiss(intruder& who) {
        if (!who.ended()) who.peer->connection.close(app_error::cancel, "bye");
        REQUIRE(run([&] { return who.ended() && !relay.said(who.tag + "ended: ").empty(); }));
    }

    static void begin(recorder& peer, stream_id id, std::string bytes, bool fin) {
        auto& out = peer.sent[id];
        out.bytes = std::move(bytes);
        out.fin = fin;
    }

    boost::asio::io_context context;
    relay_process relay;
    guest publisher, watcher;
    std::deque<guest> guests;
    transfer media{context, publisher, watcher};
    asio::quic_client well_behaved, hostile;
    std::uint16_t port = 0;

private:
    std::size_t arrivals_ = 0; ///< Number of log lines to expect, which may follow late.
};

} // namespace moqlite::test
