// Blocked readers with a backlog: the cost of the next group.
#include "cost.hpp"
#include "world.hpp"

namespace moqlite::bench::costs {

namespace {

constexpr std::size_t few = 20;

/// `readers` live readers with blocked connections, each with `behind` waiting groups, which is its bound.
struct lagging : world {
    lagging(std::size_t readers, std::size_t behind)
        : world({.bounds = {.live_groups = behind, .cache = 256 << 20, .memory = SIZE_MAX}}) {
        camera = &join(version::lite_06, {.live_groups = SIZE_MAX});
        static_cast<void>((*camera)->announce("room"));
        camera->hears = [this](const event& e) {
            if (const auto* s = std::get_if<subscribe_requested>(&e)) wanted = s->request;
        };
        settle();
        for (std::size_t i = 0; i < readers; ++i) {
            reader = &join();
            subscription = (*reader)->subscribe({"room", "video"}).value();
            settle();
            reader->relay_end.takes = false;
        }
        static_cast<void>((*camera)->accept(wanted, group_sequence{0}));
        send(behind);
        expect(r.stats().readers == readers, "not everybody reads");
    }
    void send(std::size_t groups) {
        for (std::size_t i = 0; i < groups; ++i) {
            const auto g = (*camera)->open_group(wanted, group_sequence{next++});
            expect(bool(g), "no group");
            static_cast<void>((*g)->write_frame(timestamp{0}, std::vector<std::byte>(100)));
            static_cast<void>((*g)->finish());
            settle();
        }
    }
    guest* camera = nullptr;
    guest* reader = nullptr; ///< The last of them, and its subscription.
    subscribe_id subscription{};
    request_id wanted{};
    std::uint64_t next = 0;
};

void beside_lagging_readers(std::size_t n) {
    lagging w{n, 64};
    const measured now;
    w.send(few);
}
void behind_by_groups(std::size_t n) {
    lagging w{20, n};
    const measured now;
    w.send(few);
}
/// 200 SUBSCRIBE_UPDATEs arrive at once.
void changes_of_order(std::size_t n) {
    lagging w{1, n};
    for (int i = 0; i < 200; ++i) {
        static_cast<void>((*w.reader)->update(w.subscription, {.ordered = i % 2 == 0}));
        w.say(*w.reader);
    }
    const measured now;
    w.settle();
}

/// A live reader returns to a track's first subscription while 51 groups arrive on its own, whose log has N; then
/// 50 of them end.
void ends_of_draining(std::size_t n) {
    world w{{.bounds = {.cache = 256 << 20, .memory = SIZE_MAX}}};
    auto& camera = w.join();
    std::vector<request_id> asked;
    camera.hears = [&](const event& e) {
        if (const auto* s = std::get_if<subscribe_requested>(&e)) asked.push_back(s->request);
    };
    static_cast<void>(camera->announce("room"));
    w.settle();
    auto& live = w.join();
    auto& whole = w.join();
    const auto its = live->subscribe({"room", "video"}).value();
    w.settle();
    static_cast<void>(
        whole->subscribe({"room", "video"}, {.ordered = true, .max_age = complete_age, .end = group_sequence{0}}));
    w.settle();
    const auto begin = [&](std::size_t by, std::uint64_t sequence) {
        const auto g = camera->open_group(asked.at(by), group_sequence{sequence});
        expect(bool(g), "no group");
        static_cast<void>((*g)->write_frame(timestamp{0}, std::vector<std::byte>(10)));
        return *g;
    };
    static_cast<void>(camera->accept(asked.at(0), group_sequence{0}));
    static_cast<void>(begin(0, 0)->finish()); // The live reader is delayed, and gets a subscription of its own.
    w.settle();
    static_cast<void>(camera->accept(asked.at(1), group_sequence{1}));
    std::uint64_t next = 1;
    for (; next <= n; ++next) {
        static_cast<void>(begin(1, next)->finish());
        w.settle();
    }
    std::vector<group_ref> unfinished;
    for (; next <= n + 51; ++next) unfinished.push_back(begin(1, next));
    w.settle();
    live.relay_end.takes = false;
    static_cast<void>(
        live->update(its, {.ordered = true, .max_age = complete_age, .end = group_sequence{SIZE_MAX / 8}}));
    w.settle();
    expect(w.r.stats().tracks == 2, "nothing is drained");
    unfinished.pop_back(); // The last one frees the log.
    const measured now;
    for (const auto& g : unfinished) {
        static_cast<void>(g->finish());
        w.settle();
    }
}

const scenes ours{
    {"B6 20 groups for N live readers that lag by 64", 50, 2.2, beside_lagging_readers},
    {"B6 20 groups for 20 live readers that lag by N", 128, 1.2, behind_by_groups},
    {"200 changes of a subscription's order with N groups that wait", 1000, 1.3, changes_of_order},
    {"50 groups end on a subscription that is given up, in whose log are N", 1000, 1.2, ends_of_draining},
};

} // namespace

} // namespace moqlite::bench::costs
