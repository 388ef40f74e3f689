// Messages as one line of text, for tests and tools.
#pragma once

#include <cstdint>
#include <moqlite/wire/lite/announce.hpp>
#include <moqlite/wire/lite/datagram.hpp>
#include <moqlite/wire/lite/fetch.hpp>
#include <moqlite/wire/lite/frame.hpp>
#include <moqlite/wire/lite/goaway.hpp>
#include <moqlite/wire/lite/group.hpp>
#include <moqlite/wire/lite/probe.hpp>
#include <moqlite/wire/lite/setup.hpp>
#include <moqlite/wire/lite/subscribe.hpp>
#include <moqlite/wire/lite/subscribe_response.hpp>
#include <moqlite/wire/lite/track.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace moqlite::wire::lite {

namespace detail {

/// Builds `NAME{field=value, field=value}`. Text is quoted and its control characters become '?'.
class printer {
public:
    explicit printer(std::string_view name) : text_(name) { text_ += '{'; }

    template <class T>
    printer& field(std::string_view name, const T& value) {
        if (text_.back() != '{') text_ += ", ";
        text_.append(name) += '=';
        put(value);
        return *this;
    }

    printer& field(const subscribe_options& o) {
        return field("priority", o.priority)
            .field("ordered", o.ordered)
            .field("max_age", o.max_age)
            .field("start", o.start)
            .field("end", o.end)
            .field("frame_start", o.frame_start)
            .field("frame_end", o.frame_end);
    }

    [[nodiscard]] std::string done() { return text_ + '}'; }

private:
    template <class T>
    void put(const T& value) {
        if constexpr (std::is_same_v<T, bool>)
            text_ += value ? "true" : "false";
        else if constexpr (std::is_same_v<T, app_error>)
            text_ += std::to_string(static_cast<std::uint64_t>(value));
        else if constexpr (std::is_enum_v<T>)
            text_ += std::to_string(static_cast<std::underlying_type_t<T>>(value));
        else
            text_ += std::to_string(value);
    }

    template <class T>
    void put(const std::optional<T>& value) {
        if (value) return put(*value);
        text_ += "none";
    }

    void put(const announce_base& base) {
        text_.append(std::to_string(base.distance)).append(1, ':') += std::to_string(base.keep);
    }
    void put(milliseconds value) { text_.append(std::to_string(value.count())) += "ms"; }
    void put(byte_view value) { text_.append(std::to_string(value.size())) += " bytes"; }

    void put(std::string_view value) {
        text_ += '"';
        for (char c : value) text_ += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
        text_ += '"';
    }

    void put(const hop_list& hops) {
        text_ += '[';
        for (auto hop : hops) {
            if (text_.back() != '[') text_ += ' ';
            put(hop);
        }
        text_ += ']';
    }

    std::string text_;
};

} // namespace detail

[[nodiscard]] inline std::string to_string(const setup& m) {
    return detail::printer("SETUP")
        .field("probe", m.probe)
        .field("path", m.path)
        .field("role", m.role)
        .field("cost", m.cost)
        .field("origin", m.origin)
        .done();
}

[[nodiscard]] inline std::string to_string(const announce_request& m) {
    return detail::printer("ANNOUNCE_REQUEST")
        .field("prefix", m.prefix)
        .field("exclude_hop", m.exclude_hop)
        .field("hidden", m.hidden)
        .done();
}

[[nodiscard]] inline std::string to_string(const announce_ok& m) {
    return detail::printer("ANNOUNCE_OK").field("hop", m.hop).field("active_count", m.active_count).done();
}

[[nodiscard]] inline std::string to_string(const announce& m) {
    return detail::printer("ANNOUNCE")
        .field("active", m.status == announce_status::active)
        .field("suffix", m.suffix)
        .field("hops", m.hops)
        .done();
}

[[nodiscard]] inline std::string to_string(const announce_start& m) {
    return detail::printer("ANNOUNCE_START")
        .field("suffix", m.suffix)
        .field("hops", m.hops)
        .field("path_base", m.path_base)
        .field("hop_base", m.hop_base)
        .field("warm_cost", m.cost.warm)
        .field("cold_cost", m.cost.cold)
        .done();
}

[[nodiscard]] inline std::string to_string(const announce_end& m) {
    return detail::printer("ANNOUNCE_END").field("id", m.id).done();
}

[[nodiscard]] inline std::string to_string(const announce_update& m) {
    return detail::printer("ANNOUNCE_UPDATE")
        .field("id", m.id)
        .field("hops", m.hops)
        .field("hop_base", m.hop_base)
        .field("warm_cost", m.cost.warm)
        .field("cold_cost", m.cost.cold)
        .done();
}

[[nodiscard]] inline std::string to_string(const subscribe& m) {
    return detail::printer("SUBSCRIBE")
        .field("id", m.id)
        .field("broadcast", m.broadcast)
        .field("track", m.track)
        .field(m.options)
        .done();
}

[[nodiscard]] inline std::string to_string(const subscribe_update& m) {
    return detail::printer("SUBSCRIBE_UPDATE").field(m.options).done();
}

[[nodiscard]] inline std::string to_string(const subscribe_ok& m) {
    return detail::printer("SUBSCRIBE_OK").field("group", m.group).field(m.options).done();
}

[[nodiscard]] inline std::string to_string(const subscribe_end& m) {
    return detail::printer("SUBSCRIBE_END").field("group", m.group).field("streams", m.streams).done();
}

[[nodiscard]] inline std::string to_string(const subscribe_drop& m) {
    return detail::printer("SUBSCRIBE_DROP").field("start", m.start).field("end", m.end).field("code", m.code).done();
}

[[nodiscard]] inline std::string to_string(const track& m) {
    return detail::printer("TRACK").field("broadcast", m.broadcast).field("name", m.name).done();
}

[[nodiscard]] inline std::string to_string(const track_info& m) {
    return detail::printer("TRACK_INFO")
        .field("priority", m.priority)
        .field("ordered", m.ordered)
        .field("max_age", m.max_age)
        .field("timescale", m.timescale)
        .done();
}

[[nodiscard]] inline std::string to_string(const fetch& m) {
    return detail::printer("FETCH")
        .field("broadcast", m.broadcast)
        .field("track", m.track)
        .field("priority", m.priority)
        .field("group", m.group)
        .field("frame_start", m.frame_start)
        .field("frame_end", m.frame_end)
        .done();
}

[[nodiscard]] inline std::string to_string(const group_header& m) {
    return detail::printer("GROUP")
        .field("subscription", m.subscription)
        .field("sequence", m.sequence)
        .field("frame_start", m.frame_start)
        .done();
}

[[nodiscard]] inline std::string to_string(const frame_header& m) {
    return detail::printer("FRAME").field("delta", m.delta).field("size", m.size).done();
}

[[nodiscard]] inline std::string to_string(const datagram& m) {
    return detail::printer("DATAGRAM")
        .field("subscription", m.subscription)
        .field("sequence", m.sequence)
        .field("timestamp", m.timestamp)
        .field("payload", m.payload)
        .done();
}

[[nodiscard]] inline std::string to_string(const probe& m) {
    return detail::printer("PROBE").field("bitrate", m.bitrate).field("rtt", m.rtt).done();
}

[[nodiscard]] inline std::string to_string(const goaway& m) {
    return detail::printer("GOAWAY").field("uri", m.uri).done();
}

} // namespace moqlite::wire::lite
