// Names: a namespace is a list of fields, a full track name a namespace and a name, draft-14 §2.4.1.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <moqlite/core/limits.hpp>
#include <moqlite/wire/reader.hpp>
#include <moqlite/wire/writer.hpp>
#include <span>
#include <string_view>

namespace moqlite::wire::moqt {

/// At most 32 fields of any bytes; its views alias the message that it was decoded from.
class track_namespace {
public:
    static constexpr std::size_t max_fields = 32;

    constexpr track_namespace() noexcept = default;
    /// Precondition: at most max_fields.
    template <class Fields>
    constexpr explicit track_namespace(const Fields& fields) noexcept {
        for (std::string_view field : fields) static_cast<void>(push_back(field));
    }

    /// False: it is full.
    [[nodiscard]] constexpr bool push_back(std::string_view field) noexcept {
        if (count_ == max_fields) return false;
        fields_[count_++] = field;
        return true;
    }

    [[nodiscard]] constexpr std::span<const std::string_view> fields() const noexcept {
        return std::span{fields_}.first(count_);
    }
    [[nodiscard]] constexpr bool empty() const noexcept { return count_ == 0; }
    /// Bytes of all fields, without their lengths.
    [[nodiscard]] constexpr std::size_t bytes() const noexcept {
        std::size_t all = 0;
        for (auto field : fields()) all += field.size();
        return all;
    }
    /// Field by field from the left: (foobar) does not begin with (foo).
    [[nodiscard]] constexpr bool begins_with(const track_namespace& prefix) const noexcept {
        return prefix.count_ <= count_ && std::ranges::equal(prefix.fields(), fields().first(prefix.count_));
    }

    friend constexpr bool operator==(const track_namespace& a, const track_namespace& b) noexcept {
        return std::ranges::equal(a.fields(), b.fields());
    }

private:
    std::array<std::string_view, max_fields> fields_{};
    std::size_t count_ = 0;
};

struct full_track_name {
    track_namespace space{};
    std::string_view name = {};

    friend constexpr bool operator==(const full_track_name&, const full_track_name&) = default;
};

namespace detail {

/// A length, then bytes of any kind.
[[nodiscard]] inline std::string_view read_bytes(reader& in) noexcept { return as_text(in.bytes(in.varint())); }

/// `least`: a prefix may have no field.
[[nodiscard]] inline track_namespace read_namespace(reader& in, std::size_t least, const limits& bounds) noexcept {
    track_namespace space;
    const auto count = in.varint();
    if (in.error() == errc::ok && (count < least || count > track_namespace::max_fields)) in.fail(errc::bad_namespace);
    for (std::uint64_t i = 0; i < count && in.error() == errc::ok; ++i)
        static_cast<void>(space.push_back(read_bytes(in)));
    if (space.bytes() > bounds.name) in.fail(errc::name_too_long);
    return space;
}

inline void write_namespace(writer& out, const track_namespace& space, std::size_t least) {
    if (space.fields().size() < least) return out.fail(errc::bad_namespace);
    out.varint(space.fields().size());
    for (auto field : space.fields()) out.string(field);
}

[[nodiscard]] inline full_track_name read_track_name(reader& in, const limits& bounds) noexcept {
    full_track_name full;
    full.space = read_namespace(in, 1, bounds);
    full.name = read_bytes(in);
    if (full.space.bytes() + full.name.size() > bounds.name) in.fail(errc::name_too_long);
    return full;
}

inline void write_track_name(writer& out, const full_track_name& full) {
    write_namespace(out, full.space, 1);
    out.string(full.name);
}

} // namespace detail

} // namespace moqlite::wire::moqt
