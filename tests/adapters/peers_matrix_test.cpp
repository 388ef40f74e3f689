// Each operation of peers, with each thing ended while it waits and within its handler: it completes exactly once, and
// nothing that was freed is touched (under ASan).
#include "cancelling_play.hpp"
#include "peers_stage.hpp"

#include <moqlite/asio/peers.hpp>
#include <moqlite/asio/probe.hpp>

namespace moqlite::test::peers_matrix {
namespace {

using namespace peers_stage;
using cancelling::takes_every_point;

const moq::identity& who(std::size_t n) {
    static const std::vector<moq::identity> all{an_identity(), an_identity(), an_identity()};
    return all[n];
}

/// Two peers that have met, a third one that nobody knows yet, and an address where nobody is.
struct cast {
    net::io_context& io;
    std::vector<std::weak_ptr<void>> origins;
    std::optional<moq::peers> a, b, c;
    std::string at_a, at_b, at_c;
    silent_port nobody{io};
    moq::peer_key key_b, key_c;
    std::optional<moq::session> ours, theirs;
    moq::session last; ///< Of an operation.
    std::optional<moq::broadcast> call;
    std::optional<moq::track_writer> writer;
    std::optional<moq::group_writer> open;
    std::optional<moq::track_reader> reader;
    std::optional<moq::probe> reports;
    std::optional<moq::incoming_peers> listener;
    std::optional<moq::incoming_peer> arrival;
    int completed = 0;
    bool over = false; ///< What comes now is not kept.

    explicit cast(net::io_context& on) : io(on) {
        std::size_t n = 0;
        for (auto* each : {&a, &b, &c}) {
            each->emplace(io.get_executor(), moq::peers_options{.who = who(n++)});
            REQUIRE(!(*each)->listen("127.0.0.1:0"));
            origins.push_back((*each)->origin().state());
        }
        at_a = a->addresses().front(), at_b = b->addresses().front(), at_c = c->addresses().front();
        key_b = b->key(), key_c = c->key();
        call.emplace(b->publish("call"));
        writer.emplace(call->track("voice"));
        a->async_connect(at_b, [this](error_code e, moq::session s) {
            if (!e) ours.emplace(std::move(s));
        });
        REQUIRE(run_until([&] { return ours && b->find(a->key()); }, 20s));
        theirs.emplace(b->find(a->key()));
        ours->async_subscribe({"call", "voice"}, [this](error_code e, moq::track_reader r) {
            if (!e) reader.emplace(std::move(r));
        });
        REQUIRE(run_until([&] { return reader.has_value(); }, 20s));
        listener.emplace(b->incoming());
        reports.emplace(ours->probe());
    }
    /// False: it did not end in time.
    bool run_until(const std::function<bool()>& what, std::chrono::milliseconds most) {
        const auto until = std::chrono::steady_clock::now() + most;
        while (!what() && std::chrono::steady_clock::now() < until) {
            io.restart();
            io.run_one_until(until);
        }
        return what();
    }
    /// All handlers that are ready.
    void settle() {
        io.restart();
        io.run_for(1ms);
    }
    void end_all() {
        over = true;
        reports.reset(), reader.reset(), open.reset(), writer.reset(), call.reset();
        arrival.reset(), listener.reset(), ours.reset(), theirs.reset();
        last = {};
        a.reset(), b.reset(), c.reset();
    }
    /// Nothing keeps any of the three.
    [[nodiscard]] bool is_forgotten() const {
        return std::ranges::all_of(origins, [](const auto& each) { return each.expired(); });
    }
};

struct action {
    const char* name;
    std::function<void(cast&)> run;
};
template <auto Member>
action ends(const char* name) {
    return {name, [](cast& c) { (c.*Member).reset(); }};
}
template <auto Member>
action shuts_down(const char* name) {
    return {name, [](cast& c) {
                if (c.*Member) (c.*Member)->async_shutdown([](error_code) {});
            }};
}
template <auto Member>
action closes(const char* name) {
    return {name, [](cast& c) {
                if (c.*Member) (c.*Member)->close(app_error{70}, "bye");
            }};
}

const std::vector<action>& actions() {
    static const std::vector<action> all{{"nothing", [](cast&) {}}, ends<&cast::a>("a is destroyed"),
        ends<&cast::b>("b is destroyed"), ends<&cast::c>("c is destroyed"), shuts_down<&cast::a>("a is shut down"),
        shuts_down<&cast::b>("b is shut down"), shuts_down<&cast::c>("c is shut down"),
        ends<&cast::ours>("our session is let go"), closes<&cast::ours>("our session is closed"),
        closes<&cast::theirs>("their session is closed"), ends<&cast::listener>("the listener is destroyed"),
        ends<&cast::call>("the broadcast is destroyed"), ends<&cast::writer>("the writer is destroyed"),
        ends<&cast::reader>("the reader is destroyed"), ends<&cast::reports>("the probe is destroyed"),
        {"c dials b",
            [](cast& c) {
                if (c.c) c.c->async_connect(c.at_b, [](error_code, const moq::session&) {});
            }},
        {"who has arrived is rejected",
            [](cast& c) {
                if (c.arrival) c.arrival->reject();
                c.arrival.reset();
            }},
        {"each is moved",
            [](cast& c) {
                const auto move = [](auto& x) {
                    if (!x) return;
                    auto y = std::move(*x);
                    *x = std::move(y);
                };
                move(c.a), move(c.b), move(c.c), move(c.ours), move(c.theirs), move(c.call), move(c.writer);
                move(c.open), move(c.reader), move(c.reports), move(c.listener), move(c.arrival);
            }},
        {"everything is destroyed", [](cast& c) { c.end_all(); }}};
    return all;
}

struct operation {
    const char* name;
    /// Starts it; its handler calls `done`.
    std::function<void(cast&, net::cancellation_slot, std::function<void()> done)> start;
    /// Lets it complete.
    std::function<void(cast&)> complete = [](cast&) {};
};

template <class F>
auto handler(net::cancellation_slot slot, F done) {
    return net::bind_cancellation_slot(slot, [done](error_code, const auto&...) { done(); });
}
auto session_handler(cast& c, net::cancellation_slot slot, std::function<void()> done) {
    return net::bind_cancellation_slot(slot, [&c, done](error_code, moq::session s) {
        if (!c.over) c.last = std::move(s);
        done();
    });
}
void dial(std::optional<moq::peers>& from, const std::string& to) {
    if (from) from->async_connect(to, [](error_code, const moq::session&) {});
}
void publish_later(cast& c) {
    if (!c.b) return;
    c.call.emplace(c.b->publish("later"));
    c.writer.emplace(c.call->track("voice"));
}

const std::vector<operation>& operations() {
    static const std::vector<operation> all{
        {"connect", [](cast& c, auto slot, auto done) { c.a->async_connect(c.at_c, session_handler(c, slot, done)); }},
        {"connect to a peer that is there",
            [](cast& c, auto slot, auto done) { c.a->async_connect(c.at_b, session_handler(c, slot, done)); }},
        {"connect to nobody",
            [](cast& c, auto slot, auto done) {
                c.a->async_connect(c.nobody.at(), moq::peer_request{50ms}, session_handler(c, slot, done));
            }},
        {"connect to who dials",
            [](cast& c, auto slot, auto done) {
                c.a->async_connect(c.nobody.at(), moq::peer_request{c.key_c, 100ms}, session_handler(c, slot, done));
            },
            [](cast& c) { dial(c.c, c.at_a); }},
        {"connect to who does not decide",
            [](cast& c, auto slot, auto done) { c.c->async_connect(c.at_b, session_handler(c, slot, done)); }},
        {"arrival",
            [](cast& c, auto slot, auto done) {
                c.listener->async_next(
                    net::bind_cancellation_slot(slot, [&c, done](error_code, std::optional<moq::incoming_peer> p) {
                        if (!c.over) c.arrival = std::move(p);
                        done();
                    }));
            },
            [](cast& c) { dial(c.c, c.at_b); }},
        {"subscribe",
            [](cast& c, auto slot, auto done) {
                c.a->async_subscribe(c.key_b, {"later", "voice"}, handler(slot, done));
            },
            publish_later},
        {"subscribe by the session",
            [](cast& c, auto slot, auto done) { c.ours->async_subscribe({"later", "voice"}, handler(slot, done)); },
            publish_later},
        {"fetch",
            [](cast& c, auto slot, auto done) { c.ours->async_fetch({"call", "voice"}, 0, handler(slot, done)); }},
        {"open group", [](cast& c, auto slot, auto done) { c.writer->async_open_group(handler(slot, done)); }},
        {"next group", [](cast& c, auto slot, auto done) { c.reader->async_next_group(handler(slot, done)); },
            [](cast& c) {
                if (c.writer) c.open.emplace(c.writer->open_group());
            }},
        {"report", [](cast& c, auto slot, auto done) { c.reports->async_next(handler(slot, done)); }},
        {"closed", [](cast& c, auto slot, auto done) { c.ours->async_closed(handler(slot, done)); },
            [](cast& c) {
                if (c.theirs) c.theirs->close();
            }},
        {"goaway", [](cast& c, auto slot, auto done) { c.ours->async_goaway(handler(slot, done)); },
            [](cast& c) {
                if (c.theirs) c.theirs->close();
            }},
        {"shutdown", [](cast& c, auto slot, auto done) { c.a->async_shutdown(handler(slot, done)); }}};
    return all;
}

/// Every pair of an operation and an action; CI takes one in three of each.
void for_each_pair(const std::function<void(const operation&, const action&)>& f) {
    for (std::size_t o = 0; o != operations().size(); ++o)
        for (std::size_t a = 0; a != actions().size(); ++a) {
            if (!takes_every_point() && (o + a) % 3 != 0) continue;
            INFO(operations()[o].name << ": " << actions()[a].name);
            f(operations()[o], actions()[a]);
        }
}

TEST_CASE("an operation of peers completes once, whatever ends while it waits", "[api][peers][matrix]") {
    for_each_pair([](const operation& o, const action& a) {
        net::io_context io{1};
        cast c{io};
        o.start(c, {}, [&] { ++c.completed; });
        a.run(c);
        o.complete(c);
        static_cast<void>(c.run_until([&] { return c.completed != 0; }, 5ms));
        c.settle();
        CHECK(c.completed <= 1);
        c.end_all();
        CHECK(c.run_until([&] { return c.completed == 1 && c.is_forgotten(); }, 2s));
    });
}

TEST_CASE("an operation of peers completes once, whatever its handler ends", "[api][peers][matrix]") {
    for_each_pair([](const operation& o, const action& a) {
        net::io_context io{1};
        cast c{io};
        o.start(c, {}, [&] { ++c.completed, a.run(c); });
        o.complete(c);
        CHECK(c.run_until([&] { return c.completed != 0; }, 5s));
        c.settle();
        c.end_all();
        CHECK(c.run_until([&] { return c.is_forgotten(); }, 2s));
        CHECK(c.completed == 1);
    });
}

TEST_CASE("an operation of peers that is cancelled completes once", "[api][peers][matrix]") {
    for (const auto& o : operations()) {
        INFO(o.name);
        net::io_context io{1};
        cast c{io};
        net::cancellation_signal signal;
        o.start(c, signal.slot(), [&] { ++c.completed; });
        signal.emit(net::cancellation_type::total);
        o.complete(c);
        CHECK(c.run_until([&] { return c.completed != 0; }, 2s));
        c.settle();
        CHECK(c.completed == 1);
        c.end_all();
        c.settle();
    }
}

TEST_CASE(
    "a context that ends while operations of peers wait calls nothing, and leaks nothing", "[api][peers][matrix]") {
    for (const auto& o : operations()) {
        INFO(o.name);
        int completed = 0;
        std::vector<std::weak_ptr<void>> origins;
        {
            net::io_context io{1};
            const auto c = std::make_shared<cast>(io);
            origins = c->origins;
            // Its handler alone keeps everything from now on.
            o.start(*c, {}, [c, &completed] { ++completed; });
        }
        CHECK(completed == 0);
        CHECK(std::ranges::all_of(origins, [](const auto& each) { return each.expired(); }));
    }
}

} // namespace
} // namespace moqlite::test::peers_matrix
