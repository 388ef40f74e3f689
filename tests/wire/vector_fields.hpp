// The "fields" of a recorded message, as the message that they describe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <hex.hpp>
#include <moqlite/core/path.hpp>
#include <moqlite/wire/lite/print.hpp>
#include <moqlite/wire/lite/stream_type.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::test {

/// A signed number. Beyond 2^53 it is text, or was rounded by JavaScript.
[[nodiscard]] inline std::int64_t vector_signed(const nlohmann::json& n) {
    if (n.is_string()) return std::stoll(n.get<std::string>());
    const auto value = n.get<std::int64_t>();
    constexpr std::int64_t exact = std::int64_t{1} << 53;
    return value > -exact && value < exact ? value : static_cast<std::int64_t>(static_cast<double>(value));
}

/// A number that is not negative; up to 2^53 as a number, beyond as text.
[[nodiscard]] inline std::uint64_t vector_number(const nlohmann::json& n) {
    if (n.is_string()) return std::stoull(n.get<std::string>());
    return n.get<std::uint64_t>();
}

/// Builds messages from fields; their views last as long as this and the fields.
class vector_fields {
public:
    vector_fields(const nlohmann::json& fields, version v) : fields_(fields), version_(v) {}

    template <class M>
    [[nodiscard]] M as() {
        M m{};
        fill(m);
        return m;
    }

    /// `m` with each path normalised, which other implementations do as they decode.
    template <class M>
    [[nodiscard]] M normalised(M m) {
        if constexpr (requires { m.prefix; }) m.prefix = normal(m.prefix);
        if constexpr (requires { m.suffix; }) m.suffix = normal(m.suffix);
        if constexpr (requires { m.broadcast; }) m.broadcast = normal(m.broadcast);
        // SETUP's entries omit the cost, which some implementations ignore.
        if constexpr (requires { m.cost.reset(); })
            if (!fields_.contains("cost")) m.cost.reset();
        return m;
    }

private:
    [[nodiscard]] std::string_view text(const char* name) { return fields_.at(name).get_ref<const std::string&>(); }
    [[nodiscard]] std::uint64_t number(const char* name) const { return vector_number(fields_.at(name)); }
    /// 0 and missing are the same.
    [[nodiscard]] std::uint64_t number_or_0(const char* name) const {
        return fields_.contains(name) && !fields_.at(name).is_null() ? number(name) : 0;
    }
    [[nodiscard]] std::optional<std::uint64_t> optional(const char* name) const {
        if (!fields_.contains(name) || fields_.at(name).is_null()) return std::nullopt;
        return number(name);
    }
    template <class Id>
    [[nodiscard]] std::optional<Id> optional_id(const char* name) const {
        const auto n = optional(name);
        return n ? std::optional{Id{*n}} : std::nullopt;
    }
    /// Where Max Age decides about the start, 0 is no floor.
    [[nodiscard]] std::optional<group_sequence> start() const {
        if (has_start_by_age(version_) && number("start_group") == 0) return std::nullopt;
        return optional_id<group_sequence>("start_group");
    }
    [[nodiscard]] route_cost cost() const { return {number("warm_cost"), number("cold_cost")}; }
    [[nodiscard]] bool boolean(const char* name) const { return fields_.at(name).get<bool>(); }
    [[nodiscard]] std::uint8_t byte(const char* name) const { return static_cast<std::uint8_t>(number(name)); }

    [[nodiscard]] wire::lite::hop_list hops() const {
        wire::lite::hop_list out;
        for (std::uint64_t i = 0; i < number_or_0("hop_count"); ++i) static_cast<void>(out.push_back(hop_id{0}));
        if (fields_.contains("hop_ids"))
            for (const auto& hop : fields_.at("hop_ids")) static_cast<void>(out.push_back(hop_id{vector_number(hop)}));
        return out;
    }

    [[nodiscard]] subscribe_options options() const {
        return {.priority = byte("priority"),
            .ordered = has_ordered(version_) && boolean("ordered"),
            .max_age = milliseconds{number("max_latency_ms")},
            .start = start(),
            .end = optional_id<group_sequence>("end_group"),
            .frame_start = object_id{number_or_0("start_frame")},
            .frame_end = optional_id<object_id>("end_frame")};
    }

    [[nodiscard]] std::string_view normal(std::string_view path) { return kept_.emplace_back(path::normalise(path)); }

    void fill(wire::lite::setup& m) {
        m.probe = static_cast<wire::lite::probe_level>(number_or_0("probe"));
        if (!fields_.at("path").is_null()) m.path = text("path");
        m.role = static_cast<wire::lite::peer_role>(number_or_0("role"));
        m.cost = optional("cost");
        m.origin = hop_id{number_or_0("origin")};
    }
    void fill(wire::lite::announce_request& m) {
        m = {text("prefix"), hop_id{number_or_0("exclude_hop")}, has_hidden(version_) && boolean("hidden")};
    }
    void fill(wire::lite::announce_ok& m) { m = {hop_id{number("hop_id")}, number("active_count")}; }
    void fill(wire::lite::announce& m) {
        const auto status = text("status");
        const bool active = status == "active";
        m.status = active ? wire::lite::announce_status::active : wire::lite::announce_status::ended;
        // Anything else does not decode.
        m.suffix = active || status == "ended" ? text("suffix") : "unknown status";
        m.hops = hops();
    }
    [[nodiscard]] wire::lite::announce_base base(const char* distance, const char* keep) const {
        return {number_or_0(distance), number_or_0(keep)};
    }
    void fill(wire::lite::announce_start& m) {
        m = {text("suffix"), hops(), cost(), base("path_base", "path_keep"), base("hop_base", "hop_keep")};
    }
    void fill(wire::lite::announce_end& m) { m = {number("announce_id")}; }
    void fill(wire::lite::announce_update& m) {
        m = {number("announce_id"), hops(), cost(), base("hop_base", "hop_keep")};
    }
    void fill(wire::lite::subscribe& m) { m = {number("subscribe_id"), text("broadcast"), text("track"), options()}; }
    void fill(wire::lite::subscribe_update& m) { m = {options()}; }
    void fill(wire::lite::subscribe_ok& m) {
        if (has_options_in_ok(version_))
            m.options = options();
        else
            m.group = group_sequence{number("group")};
    }
    void fill(wire::lite::subscribe_end& m) { m = {group_sequence{number("group")}, number_or_0("streams")}; }
    void fill(wire::lite::subscribe_drop& m) {
        // gomoqt writes the number after the group where all others write the group.
        const bool after = fields_.contains("start_group_plus_one");
        m = {group_sequence{number(after ? "start_group_plus_one" : "start_group")},
            group_sequence{number(after ? "end_group_plus_one" : "end_group")}, app_error{number("error_code")}};
    }
    void fill(wire::lite::track& m) { m = {text("broadcast"), text("track")}; }
    void fill(wire::lite::track_info& m) {
        m = {byte("priority"), has_ordered(version_) && boolean("ordered"), milliseconds{number("max_latency_ms")},
            number("timescale")};
    }
    void fill(wire::lite::fetch& m) {
        m = {text("broadcast"), text("track"), byte("priority"), group_sequence{number("group")},
            object_id{number_or_0("start_frame")}, optional_id<object_id>("end_frame")};
    }
    void fill(wire::lite::group_header& m) {
        m = {number("subscribe_id"), group_sequence{number("group")}, object_id{number_or_0("start_frame")}};
    }
    void fill(wire::lite::datagram& m) {
        payload_ = hex(text("payload"));
        m = {number("subscribe_id"), group_sequence{number("group")}, timestamp{number("timestamp")}, payload_};
    }
    void fill(wire::lite::probe& m) {
        m.bitrate = optional("bitrate");
        if (const auto rtt = optional("rtt_ms")) m.rtt = milliseconds{*rtt};
    }
    void fill(wire::lite::goaway& m) { m.uri = text("uri"); }

    const nlohmann::json& fields_;
    version version_;
    std::deque<std::string> kept_;
    std::vector<std::byte> payload_;
};

} // namespace moqlite::test
