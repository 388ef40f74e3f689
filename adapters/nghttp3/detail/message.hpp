// The header of a request or response, as far as anybody here looks at it.
#pragma once

#include <cstddef>
#include <moqlite/webtransport/protocols.hpp>
#include <string>
#include <string_view>

namespace moqlite::nghttp3::detail {

/// Everything in it comes from the network.
struct message {
    static constexpr std::size_t size_max = 16 * 1024; ///< Of all its fields, also of those that are not kept.

    std::string method, authority, path, protocol, origin;
    std::string available_protocols; ///< Lines joined as RFC 9110 §5.3 has it.
    std::string status, chosen_protocol;
    bool bad_origin = false; ///< It has an Origin that is empty, or that nghttp3 has dropped.
    std::size_t size = 0;

    [[nodiscard]] bool too_large() const noexcept { return size > size_max; }

    void add(std::string_view name, std::string_view value) {
        constexpr std::size_t overhead = 32; // As RFC 9114 §4.2.2 counts.
        size += name.size() + value.size() + overhead;
        if (too_large()) return;
        auto* kept = field(name);
        if (kept != nullptr) webtransport::add_field_line(*kept, value);
    }

private:
    [[nodiscard]] std::string* field(std::string_view name) noexcept {
        if (name == ":method") return &method;
        if (name == ":authority") return &authority;
        if (name == ":path") return &path;
        if (name == ":protocol") return &protocol;
        if (name == ":status") return &status;
        if (name == "origin") return &origin;
        if (name == webtransport::available_protocols_field) return &available_protocols;
        if (name == webtransport::protocol_field) return &chosen_protocol;
        return nullptr;
    }
};

} // namespace moqlite::nghttp3::detail
