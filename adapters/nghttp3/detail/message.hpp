// The fields of a request's or response's header that we use.
#pragma once

#include <cstddef>
#include <moqlite/webtransport/protocols.hpp>
#include <string>
#include <string_view>

namespace moqlite::nghttp3::detail {

/// All of it is untrusted.
struct message {
    static constexpr std::size_t size_max = 16 * 1024; ///< Of all fields, also those that are not kept.

    std::string method, authority, path, protocol, origin;
    std::string available_protocols; ///< Lines joined as RFC 9110 §5.3 has it.
    std::string status, chosen_protocol;
    bool bad_origin = false; ///< An Origin is empty, or nghttp3 has dropped it.
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
