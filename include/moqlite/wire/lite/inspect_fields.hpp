// The names of messages and their fields, for tools that show them.
#pragma once

#include <cstdint>
#include <iterator>
#include <moqlite/wire/lite/inspect.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

namespace moqlite::wire::lite {

[[nodiscard]] constexpr std::string_view to_string(bidi_type type) noexcept {
    switch (type) {
    case bidi_type::announce: return "Announce";
    case bidi_type::subscribe: return "Subscribe";
    case bidi_type::fetch: return "Fetch";
    case bidi_type::probe: return "Probe";
    case bidi_type::goaway: return "Goaway";
    case bidi_type::track: return "Track";
    }
    return {};
}

[[nodiscard]] constexpr std::string_view to_string(uni_type type) noexcept {
    return type == uni_type::group ? "Group" : "Setup";
}

namespace detail {

/// The drafts' names, in the order of any_message. ANNOUNCE had other names; from 05 on it is ANNOUNCE_BROADCAST.
inline constexpr std::string_view message_names[] = {"STREAM_TYPE", "STREAM_TYPE", "SETUP", "ANNOUNCE_REQUEST",
    "ANNOUNCE_OK", "ANNOUNCE", "ANNOUNCE_START", "ANNOUNCE_END", "ANNOUNCE_UPDATE", "ANNOUNCE_UNKNOWN", "SUBSCRIBE",
    "SUBSCRIBE_UPDATE", "SUBSCRIBE_OK", "SUBSCRIBE_END", "SUBSCRIBE_DROP", "TRACK", "TRACK_INFO", "FETCH", "GROUP",
    "FRAME", "PROBE", "GOAWAY", "DATAGRAM"};
static_assert(std::size(message_names) == std::variant_size_v<any_message>);

/// Passes the fields of a message to `f`, in wire order.
template <class F>
class field_visitor {
public:
    field_visitor(version v, F& f) : version_(v), f_(f) {}

    void visit(bidi_type type) { type_(static_cast<std::uint64_t>(type), to_string(type)); }
    void visit(uni_type type) { type_(static_cast<std::uint64_t>(type), to_string(type)); }
    void visit(const setup& m) {
        f_("probe", static_cast<std::uint64_t>(m.probe));
        optional("path", m.path);
        f_("role", static_cast<std::uint64_t>(m.role));
        optional("cost", m.cost);
        f_("origin", number(m.origin));
    }
    void visit(const announce_request& m) {
        f_("prefix", m.prefix);
        if (has_exclude_hop(version_)) f_("exclude_hop", number(m.exclude_hop));
        if (has_hidden(version_)) f_("hidden", m.hidden);
    }
    void visit(const announce_ok& m) {
        f_("hop_id", number(m.hop));
        f_("active_count", m.active_count);
    }
    void visit(const announce& m) {
        f_("status", std::string_view{m.status == announce_status::active ? "active" : "ended"});
        f_("suffix", m.suffix);
        hops(m.hops);
    }
    void visit(const announce_start& m) {
        base("path_base", "path_keep", m.path_base);
        f_("suffix", m.suffix);
        hops(m.hops);
        base("hop_base", "hop_keep", m.hop_base);
        cost(m.cost);
    }
    void visit(const announce_end& m) { f_("announce_id", m.id); }
    void visit(const announce_update& m) {
        f_("announce_id", m.id);
        hops(m.hops);
        base("hop_base", "hop_keep", m.hop_base);
        cost(m.cost);
    }
    void visit(const unknown_announcement& m) {
        f_("type", m.type);
        payload(m.body);
    }
    void visit(const subscribe& m) {
        f_("subscribe_id", m.id);
        f_("broadcast", m.broadcast);
        f_("track", m.track);
        options(m.options);
    }
    void visit(const subscribe_update& m) { options(m.options); }
    void visit(const subscribe_ok& m) {
        if (has_options_in_ok(version_)) return options(m.options);
        f_("group", number(m.group));
    }
    void visit(const subscribe_end& m) {
        f_("group", number(m.group));
        if (has_stream_count(version_)) f_("streams", m.streams);
    }
    void visit(const subscribe_drop& m) {
        f_("start_group", number(m.start));
        f_("end_group", number(m.end));
        f_("error_code", static_cast<std::uint64_t>(m.code));
    }
    void visit(const track& m) {
        f_("broadcast", m.broadcast);
        f_("track", m.name);
    }
    void visit(const track_info& m) {
        f_("priority", std::uint64_t{m.priority});
        if (has_ordered(version_)) f_("ordered", m.ordered);
        f_("max_latency_ms", m.max_age.count());
        f_("timescale", m.timescale);
    }
    void visit(const fetch& m) {
        f_("broadcast", m.broadcast);
        f_("track", m.track);
        f_("priority", std::uint64_t{m.priority});
        f_("group", number(m.group));
        if (has_frame_ranges(version_)) frames(m.frame_start, m.frame_end);
    }
    void visit(const group_header& m) {
        f_("subscribe_id", m.subscription);
        f_("group", number(m.sequence));
        if (has_frame_ranges(version_)) f_("start_frame", number(m.frame_start));
    }
    void visit(const frame& m) {
        if (has_timestamps(version_)) {
            f_("timestamp_delta", m.delta);
            f_("timestamp", static_cast<std::uint64_t>(m.time));
        }
        payload(m.payload);
    }
    void visit(const probe& m) {
        optional("bitrate", m.bitrate);
        if (!has_probe_rtt(version_)) return;
        optional("rtt_ms", m.rtt ? std::optional{m.rtt->count()} : std::nullopt);
    }
    void visit(const goaway& m) { f_("uri", m.uri); }
    void visit(const datagram& m) {
        f_("subscribe_id", m.subscription);
        f_("group", number(m.sequence));
        f_("timestamp", static_cast<std::uint64_t>(m.timestamp));
        payload(m.payload);
    }

private:
    void type_(std::uint64_t type, std::string_view name) {
        f_("type", type);
        f_("name", name);
    }
    template <class T>
    void optional(std::string_view name, const std::optional<T>& value) {
        value ? f_(name, *value) : f_(name, std::nullopt);
    }
    template <class Id>
    void optional_id(std::string_view name, std::optional<Id> value) {
        value ? f_(name, number(*value)) : f_(name, std::nullopt);
    }
    void hops(const hop_list& list) {
        has_hop_ids(version_) ? f_("hop_ids", list) : f_("hop_count", std::uint64_t{list.size()});
    }
    void base(std::string_view distance, std::string_view keep, const announce_base& b) {
        if (!has_announce_bases(version_)) return;
        f_(distance, b.distance);
        f_(keep, b.keep);
    }
    void cost(const route_cost& c) {
        f_("warm_cost", c.warm);
        f_("cold_cost", c.cold);
    }
    void options(const subscribe_options& o) {
        f_("priority", std::uint64_t{o.priority});
        if (has_ordered(version_)) f_("ordered", o.ordered);
        f_("max_latency_ms", o.max_age.count());
        has_start_by_age(version_) ? f_("start_group", number(o.start.value_or(group_sequence{})))
                                   : optional_id("start_group", o.start);
        optional_id("end_group", o.end);
        if (has_frame_ranges(version_)) frames(o.frame_start, o.frame_end);
    }
    void frames(object_id first, std::optional<object_id> last) {
        f_("start_frame", number(first));
        optional_id("end_frame", last);
    }
    void payload(byte_view bytes) {
        f_("size", std::uint64_t{bytes.size()});
        f_("payload", bytes);
    }

    version version_;
    F& f_;
};

} // namespace detail

/// The message's name in the version's draft.
[[nodiscard]] inline std::string_view name_of(version v, const inspected& m) noexcept {
    if (std::holds_alternative<announce>(m.message) && has_announce_ok(v)) return "ANNOUNCE_BROADCAST";
    return detail::message_names[m.message.index()];
}

/// Calls `f(name, value)` for each field, in wire order. A value is a uint64_t, int64_t, bool, string_view, byte_view
/// or hop_list, or nullopt if absent or unknown.
template <class F>
void for_each_field(version v, const inspected& m, F&& f) {
    if (std::holds_alternative<announce_start>(m.message)) f("announce_id", m.announce_id);
    detail::field_visitor<F> visitor{v, f};
    std::visit([&](const auto& message) { visitor.visit(message); }, m.message);
}

} // namespace moqlite::wire::lite
