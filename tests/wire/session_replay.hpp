// A recorded session, replayed into a real one in the place of one of its ends: it receives the other end's bytes, in
// the order of the recording, and is given the commands for its own end's messages.
#pragma once

#include "replayed_session.hpp"

#include <map>
#include <moqlite/core/path.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace moqlite::test::vectors {

class session_replay : private replayed_session {
public:
    using replayed_session::replayed_session;

    /// The first difference; empty if none.
    [[nodiscard]] std::string verdict() {
        drain();
        settle();
        for (const auto& [when, step] : script_.steps) {
            us_.now += 1ms;
            if (step.on == nullptr)
                step.sender == side_ ? say_datagram(step.bytes) : hear_datagram(step.bytes);
            else
                step.sender == side_ ? say(step) : hear(step);
            settle();
        }
        wait();
        close();
        for (const auto& s : script_.streams)
            for (const auto& d : s.of)
                if (d.sender != side_) compare(d);
        if (datagrams_ != expected_datagrams_)
            problem(
                "the session tells of datagrams" + joined(datagrams_) + "\ninstead of" + joined(expected_datagrams_));
        return problems_;
    }
    [[nodiscard]] std::size_t events() const noexcept { return events_; }

private:
    // The other end's messages.

    void hear(const recorded_step& step) {
        const auto& d = *step.on;
        auto& p = at(d);
        current_ = &d;
        const auto id = id_of(*d.stream);
        if (!id) return problem("the session has not opened the stream on which " + to_hex(d.bytes) + " comes");
        if (!step.is_end) {
            if (p.known == 0 && d.from_opener && d.stream->kind == direction::bidi) arrived_.push_back(&d);
            p.known += step.bytes.size();
            if (!p.over) p.heard = p.known;
            us_.told().stream_received(*id, step.bytes, false, us_.now);
        } else if (d.end == recorded_end::stopped) {
            leave(*d.stream); // That was us.
        } else {
            p.ended = p.ended || !p.over;
            heard_to_the_end_.insert(*id);
            if (d.end == recorded_end::fin)
                us_.told().stream_received(*id, {}, true, us_.now);
            else
                us_.told().stream_reset(*id, d.code, us_.now);
        }
        drain();
        current_ = nullptr;
        if (p.ended && tells_its_end_at_once(d)) compare(d);
    }
    /// A FIN of a subscription may overtake groups; a request ends when it has been answered, too.
    static bool tells_its_end_at_once(const recorded_direction& d) {
        if (d.stream->kind == direction::uni) return true;
        return !d.from_opener && d.stream->type != lite::bidi_type::subscribe;
    }
    void hear_datagram(byte_view bytes) {
        us_.told().datagram_received(bytes, us_.now);
        const auto m = wire::lite::decode<lite::datagram>(script_.dialect, bytes, limits{});
        if (!m) return problem("a datagram that is none: " + to_hex(bytes));
        const auto of = subscriptions_.find(subscribe_id{m->subscription});
        if (of != subscriptions_.end() && !at(*of->second).over)
            expected_datagrams_.push_back(datagram(m->subscription, m->sequence, m->timestamp, m->payload));
        drain();
    }
    /// Long enough for a subscription whose FIN may have overtaken groups.
    void wait() {
        us_.now += 1s;
        us_.told().tick(us_.now);
        drain();
        settle();
    }
    /// We stop the peer's side of this stream.
    void leave(const recorded_session_stream& s) {
        if (s.kind == direction::uni) {
            auto& p = at(s.of[0]);
            if (!p.group || p.over || p.ended) return;
            p.over = true;
            return static_cast<void>(us_->stop(*p.group, app_error::cancel));
        }
        auto& p = at(s.of[1]);
        if (p.over || s.type == lite::bidi_type::track) return; // TRACK_INFO is reported to its requester.
        if (p.ended && s.type == lite::bidi_type::subscribe) wait();
        if (p.ended) return;
        p.over = true;
        if (p.watch) static_cast<void>(us_->unwatch(*p.watch));
        if (p.group) static_cast<void>(us_->stop(*p.group, app_error::cancel));
        if (s.type == lite::bidi_type::probe) us_->stop_probe();
        if (!p.subscription) return;
        static_cast<void>(us_->unsubscribe(*p.subscription));
        for (const auto& [group, on] : groups_) {
            auto& arriving = at(*on);
            if (arriving.subscription == p.subscription && !arriving.ended) arriving.over = true;
        }
    }

    // Our end's messages.

    void say(const recorded_step& step) {
        const auto& d = *step.on;
        auto& p = at(d);
        if (step.is_end) return say_end(d);
        p.known += step.bytes.size();
        while (true) {
            const auto m = p.at.next(byte_view{d.bytes}.first(p.known).subspan(p.used));
            if (m.status == wire::progress::error) return problem("no inspector reads " + to_hex(d.bytes));
            if (!m) return;
            p.used += m->size;
            std::visit([&](const auto& x) { command(d, x, m->announce_id); }, m->message);
        }
    }
    void say_end(const recorded_direction& d) {
        auto& p = at(d);
        const auto& s = *d.stream;
        const bool cut = d.end == recorded_end::reset;
        if (d.end == recorded_end::stopped) { // That was the peer.
            if (const auto id = id_of(s)) us_.told().stream_stopped(*id, app_error::cancel, us_.now);
            return drain();
        }
        if (d.from_opener && s.kind == direction::bidi) {
            const bool leaves = s.type == lite::bidi_type::announce || s.type == lite::bidi_type::subscribe;
            return cut || leaves ? leave(s) : void();
        }
        if (s.type == lite::bidi_type::fetch && !cut && !p.log) p.log = open_group(d);
        if (p.log) return cut ? p.log->abort(d.code) : static_cast<void>(p.log->finish());
        if (s.kind == direction::uni || !is_live(d)) return;
        auto& asked = at(s.of[0]);
        if (cut) {
            if (must(us_->reject(*asked.request, d.code), "to reject")) is_answered(s.of[0]);
        } else if (s.type == lite::bidi_type::subscribe) {
            must(us_->finish(*asked.request), "to finish");
        }
    }
    void say_datagram(byte_view bytes) {
        const auto m = wire::lite::decode<lite::datagram>(script_.dialect, bytes, limits{});
        if (!m) return problem("a datagram that is none: " + to_hex(bytes));
        if (const auto of = subscribers_.find(m->subscription); of != subscribers_.end() && !at(*of->second).over)
            must(us_->serve_datagram(*at(*of->second).request, m->sequence, m->timestamp, m->payload), "a datagram");
    }

    void is_answered(const recorded_direction& request) {
        at(request).over = true;
        answered_.insert(&request);
    }
    /// The request that this direction answers waits for it.
    bool is_live(const recorded_direction& d) {
        const auto& asked = at(d.stream->of[0]);
        return asked.request && !asked.over;
    }
    /// The group of a FETCH.
    group_ref open_group(const recorded_direction& d) {
        const auto asked = first_of<lite::fetch>(d.stream->of[0]);
        if (!asked || !is_live(d)) return {};
        auto g = group::make(us_->pool(), asked->group, script_.dialect, asked->frame_start);
        return must(us_->serve(*at(d.stream->of[0]).request, g), "a fetched group") ? g : group_ref{};
    }

    void command(const recorded_direction& d, lite::bidi_type type, std::uint64_t) {
        if (d.stream->opener == side_) opens(*d.stream);
        if (type != lite::bidi_type::probe) return;
        probe_ = &d.stream->of[1];
        must(us_->probe(), "to probe");
    }
    void command(const recorded_direction& d, const lite::announce_request& m, std::uint64_t) {
        const auto made = m.hidden ? us_->watch_hidden(m.prefix) : us_->watch(m.prefix);
        if (!must(made, "to watch")) return;
        at(d.stream->of[1]).watch = *made;
        watches_[*made] = &d.stream->of[1];
    }
    void command(const recorded_direction& d, const lite::subscribe& m, std::uint64_t) {
        // After as many as the recorded end has made unseen.
        for (; next_subscription_ < m.id && next_subscription_ < subscriptions_max; ++next_subscription_)
            if (const auto made = us_->subscribe({m.broadcast, m.track})) static_cast<void>(us_->unsubscribe(*made));
        const auto made = us_->subscribe({m.broadcast, m.track}, m.options);
        if (!must(made, "to subscribe")) return;
        ++next_subscription_;
        if (number(*made) != m.id) return problem("subscribe ids that do not rise: " + std::to_string(m.id));
        at(d.stream->of[1]).subscription = *made;
        subscriptions_[*made] = &d.stream->of[1];
    }
    void command(const recorded_direction& d, const lite::subscribe_update& m, std::uint64_t) {
        const auto& p = at(d.stream->of[1]);
        if (p.subscription && !p.over && !p.ended)
            must(us_->update(*p.subscription, changes_to(m.options)), "to update");
    }
    void command(const recorded_direction& d, const lite::track& m, std::uint64_t) {
        const auto made = us_->request_track({m.broadcast, m.name});
        if (must(made, "to ask for a track")) queries_[*made] = &d.stream->of[1];
    }
    void command(const recorded_direction& d, const lite::fetch& m, std::uint64_t) {
        const auto made = us_->fetch({m.broadcast, m.track}, m.group, m.priority, {m.frame_start, m.frame_end});
        if (!must(made, "to fetch")) return;
        at(d.stream->of[1]).group = *made;
        groups_[*made] = &d.stream->of[1];
    }
    void command(const recorded_direction&, const lite::goaway& m, std::uint64_t) { must(us_->goaway(m.uri), "to go"); }

    void command(const recorded_direction& d, const lite::announce& m, std::uint64_t) {
        m.status == lite::announce_status::active ? offer(d, m.suffix, m.hops) : withdraw(d, m.suffix);
    }
    void command(const recorded_direction& d, const lite::announce_start& m, std::uint64_t id) {
        offered_[{&d, id}] = m.suffix;
        offer(d, m.suffix, m.hops);
    }
    void command(const recorded_direction& d, const lite::announce_update& m, std::uint64_t) {
        offer(d, offered_[{&d, m.id}], m.hops);
    }
    void command(const recorded_direction& d, const lite::announce_end& m, std::uint64_t) {
        withdraw(d, offered_[{&d, m.id}]);
    }
    std::string whole(const recorded_direction& d, std::string_view suffix) const {
        const auto asked = first_of<lite::announce_request>(d.stream->of[0]);
        return path::join(path::normalise(asked ? asked->prefix : ""), path::normalise(suffix));
    }
    void offer(const recorded_direction& d, std::string_view suffix, const lite::hop_list& hops) {
        std::vector<hop_id> by{hops.begin(), hops.end()};
        if (hops_include_sender(script_.dialect) && !by.empty()) by.pop_back(); // The session adds itself.
        must(us_->announce(whole(d, suffix), std::move(by)), "to announce");
    }
    void withdraw(const recorded_direction& d, std::string_view suffix) {
        static_cast<void>(us_->unannounce(whole(d, suffix))); // Once, for all listeners.
    }

    void command(const recorded_direction& d, const lite::subscribe_ok& m, std::uint64_t) {
        if (!is_live(d) || !accepted_.insert(&d).second) return; // Some repeat it.
        const auto start = has_options_in_ok(script_.dialect) ? m.options.start : std::optional{m.group};
        must(us_->accept(*at(d.stream->of[0]).request, start, m.options.priority), "to accept");
    }
    void command(const recorded_direction& d, const lite::subscribe_end& m, std::uint64_t) {
        if (is_live(d)) must(us_->end_track(*at(d.stream->of[0]).request, m.group), "to end a track");
    }
    void command(const recorded_direction& d, const lite::subscribe_drop& m, std::uint64_t) {
        if (is_live(d)) must(us_->drop(*at(d.stream->of[0]).request, m.start, m.end, m.code), "to drop");
    }
    void command(const recorded_direction& d, const lite::track_info& m, std::uint64_t) {
        if (!is_live(d)) return;
        if (must(us_->answer_track(*at(d.stream->of[0]).request, m), "to answer")) is_answered(d.stream->of[0]);
    }
    void command(const recorded_direction& d, const lite::probe& m, std::uint64_t) {
        if (d.from_opener) return;
        us_.told().path_measured({m.rtt.value_or(milliseconds{}), m.bitrate.value_or(0), 0}, us_.now);
        drain();
    }
    void command(const recorded_direction& d, const lite::group_header& m, std::uint64_t) {
        const auto of = subscribers_.find(m.subscription);
        if (of == subscribers_.end()) return problem("a group that nobody asked for: " + to_hex(d.bytes));
        if (at(*of->second).over) return;
        auto g = group::make(us_->pool(), m.sequence, script_.dialect, m.frame_start);
        if (must(us_->serve(*at(*of->second).request, g), "a group")) at(d).log = g;
    }
    void command(const recorded_direction& d, const lite::frame& m, std::uint64_t) {
        auto& p = at(d);
        if (!p.log && d.stream->kind == direction::bidi) p.log = open_group(d);
        if (p.log) must(p.log->write_frame(m.time, m.payload), "a frame");
    }
    template <class Other>
    void command(const recorded_direction&, const Other&, std::uint64_t) {} ///< The session sends it by itself.

    // The expected events.

    void compare(const recorded_direction& d) {
        auto& p = at(d);
        recorded_stream stream{d.what, {d.bytes.begin(), d.bytes.begin() + static_cast<std::ptrdiff_t>(p.heard)}};
        // Whatever is open when the session ends is cut off.
        stream.end = p.over ? stream_end::open : stream_end::reset;
        if (p.ended && d.end == recorded_end::fin) stream.end = stream_end::fin;
        if (d.stream->kind == direction::bidi && d.from_opener) stream.end = end_of_request(d);
        const auto told = listener{p.told}.done({}).told;
        const expectation expected{stream, around(d)};
        if (told != expected.told())
            problem("of " + to_hex(d.bytes) + " the session tells" + joined(told) + "\ninstead of" +
                    joined(expected.told()));
    }
    /// Every request has one end event, unless it was rejected.
    stream_end end_of_request(const recorded_direction& d) {
        const bool is_asked = d.stream->type == lite::bidi_type::track ||
                              d.stream->type == lite::bidi_type::subscribe || d.stream->type == lite::bidi_type::fetch;
        return is_asked && !answered_.contains(&d) ? stream_end::reset : stream_end::open;
    }
    surroundings around(const recorded_direction& d) {
        surroundings out;
        const auto& asked = d.stream->of[0];
        if (d.from_opener) return out;
        if (const auto m = first_of<lite::announce_request>(asked)) out.prefix = path::normalise(m->prefix);
        if (const auto m = first_of<lite::fetch>(asked)) out.first_frame = m->frame_start;
        if (const auto m = first_of<lite::subscribe>(asked)) {
            out.start = m->options.start;
            for (const auto& s : script_.streams)
                if (const auto g = first_of<lite::group_header>(s.of[0]);
                    g && s.opener == d.sender && g->subscription == m->id && !out.start)
                    out.start = g->sequence;
        }
        return out;
    }

    std::uint64_t next_subscription_ = 0;
    std::map<std::pair<const recorded_direction*, std::uint64_t>, std::string> offered_;
    std::set<const recorded_direction*> accepted_;
    std::set<const recorded_direction*> answered_; ///< Requests that ended without an event.
    lines expected_datagrams_;
};

} // namespace moqlite::test::vectors
