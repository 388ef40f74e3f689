// Parameters of messages, and extensions of objects: pairs of a type and a value, draft-14 §1.4.3 and §9.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/wire/moqt/draft.hpp>
#include <moqlite/wire/reader.hpp>
#include <moqlite/wire/writer.hpp>
#include <optional>
#include <vector>

namespace moqlite::wire::moqt {

/// The value of an odd type is bytes, that of an even type a number.
[[nodiscard]] constexpr bool has_bytes(std::uint64_t type) noexcept { return (type & 1) != 0; }

struct key_value {
    std::uint64_t type = 0;
    std::uint64_t value = 0; ///< Of an even type.
    byte_view bytes = {};    ///< Of an odd type, at most max_bytes.

    static constexpr std::size_t max_bytes = 65535;
};

/// Reads pairs one by one, from bytes that have been checked or not.
class key_value_reader {
public:
    constexpr key_value_reader(const draft& d, byte_view pairs) noexcept
        : in_(pairs, d.form), delta_types_(d.delta_types) {}

    /// nullopt: there are no more, or error() says why.
    [[nodiscard]] constexpr std::optional<key_value> next() noexcept {
        if (left() == 0) return std::nullopt;
        key_value pair{.type = in_.varint()};
        if (delta_types_ && pair.type > varint_max - type_) in_.fail(errc::value_too_large);
        if (delta_types_) pair.type += type_;
        type_ = pair.type;
        if (has_bytes(pair.type)) {
            const auto size = in_.varint();
            if (size > key_value::max_bytes) in_.fail(errc::parameter_size);
            pair.bytes = in_.bytes(size);
        } else {
            pair.value = in_.varint();
        }
        return in_.error() == errc::ok ? std::optional{pair} : std::nullopt;
    }

    [[nodiscard]] constexpr errc error() const noexcept { return in_.error(); }
    /// Bytes that were not read; 0 after an error.
    [[nodiscard]] constexpr std::size_t left() const noexcept { return in_.remaining().size(); }

private:
    reader in_;
    bool delta_types_;
    std::uint64_t type_ = 0; ///< Of the pair before.
};

/// The first pair of this type.
[[nodiscard]] constexpr std::optional<key_value> find(const draft& d, byte_view pairs, std::uint64_t type) noexcept {
    key_value_reader all{d, pairs};
    while (const auto pair = all.next())
        if (pair->type == type) return pair;
    return std::nullopt;
}

/// Errors of a whole list.
[[nodiscard]] constexpr errc check_pairs(const draft& d, byte_view pairs) noexcept {
    key_value_reader all{d, pairs};
    while (all.next()) continue;
    return all.error();
}

/// Builds a list.
class key_value_writer {
public:
    explicit key_value_writer(const draft& d) : rules_(d) {}

    /// Precondition where types are deltas: ascending types.
    key_value_writer& add(const key_value& pair) {
        writer to{bytes_, rules_.form};
        to.varint(rules_.delta_types ? pair.type - type_ : pair.type);
        type_ = pair.type;
        if (has_bytes(pair.type)) {
            to.varint(pair.bytes.size());
            to.bytes(pair.bytes);
        } else {
            to.varint(pair.value);
        }
        ++count_;
        return *this;
    }
    key_value_writer& add(std::uint64_t type, std::uint64_t value) { return add({.type = type, .value = value}); }
    key_value_writer& add(std::uint64_t type, byte_view bytes) { return add({.type = type, .bytes = bytes}); }

    [[nodiscard]] byte_view bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }

private:
    draft rules_;
    std::vector<std::byte> bytes_;
    std::size_t count_ = 0;
    std::uint64_t type_ = 0;
};

} // namespace moqlite::wire::moqt
