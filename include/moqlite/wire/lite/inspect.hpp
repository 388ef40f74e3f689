// Decodes one direction of a stream, or a datagram, message by message, in all versions. It knows the order of messages
// on a stream, but no state that a session keeps across streams.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/wire/lite/announce.hpp>
#include <moqlite/wire/lite/codec.hpp>
#include <moqlite/wire/lite/datagram.hpp>
#include <moqlite/wire/lite/fetch.hpp>
#include <moqlite/wire/lite/frame.hpp>
#include <moqlite/wire/lite/goaway.hpp>
#include <moqlite/wire/lite/group.hpp>
#include <moqlite/wire/lite/probe.hpp>
#include <moqlite/wire/lite/setup.hpp>
#include <moqlite/wire/lite/stream_type.hpp>
#include <moqlite/wire/lite/subscribe.hpp>
#include <moqlite/wire/lite/subscribe_response.hpp>
#include <moqlite/wire/lite/track.hpp>
#include <moqlite/wire/message.hpp>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace moqlite::wire::lite {

enum class carrier : std::uint8_t { bidi, uni, datagram };
enum class sender : std::uint8_t { publisher, subscriber };

/// A FRAME with its payload.
struct frame {
    std::int64_t delta = 0; ///< 0 where the version has no timestamps.
    timestamp time{};       ///< The frame's timestamp: the sum of all deltas so far.
    byte_view payload = {};
};

using any_message = std::variant<bidi_type, uni_type, setup, announce_request, announce_ok, announce, announce_start,
    announce_end, announce_update, unknown_announcement, subscribe, subscribe_update, subscribe_ok, subscribe_end,
    subscribe_drop, track, track_info, fetch, group_header, frame, probe, goaway, datagram>;

/// One message, or the stream's type. Views in it alias the input.
struct inspected {
    std::uint64_t offset = 0; ///< Position in the direction's bytes.
    std::size_t size = 0;     ///< Total size: type, length, body.
    any_message message;
    std::uint64_t announce_id = 0; ///< The implicit id of an ANNOUNCE_START.
};

/// Describes the bytes to inspect.
struct inspection {
    version dialect = version::lite_05;
    carrier kind = carrier::bidi;
    sender from = sender::subscriber;
    /// The request that these bytes of a bidirectional stream answer; nullopt: they begin with the stream's type.
    std::optional<bidi_type> answers = {};
};

/// Parses the messages of one direction, in order. It keeps no bytes: pass it those that follow what it has consumed,
/// few or many.
class inspector {
public:
    explicit inspector(const inspection& what, const limits& bounds = default_limits) noexcept
        : what_(what), bounds_(bounds), bidi_(what.answers) {}

    /// Parses the message that begins `in`; need_more if it is incomplete; or an error, which no further bytes can
    /// mend. A datagram has no length of its own: it is all of `in`.
    [[nodiscard]] taken<inspected> next(byte_view in) noexcept {
        auto found = in.empty() && what_.kind != carrier::datagram ? taken<inspected>{} : take(in);
        if (!found) return found;
        found.value.offset = offset_;
        offset_ += found->size;
        return found;
    }

    /// True if the sender may end here: no message has to follow.
    [[nodiscard]] bool may_end() const noexcept {
        if (what_.kind == carrier::datagram) return messages_ != 0;
        if (what_.kind == carrier::uni) return uni_ && messages_ != 0;
        if (what_.answers) return true; // A publisher may always end a request without an answer.
        return bidi_ && (messages_ != 0 || bidi_ == bidi_type::probe);
    }

    /// Bytes consumed so far: where a message that next() rejects begins.
    [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }

private:
    [[nodiscard]] taken<inspected> take(byte_view in) noexcept {
        switch (what_.kind) {
        case carrier::datagram: return take_datagram(in);
        case carrier::uni: return uni_ ? take_uni(in) : take_type(in, uni_, take_uni_type(what_.dialect, in));
        case carrier::bidi: break;
        }
        if (!bidi_) return take_type(in, bidi_, take_bidi_type(what_.dialect, in));
        return what_.answers ? take_answer(in) : take_request(in);
    }

    /// A publisher opens streams for groups and GOAWAY; a subscriber opens none for groups.
    [[nodiscard]] bool opens(bidi_type type) const noexcept {
        return what_.from == sender::subscriber || type == bidi_type::goaway;
    }
    [[nodiscard]] bool opens(uni_type type) const noexcept {
        return what_.from == sender::publisher || type == uni_type::setup;
    }

    template <class Type>
    [[nodiscard]] taken<inspected> take_type(
        byte_view, std::optional<Type>& kept, const taken<stream_prefix<Type>>& type) noexcept {
        if (type.status == progress::error) return type.error;
        if (!type) return {};
        if (!opens(type->type)) return errc::unexpected_stream;
        kept = type->type;
        return inspected{.size = type->size, .message = type->type};
    }

    [[nodiscard]] taken<inspected> take_datagram(byte_view in) noexcept {
        if (messages_ != 0) return errc::unexpected_message;
        return done(decode<datagram>(what_.dialect, in, bounds_), in.size());
    }

    [[nodiscard]] taken<inspected> take_uni(byte_view in) noexcept {
        if (uni_ == uni_type::setup) return messages_ != 0 ? errc::duplicate_setup : take_one<setup>(in);
        return messages_ != 0 ? take_frame(in) : take_one<group_header>(in);
    }

    [[nodiscard]] taken<inspected> take_request(byte_view in) noexcept {
        switch (*bidi_) {
        case bidi_type::announce: return take_only<announce_request>(in);
        case bidi_type::subscribe: return messages_ != 0 ? take_one<subscribe_update>(in) : take_one<subscribe>(in);
        case bidi_type::fetch: return take_only<fetch>(in);
        case bidi_type::probe: return take_one<probe>(in); // Some subscribers send a target bitrate.
        case bidi_type::goaway: return take_only<goaway>(in);
        case bidi_type::track: return take_only<track>(in);
        }
        return errc::unknown_stream_type;
    }

    [[nodiscard]] taken<inspected> take_answer(byte_view in) noexcept {
        switch (*bidi_) {
        case bidi_type::announce:
            if (has_announce_ok(what_.dialect) && messages_ == 0) return take_one<announce_ok>(in);
            return has_typed_announces(what_.dialect) ? take_announcement(in) : take_one<announce>(in);
        case bidi_type::subscribe: return take_subscribe_response(in);
        case bidi_type::fetch: return take_frame(in);
        case bidi_type::probe: return take_one<probe>(in);
        case bidi_type::goaway: return errc::unexpected_message; // It has no answer.
        case bidi_type::track: return take_only<track_info>(in);
        }
        return errc::unknown_stream_type;
    }

    /// An M that no message may follow.
    template <class M>
    [[nodiscard]] taken<inspected> take_only(byte_view in) noexcept {
        if (messages_ != 0) return errc::unexpected_message;
        return take_one<M>(in);
    }

    template <class M>
    [[nodiscard]] taken<inspected> take_one(byte_view in) noexcept {
        const auto message = take_message(what_.dialect, in, bounds_.control_message);
        if (message.status == progress::error) return message.error;
        if (!message) return {};
        return done(decode<M>(what_.dialect, message->body, bounds_), message->size);
    }

    [[nodiscard]] taken<inspected> take_announcement(byte_view in) noexcept {
        const auto message = take_typed_message(what_.dialect, in, bounds_.control_message);
        if (message.status == progress::error) return message.error;
        if (!message) return {};
        if (message->type >= announcement_types) {
            ++messages_;
            return inspected{.size = message->size, .message = unknown_announcement{message->type, message->body}};
        }
        auto out = done(decode_announcement(what_.dialect, *message, bounds_), message->size);
        if (out && std::holds_alternative<announce_start>(out->message)) out.value.announce_id = started_++;
        return out;
    }

    [[nodiscard]] taken<inspected> take_subscribe_response(byte_view in) noexcept {
        const auto types = subscribe_response_types(what_.dialect);
        const auto message = take_typed_message(what_.dialect, in, bounds_.control_message, types);
        if (message.status == progress::error) return message.error;
        if (!message) return {};
        const auto response = decode_subscribe_response(what_.dialect, *message, bounds_);
        if (response)
            if (const auto* drop = std::get_if<subscribe_drop>(&*response); drop != nullptr && drop->end < drop->start)
                return errc::group_out_of_range;
        return done(response, message->size);
    }

    [[nodiscard]] taken<inspected> take_frame(byte_view in) noexcept {
        const auto header = take_frame_header(what_.dialect, in, bounds_.frame);
        if (header.status == progress::error) return header.error;
        if (!header) return {};
        const auto time = apply_delta(time_, header->delta);
        if (!time) return errc::timestamp_out_of_range;
        const auto rest = in.subspan(header->consumed);
        if (rest.size() < header->size) return {};
        const auto size = static_cast<std::size_t>(header->size);
        time_ = *time;
        ++messages_;
        return inspected{.size = header->consumed + size, .message = frame{header->delta, *time, rest.first(size)}};
    }

    template <class M>
    [[nodiscard]] taken<inspected> done(const result<M>& decoded, std::size_t size) noexcept {
        if (!decoded) return decoded.error();
        ++messages_;
        if constexpr (std::is_constructible_v<any_message, const M&>)
            return inspected{.size = size, .message = *decoded};
        else
            return inspected{
                .size = size, .message = std::visit([](const auto& m) { return any_message{m}; }, *decoded)};
    }

    inspection what_;
    limits bounds_;
    std::optional<bidi_type> bidi_;
    std::optional<uni_type> uni_;
    std::uint64_t offset_ = 0;
    std::uint64_t messages_ = 0; ///< Messages after the stream's type.
    std::uint64_t started_ = 0;  ///< Number of ANNOUNCE_STARTs.
    timestamp time_{};           ///< Timestamp of the previous frame.
};

/// How the bytes of a direction end.
enum class ending : std::uint8_t {
    whole,      ///< After a message, where the sender may end.
    incomplete, ///< Inside a message, or before one that has to follow.
    malformed,  ///< With bytes that break a rule.
};

struct inspection_end {
    ending how = ending::whole;
    errc error = errc::ok;    ///< The rule that was broken.
    std::uint64_t offset = 0; ///< Where the missing or malformed part begins; if whole, the number of bytes.

    friend constexpr bool operator==(const inspection_end&, const inspection_end&) = default;
};

/// Calls `each` with every message in `in`, in order, and returns how the bytes end.
template <class F>
inspection_end inspect(const inspection& what, byte_view in, F&& each, const limits& bounds = default_limits) {
    inspector direction{what, bounds};
    while (true) {
        const auto found = direction.next(in);
        if (found.status == progress::error) return {ending::malformed, found.error, direction.offset()};
        if (!found) break;
        in = in.subspan(found->size);
        each(*found);
        if (in.empty()) break;
    }
    const bool whole = in.empty() && direction.may_end();
    return {whole ? ending::whole : ending::incomplete, errc::ok, direction.offset()};
}

} // namespace moqlite::wire::lite
