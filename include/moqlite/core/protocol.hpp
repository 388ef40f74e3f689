// What two ends agreed to speak, and what of it a user of either protocol's session has to know.
#pragma once

#include <cstdint>
#include <moqlite/core/version.hpp>
#include <moqlite/wire/frame_format.hpp>
#include <optional>

namespace moqlite {

/// A protocol and its version. The capabilities of moq-lite are asked of a `version`, which only lite() gives: they
/// cannot be asked of another protocol by accident.
class protocol {
public:
    /// moq-lite.
    constexpr protocol(version v) noexcept : lite_(true), number_(static_cast<std::uint8_t>(v)) {}
    /// IETF moq-transport, by the number of its draft.
    [[nodiscard]] static constexpr protocol moqt(std::uint8_t draft) noexcept { return {false, draft}; }

    /// nullopt: it is not moq-lite.
    [[nodiscard]] constexpr std::optional<version> lite() const noexcept {
        return lite_ ? std::optional{static_cast<version>(number_)} : std::nullopt;
    }
    /// nullopt: it is not moq-transport.
    [[nodiscard]] constexpr std::optional<std::uint8_t> draft() const noexcept {
        return lite_ ? std::nullopt : std::optional{number_};
    }
    friend constexpr bool operator==(const protocol&, const protocol&) = default;

private:
    constexpr protocol(bool lite, std::uint8_t number) noexcept : lite_(lite), number_(number) {}
    bool lite_;
    std::uint8_t number_;
};

/// What a session of either protocol can do, as its version has it: for users that hold an any_session.
struct protocol_features {
    frame_format frames{};      ///< Of its group streams.
    bool track_info = false;    ///< request_track() has an answer.
    bool subscribe_end = false; ///< A publisher reports where a track ends, before the subscription does.
    bool operator==(const protocol_features&) const = default;
};

[[nodiscard]] constexpr protocol_features features_of(version v) noexcept {
    return {.frames = frames_of(v), .track_info = has_track_info(v), .subscribe_end = has_subscribe_end(v)};
}

} // namespace moqlite
