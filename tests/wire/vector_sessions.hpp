// A recorded direction of a stream, received by a real session: in one piece and byte by byte the events must be the
// same, and follow from the messages.
#pragma once

#include "vector_listener.hpp"
#include "vector_streams.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <map>
#include <moqlite/core/path.hpp>
#include <moqlite/session/session.hpp>
#include <optional>
#include <session/subject.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace moqlite::test::vectors {

/// GROUP of a recorded group.
[[nodiscard]] inline lite::group_header group_of(const recorded_stream& s) {
    for (const auto& m : s.messages)
        if (const auto* g = std::get_if<lite::group_header>(&m.message)) return *g;
    return {};
}
/// Its subscribe id: the session must have made that many subscriptions.
[[nodiscard]] inline std::uint64_t group_subscription(const recorded_stream& s) { return group_of(s).subscription; }
/// The options of a subscription to which it can belong.
[[nodiscard]] inline subscribe_options options_for(const lite::group_header& g) {
    if (g.frame_start == object_id{}) return {};
    return {.start = g.sequence, .frame_start = g.frame_start};
}
/// The maximum number of subscriptions for one entry.
inline constexpr std::uint64_t subscriptions_max = 1000;

/// Feeds a stream to a session that waits for it, `piece` bytes at a time.
[[nodiscard]] inline heard receive(const recorded_stream& s, std::size_t piece) {
    const bool request = s.is_bidi() ? s.what.from == lite::sender::subscriber : s.is_setup;
    subject us{request ? role::server : role::client, s.dialect};
    std::uint64_t id = server_uni(1);
    if (s.is_setup) {
        static_cast<void>(us.outputs());
        id = client_uni(0);
    } else {
        begin(us);
        if (s.is_bidi()) id = s.is_answer() || request ? client_bidi(0) : server_bidi(0);
    }
    if (request && !s.messages.empty())
        if (const auto* r = std::get_if<lite::announce_request>(&s.messages[0].message)) {
            const auto prefix = path::normalise(r->prefix);
            static_cast<void>(us->announce(path::join(prefix, "told"), {hop_id{77}}));
            if (r->exclude_hop != hop_id{})
                static_cast<void>(us->announce(path::join(prefix, "excluded"), {r->exclude_hop}));
            if (!prefix.empty()) static_cast<void>(us->announce("elsewhere"));
        }
    if (s.is_answer() && s.type == lite::bidi_type::announce) static_cast<void>(us->watch(""));
    if (s.is_answer() && s.type == lite::bidi_type::subscribe) static_cast<void>(us->subscribe({"b", "t"}));
    if (s.is_answer() && s.type == lite::bidi_type::track) static_cast<void>(us->request_track({"b", "t"}));
    if (s.is_answer() && s.type == lite::bidi_type::fetch) static_cast<void>(us->fetch({"b", "t"}, group_sequence{7}));
    if (s.is_answer() && s.type == lite::bidi_type::probe) static_cast<void>(us->probe());
    if (!s.is_bidi() && !s.is_setup)
        for (auto n = std::min(group_subscription(s), subscriptions_max) + 1; n > 0; --n)
            static_cast<void>(us->subscribe({"b", "t"}, options_for(group_of(s))));
    static_cast<void>(us.events());
    static_cast<void>(us.outputs());

    listener out{s.dialect};
    const auto drain = [&] {
        while (const auto e = us->poll_event()) out.add(*e);
    };
    const byte_view bytes = s.bytes;
    const bool fin = s.end == stream_end::fin;
    for (std::size_t at = 0; at < bytes.size() || (at == 0 && fin); at += piece) {
        const auto part = bytes.subspan(at, std::min(piece, bytes.size() - at));
        us.told().stream_received(stream_id{id}, part, fin && at + part.size() == bytes.size(), us.now);
        drain();
    }
    if (s.end == stream_end::reset) us.told().stream_reset(stream_id{id}, s.code, us.now);
    drain();
    auto wrote = without(us.outputs(), "credit");
    // On versions where a FIN may overtake groups, a subscription ends after a delay.
    us.now += 1s;
    us.told().tick(us.now);
    drain();
    return out.done(std::move(wrote));
}

/// The context of a direction.
struct surroundings {
    std::string prefix = {};                  ///< That was watched.
    std::optional<group_sequence> start = {}; ///< The start of an OK without one.
    object_id first_frame{};                  ///< Of the answer to a FETCH.
};

/// The events of the messages of one direction.
class expectation {
public:
    explicit expectation(const recorded_stream& s, surroundings around = {})
        : s_(s), around_(std::move(around)), frames_(number(around_.first_frame)) {
        for (const auto& m : s.messages) std::visit([&](const auto& x) { follow(x, m.announce_id); }, m.message);
        if (s.end == stream_end::fin) finish(true);
        if (s.end == stream_end::reset) finish(false);
    }
    [[nodiscard]] const lines& told() const noexcept { return told_; }

private:
    void say(std::string line) { told_.push_back(std::move(line)); }

    void follow(const lite::setup& m, std::uint64_t) {
        say("setup path '" + std::string{m.path.value_or("")} + "' role " +
            std::to_string(static_cast<std::uint64_t>(m.role)) + " origin " + std::to_string(number(m.origin)));
    }
    void follow(const lite::announce_ok& m, std::uint64_t) {
        publisher_ = m.hop;
        promised_ = m.active_count;
        if (promised_ == 0) say("synced");
    }
    void follow(const lite::announce& m, std::uint64_t) {
        const auto path = whole(m.suffix);
        m.status == lite::announce_status::active ? came(path, m.hops) : went(path);
    }
    void follow(const lite::announce_start& m, std::uint64_t id) {
        std::string suffix;
        if (m.path_base.distance != 0) {
            std::istringstream segments{suffixes_[id - m.path_base.distance]};
            std::string one;
            for (auto n = m.path_base.keep; n != 0 && std::getline(segments, one, '/'); --n)
                suffix = path::join(suffix, one);
        }
        suffixes_[id] = path::join(suffix, path::normalise(m.suffix));
        paths_[id] = whole(suffixes_[id]);
        next_ = id + 1;
        came(paths_[id], chains_[id] = chain(m.hops, m.hop_base, id));
    }
    void follow(const lite::announce_update& m, std::uint64_t) {
        const auto hops = chain(m.hops, m.hop_base, next_);
        came(paths_[m.id], chains_[m.id] = hops);
    }
    /// With the last hops of its base.
    lite::hop_list chain(lite::hop_list hops, const lite::announce_base& base, std::uint64_t from) {
        if (base.distance == 0) return hops;
        const auto& of = chains_[from - base.distance];
        for (auto i = of.size() - base.keep; i != of.size(); ++i) REQUIRE(hops.push_back(of[i]));
        return hops;
    }
    void follow(const lite::announce_end& m, std::uint64_t) { went(paths_[m.id]); }
    void follow(const lite::subscribe_ok& m, std::uint64_t) {
        auto start = has_options_in_ok(s_.dialect) ? m.options.start : std::optional{m.group};
        if (!start) start = around_.start; // Without a group it has no start.
        if (start && !std::exchange(accepted_, true)) say("accepted from " + std::to_string(number(*start)));
    }
    void follow(const lite::subscribe_end& m, std::uint64_t) { say("end before " + std::to_string(number(m.group))); }
    void follow(const lite::subscribe_drop& m, std::uint64_t) { say(listener::dropped(m.start, m.end, m.code)); }
    void follow(const lite::track_info& m, std::uint64_t) {
        answered_ = true;
        say(listener::info(m));
    }
    void follow(const lite::group_header& m, std::uint64_t) {
        frames_ = number(m.frame_start);
        say("group " + std::to_string(number(m.sequence)));
    }
    void follow(const lite::frame& m, std::uint64_t) { say(listener::frame(s_.dialect, frames_++, m)); }
    void follow(const lite::track& m, std::uint64_t) {
        say("asked for track " + text(track_ref{path::normalise(m.broadcast), m.name}));
    }
    void follow(const lite::subscribe& m, std::uint64_t) {
        options_ = m.options;
        say(listener::requested({path::normalise(m.broadcast), m.track}, m.options));
        say(listener::wanted(m.options.end));
    }
    void follow(const lite::subscribe_update& m, std::uint64_t) {
        const auto before = std::exchange(options_, m.options);
        if (!options_.start && !has_start_by_age(s_.dialect)) options_.start = before.start;
        if (before.end && options_.end) { // It only rises.
            if (*options_.end < *before.end || (options_.end == before.end && !before.frame_end))
                options_.frame_end = before.frame_end;
            else if (options_.end == before.end && options_.frame_end)
                options_.frame_end = std::max(before.frame_end, options_.frame_end);
            options_.end = std::max(before.end, options_.end);
        }
        say(listener::updated(options_));
        if (before.end != options_.end) say(listener::wanted(options_.end));
    }
    void follow(const lite::fetch& m, std::uint64_t) {
        say(listener::fetched(
            {path::normalise(m.broadcast), m.track}, m.group, m.priority, {m.frame_start, m.frame_end}));
    }
    void follow(const lite::probe& m, std::uint64_t) {
        if (s_.is_answer()) say(listener::report(m.bitrate, m.rtt)); // A subscriber's value has no effect.
    }
    void follow(const lite::goaway& m, std::uint64_t) { say("go away to '" + std::string{m.uri} + "'"); }
    template <class Other>
    void follow(const Other&, std::uint64_t) {}

    [[nodiscard]] std::string whole(std::string_view suffix) const {
        return path::join(around_.prefix, path::normalise(suffix));
    }
    void came(const std::string& path, const lite::hop_list& hops) {
        std::vector<hop_id> by{hops.begin(), hops.end()};
        if (!hops_include_sender(s_.dialect)) by.push_back(publisher_);
        live_.insert_or_assign(path, true);
        say(listener::available(s_.dialect, path, by));
        if (promised_ != 0 && --promised_ == 0) say("synced");
    }
    void went(const std::string& path) {
        if (live_.erase(path) != 0) say("ended " + path);
    }
    void finish(bool well) {
        if (!s_.is_bidi()) return s_.is_setup ? void() : say(well ? "group complete" : "group cut off");
        if (!s_.is_answer()) {
            using enum lite::bidi_type;
            const bool answered = s_.type == subscribe || (!well && (s_.type == track || s_.type == fetch));
            return answered ? say("request ended") : void();
        }
        if (s_.type == lite::bidi_type::fetch) say(well ? "group complete" : "group cut off");
        if (s_.type == lite::bidi_type::track && !answered_) say("track refused");
        if (s_.type == lite::bidi_type::probe) say("probe ended");
        if (s_.type == lite::bidi_type::subscribe) say(well ? "subscription finished" : "subscription cut off");
        if (s_.type != lite::bidi_type::announce) return;
        for (const auto& [path, live] : live_) say("ended " + path);
        say("watch ended");
    }

    const recorded_stream& s_;
    surroundings around_;
    lines told_;
    hop_id publisher_{};
    std::uint64_t promised_ = 0;
    std::map<std::string, bool> live_;
    std::map<std::uint64_t, std::string> paths_, suffixes_;
    std::map<std::uint64_t, lite::hop_list> chains_;
    std::uint64_t next_ = 0; ///< The next announce id.
    bool accepted_ = false;
    bool answered_ = false; ///< With TRACK_INFO.
    std::uint64_t frames_;  ///< The number of the next.
    subscribe_options options_;
};

/// Checks the announcements that answer a request, by the inspector; empty if correct.
[[nodiscard]] inline std::string answer_verdict(const recorded_stream& s, const lines& wrote) {
    std::string bytes;
    for (const auto& line : wrote)
        if (line.starts_with("write 0 ")) bytes += line.substr(8, line.find(' ', 8) - 8);
    lines found;
    const auto raw = hex(bytes);
    const lite::inspection answer{s.dialect, lite::carrier::bidi, lite::sender::publisher, lite::bidi_type::announce};
    const auto end = inspect(answer, raw, [&](const lite::inspected& m) {
        if (const auto* a = std::get_if<lite::announce>(&m.message)) found.emplace_back(a->suffix);
        if (const auto* a = std::get_if<lite::announce_start>(&m.message)) found.emplace_back(a->suffix);
    });
    if (end.how == lite::ending::whole && found == lines{"told"}) return {};
    return "the session answers with " + bytes;
}

[[nodiscard]] inline std::string joined(const lines& all) {
    std::string out;
    for (const auto& line : all) out += "\n  " + line;
    return out.empty() ? "\n  nothing" : out;
}

/// The first difference found by the session; empty if none.
[[nodiscard]] inline std::string session_verdict(const recorded_stream& s) {
    const auto whole = receive(s, std::max<std::size_t>(s.bytes.size(), 1));
    const auto split = receive(s, 1);
    if (whole.all != split.all)
        return "in one piece the session tells" + joined(whole.all) + "\nbyte by byte" + joined(split.all);
    if (whole.wrote != split.wrote)
        return "in one piece the session says" + joined(whole.wrote) + "\nbyte by byte" + joined(split.wrote);
    if (group_subscription(s) > subscriptions_max) return {};

    if (!s.is_told()) {
        const auto refusal = [](const std::string& line) {
            return line.starts_with("rejected ") || line.starts_with("closed ") || line.ends_with("cut off");
        };
        const bool refused = std::any_of(whole.told.begin(), whole.told.end(), refusal);
        return refused || s.disputed ? "" : "accepted by the session, which tells" + joined(whole.told);
    }
    const expectation expected{s};
    if (whole.told != expected.told())
        return "the session tells" + joined(whole.told) + "\ninstead of" + joined(expected.told());
    const bool asks = s.is_bidi() && !s.is_answer() && s.type == lite::bidi_type::announce;
    return asks && s.end == stream_end::open ? answer_verdict(s, whole.wrote) : "";
}

} // namespace moqlite::test::vectors
