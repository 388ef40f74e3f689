// The drafts of IETF moq-transport, as data: one row each. Code asks for a property of the row, never for its number.
#pragma once

#include <array>
#include <cstdint>
#include <moqlite/wire/integers.hpp>
#include <string_view>

namespace moqlite::wire::moqt {

/// What a draft does differently from the others.
struct draft {
    std::uint8_t number = 14;
    std::string_view alpn{}; ///< Of native QUIC, and the WebTransport sub-protocol.
    integers form = integers::quic;
    bool delta_types = false; ///< Parameters and extensions carry the difference to the type before.
    /// Each request has a bidirectional stream, on which answers need not name it, and both sides have a control stream
    /// that begins with SETUP. Else one bidirectional stream carries everything.
    bool request_streams = false;
    /// The type of a parameter says its form, and in which messages it may be; an unknown one breaks the protocol. What
    /// is not given is left out. Else pairs of any type may be anywhere, and what is always given is a field.
    bool typed_parameters = false;
    bool track_properties = false; ///< What a track is like is told to the end of messages.
    bool fetch_deltas = false;     ///< An object of a FETCH says by flags what it shares with the one before.
    bool default_priority = false; ///< A stream or datagram may leave out its priority.
    bool missing_objects = false;  ///< An object may say that it does not exist.
};

inline constexpr draft draft_14{.number = 14, .alpn = "moq-00", .form = integers::quic, .missing_objects = true};
inline constexpr draft draft_18{.number = 18,
    .alpn = "moqt-18",
    .form = integers::leading_ones,
    .delta_types = true,
    .request_streams = true,
    .typed_parameters = true,
    .track_properties = true,
    .fetch_deltas = true,
    .default_priority = true};
inline constexpr std::array drafts{draft_14, draft_18};

/// The version in CLIENT_SETUP and SERVER_SETUP, up to draft-14.
[[nodiscard]] constexpr std::uint64_t setup_version(const draft& d) noexcept { return 0xff000000u + d.number; }

/// What peers write against their draft, and we read where the switch is on. What we write is always the draft's.
struct quirks {
    bool empty_prefix = true;          ///< SUBSCRIBE_NAMESPACE with a prefix of no fields (moq-net): everything.
    bool namespace_by_request = false; ///< UNSUBSCRIBE_NAMESPACE with the request's id instead of its prefix (moq-net).
    bool moqtail_track_status = false; ///< The layouts of TRACK_STATUS and its answers in moqtail-ts.
    bool moqtail_switch = false;       ///< The private message SWITCH (moqtail).
};

/// A draft, and the quirks that are read.
struct dialect {
    draft rules = draft_14;
    quirks reads{};
};

} // namespace moqlite::wire::moqt
