// What objects have in common on streams and in datagrams, draft-14 §10.2, draft-18 §11.2 ("extensions" are
// "properties" there).
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/wire/message.hpp>
#include <moqlite/wire/moqt/draft.hpp>
#include <moqlite/wire/moqt/key_values.hpp>
#include <moqlite/wire/reader.hpp>
#include <moqlite/wire/writer.hpp>

namespace moqlite::wire::moqt {

enum class object_status : std::uint8_t {
    normal = 0,
    does_not_exist = 1,
    end_of_group = 3, ///< Its id is one above the group's last object.
    end_of_track = 4,
};

/// Types that have a meaning in the extensions of objects. A relay passes all on unchanged.
namespace object_extension {
inline constexpr std::uint64_t immutable = 0x0b;
inline constexpr std::uint64_t timestamp = 0x10; ///< In the track's units (moq-net).
inline constexpr std::uint64_t prior_group_id_gap = 0x3c;
inline constexpr std::uint64_t prior_object_id_gap = 0x3e;
} // namespace object_extension

namespace detail {

/// Reads the front of a stream's bytes, which may end anywhere: a field that is missing is no error.
class stream_reader {
public:
    constexpr stream_reader(const draft& d, byte_view in) noexcept : in_(in), size_(in.size()), form_(d.form) {}

    [[nodiscard]] constexpr std::uint64_t varint() noexcept {
        const auto value = missing_ ? std::nullopt : read_integer(form_, in_);
        if (!value) return missing_ = true, 0;
        if (*value > varint_max) fail(errc::value_too_large);
        return *value;
    }
    [[nodiscard]] constexpr std::uint8_t u8() noexcept {
        if (missing_ || in_.empty()) return missing_ = true, std::uint8_t{0};
        const auto value = std::to_integer<std::uint8_t>(in_[0]);
        in_ = in_.subspan(1);
        return value;
    }
    /// `most`: more is refused before it arrives.
    [[nodiscard]] constexpr byte_view bytes(std::uint64_t size, std::size_t most) noexcept {
        if (missing_) return {};
        if (size > most) fail(errc::message_too_large);
        if (size > in_.size()) return missing_ = true, byte_view{};
        const auto out = in_.first(as_size(size));
        in_ = in_.subspan(out.size());
        return out;
    }
    /// Of what has arrived; the first counts.
    constexpr void fail(errc why) noexcept {
        if (error_ == errc::ok && !missing_) error_ = why;
    }

    [[nodiscard]] constexpr bool missing() const noexcept { return missing_; }
    [[nodiscard]] constexpr errc error() const noexcept { return error_; }
    [[nodiscard]] constexpr std::size_t consumed() const noexcept { return size_ - in_.size(); }

private:
    byte_view in_;
    std::size_t size_;
    integers form_;
    errc error_ = errc::ok;
    bool missing_ = false;
};

/// A whole T, an error, or need_more.
template <class T>
[[nodiscard]] constexpr taken<T> taken_from(const stream_reader& in, T value) noexcept {
    if (in.error() != errc::ok) return in.error();
    if (in.missing()) return {};
    value.consumed = in.consumed();
    return value;
}

[[nodiscard]] constexpr byte_view read_extensions(stream_reader& in, const draft& d, const limits& bounds) noexcept {
    const auto pairs = in.bytes(in.varint(), bounds.control_message);
    if (!in.missing() && in.error() == errc::ok)
        if (const auto error = check_pairs(d, pairs); error != errc::ok) in.fail(error);
    return pairs;
}

/// Only normal objects have extensions where none can be missing; else only missing ones have none.
[[nodiscard]] constexpr bool may_have_extensions(const draft& d, object_status status) noexcept {
    return d.missing_objects ? status != object_status::does_not_exist : status == object_status::normal;
}

/// The status, which only an object without payload has.
[[nodiscard]] constexpr object_status read_status(
    const draft& d, std::uint64_t status, byte_view extensions, errc& error) noexcept {
    const bool is_known = status == 0 || (status == 1 && d.missing_objects) || status == 3 || status == 4;
    const auto known = is_known ? static_cast<object_status>(status) : object_status::normal;
    if (!is_known || (!extensions.empty() && !may_have_extensions(d, known))) error = errc::bad_object_status;
    return known;
}

/// After the payload's length.
[[nodiscard]] constexpr object_status read_status_of(
    stream_reader& in, const draft& d, std::uint64_t size, byte_view extensions) noexcept {
    if (size != 0) return object_status::normal;
    auto error = errc::ok;
    const auto status = read_status(d, in.varint(), extensions, error);
    if (error != errc::ok) in.fail(error);
    return status;
}

/// Extensions, the length of the payload, and the status of one without.
struct object_body {
    byte_view extensions = {};
    std::uint64_t size = 0;
    object_status status = object_status::normal;
};

inline void write_body(writer& out, const draft& d, const object_body& o, bool has_extensions) {
    if (o.status != object_status::normal && o.size != 0) out.fail(errc::bad_object_status);
    if (o.status == object_status::does_not_exist && !d.missing_objects) out.fail(errc::bad_object_status);
    if (!o.extensions.empty() && !may_have_extensions(d, o.status)) out.fail(errc::bad_object_status);
    if (!has_extensions && !o.extensions.empty()) out.fail(errc::unsupported);
    if (has_extensions) {
        out.varint(o.extensions.size());
        out.bytes(o.extensions);
    }
    out.varint(o.size);
    if (o.size == 0) out.varint(static_cast<std::uint64_t>(o.status));
}

} // namespace detail

} // namespace moqlite::wire::moqt
