// A program that gives its session, or its end of a local one, commands from the input, and checks all events.
#pragma once

#include "input.hpp"
#include "payload.hpp"
#include "wishes.hpp"

#include <algorithm>
#include <checker.hpp>
#include <concepts>
#include <map>
#include <moqlite/session/frame_cursor.hpp>
#include <moqlite/session/local_session.hpp>
#include <moqlite/session/session.hpp>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace moqlite::fuzz {

template <class Session>
class actor_of {
public:
    /// `exact_times`: received timestamps equal the written ones. The others are the session's.
    template <class... Args>
    actor_of(finished_groups& finished, bool exact_times, Args&&... args)
        : session_(std::forward<Args>(args)...), finished_(finished), exact_times_(exact_times) {}
    Session* operator->() { return &session_; }
    Session& operator*() { return session_; }

    /// One command, if possible.
    void command(input& in);
    static constexpr std::size_t commands = 30;

    void drain() {
        while (poll()) {
        }
    }
    /// One event, if there is one.
    bool poll() {
        const auto e = session_.poll_event();
        if (!e) return false;
        if (std::visit([this](const auto& what) { return this->is_withdrawn(what); }, *e)) return true;
        checker_.see(*e);
        std::visit([this](const auto& what) { this->on(what); }, *e);
        return true;
    }
    /// Leaves events unread while it goes on, so that what its commands are about may have ended.
    void be_late(bool late) noexcept { late_ = late; }
    [[nodiscard]] bool is_late() const noexcept { return late_; }
    /// Ends cleanly: groups are finished, nothing is held back any more.
    void finish_all();
    /// Everything served has arrived, or was reported lost.
    void check_delivered() const { must(served_.empty() || checker_.closed(), "what is served arrives in the end"); }
    /// After the connection has ended.
    void check_ended() const {
        must(checker_.closed(), "the session tells of its end");
        must(watches_.empty() || is_local, "every watch ends with an event");
        must(subscriptions_.empty(), "every subscription ends with an event");
        must(queries_.empty(), "every question ends with an event");
        must(requests_.empty() && questions_.empty() && fetches_.empty(), "every request ends with an event");
        must(!probing_, "a probe ends with an event");
        must(arriving_.empty(), "every group ends with an event");
    }
    void let_go() {
        writing_.clear();
        collected_.clear();
    }

private:
    struct writing {
        group_ref log;
        std::uint64_t frame = 0;
        std::uint64_t offset = 0; ///< Within a frame.
        bool inside = false;
    };
    struct arriving {
        group_sequence sequence{};
        subscribe_id subscription{};
        std::uint64_t first = 0;
        std::uint64_t frames = 0;
        std::uint64_t held = 0; ///< Not released yet.
        wishes asked{};         ///< Of a fetch.
    };

    template <class Ids>
    static auto pick(const Ids& ids, std::size_t k) {
        return *std::next(ids.begin(), static_cast<std::ptrdiff_t>(k % ids.size()));
    }
    static track_ref track(std::size_t k) {
        constexpr std::array<track_ref, 4> all{{{"a", "x"}, {"a", "y"}, {"a/b", "x"}, {"", "z"}}};
        return all[k % all.size()];
    }
    static std::string_view path(std::size_t k) {
        constexpr std::array<std::string_view, 5> all{"a", "a/b", "", "/a//b/", "c"};
        return all[k % all.size()];
    }
    /// Frames, where the version has ranges of them.
    subscribe_options options(input& in) const {
        const auto bits = in.byte();
        subscribe_options o{.priority = static_cast<priority>(bits >> 4 & 3), .ordered = (bits & 1) != 0};
        if ((bits & 2) != 0) o.start = group_sequence{in.below(16)};
        if ((bits & 4) != 0) o.end = group_sequence{in.below(24)};
        if ((bits & 64) != 0) o.max_age = (bits & 128) != 0 ? complete_age : milliseconds{1000};
        if ((bits & 8) == 0 || !session_.features().frame_ranges) return o;
        const auto frames = in.byte();
        if ((frames & 1) != 0) o.frame_start = object_id{frames >> 2 & 7u};
        if ((frames & 2) != 0 && o.end) o.frame_end = object_id{frames >> 5 & 7u};
        return o;
    }
    frame_range frames(input& in) const {
        if (!session_.features().frame_ranges) return {};
        const auto bits = in.byte();
        frame_range out{object_id{bits & 7u}, std::nullopt};
        if ((bits & 8) != 0) out.last = object_id{(bits & 7u) + (bits >> 4 & 7u)};
        return out;
    }

    void command_as_subscriber(std::size_t which, input& in);
    void command_as_publisher(std::size_t which, input& in);
    void fetch_or_probe(std::size_t which, input& in);
    void answer_fetch(std::size_t which, input& in);
    void write(writing& w, std::size_t most);
    void serve(request_id id, const group_ref& g) {
        if (session_.serve(id, g)) served_.insert({id, g->sequence()});
    }
    void forget(request_id id) {
        std::erase_if(served_, [&](const auto& s) { return s.first == id; });
        requests_.erase(id);
        questions_.erase(id);
        fetches_.erase(id);
    }
    void release(group_id id, arriving& g, std::uint64_t n) {
        n = std::min(n, g.held);
        if (n != 0 && session_.release(id, n)) return static_cast<void>(g.held -= n);
        // Bytes before the subscription was capped were not held back.
        while (n-- != 0 && session_.release(id, 1)) --g.held;
    }

    /// A local request that was withdrawn before it was reported; its end is.
    template <class Event>
    bool is_withdrawn([[maybe_unused]] const Event& e) {
        if constexpr (is_local && requires { e.request; }) {
            if constexpr (requires { e.track; }) reported_.insert(e.request);
            return !reported_.contains(e.request);
        }
        return false;
    }

    void on(const setup_received&) {
        if (session_.side() == role::server) static_cast<void>(session_.admit({}));
    }
    void on(const watch_ended& e) { watches_.erase(e.watch); }
    void on(const subscription_ended& e) { subscriptions_.erase(e.subscription); }
    [[nodiscard]] const wishes& asked(const arriving& g) {
        return g.subscription == no_subscription ? g.asked : subscriptions_.at(g.subscription);
    }
    void on(const track_info_received& e) { must(queries_.erase(e.query) == 1, "an answer has a question"); }
    void on(const track_refused& e) { must(queries_.erase(e.query) == 1, "a refusal has a question"); }
    void on(const group_opened& e) {
        must(subscriptions_.contains(e.subscription), "groups come for subscriptions that are there");
        must(subscriptions_.at(e.subscription).may_begin(e.sequence, number(e.first)),
            "a group begins with the frame that was asked for");
        arriving_[e.group] = {e.sequence, e.subscription, number(e.first)};
        if (collecting_) collect(e.group, e.sequence, e.first);
    }
    void collect(group_id id, [[maybe_unused]] group_sequence sequence, [[maybe_unused]] object_id first) {
        if constexpr (is_local) {
            if (auto log = session_.share(id)) collected_[id] = std::move(log);
        } else {
            auto log = group::make(session_.pool(), sequence, with_timestamps(session_.features().frames), {}, first);
            if (log && session_.collect(id, log)) collected_[id] = log;
        }
    }
    void on(const frame_data& e) {
        must(arriving_.contains(e.group), "a group that goes on has begun");
        auto& g = arriving_[e.group];
        check_piece(e.sequence, number(e.object), e.size, e.offset, e.time, e.data, timed());
        g.held += e.data.size();
        if (e.offset + e.data.size() == e.size) ++g.frames;
        if (at_once_) release(e.group, g, UINT64_MAX);
    }
    void on(const group_closed& e) {
        const auto found = arriving_.find(e.group);
        must(found != arriving_.end(), "a group that ends has begun");
        const auto log = collected_.extract(e.group);
        const auto& g = found->second;
        if (e.complete) finished_.check(e.sequence, asked(g), g.first, g.first + (log ? read(log.mapped()) : g.frames));
        arriving_.erase(found);
    }
    std::uint64_t read(const group_ref& log) {
        frame_cursor cursor{log};
        std::uint64_t frames = 0;
        while (const auto p = cursor.next()) {
            check_piece(log->sequence(), number(p->object), p->size, p->offset, p->time, p->data, timed());
            if (p->offset + p->data.size() == p->size) ++frames;
            cursor.consume(p->data.size());
        }
        must(cursor.at_end(), "a complete log is read to its end");
        return frames;
    }
    [[nodiscard]] bool timed() const { return exact_times_ && has_timestamps(session_.features().frames); }

    void on(const subscribe_requested& e) { requests_.insert(e.request); }
    void on(const track_requested& e) { questions_.insert(e.request); }
    void on(const fetch_requested& e) { fetches_[e.request] = e.sequence; }
    void on(const group_datagram& e) {
        must(subscriptions_.contains(e.subscription), "datagrams come for subscriptions that are there");
        must(e.data.size() == frame_size(e.sequence, 0), "a datagram is whole");
        check_piece(e.sequence, 0, e.data.size(), 0, e.time, e.data, timed());
    }
    void on(const path_reported&) { must(probing_, "reports come to who asked for them"); }
    void on(const probe_ended&) { must(std::exchange(probing_, false), "a probe that ends has begun"); }
    void on(const goaway_received& e) { must(e.uri == elsewhere, "who leaves says where to go"); }
    void on(const request_ended& e) { forget(e.request); }
    void on(const group_delivered& e) { off_the_way(e.request, e.sequence); }
    void on(const group_lost& e) { off_the_way(e.request, e.sequence); }
    void off_the_way(request_id id, group_sequence g) {
        const auto found = served_.find({id, g});
        must(found != served_.end() || late_, "only what was served is delivered or lost");
        if (found != served_.end()) served_.erase(found);
    }
    void on(const stream_rejected& e) { understood(e.why); }
    void on(const session_closed& e) { understood(e.why); }
    static void understood(errc why) {
        must(why > errc::value_too_large, "neither end says what the other cannot read");
    }
    template <class Other>
    void on(const Other&) {}

    static constexpr std::string_view elsewhere = "moqt://elsewhere";
    static constexpr bool is_local = std::same_as<Session, local_session>;

    Session session_;
    finished_groups& finished_;
    bool exact_times_;
    sim::hasher said_;
    sim::checker checker_{said_};
    bool collecting_ = false;
    bool at_once_ = false; ///< Stream credit is returned as soon as bytes arrive.
    bool late_ = false;
    std::set<request_id> reported_; ///< At a local end.
    std::set<watch_id> watches_;
    std::map<subscribe_id, wishes> subscriptions_;
    std::set<query_id> queries_;
    std::set<request_id> requests_;
    std::set<request_id> questions_;
    std::map<request_id, group_sequence> fetches_; ///< Of the peer's.
    bool probing_ = false;
    std::map<group_id, arriving> arriving_;
    std::map<group_id, group_ref> collected_;
    std::multiset<std::pair<request_id, group_sequence>> served_;
    std::vector<writing> writing_;
};

template <class Session>
void actor_of<Session>::command(input& in) {
    const auto which = in.below(commands);
    if (which < 10)
        command_as_subscriber(which, in);
    else if (which < 22)
        command_as_publisher(which, in);
    else if (which < 25)
        fetch_or_probe(which, in);
    else
        answer_fetch(which, in);
    if (!late_) drain();
}

template <class Session>
void actor_of<Session>::command_as_subscriber(std::size_t which, input& in) {
    const auto k = in.byte();
    switch (which) {
    case 0:
        if (watches_.size() < 4)
            if (const auto id = session_.watch(path(k))) watches_.insert(*id);
        break;
    case 1:
        if (watches_.empty()) break;
        checker_.unwatched(pick(watches_, k));
        must(session_.unwatch(pick(watches_, k)).has_value() || session_.is_closed() || late_,
            "what is watched can be left");
        watches_.erase(pick(watches_, k));
        break;
    case 2:
        if (subscriptions_.size() < 8) {
            const auto o = options(in);
            if (const auto id = session_.subscribe(track(k), o)) subscriptions_.emplace(*id, wishes{o});
        }
        break;
    case 3:
        if (!subscriptions_.empty()) {
            const auto id = pick(subscriptions_, k).first;
            const auto o = options(in);
            if (session_.update(id, changes_to(o))) subscriptions_[id].update(o);
        }
        break;
    case 4: {
        if (subscriptions_.empty()) break;
        const auto id = pick(subscriptions_, k).first;
        if (!session_.unsubscribe(id)) return must(late_, "what is subscribed to can be left");
        checker_.unsubscribed(id);
        subscriptions_.erase(id);
        std::erase_if(arriving_, [&](const auto& g) {
            if (g.second.subscription != id) return false;
            collected_.erase(g.first);
            return true;
        });
        break;
    }
    case 5:
        if (const auto id = session_.request_track(track(k))) queries_.insert(*id);
        break;
    case 6: {
        if (arriving_.empty()) break;
        const auto id = pick(arriving_, k).first;
        if (!session_.stop(id, app_error::old)) break;
        checker_.stopped(id);
        arriving_.erase(id);
        collected_.erase(id);
        break;
    }
    case 7:
        if (!arriving_.empty()) {
            const auto id = pick(arriving_, k).first;
            release(id, arriving_[id], in.byte());
        }
        break;
    case 8: collecting_ = !collecting_; break;
    case 9: at_once_ = !at_once_; break;
    default: break;
    }
}

template <class Session>
void actor_of<Session>::command_as_publisher(std::size_t which, input& in) {
    const auto k = in.byte();
    const auto request = requests_.empty() ? request_id{UINT64_MAX} : pick(requests_, k);
    switch (which) {
    case 10: static_cast<void>(session_.announce(path(k), std::vector<hop_id>(in.below(3), hop_id{7}))); break;
    case 11: static_cast<void>(session_.unannounce(path(k))); break;
    case 12: {
        if (writing_.size() >= 16) break;
        auto g =
            group::make(session_.pool(), group_sequence{in.below(16)}, with_timestamps(session_.features().frames));
        must(static_cast<bool>(g), "an empty group takes no memory");
        serve(request, g);
        writing_.push_back({std::move(g)});
        break;
    }
    case 13:
        if (!writing_.empty()) write(writing_[k % writing_.size()], SIZE_MAX);
        break;
    case 14:
        if (!writing_.empty()) write(writing_[k % writing_.size()], in.byte());
        break;
    case 15:
    case 16: {
        if (writing_.empty()) break;
        auto& w = writing_[k % writing_.size()];
        if (which == 16)
            w.log->abort(app_error::evicted);
        else if (w.log->finish())
            finished_.add(w.log->sequence(), w.frame);
        else
            break;
        if (in.byte() % 4 != 0) writing_.erase(writing_.begin() + k % static_cast<std::ptrdiff_t>(writing_.size()));
        break;
    }
    case 17:
        if (!writing_.empty()) serve(request, writing_[in.below(writing_.size())].log);
        break;
    case 18: {
        const auto start = in.below(17);
        static_cast<void>(
            session_.accept(request, start == 16 ? std::nullopt : std::optional{group_sequence{start}}, k & 3));
        break;
    }
    case 19: {
        const auto id = !questions_.empty() ? pick(questions_, k) : request;
        if (in.byte() % 4 != 0 && questions_.contains(id) ? session_.answer_track(id, {}).has_value()
                                                          : session_.reject(id, app_error::not_found).has_value()) {
            forget(id);
        }
        break;
    }
    case 20: {
        const auto first = in.below(16);
        static_cast<void>(
            session_.drop(request, group_sequence{first}, group_sequence{first + in.below(4)}, app_error::old));
        break;
    }
    case 21:
        if (k % 2 != 0) static_cast<void>(session_.end_track(request, group_sequence{in.below(20)}));
        static_cast<void>(session_.finish(request));
        break;
    default: break;
    }
}

template <class Session>
void actor_of<Session>::fetch_or_probe(std::size_t which, input& in) {
    const auto k = in.byte();
    switch (which) {
    case 22: {
        const group_sequence sequence{in.below(16)};
        const auto wanted = frames(in);
        const auto id = session_.fetch(track(k), sequence, k & 3, wanted);
        if (!id) break;
        checker_.fetched(*id, sequence, wanted.first);
        arriving_[*id] = {sequence, no_subscription, number(wanted.first), 0, 0, {sequence, wanted}};
        if (collecting_) collect(*id, sequence, wanted.first);
        break;
    }
    case 23:
        if (k % 2 != 0)
            probing_ = session_.probe().has_value() || probing_;
        else
            session_.stop_probe(), probing_ = false;
        break;
    case 24: static_cast<void>(session_.goaway(elsewhere)); break;
    default: break;
    }
}

template <class Session>
void actor_of<Session>::answer_fetch(std::size_t which, input& in) {
    const auto k = in.byte();
    switch (which) {
    case 25: {
        if (fetches_.empty() || writing_.size() >= 16) break;
        const auto [request, sequence] = pick(fetches_, k);
        auto g = group::make(session_.pool(), sequence, with_timestamps(session_.features().frames));
        serve(request, g);
        writing_.push_back({std::move(g)});
        break;
    }
    case 26:
        if (!fetches_.empty() && !writing_.empty())
            serve(pick(fetches_, k).first, writing_[in.below(writing_.size())].log);
        break;
    case 27: {
        if (fetches_.empty()) break;
        const auto id = pick(fetches_, k).first;
        if (!session_.reject(id, app_error::not_found)) return must(late_, "what is asked for can be refused");
        forget(id);
        break;
    }
    case 28:
    case 29: {
        if (requests_.empty()) break;
        const group_sequence g{in.below(16)};
        const auto bytes = frame_part(g, 0, 0, frame_size(g, 0));
        static_cast<void>(session_.serve_datagram(pick(requests_, k), g, frame_time(g, 0), as_bytes(bytes)));
        break;
    }
    default: break;
    }
}

template <class Session>
void actor_of<Session>::write(writing& w, std::size_t most) {
    if (w.log->ended() != group::state::open) return;
    const auto g = w.log->sequence();
    const auto size = frame_size(g, w.frame);
    if (!w.inside && most >= size) {
        if (w.log->write_frame(frame_time(g, w.frame), as_bytes(frame_part(g, w.frame, 0, size)))) ++w.frame;
        return;
    }
    if (!w.inside) {
        if (!w.log->begin_frame(frame_time(g, w.frame), size)) return;
        w.inside = true;
        w.offset = 0;
    }
    const auto to = std::min<std::uint64_t>(size, w.offset + std::min<std::size_t>(most, size));
    if (to != w.offset && !w.log->append_payload(as_bytes(frame_part(g, w.frame, w.offset, to)))) return;
    w.offset = to;
    if (to != size) return;
    w.inside = false;
    ++w.frame;
}

template <class Session>
void actor_of<Session>::finish_all() {
    for (auto& w : writing_) {
        if (w.inside) write(w, SIZE_MAX);
        if (w.log->finish())
            finished_.add(w.log->sequence(), w.frame);
        else if (w.log->ended() == group::state::open)
            w.log->abort(app_error::evicted); // There was no memory for the rest of a frame.
    }
    at_once_ = true;
    for (auto& [id, g] : arriving_) release(id, g, UINT64_MAX);
    drain();
}

using actor = actor_of<session>;
using local_actor = actor_of<local_session>;

} // namespace moqlite::fuzz
