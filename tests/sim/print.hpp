// Events and outputs as one line of text each, for tests to compare and for people to read.
#pragma once

#include "hex.hpp"

#include <moqlite/session/event.hpp>
#include <moqlite/session/output.hpp>
#include <string>
#include <string_view>
#include <variant>

namespace moqlite::test {

namespace detail {

template <class... F>
struct overloaded : F... {
    using F::operator()...;
};
template <class... F>
overloaded(F...) -> overloaded<F...>;

/// The parts, with a space between them.
class line {
public:
    explicit line(std::string_view name) : text_(name) {}
    line& operator<<(std::string_view word) {
        text_.append(" ").append(word);
        return *this;
    }
    line& operator<<(const char* word) { return *this << std::string_view{word}; }
    line& operator<<(std::uint64_t value) { return *this << std::string_view{std::to_string(value)}; }
    line& operator<<(app_error code) {
        const auto name = to_string(code.means()); // The same in all dialects.
        return name.empty() ? *this << static_cast<std::uint64_t>(code) : *this << name;
    }
    line& operator<<(errc why) { return *this << to_string(why); }
    template <class Id>
        requires std::is_enum_v<Id>
    line& operator<<(Id id) {
        return *this << number(id);
    }
    line& operator<<(const subscribe_options& o) {
        *this << "priority" << std::uint64_t{o.priority};
        if (o.ordered) *this << "ordered";
        *this << "latency" << o.max_age.count();
        *this << (o.start ? std::to_string(number(*o.start)) : std::string()) + ".." +
                     (o.end ? std::to_string(number(*o.end)) : std::string());
        return *this << frame_range{o.frame_start, o.frame_end};
    }
    /// Nothing for whole groups.
    line& operator<<(const frame_range& frames) {
        if (frames == frame_range{}) return *this;
        return *this << "frames"
                     << std::to_string(number(frames.first)) + ".." +
                            (frames.last ? std::to_string(number(*frames.last)) : std::string());
    }
    [[nodiscard]] operator std::string() const { return text_; }

private:
    std::string text_;
};

} // namespace detail

/// `room/cam video` for a track.
[[nodiscard]] inline std::string text(const track_ref& t) {
    return std::string(t.broadcast).append(" ").append(t.track);
}

[[nodiscard]] inline std::string text(const event& e) {
    using detail::line;
    return std::visit(
        detail::overloaded{
            [](const setup_received& x) -> std::string {
                line out{"setup_received"};
                if (!x.path.empty()) out << x.path;
                if (x.role) out << "role" << *x.role;
                if (x.origin != hop_id{}) out << "origin" << x.origin;
                return out;
            },
            [](const broadcast_available& x) -> std::string {
                line out{"broadcast_available"};
                out << x.watch << x.path << "hops";
                for (auto hop : x.hops) out << hop;
                const bool plain = x.cost == route_cost{}.plus(1) || x.cost == route_cost::unknown().plus(1);
                if (!plain) out << "cost" << x.cost.warm << x.cost.cold;
                if (x.restart) out << "restart";
                return out;
            },
            [](const broadcast_ended& x) -> std::string { return line{"broadcast_ended"} << x.watch << x.path; },
            [](const announcements_synced& x) -> std::string { return line{"announcements_synced"} << x.watch; },
            [](const announcements_cut_off& x) -> std::string {
                return line{"announcements_cut_off"} << x.prefix << x.code;
            },
            [](const watch_ended& x) -> std::string { return line{"watch_ended"} << x.watch << x.code; },
            [](const track_info_received& x) -> std::string {
                return line{"track_info_received"} << x.query << "priority" << std::uint64_t{x.info.priority}
                                                   << (x.info.ordered ? "ordered" : "unordered") << "latency"
                                                   << x.info.max_age.count() << "timescale" << x.info.timescale;
            },
            [](const track_refused& x) -> std::string { return line{"track_refused"} << x.query << x.code; },
            [](const subscription_accepted& x) -> std::string {
                return line{"subscription_accepted"} << x.subscription << "from" << x.start;
            },
            [](const subscription_end_known& x) -> std::string {
                return line{"subscription_end_known"} << x.subscription << "before" << x.end;
            },
            [](const groups_dropped& x) -> std::string {
                return line{"groups_dropped"} << x.subscription << x.first << "to" << x.last << x.code;
            },
            [](const subscription_ended& x) -> std::string {
                line out{x.lacks_groups ? "subscription_ended lacking" : "subscription_ended"};
                out << x.subscription;
                return x.finished ? out << "finished" : out << x.code;
            },
            [](const group_opened& x) -> std::string {
                return line{"group_opened"} << x.group << "of" << x.subscription << "sequence" << x.sequence
                                            << frame_range{x.first, {}};
            },
            [](const frame_data& x) -> std::string {
                return line{"frame_data"} << x.group << "frame" << x.object << "at" << x.offset << "of" << x.size
                                          << "time" << static_cast<std::uint64_t>(x.time) << to_hex(x.data);
            },
            [](const group_grown& x) -> std::string { return "group_grown " + std::to_string(number(x.group)); },
            [](const group_closed& x) -> std::string {
                line out{"group_closed"};
                out << x.group << "of" << x.subscription << "sequence" << x.sequence;
                return x.complete ? out << "complete" : out << x.code;
            },
            [](const group_datagram& x) -> std::string {
                return line{"group_datagram"} << x.subscription << "sequence" << x.sequence << "time"
                                              << static_cast<std::uint64_t>(x.time) << to_hex(x.data);
            },
            [](const path_reported& x) -> std::string {
                line out{"path_reported"};
                if (x.bitrate) out << "bitrate" << *x.bitrate;
                if (x.rtt) out << "rtt" << static_cast<std::uint64_t>(x.rtt->count());
                return out;
            },
            [](const bitrate_wanted& x) -> std::string { return "bitrate_wanted " + std::to_string(x.bitrate); },
            [](const probe_ended& x) -> std::string { return line{"probe_ended"} << x.code; },
            [](const track_requested& x) -> std::string {
                return line{"track_requested"} << x.request << text(x.track);
            },
            [](const subscribe_requested& x) -> std::string {
                return line{"subscribe_requested"} << x.request << text(x.track) << x.options;
            },
            [](const fetch_requested& x) -> std::string {
                return line{"fetch_requested"} << x.request << text(x.track) << "sequence" << x.sequence << "priority"
                                               << std::uint64_t{x.priority} << x.frames;
            },
            [](const subscribe_updated& x) -> std::string {
                return line{"subscribe_updated"} << x.request << x.options;
            },
            [](const groups_wanted& x) -> std::string {
                line out{"groups_wanted"};
                out << x.request;
                return x.up_to ? out << "to" << *x.up_to : out << "all";
            },
            [](const request_ended& x) -> std::string {
                line out{"request_ended"};
                out << x.request;
                if (x.delivered) out << "delivered";
                return x.code ? out << *x.code : out;
            },
            [](const group_delivered& x) -> std::string {
                return line{"group_delivered"} << x.request << "sequence" << x.sequence;
            },
            [](const reader_joined& x) -> std::string {
                return line{"reader_joined"} << x.request << "from" << x.first;
            },
            [](const reader_left& x) -> std::string {
                line out{"reader_left"};
                out << x.request;
                if (x.with_session) out << "with its session";
                return x.delivered ? out << "delivered" : out << x.code;
            },
            [](const group_lost& x) -> std::string {
                return line{"group_lost"} << x.request << "sequence" << x.sequence << x.code;
            },
            [](const goaway_received& x) -> std::string { return line{"goaway_received"} << x.uri; },
            [](const stream_rejected& x) -> std::string { return line{"stream_rejected"} << x.stream << x.why; },
            [](const session_closed& x) -> std::string {
                line out{"session_closed"};
                out << x.code << x.why;
                return x.by_peer ? out << "by peer" : out;
            },
        },
        e);
}

[[nodiscard]] inline std::string text(const output& o) {
    using detail::line;
    return std::visit(detail::overloaded{
                          [](const close_connection& x) -> std::string { return line{"close"} << x.code << x.reason; },
                          [](const reset_stream& x) -> std::string { return line{"reset"} << x.stream << x.code; },
                          [](const stop_sending& x) -> std::string { return line{"stop"} << x.stream << x.code; },
                          [](const credit& x) -> std::string { return line{"credit"} << x.stream << x.bytes; },
                          [](const open_stream& x) -> std::string {
                              return line{"open"} << (x.kind == direction::uni ? "uni" : "bidi");
                          },
                          [](const send_datagram& x) -> std::string { return line{"datagram"} << to_hex(x.bytes); },
                          [](const write_stream& x) -> std::string {
                              std::string bytes;
                              for (auto part : x.data) bytes += to_hex(part);
                              line out{"write"};
                              out << x.stream;
                              if (!bytes.empty()) out << bytes;
                              return x.fin ? out << "fin" : out;
                          },
                      },
        o);
}

} // namespace moqlite::test
