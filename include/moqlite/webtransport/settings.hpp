// HTTP/3 SETTINGS (RFC 9114 §7.2.4) for WebTransport: those that we send, those that a peer must send, and how ours are
// added to those of an HTTP/3 library that does not know them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/result.hpp>
#include <moqlite/webtransport/detail/partial_varint.hpp>
#include <moqlite/webtransport/error.hpp>
#include <moqlite/wire/reader.hpp>
#include <moqlite/wire/writer.hpp>
#include <string_view>
#include <vector>

namespace moqlite::webtransport {

/// The type of the unidirectional stream that carries SETTINGS, and their frame type.
inline constexpr std::uint64_t control_stream_type = 0x00;
inline constexpr std::uint64_t settings_frame_type = 0x04;

/// Maximum size of a peer's SETTINGS.
inline constexpr std::size_t settings_size_max = 4096;

/// Each generation of drafts announces WebTransport by its own setting.
enum class setting_id : std::uint64_t {
    enable_connect_protocol = 0x08,         ///< RFC 9220; sent by a server.
    h3_datagram = 0x33,                     ///< RFC 9297.
    h3_datagram_draft04 = 0xffd277,         ///< Its predecessor.
    enable_webtransport = 0x2b603742,       ///< WebTransport drafts 02 to 06.
    webtransport_max_sessions = 0xc671706a, ///< Drafts 07 to 12.
    wt_max_sessions = 0x14e9cd29,           ///< Drafts 13 and 14.
    wt_enabled = 0x2c7cf000,                ///< Drafts 15 and 16.
};

struct setting {
    setting_id id{};
    std::uint64_t value = 0;
    bool operator==(const setting&) const = default;
};

/// Sent by client and server in addition to enable_connect_protocol (server) and h3_datagram (both), which the HTTP/3
/// library sends. No value is above 1: more than one session would enable flow control for each.
inline constexpr std::array<setting, 5> added_settings{{
    {setting_id::enable_webtransport, 1},
    {setting_id::webtransport_max_sessions, 1},
    {setting_id::wt_max_sessions, 1},
    {setting_id::wt_enabled, 1},
    {setting_id::h3_datagram_draft04, 1},
}};

/// A peer's settings; 0: not sent.
struct settings {
    std::uint64_t enable_connect_protocol = 0;
    std::uint64_t h3_datagram = 0;
    std::uint64_t h3_datagram_draft04 = 0;
    std::uint64_t enable_webtransport = 0;
    std::uint64_t webtransport_max_sessions = 0;
    std::uint64_t wt_max_sessions = 0;
    std::uint64_t wt_enabled = 0;
    bool operator==(const settings&) const = default;
};

/// A feature that WebTransport requires and the peer lacks.
enum class missing_feature : std::uint8_t { none, http_datagrams, quic_datagrams, webtransport, extended_connect };

/// A client checks this before it sends CONNECT: the server's SETTINGS and its max_datagram_frame_size, a QUIC
/// transport parameter.
[[nodiscard]] missing_feature missing_in_server(const settings& peer, std::uint64_t max_datagram_frame_size) noexcept;

/// A server checks this before it accepts a CONNECT. A client need not announce WebTransport: it requests it.
[[nodiscard]] missing_feature missing_in_client(const settings& peer) noexcept;

/// The `:protocol` of a CONNECT that the server understands. Precondition: the server lacks nothing.
[[nodiscard]] std::string_view connect_protocol(const settings& peer) noexcept;

/// Whether the `:protocol` of a CONNECT asks for WebTransport.
[[nodiscard]] constexpr bool is_webtransport(std::string_view protocol) noexcept {
    return protocol == "webtransport" || protocol == "webtransport-h3";
}

/// Adds `added_settings` to the first bytes that an HTTP/3 library writes to its control stream: the stream's type, all
/// of the SETTINGS, and whatever follows. Settings that are already there are not repeated. An error: the bytes are
/// malformed.
[[nodiscard]] result<std::vector<std::byte>> with_added_settings(byte_view first_burst);

/// A stable lower-case name, for logs.
[[nodiscard]] constexpr std::string_view to_string(missing_feature f) noexcept {
    switch (f) {
    case missing_feature::none: return "none";
    case missing_feature::http_datagrams: return "http_datagrams";
    case missing_feature::quic_datagrams: return "quic_datagrams";
    case missing_feature::webtransport: return "webtransport";
    case missing_feature::extended_connect: return "extended_connect";
    }
    return "unknown";
}

/// Reads a peer's SETTINGS beside the HTTP/3 library, which gets the same bytes.
class settings_reader {
public:
    /// The next bytes of the peer's control stream, from its type on. Ignores everything after the SETTINGS. The first
    /// violation sticks.
    violation receive(byte_view in) noexcept {
        while (error_ == violation::none && step_ != step::done) {
            if (step_ < step::id) {
                const auto value = partial_.take(in);
                if (!value) break;
                read_head(*value);
            } else if (left_ == 0) {
                end();
            } else if (!read_entry(in)) {
                break;
            }
        }
        return error_;
    }

    /// nullptr until they are complete, and permanently after a violation.
    [[nodiscard]] const settings* received() const noexcept { return step_ == step::done ? &received_ : nullptr; }
    [[nodiscard]] violation error() const noexcept { return error_; }

private:
    enum class step : std::uint8_t { stream_type, frame_type, length, id, value, done };

    void read_head(std::uint64_t value) noexcept {
        switch (step_) {
        case step::stream_type:
            if (value != control_stream_type) error_ = violation::missing_settings;
            step_ = step::frame_type;
            return;
        case step::frame_type:
            if (value != settings_frame_type) error_ = violation::missing_settings;
            step_ = step::length;
            return;
        case step::length:
        case step::id:
        case step::value:
        case step::done:
            if (value > settings_size_max) error_ = violation::settings_too_long;
            left_ = as_size(value);
            step_ = step::id;
        }
    }

    /// False: more bytes are needed.
    bool read_entry(byte_view& in) noexcept {
        auto body = in.first(std::min(left_, in.size()));
        const auto value = partial_.take(body);
        const auto used = std::min(left_, in.size()) - body.size();
        left_ -= used;
        in = in.subspan(used);
        if (!value) return left_ == 0;
        if (step_ == step::value) error_ = keep(id_, *value);
        id_ = setting_id{*value};
        step_ = step_ == step::id ? step::value : step::id;
        return true;
    }

    void end() noexcept {
        if (step_ == step::id && !partial_.begun())
            step_ = step::done;
        else
            error_ = violation::settings_truncated;
    }

    violation keep(setting_id id, std::uint64_t value) noexcept {
        switch (id) {
        case setting_id::enable_connect_protocol: return keep_flag(received_.enable_connect_protocol, 0, value);
        case setting_id::h3_datagram: return keep_flag(received_.h3_datagram, 1, value);
        case setting_id::h3_datagram_draft04: return keep_flag(received_.h3_datagram_draft04, 2, value);
        case setting_id::enable_webtransport: return keep_flag(received_.enable_webtransport, 3, value);
        case setting_id::wt_enabled: return keep_flag(received_.wt_enabled, 4, value);
        case setting_id::webtransport_max_sessions: return keep_count(received_.webtransport_max_sessions, 5, value);
        case setting_id::wt_max_sessions: return keep_count(received_.wt_max_sessions, 6, value);
        }
        return violation::none; // Unknown, or greasing.
    }
    violation keep_flag(std::uint64_t& where, unsigned bit, std::uint64_t value) noexcept {
        return value > 1 ? violation::bad_setting : keep_count(where, bit, value);
    }
    violation keep_count(std::uint64_t& where, unsigned bit, std::uint64_t value) noexcept {
        if ((seen_ >> bit & 1) != 0) return violation::duplicate_setting;
        seen_ |= 1u << bit;
        where = value;
        return violation::none;
    }

    settings received_;
    detail::partial_varint partial_;
    std::size_t left_ = 0; ///< Bytes of the SETTINGS not received yet.
    setting_id id_{};
    unsigned seen_ = 0; ///< A bit for each known id.
    step step_ = step::stream_type;
    violation error_ = violation::none;
};

[[nodiscard]] inline missing_feature missing_in_client(const settings& peer) noexcept {
    return peer.h3_datagram == 1 || peer.h3_datagram_draft04 == 1 ? missing_feature::none
                                                                  : missing_feature::http_datagrams;
}

namespace detail {
/// The drafts up to 14.
[[nodiscard]] inline bool has_legacy_settings(const settings& peer) noexcept {
    return peer.enable_webtransport == 1 || peer.webtransport_max_sessions > 0 || peer.wt_max_sessions > 0;
}
} // namespace detail

[[nodiscard]] inline missing_feature missing_in_server(
    const settings& peer, std::uint64_t max_datagram_frame_size) noexcept {
    if (!detail::has_legacy_settings(peer) && peer.wt_enabled != 1) return missing_feature::webtransport;
    if (peer.enable_connect_protocol != 1) return missing_feature::extended_connect;
    if (missing_in_client(peer) != missing_feature::none) return missing_feature::http_datagrams;
    if (max_datagram_frame_size == 0) return missing_feature::quic_datagrams;
    return missing_feature::none;
}

[[nodiscard]] inline std::string_view connect_protocol(const settings& peer) noexcept {
    // A server that announces both accepts both; many know only the old one.
    return detail::has_legacy_settings(peer) ? "webtransport" : "webtransport-h3";
}

[[nodiscard]] inline result<std::vector<std::byte>> with_added_settings(byte_view first_burst) {
    wire::reader in{first_burst};
    const auto stream_type = in.varint();
    const auto frame_type = in.varint();
    const auto body = in.bytes(in.varint());
    if (in.error() != errc::ok) return in.error();
    if (stream_type != control_stream_type) return errc::unknown_stream_type;
    if (frame_type != settings_frame_type) return errc::unexpected_message;

    std::array<bool, added_settings.size()> present{};
    for (wire::reader entries{body}; entries.finish() == errc::message_too_long;) {
        const setting_id id{entries.varint()};
        static_cast<void>(entries.varint());
        if (entries.error() != errc::ok) return entries.error();
        for (std::size_t i = 0; i < present.size(); ++i) present[i] = present[i] || added_settings[i].id == id;
    }

    std::vector<std::byte> bytes;
    wire::writer out{bytes};
    out.varint(control_stream_type);
    out.varint(settings_frame_type);
    out.prefixed([&] {
        out.bytes(body);
        for (std::size_t i = 0; i < present.size(); ++i) {
            if (present[i]) continue;
            out.varint(static_cast<std::uint64_t>(added_settings[i].id));
            out.varint(added_settings[i].value);
        }
    });
    out.bytes(in.rest());
    return bytes;
}

} // namespace moqlite::webtransport
