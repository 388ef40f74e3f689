// Finds the messages and objects in the bytes of one direction of a stream, or of a datagram, for tools.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/wire/lite/inspect.hpp>
#include <moqlite/wire/moqt/datagram.hpp>
#include <moqlite/wire/moqt/fetch_stream.hpp>
#include <moqlite/wire/moqt/message.hpp>
#include <moqlite/wire/moqt/subgroup.hpp>
#include <optional>
#include <variant>

namespace moqlite::wire::moqt {

using lite::carrier;
using lite::ending;
using lite::inspection_end;

struct inspection {
    dialect read{};
    /// bidi: the control stream, or (draft-18) a request's; uni: objects, or (draft-18) a control stream.
    carrier kind = carrier::bidi;
};

/// An object of a subgroup with its payload.
struct subgroup_object {
    object_header header{};
    byte_view payload = {};
};
/// One of a FETCH.
struct fetch_object {
    fetched_object header{};
    byte_view payload = {};
};

/// What was found: it aliases the input.
struct inspected {
    std::uint64_t offset = 0; ///< Of its first byte.
    std::size_t size = 0;
    std::variant<any_message, subgroup_header, subgroup_object, fetch_header, fetch_object, object_datagram> what{};
};

/// Takes the messages of one direction one by one; whatever is complete.
class inspector {
public:
    explicit inspector(const inspection& what, const limits& bounds = default_limits) : what_(what), bounds_(bounds) {}

    /// The message at the front of `in`, which begins at offset(). After an error, call it no more.
    [[nodiscard]] taken<inspected> next(byte_view in) {
        auto found = take(in);
        if (!found) return found;
        found.value.offset = offset_;
        offset_ += found->size;
        return found;
    }
    /// Of the first byte that next() has not consumed.
    [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
    /// Its sender may end here.
    [[nodiscard]] bool may_end() const noexcept { return offset_ != 0; }

private:
    [[nodiscard]] const draft& rules() const noexcept { return what_.read.rules; }

    [[nodiscard]] taken<inspected> take(byte_view in) {
        switch (what_.kind) {
        case carrier::bidi: return take_control(in);
        case carrier::datagram: return take_datagram(in);
        case carrier::uni: break;
        }
        if (is_control_) return take_control(in);
        if (subgroup_) return take_object(in);
        return fetch_ ? take_fetched(in) : take_header(in);
    }

    [[nodiscard]] taken<inspected> take_control(byte_view in) const {
        const auto message = take_message(rules(), in);
        if (!message) return {};
        const auto decoded = decode_message(what_.read, *message, bounds_);
        if (!decoded) return decoded.error();
        return inspected{.size = message->size, .what = *decoded};
    }

    [[nodiscard]] taken<inspected> take_datagram(byte_view in) const {
        if (offset_ != 0) return errc::message_too_long;
        const auto decoded = decode_datagram(rules(), in);
        if (!decoded) return decoded.error();
        return inspected{.size = in.size(), .what = *decoded};
    }

    [[nodiscard]] taken<inspected> take_header(byte_view in) {
        auto rest = in;
        const auto type = read_integer(rules().form, rest);
        if (type == setup::type && rules().request_streams) return is_control_ = true, take_control(in);
        if (const auto header = take_fetch_header(rules(), in); header.error != errc::unknown_stream_type) {
            if (!header) return {};
            fetch_ = *header;
            return inspected{.size = header->consumed, .what = *header};
        }
        const auto header = take_subgroup_header(rules(), in);
        if (header.status == progress::error) return header.error;
        if (!header) return {};
        subgroup_ = *header;
        return inspected{.size = header->consumed, .what = *header};
    }

    /// `header` and the payload behind it, as an Object.
    template <class Object, class Header>
    [[nodiscard]] static taken<inspected> with_payload(const taken<Header>& header, byte_view in) {
        if (header.status == progress::error) return header.error;
        if (!header) return {};
        const auto rest = in.subspan(header->consumed);
        if (rest.size() < header->size) return {};
        const auto size = as_size(header->size);
        return inspected{.size = header->consumed + size, .what = Object{*header, rest.first(size)}};
    }

    [[nodiscard]] taken<inspected> take_object(byte_view in) {
        const auto header = take_object_header(rules(), *subgroup_, object_, in, bounds_);
        const auto found = with_payload<subgroup_object>(header, in);
        if (found) object_ = header->object;
        return found;
    }

    [[nodiscard]] taken<inspected> take_fetched(byte_view in) {
        const auto header = take_fetched_object(rules(), before_, in, bounds_);
        const auto found = with_payload<fetch_object>(header, in);
        if (found) before_.note(*header);
        return found;
    }

    inspection what_;
    limits bounds_;
    std::uint64_t offset_ = 0;
    std::optional<subgroup_header> subgroup_;
    std::optional<fetch_header> fetch_;
    std::optional<object_id> object_; ///< The last one.
    fetch_cursor before_;
    bool is_control_ = false; ///< A control stream in one direction.
};

/// Calls `each` with everything in `in`, in order, and returns how the bytes end.
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

} // namespace moqlite::wire::moqt
