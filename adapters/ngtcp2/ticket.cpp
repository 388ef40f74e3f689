#include "detail/ticket.hpp"

#include <cstring>
#include <string_view>

namespace moqlite::ngtcp2::detail {

namespace {

constexpr std::string_view ticket_format = "moqlite ticket 1";

void add_field(std::vector<std::byte>& to, byte_view field) {
    to.push_back(static_cast<std::byte>(field.size() >> 8 & 0xff));
    to.push_back(static_cast<std::byte>(field.size() & 0xff));
    to.insert(to.end(), field.begin(), field.end());
}

std::optional<byte_view> take_field(byte_view& from) {
    if (from.size() < 2) return std::nullopt;
    const auto size = std::to_integer<std::size_t>(from[0]) << 8 | std::to_integer<std::size_t>(from[1]);
    from = from.subspan(2);
    if (from.size() < size) return std::nullopt;
    const auto field = from.first(size);
    from = from.subspan(size);
    return field;
}

} // namespace

std::vector<std::byte> encode(const ticket& t) {
    std::vector<std::byte> out;
    for (const byte_view field :
        {as_bytes(t.rules), as_bytes(t.server_name), as_bytes(t.alpn), byte_view{t.parameters}, byte_view{t.session}})
        if (field.size() > ticket::largest) return {};
    add_field(out, as_bytes(ticket_format));
    add_field(out, as_bytes(t.rules));
    add_field(out, as_bytes(t.server_name));
    add_field(out, as_bytes(t.alpn));
    add_field(out, t.parameters);
    add_field(out, t.session);
    if (out.size() > ticket::largest) out.clear();
    return out;
}

std::optional<ticket> decode_ticket(byte_view in) {
    if (in.size() > ticket::largest) return std::nullopt;
    byte_view fields[6];
    for (auto& field : fields) {
        const auto next = take_field(in);
        if (!next) return std::nullopt;
        field = *next;
    }
    if (!in.empty() || as_text(fields[0]) != ticket_format) return std::nullopt;
    ticket t;
    t.rules = as_text(fields[1]);
    t.server_name = as_text(fields[2]);
    t.alpn = as_text(fields[3]);
    t.parameters.assign(fields[4].begin(), fields[4].end());
    t.session.assign(fields[5].begin(), fields[5].end());
    return t;
}

} // namespace moqlite::ngtcp2::detail
