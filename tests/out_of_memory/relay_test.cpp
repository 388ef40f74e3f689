// One allocation of a relay fails within an event, each in turn: the connection of that event ends,
// as in the adapters, and all others are served.
#include "failing.hpp"
#include "relay/scene.hpp"

#include <algorithm>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <new>

using namespace moqlite;
using namespace moqlite::test;
using namespace std::chrono_literals;

namespace {

template <class F>
auto without_failure(F f) {
    const infallible from_here;
    return f();
}

/// A transport whose own memory never fails.
struct sound_transport {
    std::optional<stream_id> open(direction kind) {
        return without_failure([&] { return to.open(kind); });
    }
    std::optional<std::size_t> write(const write_stream& w) {
        return without_failure([&] { return to.write(w); });
    }
    void reset(stream_id id, app_error code) {
        without_failure([&] { to.reset(id, code); });
    }
    void stop(stream_id id, app_error code) {
        without_failure([&] { to.stop(id, code); });
    }
    void credit(stream_id, std::uint64_t) {}
    void close(app_error code, std::string_view reason) {
        without_failure([&] { to.close(code, reason); });
    }
    void flush() {}
    bool send(byte_view bytes) {
        return without_failure([&] { return to.send(bytes); });
    }
    pipe_end& to;
};

/// A relay whose allocations may fail, and guests whose do not.
class stage {
public:
    /// `end_fails`: ending the connection fails to allocate, too.
    explicit stage(bool end_fails = false) : end_fails_{end_fails} {}

    guest& join(version v = version::lite_05) {
        session_options o{.path = {}, .origin = {}, .ready = &ready_, .key = guests_.size()};
        guests_.push_back(std::make_unique<guest>(role::client, v, std::move(o), busy_, now));
        auto& g = *guests_.back();
        const auto made = r.add(role::server, alpn(v), now);
        REQUIRE(made);
        g.key = *made;
        ends_[&g.end] = ends_[&g.relay_end] = &g;
        by_key_[g.key] = &g;
        g.drain();
        settle();
        REQUIRE(r.admit(g.key, {}));
        settle();
        return g;
    }
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
        try {
            const fallible from_here;
            r.tick(now);
        } catch (const std::bad_alloc&) { // Not of one connection: the next turn repeats it.
        }
        for (const auto& g : guests_) {
            (*g)->tick(now);
            g->drain();
        }
        settle();
    }
    void cut(guest& g) {
        if (is_here(g)) end(g, "idle");
        settle();
    }
    [[nodiscard]] bool is_here(const guest& g) noexcept { return r.session(g.key) != nullptr; }

    relay r{{}};
    time_point now = t0;
    std::vector<std::uint64_t> ended; ///< Keys of the connections that a failed allocation ended.

private:
    /// The inputs of the relay's session of a guest, each contained as the adapters do it.
    struct input {
        stage& at;
        guest& of;
        void stream_received(stream_id id, byte_view bytes, bool fin, time_point t) {
            at.contain(of, [&](any_session& s) { s.stream_received(id, bytes, fin, t); });
        }
        void stream_reset(stream_id id, app_error code, time_point t) {
            at.contain(of, [&](any_session& s) { s.stream_reset(id, code, t); });
        }
        void stream_stopped(stream_id id, app_error code, time_point t) {
            at.contain(of, [&](any_session& s) { s.stream_stopped(id, code, t); });
        }
        void stream_acked(stream_id id, std::uint64_t n, time_point t) {
            at.contain(of, [&](any_session& s) { s.stream_acked(id, n, t); });
        }
        void stream_closed(stream_id id, std::optional<app_error> code, time_point t) {
            at.contain(of, [&](any_session& s) { s.stream_closed(id, code, t); });
        }
        void streams_available(direction kind, time_point t) {
            at.contain(of, [&](any_session& s) { s.streams_available(kind, t); });
        }
        void datagram_received(byte_view bytes, time_point t) {
            at.contain(of, [&](any_session& s) { s.datagram_received(bytes, t); });
        }
        void connection_closed(const closed_by& how, time_point t) {
            at.contain(of, [&](any_session& s) { s.connection_closed(how, t); });
        }
    };
    template <class F>
    void contain(guest& g, F f) {
        if (!is_here(g)) return;
        try {
            const fallible from_here;
            f(*r.session(g.key));
            drain(g);
        } catch (const std::bad_alloc&) {
            ended.push_back(g.key);
            if (!end_fails_) fail_allocation(0);
            end(g, "out of memory");
            fail_allocation(0);
            g.end.hear({.what = fact::kind::ended, .code = app_error::transport, .reason = "out of memory"});
        }
    }
    /// Like endpoint_state::retire().
    void end(guest& g, std::string_view why) {
        try {
            const fallible from_here;
            if (any_session* s = r.session(g.key)) s->connection_closed({app_error::transport, false, why}, now);
            drain(g);
        } catch (const std::bad_alloc&) { // The connection ends without this step.
        }
        const fallible from_here;
        r.remove(g.key);
    }
    void drain(guest& g) {
        while (any_session* s = r.session(g.key)) {
            const auto e = s->poll_event();
            if (!e) return;
            r.handle(g.key, *e, now);
            if (!std::holds_alternative<session_closed>(*e)) continue;
            pump_some(*s, g);
            r.remove(g.key);
        }
    }
    void pump_relay(std::uint64_t key) {
        auto& g = *by_key_[key];
        contain(g, [&](any_session& s) { pump_some(s, g); });
    }
    static void pump_some(any_session& s, guest& g) {
        sound_transport to{g.relay_end};
        pump(s, to);
    }
    void tell_one(pipe_end& end) {
        auto& g = *ends_[&end];
        if (&end == &g.end) return end.tell_one(*g, [&] { return g.drain(), true; }, now);
        if (!is_here(g)) return void(end.deaf = true);
        input to{*this, g};
        end.tell_one(to, [&] { return is_here(g); }, now);
    }

    bool end_fails_;
    ready_list ready_;
    std::deque<pipe_end*> busy_;
    std::vector<std::unique_ptr<guest>> guests_;
    std::map<pipe_end*, guest*> ends_;
    std::map<std::uint64_t, guest*> by_key_;
};

const track_ref video{"room/cam", "video"};
const std::string payload = std::string(5000, 'x');

/// A publisher of room/cam, which answers each SUBSCRIBE and has sent two groups to the existing reader.
struct play {
    explicit play(version v, bool end_fails)
        : s{end_fails}, publisher{s.join()}, bystander{s.join(v)}, actor{s.join(v)} {
        publisher.announce("room/cam");
        other.announce("room/other");
        s.settle();
        bystander.subscribe(video);
        s.settle();
        publisher.accept(0, 0);
        send(0);
        send(1);
        s.settle();
        bystander.heard();
        received = bystander.groups();
    }
    void send(std::uint64_t n) {
        if (s.is_here(publisher)) publisher.send(0, n, payload);
        s.settle();
    }
    /// For a track whose name does not fit into a std::string itself.
    void ask_both() {
        for (guest* g : {&bystander, &actor})
            static_cast<void>((*g)->request_track({"room/cam", "a-track-with-a-long-name"}));
        s.settle();
    }

    stage s;
    guest& publisher;
    guest& bystander;
    guest& actor;
    guest& other = s.join(); ///< Another publisher.
    list received;
};

struct deed {
    const char* name;
    /// A set-up without failures, and an action in which an allocation fails.
    std::function<void(play&)> before, act;
    bool reads = false; ///< The actor reads the same track.
    bool all_of_group_2 = false;
    bool asks = false; ///< Both ask for TRACK, and are answered or refused.
};

const auto nothing = [](play&) {};

const deed deeds[] = {
    {"announce", nothing,
        [](play& p) {
            p.actor.announce("room/cam");
            p.actor.announce("elsewhere");
        }},
    {"watch", nothing, [](play& p) { p.actor.watch(); }},
    {"subscribe to what nobody reads", nothing, [](play& p) { p.actor.subscribe({"room/other", "audio"}); }},
    {"subscribe to what is not there", nothing, [](play& p) { p.actor.subscribe({"room/none", "audio"}); }},
    {"join", nothing, [](play& p) { p.actor.subscribe(video); }, true},
    {"join as a complete reader", nothing,
        [](play& p) {
            p.actor.subscribe(video, {.ordered = true, .max_age = 86'400'000ms, .start = at(0), .end = at(50)});
        }},
    {"fetch what is here", nothing, [](play& p) { static_cast<void>(p.actor->fetch(video, at(0))); }},
    {"fetch what is not here", nothing, [](play& p) { static_cast<void>(p.actor->fetch(video, at(77))); }},
    {"ask for TRACK", nothing, [](play& p) { static_cast<void>(p.actor->request_track(video)); }},
    {"leave", [](play& p) { p.actor.subscribe(video); }, [](play& p) { p.actor.unsubscribe(); }},
    {"leave as the last", [](play& p) { p.actor.subscribe({"room/other", "audio"}); },
        [](play& p) { p.actor.unsubscribe(); }},
    {"update", [](play& p) { p.actor.subscribe(video); },
        [](play& p) { p.actor.update({.priority = 9, .end = at(9)}); }},
    {"hang up",
        [](play& p) {
            p.actor.subscribe(video);
            p.actor.announce("room/cam");
            static_cast<void>(p.actor->fetch(video, at(77)));
            static_cast<void>(p.actor->request_track(video));
        },
        [](play& p) { p.s.cut(p.actor); }},
    {"a group arrives", [](play& p) { p.actor.subscribe(video); }, [](play& p) { p.send(2); }, true, true},
    {"a track ends", [](play& p) { p.actor.subscribe(video); }, [](play& p) { p.publisher.end_track(0, 2); }, true},
    {"a broadcast ends", [](play& p) { p.actor.watch(); }, [](play& p) { p.publisher.unannounce(); }},
    {"the publisher hangs up", [](play& p) { p.actor.subscribe(video); }, [](play& p) { p.s.cut(p.publisher); }, true},
    {"TRACK is answered", [](play& p) { p.ask_both(); },
        [](play& p) { REQUIRE(p.publisher->answer_track(request_id{1}, {})); }, false, false, true},
    {"TRACK is refused", [](play& p) { p.ask_both(); },
        [](play& p) { REQUIRE(p.publisher->reject(request_id{1}, app_error::not_found)); }, false, false, true},
    {"time passes", [](play& p) { p.actor.subscribe(video); },
        [](play& p) {
            p.s.pass(31s);
            p.s.pass(31s);
        },
        true},
};

/// Existing readers lose nothing, new ones are served, and when all have left nothing is kept.
void check_the_rest(play& p, const deed& what) {
    auto& s = p.s;
    CHECK(s.ended.size() <= 1);
    const auto is_spared = [&](const guest& g) { return std::count(s.ended.begin(), s.ended.end(), g.key) == 0; };
    CHECK((s.is_here(p.bystander) || !is_spared(p.bystander)));
    CHECK((s.is_here(p.actor) || !is_spared(p.actor) || std::string_view{what.name} == "hang up"));
    CHECK(s.is_here(p.other));
    CHECK(
        (s.is_here(p.publisher) || !is_spared(p.publisher) || std::string_view{what.name} == "the publisher hangs up"));
    s.pass(1s);
    std::map<const guest*, list> told_before;
    if (what.asks) {
        s.pass(11s);
        for (guest* asker : {&p.actor, &p.bystander}) {
            auto& told = told_before[asker] = asker->heard();
            const auto is_answer = [](const std::string& line) { return line.starts_with("track_"); };
            CHECK((!s.is_here(*asker) || std::any_of(told.begin(), told.end(), is_answer)));
        }
    }
    const bool goes_on = s.is_here(p.publisher) && std::string_view{what.name} != "a track ends";
    if (goes_on) p.send(3);
    for (guest* reader : {&p.bystander, &p.actor}) {
        if (!s.is_here(*reader) || (reader == &p.actor && !what.reads)) continue;
        const auto got = reader->groups();
        if (goes_on) {
            REQUIRE_FALSE(got.empty());
            CHECK(got.back() == "3: 5000 bytes");
            if (what.all_of_group_2) { // Without memory for its log no reader gets the group, and all get an event.
                const auto heard = reader->heard();
                const auto is_drop = [](const std::string& line) { return line.starts_with("groups_dropped"); };
                const bool told = std::any_of(heard.begin(), heard.end(), is_drop);
                const auto n = std::count(got.begin(), got.end(), "2: 5000 bytes");
                CHECK((n == 1 || (n == 0 && told && s.ended.empty())));
            }
        } else {
            // It gets the end of its track, clean or not.
            auto heard = reader->heard();
            const auto& before = told_before[reader];
            heard.insert(heard.end(), before.begin(), before.end());
            const bool told = std::any_of(heard.begin(), heard.end(),
                [](const std::string& line) { return line.starts_with("subscription_ended"); });
            CHECK(told);
        }
    }
    auto& source = s.join();
    source.announce("new/cam");
    s.settle();
    std::vector<guest*> readers{&s.join(), &p.bystander, &p.actor};
    std::erase_if(readers, [&](const guest* g) { return !s.is_here(*g); });
    for (guest* reader : readers) {
        reader->groups();
        REQUIRE((*reader)->subscribe({"new/cam", "video"}));
        s.settle();
    }
    source.accept(0, 0);
    source.send(0, 0, payload);
    s.settle();
    for (guest* reader : readers) CHECK(reader->groups() == list{"0: 5000 bytes"});
    for (std::uint64_t key = 1; key != 20; ++key)
        if (any_session* left = s.r.session(key)) {
            left->connection_closed({app_error::cancel, true, ""}, s.now);
            while (const auto e = left->poll_event()) s.r.handle(key, *e, s.now);
            s.r.remove(key);
        }
    s.pass(31s);
    s.pass(31s);
    const auto stats = s.r.stats();
    CHECK(stats.sessions == 0);
    CHECK(stats.broadcasts == 0);
    CHECK(stats.readers == 0);
    CHECK(stats.tracks == 0);
}

} // namespace

TEST_CASE("an allocation that fails within an event ends its connection, and the relay continues", "[out_of_memory]") {
    const auto v = GENERATE(version::lite_05, version::lite_03);
    const bool end_fails = GENERATE(false, true);
    for (const auto& deed : deeds) {
        if (deed.asks && v != version::lite_05) continue; // It has no TRACK.
        std::size_t nth = 0;
        for (bool all_failed = false; !all_failed;) {
            ++nth;
            CAPTURE(deed.name, nth, alpn(v), end_fails);
            play p{v, end_fails};
            deed.before(p);
            p.s.settle();
            p.bystander.heard();
            fail_allocation(nth, end_fails ? SIZE_MAX : 0);
            deed.act(p);
            p.s.settle();
            all_failed = !has_failed();
            fail_allocation(0);
            if (all_failed) CHECK(p.s.ended.empty());
            if (const auto due = p.s.r.deadline(); due && *due <= p.s.now) p.s.pass({});
            check_the_rest(p, deed);
        }
        UNSCOPED_INFO(deed.name << ": " << nth);
    }
}
