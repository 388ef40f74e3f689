// The negotiated protocol, and the features of it that users of an any_session ask for.
#pragma once

#include <cstdint>
#include <moqlite/core/version.hpp>
#include <moqlite/wire/frame_format.hpp>
#include <optional>

namespace moqlite {

/// A protocol and its version; or none, between two ends in one process. The capabilities of moq-lite are predicates of
/// `version`, which only lite() returns, so that they cannot be applied to another protocol by accident.
class protocol {
public:
    /// moq-lite.
    constexpr protocol(version v) noexcept : kind_(kind::lite), number_(static_cast<std::uint8_t>(v)) {}
    /// IETF moq-transport, by the number of its draft.
    [[nodiscard]] static constexpr protocol moqt(std::uint8_t draft) noexcept { return {kind::moqt, draft}; }
    /// Of a local_session: nothing is encoded.
    [[nodiscard]] static constexpr protocol local() noexcept { return {kind::none, 0}; }

    /// nullopt: it is not moq-lite.
    [[nodiscard]] constexpr std::optional<version> lite() const noexcept {
        return kind_ == kind::lite ? std::optional{static_cast<version>(number_)} : std::nullopt;
    }
    /// nullopt: it is not moq-transport.
    [[nodiscard]] constexpr std::optional<std::uint8_t> draft() const noexcept {
        return kind_ == kind::moqt ? std::optional{number_} : std::nullopt;
    }
    friend constexpr bool operator==(const protocol&, const protocol&) = default;

private:
    enum class kind : std::uint8_t { none, lite, moqt };
    constexpr protocol(kind k, std::uint8_t number) noexcept : kind_(k), number_(number) {}
    kind kind_;
    std::uint8_t number_;
};

/// What the protocol and version of a session can do; for users of an any_session.
struct protocol_features {
    frame_format frames{};      ///< Of its group streams.
    bool track_info = false;    ///< request_track() is supported.
    bool subscribe_end = false; ///< A publisher sends the end of a track before the end of the subscription.
    bool frame_ranges = false;  ///< Some frames of a group can be requested, in fetch() and at the ends of subscribe().
    bool start_by_age = false;  ///< Without a Group Start, Max Age decides where a subscription begins.
    bool passes_on = false;     ///< The peer serves groups on: that it has one does not mean that a subscriber has it.
    bool operator==(const protocol_features&) const = default;
};

[[nodiscard]] constexpr protocol_features features_of(version v) noexcept {
    return {.frames = frames_of(v),
        .track_info = has_track_info(v),
        .subscribe_end = has_subscribe_end(v),
        .frame_ranges = has_frame_ranges(v),
        .start_by_age = has_start_by_age(v)};
}

} // namespace moqlite
