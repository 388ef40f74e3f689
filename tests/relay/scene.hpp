// A relay and its guests, connected by pipes, with a manual clock.
#pragma once

#include "pipe.hpp"
#include "session/subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <map>
#include <memory>
#include <moqlite/relay/relay.hpp>
#include <moqlite/session/session.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::test {

/// The number of a group.
[[nodiscard]] constexpr group_sequence at(std::uint64_t n) noexcept { return group_sequence{n}; }

/// A scripted peer of the relay: a publisher, a subscriber, or both.
class guest {
public:
    guest(role side, version v, session_options o, std::deque<pipe_end*>& busy, time_point now)
        : end(side, busy),
          relay_end(side == role::client ? role::server : role::client, busy),
          session_(side, v, std::move(o), now) {
        end.far = &relay_end;
        relay_end.far = &end;
    }
    session* operator->() { return &session_; }
    session& operator*() { return session_; }

    // Publishing.

    void announce(std::string_view path, std::vector<hop_id> hops = {}) {
        REQUIRE(session_.announce(path, std::move(hops)));
    }
    void unannounce(std::string_view path = "room/cam") { REQUIRE(session_.unannounce(path)); }
    void accept(std::uint64_t request, std::optional<std::uint64_t> start) {
        REQUIRE(session_.accept(request_id{request}, start ? std::optional{group_sequence{*start}} : std::nullopt));
    }
    group_ref begin(std::uint64_t request, std::uint64_t sequence) {
        auto g = session_.open_group(request_id{request}, group_sequence{sequence});
        REQUIRE(g);
        return *g;
    }
    /// A group of one frame, finished.
    void send(std::uint64_t request, std::uint64_t sequence, std::string_view payload) {
        const auto g = begin(request, sequence);
        REQUIRE(g->write_frame(timestamp{0}, as_bytes(payload)));
        REQUIRE(g->finish());
    }
    /// No group at or after `sequence` will exist, and nothing more is served.
    void end_track(std::uint64_t request, std::uint64_t sequence) {
        REQUIRE(session_.end_track(request_id{request}, group_sequence{sequence}));
        REQUIRE(session_.finish(request_id{request}));
    }

    // Subscribing.

    void watch(std::string_view prefix = "") { REQUIRE(session_.watch(prefix)); }
    void subscribe(const track_ref& track, const subscribe_options& o = {}) { REQUIRE(session_.subscribe(track, o)); }
    void update(const subscribe_options& o) { REQUIRE(session_.update(subscribe_id{0}, changes_to(o))); }
    void unsubscribe() { REQUIRE(session_.unsubscribe(subscribe_id{0})); }

    // Events since the last call.

    /// Events, except groups.
    list heard() { return std::exchange(heard_, {}); }
    /// Groups that have ended, as "3: payload", with the code if cut off.
    list groups() { return std::exchange(groups_, {}); }
    /// The time of each frame, in ticks.
    std::vector<std::uint64_t> times() { return std::exchange(times_, {}); }
    /// The received part of groups that are still arriving.
    [[nodiscard]] list arriving() const {
        list out;
        for (const auto& [id, g] : arriving_) out.push_back(shown(g));
        return out;
    }

    void drain() {
        while (const auto e = session_.poll_event()) {
            if (const auto* opened = std::get_if<group_opened>(&*e))
                arriving_[opened->group] = {opened->sequence, {}};
            else if (const auto* data = std::get_if<frame_data>(&*e))
                take(*data);
            else if (const auto* closed = std::get_if<group_closed>(&*e))
                take(*closed);
            else if (std::holds_alternative<announcements_synced>(*e))
                ++synced, heard_before = heard_.size();
            else if (!std::holds_alternative<group_delivered>(*e))
                heard_.push_back(text(*e));
        }
    }

    std::uint64_t key = 0;        ///< Of the relay's session.
    std::size_t synced = 0;       ///< Watches whose initial set is complete.
    std::size_t heard_before = 0; ///< The last of them was complete.
    pipe_end end;
    pipe_end relay_end;

private:
    struct incoming {
        group_sequence sequence{};
        std::string payload;
    };
    static std::string shown(const incoming& g) {
        const bool small = g.payload.size() <= 32;
        return std::to_string(number(g.sequence)) + ": " +
               (small ? g.payload : std::to_string(g.payload.size()) + " bytes");
    }
    void take(const frame_data& e) {
        if (e.offset == 0) times_.push_back(static_cast<std::uint64_t>(e.time));
        for (auto b : e.data) arriving_[e.group].payload.push_back(static_cast<char>(b));
        // Lent bytes are not kept here.
        static_cast<void>(session_.release(e.group, e.data.size()));
    }
    void take(const group_closed& e) {
        arriving_[e.group].sequence = e.sequence; // A fetched group has no group_opened.
        auto line = shown(arriving_[e.group]);
        if (!e.complete) line.append(" cut ").append(to_string(e.code.means()));
        groups_.push_back(std::move(line));
        arriving_.erase(e.group);
    }

    session session_;
    std::map<group_id, incoming> arriving_;
    list heard_;
    list groups_;
    std::vector<std::uint64_t> times_;
};

class scene {
public:
    explicit scene(relay_options o = {}) : r(std::move(o)) {}

    /// A client on a new connection, not admitted yet.
    guest& arrive(version v = version::lite_05, std::string path = {}, hop_id origin = {}) {
        auto& g = connect(role::client, v, std::move(path), {}, origin);
        g.heard();
        return g;
    }
    /// A server to which the relay has connected, and which has not admitted it yet.
    guest& dial(std::string path) { return connect(role::server, version::lite_05, {}, std::move(path), {}); }
    /// An admitted one.
    guest& join(scope allowed = {}, version v = version::lite_05, hop_id origin = {}) {
        auto& g = arrive(v, {}, origin);
        REQUIRE(r.admit(g.key, std::move(allowed)));
        settle();
        return g;
    }
    /// One that announces `broadcast`.
    guest& publisher(std::string_view broadcast = "room/cam", hop_id origin = {}) {
        auto& g = join({}, version::lite_05, origin);
        g.announce(broadcast);
        settle();
        return g;
    }
    /// One that subscribes to room/cam's video.
    guest& viewer(const subscribe_options& o = {}, version v = version::lite_05) {
        auto& g = join({}, v);
        g.subscribe({"room/cam", "video"}, o);
        settle();
        return g;
    }

    /// Delivers everything. Only sessions on the ready list are pumped.
    void settle() {
        for (bool busy = true; busy;) {
            busy = false;
            for (; const auto key = r.poll_ready(); busy = true) pump_relay(*key);
            for (; const auto key = ready_.pop(); busy = true) {
                auto& g = *guests_[*key];
                pump(*g, g.end);
                g.drain();
            }
            for (; !busy_.empty(); busy = true) {
                pipe_end& end = *busy_.front();
                busy_.pop_front();
                while (end.has_more()) tell_one(end);
            }
        }
    }
    void pass(duration d) {
        now += d;
        r.tick(now);
        settle();
    }
    /// The same, and the relay's sessions see it too.
    void pass_for_all(duration d) {
        now += d;
        for (const auto& g : guests_) {
            any_session* s = r.session(g->key);
            if (s == nullptr) continue;
            s->tick(now);
            drain(*g);
        }
        r.tick(now);
        settle();
    }
    /// A connection's window opens again.
    void open_window(guest& g) {
        g.relay_end.takes = true;
        pump_relay(g.key);
        settle();
    }
    /// A connection is lost, without a close.
    void cut(guest& g) {
        if (any_session* s = r.session(g.key)) s->connection_closed({app_error::timeout, false, "idle"}, now);
        drain(g);
        settle();
    }
    /// The relay's notices since the last call.
    list notices();
    [[nodiscard]] any_session& session_of(guest& g) { return *r.session(g.key); }

    relay r;
    time_point now = t0;
    std::string alone;                 ///< Above the broadcasts for the next session alone.
    std::vector<std::uint64_t> pumped; ///< Keys of the relay's sessions, each time.

private:
    guest& connect(role side, version v, std::string path, std::string relays_path, hop_id origin) {
        session_options o{.path = std::move(path), .origin = origin, .ready = &ready_, .key = guests_.size()};
        guests_.push_back(std::make_unique<guest>(side, v, std::move(o), busy_, now));
        auto& g = *guests_.back();
        const auto made =
            r.add(side == role::client ? role::server : role::client, alpn(v), now, std::move(relays_path), alone);
        REQUIRE(made);
        g.key = *made;
        ends_[&g.end] = ends_[&g.relay_end] = &g;
        by_key_[g.key] = &g;
        g.drain();
        drain(g);
        settle();
        return g;
    }
    /// False: the relay's session has ended.
    bool drain(guest& g) { return drain_session(r, g.key, g.relay_end, now); }
    void pump_relay(std::uint64_t key) {
        auto& g = *by_key_[key];
        if (any_session* s = r.session(key)) pump(*s, g.relay_end);
        drain(g);
        pumped.push_back(key);
    }
    void tell_one(pipe_end& end) {
        auto& g = *ends_[&end];
        if (&end == &g.end) return end.tell_one(*g, [&] { return g.drain(), true; }, now);
        if (r.session(g.key) != nullptr)
            end.tell_one(session_of(g), [&] { return drain(g); }, now);
        else
            end.deaf = true;
    }

    ready_list ready_; ///< Of the guests.
    std::deque<pipe_end*> busy_;
    std::vector<std::unique_ptr<guest>> guests_;
    std::map<pipe_end*, guest*> ends_;
    std::map<std::uint64_t, guest*> by_key_;
};

inline list scene::notices() {
    list out;
    const auto name = [](std::string_view what, std::uint64_t session) {
        return std::string(what) + " " + std::to_string(session);
    };
    while (const auto n = r.poll_notice())
        out.push_back(std::visit(
            detail::overloaded{
                [&](const admission_wanted& x) { return name("admission_wanted", x.session) + " " + x.path; },
                [&](const session_ended& x) {
                    return name("session_ended", x.session) + " " + std::string(to_string(x.how.why));
                },
                [&](const peer_misbehaved& x) {
                    return name("peer_misbehaved", x.session) + " " + std::string(to_string(x.why));
                },
                [&](const request_refused& x) {
                    return name("request_refused", x.session) + " " + x.broadcast + " " + x.track;
                },
                [&](const group_outgrew_cache& x) {
                    return name("group_outgrew_cache", x.publisher) + " " + x.broadcast + " " + x.track + " " +
                           std::to_string(number(x.sequence));
                },
                [&](const peer_leaving& x) { return name("peer_leaving", x.session) + " " + x.uri; },
                [&](const broadcast_changed& x) {
                    return name("broadcast_changed", x.session) + " " + x.path + (x.available ? "" : " ended");
                },
                [&](const reader_lost_group& x) {
                    return name("reader_lost_group", x.session) + " " + x.broadcast + " " + x.track + " " +
                           std::to_string(number(x.sequence)) + " " + std::string(to_string(x.code));
                },
            },
            *n));
    return out;
}

} // namespace moqlite::test
