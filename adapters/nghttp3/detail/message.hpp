// The header of a request or response.
#pragma once

#include <cstddef>
#include <moqlite/nghttp3/header.hpp>
#include <moqlite/webtransport/protocols.hpp>
#include <string>
#include <string_view>

namespace moqlite::nghttp3::detail {

/// All of it is untrusted.
struct message {
    static constexpr std::size_t size_max = 16 * 1024;

    std::string method, authority, path, protocol, status;
    /// Of several lines, joined as RFC 9110 §5.3 has it; they are in `fields` as well.
    std::string origin, available_protocols, chosen_protocol;
    header_fields fields;
    bool bad_origin = false; ///< An Origin is empty, or nghttp3 has dropped it.
    std::size_t size = 0;

    [[nodiscard]] bool too_large() const noexcept { return size > size_max || fields.size() > received_fields_max; }

    void add(std::string_view name, std::string_view value) {
        constexpr std::size_t overhead = 32; // As RFC 9114 §4.2.2 counts.
        size += name.size() + value.size() + overhead;
        if (too_large()) return;
        if (auto* kept = known(name)) webtransport::add_field_line(*kept, value);
        if (!name.starts_with(':')) add_field(name, value);
    }

private:
    /// The crumbs of a cookie are one field again (RFC 9114 §4.2.1).
    void add_field(std::string_view name, std::string_view value) {
        for (auto& f : fields)
            if (name == "cookie" && f.name == name) {
                f.value.append("; ").append(value);
                return;
            }
        fields.push_back({std::string{name}, std::string{value}});
    }

    [[nodiscard]] std::string* known(std::string_view name) noexcept {
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
