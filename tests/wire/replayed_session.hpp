// A session that replaces one end of a recorded session: it is given commands and inputs, and its events are
// attributed to the recorded direction to which they belong.
#pragma once

#include "recorded_session.hpp"
#include "vector_sessions.hpp"

#include <deque>
#include <map>
#include <moqlite/session/session.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace moqlite::test::vectors {

/// The first message of this kind on a direction; its views alias the recording.
template <class M>
[[nodiscard]] std::optional<M> first_of(const recorded_direction& d) {
    std::optional<M> out;
    static_cast<void>(lite::inspect(d.what, d.bytes, [&](const lite::inspected& m) {
        if (const auto* x = std::get_if<M>(&m.message); x != nullptr && !out) out = *x;
    }));
    return out;
}

class replayed_session {
public:
    replayed_session(const recorded_session& script, role us)
        : script_(script), side_(us), us_(us, script.dialect, options_of(script, us)) {
        for (const auto& s : script.streams)
            for (const auto& d : s.of) places_.try_emplace(&d, script.dialect, d.what);
    }

protected:
    /// The state of a direction.
    struct place {
        place(version v, const lite::inspection& what) : at(what), told(v) {}
        lite::inspector at; ///< Of our own bytes.
        std::size_t known = 0, used = 0;
        listener told;         ///< Of the peer's bytes.
        std::size_t heard = 0; ///< Bytes that cause it.
        bool over = false;     ///< No more follows: the request was rejected, or we left.
        bool ended = false;    ///< The peer has ended it.
        group_ref log;         ///< The group that we publish on it.
        std::optional<group_id> group;
        std::optional<request_id> request;
        std::optional<subscribe_id> subscription; ///< Also of a group.
        std::optional<watch_id> watch;
    };

    /// Issues each once.
    void problem(const std::string& what) {
        if (problems_.find(what) == std::string::npos) problems_ += (problems_.empty() ? "" : "\n") + what;
    }
    template <class T>
    bool must(const result<T>& done, std::string_view what) {
        if (!done) problem("the session refuses " + std::string{what} + ": " + std::string{to_string(done.error())});
        return static_cast<bool>(done);
    }
    place& at(const recorded_direction& d) { return places_.at(&d); }
    /// Our streams have one once the session has opened them.
    std::optional<stream_id> id_of(const recorded_session_stream& s) const {
        if (s.opener != side_) return s.id();
        const auto found = ids_.find(&s);
        return found != ids_.end() ? std::optional{found->second} : std::nullopt;
    }
    /// The stream of the next request that the session writes.
    void opens(const recorded_session_stream& s) { unbound_.push_back(&s); }

    /// The inputs that follow from the session's outputs: everything arrives at once.
    void settle() {
        for (auto said = us_.outputs(); !said.empty(); said = us_.outputs()) {
            for (const auto& line : said) note(line);
            for (auto& [id, n] : us_.link.unacked) {
                const auto all = std::exchange(n, 0);
                if (all == 0) continue;
                us_.link.lent.acked(id, all);
                us_.told().stream_acked(id, all, us_.now);
                drain();
            }
            close_streams();
        }
    }
    void drain() {
        while (const auto e = us_->poll_event()) {
            ++events_;
            if (std::holds_alternative<setup_received>(*e) && side_ == role::server) static_cast<void>(us_->admit({}));
            if (const auto* x = std::get_if<group_datagram>(&*e))
                datagrams_.push_back(datagram(number(x->subscription), x->sequence, x->time, x->data));
            const auto* of = std::visit([&](const auto& x) { return owner(x); }, *e);
            if (std::holds_alternative<session_closed>(*e)) {
                if (!closing_) problem("the session closes: " + text(*e));
            } else if (of != nullptr) {
                at(*of).told.add(*e);
            } else if (!std::holds_alternative<setup_received>(*e) || has_setup(script_.dialect)) {
                problem("of no recorded stream: " + text(*e));
            }
        }
    }
    void close() {
        closing_ = true;
        if (side_ == role::client)
            us_->close(app_error::cancel);
        else
            us_.told().connection_closed({app_error::cancel, true, {}}, us_.now);
        drain();
    }
    static std::string datagram(std::uint64_t subscription, group_sequence g, timestamp time, byte_view payload) {
        return "datagram for " + std::to_string(subscription) + " group " + std::to_string(number(g)) + " at " +
               std::to_string(static_cast<std::uint64_t>(time)) + ": " + to_hex(payload);
    }

    const recorded_session& script_;
    role side_;
    subject us_;
    const recorded_direction* current_ = nullptr; ///< The direction being received.
    const recorded_direction* probe_ = nullptr;   ///< The stream of reports to us.
    std::map<watch_id, const recorded_direction*> watches_;
    std::map<query_id, const recorded_direction*> queries_;
    std::map<group_id, const recorded_direction*> groups_;
    std::map<subscribe_id, const recorded_direction*> subscriptions_;
    std::map<std::uint64_t, const recorded_direction*> subscribers_; ///< By the peer's own number.
    std::set<stream_id> heard_to_the_end_;
    lines datagrams_;
    std::string problems_;
    std::size_t events_ = 0;

private:
    static session_options options_of(const recorded_session& script, role us) {
        session_options out;
        for (const auto& s : script.streams) {
            if (s.type == lite::bidi_type::probe && s.opener != us) out.reports_path = true;
            if (s.kind != direction::uni || s.opener != us) continue;
            const auto said = first_of<lite::setup>(s.of[0]);
            if (!said) continue;
            out.origin = said->origin;
            out.cost = said->cost;
            out.path = said->path.value_or("");
        }
        return out;
    }

    // The direction of an event.

    template <class Event>
    const recorded_direction* owner(const Event& x) {
        if constexpr (requires { x.group; }) {
            if (std::is_same_v<Event, group_opened> && !groups_.contains(x.group)) begin(x.group, x.subscription);
            return found(groups_, x.group);
        } else if constexpr (requires { x.subscription; }) {
            return found(subscriptions_, x.subscription);
        } else if constexpr (requires { x.watch; }) {
            return found(watches_, x.watch);
        } else if constexpr (requires { x.query; }) {
            return found(queries_, x.query);
        } else if constexpr (requires { x.request; }) {
            return owner_of_request(x);
        } else if constexpr (std::is_same_v<Event, path_reported> || std::is_same_v<Event, probe_ended>) {
            return probe_;
        } else {
            return current_;
        }
    }
    template <class Id>
    static const recorded_direction* found(const std::map<Id, const recorded_direction*>& in, Id id) {
        const auto at = in.find(id);
        return at != in.end() ? at->second : nullptr;
    }
    void begin(group_id group, subscribe_id subscription) {
        if (current_ == nullptr) return;
        groups_[group] = current_;
        at(*current_).group = group;
        at(*current_).subscription = subscription;
    }
    template <class Event>
    const recorded_direction* owner_of_request(const Event& x) {
        if constexpr (std::is_same_v<Event, track_requested>) claim(x.request, lite::bidi_type::track);
        if constexpr (std::is_same_v<Event, subscribe_requested>) claim(x.request, lite::bidi_type::subscribe);
        if constexpr (std::is_same_v<Event, fetch_requested>) claim(x.request, lite::bidi_type::fetch);
        const auto* of = found(requests_, x.request);
        if (std::is_same_v<Event, request_ended> && of != nullptr) at(*of).over = true;
        return of;
    }
    /// Requests before the admission are reported later, but in order.
    void claim(request_id id, lite::bidi_type type) {
        for (const auto* d : arrived_) {
            if (d->stream->type != type || at(*d).request) continue;
            at(*d).request = id;
            requests_[id] = d;
            if (const auto m = first_of<lite::subscribe>(*d)) subscribers_[m->id] = d;
            return;
        }
    }

    // The session's transport.

    void note(const std::string& line) {
        std::istringstream words{line};
        std::string verb, what, bytes;
        words >> verb >> what >> bytes;
        if (verb == "close") return problem("the session wants to " + line);
        if (verb == "open") return what == "bidi" ? bind() : void();
        const auto id = verb == "write" || verb == "reset" ? stream_id{std::stoull(what)} : stream_id{};
        if (verb == "write" && direction_of(id) == direction::uni) name(id, bytes == "fin" ? "" : bytes);
        if (verb == "reset" || (verb == "write" && line.ends_with(" fin"))) said_to_the_end_[id] = verb == "reset";
    }
    void bind() {
        const stream_id id{4 * requests_opened_++ + (side_ == role::server ? 1U : 0U)};
        if (unbound_.empty()) return problem("the session opens a stream that the recording does not have");
        ids_[unbound_.front()] = id;
        unbound_.pop_front();
    }
    /// The number of this unidirectional stream of ours.
    void name(stream_id id, const std::string& bytes) {
        if (!named_.insert(id).second) return;
        const recorded_direction said{
            .what = {script_.dialect, lite::carrier::uni, lite::sender::publisher, {}}, .bytes = hex(bytes)};
        for (const auto& s : script_.streams) {
            if (s.kind != direction::uni || s.opener != side_) continue;
            const auto setups = first_of<lite::setup>(said) && first_of<lite::setup>(s.of[0]);
            const auto ours = first_of<lite::group_header>(said), theirs = first_of<lite::group_header>(s.of[0]);
            if (setups || (ours && ours == theirs)) ids_[&s] = id;
        }
    }
    void close_streams() {
        for (auto& [id, cut] : said_to_the_end_) {
            const bool done = direction_of(id) == direction::uni || heard_to_the_end_.contains(id);
            if (!done || !closed_.insert(id).second) continue;
            us_.link.lent.closed(id);
            us_.told().stream_closed(id, cut ? std::optional{app_error::cancel} : std::nullopt, us_.now);
            drain();
        }
        for (const auto id : heard_to_the_end_) {
            if (direction_of(id) != direction::uni || !closed_.insert(id).second) continue;
            us_.told().stream_closed(id, {}, us_.now);
            drain();
        }
    }

protected:
    std::vector<const recorded_direction*> arrived_; ///< Requests of the peer, in order.

private:
    std::map<const recorded_direction*, place> places_;
    std::map<request_id, const recorded_direction*> requests_;
    std::map<const recorded_session_stream*, stream_id> ids_; ///< Of ours.
    std::deque<const recorded_session_stream*> unbound_;
    std::uint64_t requests_opened_ = 0;
    std::map<stream_id, bool> said_to_the_end_; ///< True: reset.
    std::set<stream_id> named_, closed_;
    bool closing_ = false;
};

} // namespace moqlite::test::vectors
