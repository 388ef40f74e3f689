// Applications at local ends of relays: local, relay, session, relay, local.
#include "net.hpp"
#include "seeds.hpp"
#include "theatre.hpp"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <moqlite/session/local_session.hpp>
#include <moqlite/session/track_reader.hpp>
#include <moqlite/session/track_writer.hpp>

namespace moqlite::test::local_sim_test {

using namespace moqlite::sim;

namespace {

/// An application in a relay's process.
class local_app final : public party {
public:
    local_app(world& w, relay_node& r)
        : world_(w), relay_(r), end_(std::in_place, local_options{.pool = &r->memory()}) {
        r->add_local(*end_);
        r.locals.push_back(this);
    }
    void leave() {
        writer.reset();
        reader.reset();
        end_.reset();
        world_.touch(relay_);
    }
    void turn() override {
        bool any = false;
        if (!end_) return;
        while (const auto e = end_->poll_event()) {
            any = true;
            if (writer) writer->handle(*e);
            if (reader) reader->handle(*e, world_.now());
            if (on_event) on_event(*e);
        }
        if (reader && takes) take();
        if (writer && gives) give();
        if (any) world_.touch(relay_);
    }
    void tick() override {
        if (reader) reader->tick(world_.now());
    }
    std::optional<time_point> deadline() override { return reader ? reader->deadline() : std::nullopt; }
    /// After commands from outside of a turn.
    void poke() {
        world_.touch(*this);
        world_.touch(relay_);
    }

    /// Writes `groups` groups as fast as the readers take them.
    void write(const track_ref& t, std::uint64_t groups) {
        must(end_->announce(t.broadcast).has_value(), "a path can be announced");
        writer.emplace(*end_, t, relay_->memory(), track_writer_options{.mode = writing::complete});
        left_ = groups;
        gives = true;
        poke();
    }
    void read(const track_ref& t, const track_reader_options& o) {
        reader.emplace(*end_, o);
        must(reader->start(t).has_value(), "a track can be read");
        poke();
    }

private:
    void give() {
        while (left_ != 0 && writer->has_subscribers() && writer->has_room(world_.now())) {
            const auto g = writer->open_group();
            must(static_cast<bool>(g), "there is memory for a group");
            const auto n = number(g->sequence());
            for (std::uint64_t f = 0; f != 1 + n % 3; ++f)
                must(g->write_frame(timestamp{n}, as_bytes(payload(n, f))).has_value(), "a frame can be written");
            must(g->finish().has_value(), "a group can be finished");
            if (--left_ == 0) writer->end();
            world_.touch(relay_);
        }
    }
    static std::string payload(std::uint64_t group, std::uint64_t frame) {
        return std::string(
            static_cast<std::size_t>(1 + (group * 37 + frame * 91) % 5000), static_cast<char>('a' + group % 26));
    }
    void take() {
        while (const auto p = reader->next()) {
            const auto n = number(p->sequence);
            const auto whole = payload(n, number(p->object));
            must(p->size == whole.size(), "a frame has the size that was written");
            must(std::equal(
                     p->data.begin(), p->data.end(), as_bytes(whole).begin() + static_cast<std::ptrdiff_t>(p->offset)),
                "every byte is the byte that was written");
            bytes += p->data.size();
            reader->consume(p->data.size());
            world_.touch(relay_);
        }
        while (reader->poll_lost()) ++lost;
    }

    world& world_;
    relay_node& relay_;
    std::uint64_t left_ = 0;
    std::optional<local_session> end_;

public:
    std::optional<track_writer<local_session>> writer;
    std::optional<track_reader<local_session>> reader;
    std::function<void(const event&)> on_event;
    bool gives = false;
    bool takes = true;
    std::uint64_t bytes = 0;
    std::uint64_t lost = 0;
};

/// Two relays on one link.
struct two_relays {
    explicit two_relays(world& w, const net::network_link& l)
        : first(w),
          second(w),
          wire(w, first, second, l, w.spoken),
          a(w, relay_options_for<net>({}, hop_id{1})),
          b(w, relay_options_for<net>({}, hop_id{2})) {
        const bool turned = w.dice.coin(); // Either may have connected.
        key_at_a = (turned ? a.take(wire.client, w.spoken) : a.take(wire.server, w.spoken));
        key_at_b = (turned ? b.take(wire.server, w.spoken) : b.take(wire.client, w.spoken));
    }
    net::machine first, second;
    net::connection wire;
    relay_node a, b;
    std::uint64_t key_at_a = 0, key_at_b = 0;
};

constexpr track_ref film{"room/film", "video"};

} // namespace

TEST_CASE(
    "a file goes from a local end through two relays to another, complete, however slowly it is read", "[sim][local]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            two_relays r{w, net::good(w.dice)};
            local_app from{w, r.a}, to{w, r.b};
            const auto groups = w.dice.between(1, 60);
            from.write(film, groups);
            w.run_until([&] { return r.b->broadcasts().find("room/film") != nullptr; }, 120s);
            to.read(film, {.mode = reading::complete, .start = group_sequence{0}});
            // Now and then it stops reading.
            std::function<void()> pause = [&] {
                to.takes = !to.takes;
                to.poke();
                if (!to.reader->finished()) w.after(std::chrono::milliseconds{w.dice.between(1, 300)}, pause);
            };
            w.after(10ms, pause);
            w.run_until([&] { return to.reader->finished() || to.reader->failed(); }, 3600s);
            INFO("failed with " << (to.reader->failed() ? to_string(to.reader->failed()->means()) : "nothing"));
            must(to.reader->finished(), "the file has been read");
            must(to.reader->groups_read() == groups && to.lost == 0, "no group is missing");
            return w.hash();
        },
        25);
}

TEST_CASE("a local reader that stops holds back its publisher, and no other reader", "[sim][local]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            two_relays r{w, net::good(w.dice)};
            local_app from{w, r.a}, stopped{w, r.b}, other{w, r.b};
            from.write(film, 4000);
            w.run_until([&] { return r.b->broadcasts().find("room/film") != nullptr; }, 120s);
            stopped.takes = false;
            stopped.read(film, {.mode = reading::complete, .start = group_sequence{0}});
            w.run(30s);
            must(from.writer->groups() < 4000, "the publisher waits for a complete reader");
            other.read(film, {.mode = reading::live});
            w.run(5s);
            stopped.takes = true;
            stopped.poke();
            w.run_until([&] { return stopped.reader->finished(); }, 3600s);
            must(stopped.lost == 0, "nothing was lost by waiting");
            return w.hash();
        },
        50);
}

TEST_CASE("local ends come and go, and leave nothing behind", "[sim][local]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            two_relays r{w, net::good(w.dice)};
            std::vector<std::unique_ptr<local_app>> apps;
            for (int round = 0; round != 4; ++round) {
                auto* from = &*apps.emplace_back(std::make_unique<local_app>(w, r.a));
                auto* to = &*apps.emplace_back(std::make_unique<local_app>(w, r.b));
                from->write(film, 50);
                w.run_until([&] { return r.b->broadcasts().find("room/film") != nullptr; }, 120s);
                to->read(film, {.mode = w.dice.coin() ? reading::complete : reading::live});
                w.run(std::chrono::milliseconds{w.dice.between(0, 2000)});
                w.dice.coin() ? from->leave() : to->leave();
                w.run(std::chrono::milliseconds{w.dice.between(0, 500)});
                from->leave();
                to->leave();
                w.run_until([&] { return r.b->broadcasts().find("room/film") == nullptr; }, 120s);
            }
            w.run(120s);
            must(r.a->stats().readers == 0 && r.b->stats().readers == 0, "no reader is left");
            must(r.a->stats().tracks == 0 && r.b->stats().tracks == 0, "no track is left");
            return w.hash();
        },
        50);
}

} // namespace moqlite::test::local_sim_test
