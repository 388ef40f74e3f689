// However the bytes of a stream are split, WebTransport's framing decodes the same. Decoded values can be encoded, and
// decode to the same.
// Input: the kind of bytes, in one byte; the size of the pieces in another; then the bytes.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <moqlite/webtransport/arrivals.hpp>
#include <moqlite/webtransport/capsule.hpp>
#include <moqlite/webtransport/datagram.hpp>
#include <moqlite/webtransport/protocols.hpp>
#include <moqlite/webtransport/session.hpp>
#include <moqlite/webtransport/settings.hpp>
#include <moqlite/webtransport/stream_prefix.hpp>
#include <must.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace moqlite;
using namespace moqlite::webtransport;
using sim::must;

namespace {

/// Calls `receive(piece, last)` for each; once, with an empty piece, if there are no bytes.
template <class Receive>
void in_pieces(byte_view bytes, std::size_t size, Receive receive) {
    while (bytes.size() > size) {
        if (!receive(bytes.first(size), false)) return;
        bytes = bytes.subspan(size);
    }
    receive(bytes, true);
}

/// A stream's classification, and its data.
struct told_stream {
    std::size_t what = 0;
    std::uint64_t number = 0; ///< Session, type, or violation.
    std::vector<std::byte> bytes{};
    bool operator==(const told_stream&) const = default;
};

void append(std::vector<std::byte>& to, byte_view bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

told_stream tell(stream_id id, byte_view bytes, bool fin, std::size_t size) {
    told_stream out;
    stream_peek peek{id};
    in_pieces(bytes, size, [&](byte_view piece, bool last) {
        if (out.what != 0) return append(out.bytes, piece), true;
        const auto found = peek.receive(piece, fin && last);
        out.what = found.index();
        if (const auto* s = std::get_if<session_stream>(&found)) {
            out.number = number(s->session);
            append(out.bytes, s->payload);
        } else if (const auto* h = std::get_if<http3_stream>(&found)) {
            out.number = h->type;
            append(out.bytes, h->held);
            append(out.bytes, piece);
        } else if (const auto* v = std::get_if<violation>(&found)) {
            out.number = static_cast<std::uint64_t>(*v);
            return false;
        }
        return true;
    });
    return out;
}

void peek_streams(byte_view bytes, std::size_t size) {
    for (const std::uint64_t id : {0u, 1u, 2u, 3u})
        for (const bool fin : {false, true}) {
            const auto whole = tell(stream_id{id}, bytes, fin, bytes.size() + 1);
            must(whole == tell(stream_id{id}, bytes, fin, size), "a stream is told apart the same in pieces");
            const std::size_t http3 = 2;
            must(whole.what != http3 || std::equal(bytes.begin(), bytes.end(), whole.bytes.begin(), whole.bytes.end()),
                "HTTP/3 gets every byte");
        }
}

struct told_capsules {
    std::vector<capsule> all{};
    violation error = violation::none;
    bool operator==(const told_capsules&) const = default;
};

told_capsules capsules_of(byte_view bytes, std::size_t size) {
    told_capsules out;
    capsule_reader reader;
    in_pieces(bytes, size, [&](byte_view piece, bool) {
        while (auto c = reader.read(piece)) out.all.push_back(*std::move(c));
        must(piece.empty(), "capsules are read to the end of what has come");
        return true;
    });
    out.error = reader.finish();
    return out;
}

void read_capsules(byte_view bytes, std::size_t size) {
    const auto whole = capsules_of(bytes, bytes.size() + 1);
    must(whole == capsules_of(bytes, size), "capsules are the same in pieces");
    std::vector<std::byte> longer;
    write_drain(longer);
    append(longer, bytes);
    told_capsules one_more{{drain_session{}}, whole.error};
    for (const auto& c : whole.all) one_more.all.push_back(c);
    must(capsules_of(longer, size) == one_more, "a capsule does not change what follows it");
    std::vector<std::byte> again;
    for (const auto& c : whole.all) {
        if (const auto* close = std::get_if<close_session>(&c))
            write_close(close->code, close->reason, again);
        else
            write_drain(again);
    }
    must(capsules_of(again, size) == told_capsules{whole.all, violation::none}, "capsules that are written are read");
}

std::pair<std::optional<settings>, violation> settings_of(byte_view bytes, std::size_t size) {
    settings_reader reader;
    in_pieces(bytes, size, [&](byte_view piece, bool) { return reader.receive(piece) == violation::none; });
    const auto* said = reader.received();
    must(said == nullptr || reader.error() == violation::none, "bad SETTINGS are no SETTINGS");
    return {said != nullptr ? std::optional{*said} : std::nullopt, reader.error()};
}

void read_settings(byte_view bytes, std::size_t size) {
    const auto whole = settings_of(bytes, bytes.size() + 1);
    must(whole == settings_of(bytes, size), "SETTINGS are the same in pieces");
    const auto longer = with_added_settings(bytes);
    if (!longer) return must(!whole.first, "ours are added to all SETTINGS that can be read");
    const auto again = with_added_settings(*longer);
    must(again && *again == *longer, "no setting is added twice");
    if (!whole.first) return;
    const auto said = settings_of(*longer, size).first;
    // The encoding may be too long to decode.
    const auto kept = [](std::uint64_t was, std::uint64_t is) { return is == was || (was == 0 && is == 1); };
    must(!said || (said->enable_connect_protocol == whole.first->enable_connect_protocol &&
                      said->h3_datagram == whole.first->h3_datagram &&
                      kept(whole.first->h3_datagram_draft04, said->h3_datagram_draft04) &&
                      kept(whole.first->enable_webtransport, said->enable_webtransport) &&
                      kept(whole.first->webtransport_max_sessions, said->webtransport_max_sessions) &&
                      kept(whole.first->wt_max_sessions, said->wt_max_sessions) &&
                      kept(whole.first->wt_enabled, said->wt_enabled)),
        "what was said is said still");
}

void read_fields(byte_view bytes) {
    const auto text = as_text(bytes);
    if (const auto names = read_protocols(text)) {
        must(names->size() <= protocols_max, "a list has a bound");
        // A name may be empty in a list that we read, never in one that we write.
        const bool can_be_said = std::all_of(names->begin(), names->end(), is_protocol_name);
        const auto field = write_protocols(*names);
        must(field.has_value() == can_be_said, "only the names of protocols are written");
        must(!field || read_protocols(*field) == names, "names that are written are read");
    }
    if (const auto name = read_protocol(text)) {
        const auto field = write_protocol(*name);
        must(field.has_value() == is_protocol_name(*name), "only the name of a protocol is written");
        must(!field || read_protocol(*field) == name, "a name that is written is read");
    }
}

void read_datagrams(byte_view bytes) {
    const auto d = read_datagram(bytes);
    if (!d) return;
    must(number(d->session) <= wire::varint_max && can_be_session(d->session), "a datagram's session can be one");
    std::array<std::byte, datagram_prefix_size_max> prefix{};
    std::vector<std::byte> again;
    append(again, byte_view{prefix}.first(write_datagram_prefix(d->session, prefix)));
    append(again, d->payload);
    const auto second = read_datagram(again);
    must(second && second->session == d->session, "a datagram's session is kept");
}

/// A session's events for the same bytes, with the answer before this piece.
std::vector<session_event> events_of(byte_view bytes, std::size_t size, std::size_t answered) {
    std::vector<session_event> out;
    webtransport::session s;
    std::size_t n = 0;
    std::size_t left = 0;
    const auto drain = [&] {
        while (auto e = s.poll_event()) out.push_back(*std::move(e));
        while (const auto o = s.poll_output()) {
            must(++n < 16, "a session comes to an end");
            left += std::holds_alternative<leave_connection>(*o) ? 1 : 0;
        }
    };
    std::size_t pieces = 0;
    in_pieces(bytes, size, [&](byte_view piece, bool last) {
        if (pieces++ == answered) s.established({});
        s.body_received(piece, {});
        if (last) s.body_finished({});
        drain();
        return true;
    });
    s.established({});
    drain();
    s.tick(time_point{std::chrono::seconds{1}});
    drain();
    must(left == 1 && !s.deadline(), "a session that has ended leaves its connection, once");
    return out;
}

void end_sessions(byte_view bytes, std::size_t size) {
    const auto whole = events_of(bytes, bytes.size() + 1, 0);
    must(!whole.empty() && std::holds_alternative<session_ended>(whole.back()), "a session ends, and nothing follows");
    // DRAIN is reported once per input: in pieces perhaps more often.
    auto split = events_of(bytes, size, 0);
    must(split.back() == whole.back(), "a session ends the same in pieces");
    const auto late = events_of(bytes, size, bytes.size() / size / 2);
    const auto& end = std::get<session_ended>(late.back());
    must(end.broken == violation::early_body_too_long || late.back() == whole.back(), "the answer may come late");
}

/// Streams begin, continue, and end in every way; at most 16 wait.
void sort_arrivals(byte_view bytes, std::size_t size) {
    arrivals all;
    time_point now{};
    in_pieces(bytes, size, [&](byte_view piece, bool) {
        if (piece.empty()) return true;
        const auto head = std::to_integer<std::uint64_t>(piece[0]);
        const stream_id id{head >> 3};
        const stream_id of{piece.size() > 1 ? std::to_integer<std::uint64_t>(piece[1]) & 4 : 0};
        switch (head & 7) {
        case 0: all.stream_reset(id); break;
        case 1: all.session_rejected(of); break;
        case 2: static_cast<void>(all.stream_received(id, piece, false)); break;
        case 3: all.stream_stopped(id, app_error{head}); break;
        case 4: now += std::chrono::milliseconds{head * 8}; break;
        case 5: static_cast<void>(all.datagram_received({of, piece}, now)); break;
        case 6:
            if (id == stream_id{31}) all.session_established(of);
            if (id == stream_id{30}) all.session_ended();
            [[fallthrough]];
        default: static_cast<void>(all.stream_begun(id, of, piece, false, now));
        }
        while (all.poll_stream(now)) {
        }
        while (all.poll_datagram(now)) {
        }
        const auto deadline = all.deadline();
        must(!deadline || *deadline > now, "nothing waits for longer than it may");
        return true;
    });
    all.session_ended();
    std::size_t waited = 0;
    while (all.poll_stream(now)) ++waited;
    must(waited <= early_limits{}.streams, "only so many wait");
    must(!all.poll_datagram(now) && !all.deadline(), "nothing waits for a session that has ended");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t pieces = data[1] % 32 + 1;
    const auto bytes = std::as_bytes(std::span{data, size}).subspan(2);
    switch (data[0] % 7) {
    case 0: peek_streams(bytes, pieces); break;
    case 1: read_capsules(bytes, pieces); break;
    case 2: read_settings(bytes, pieces); break;
    case 3: read_fields(bytes); break;
    case 4: read_datagrams(bytes); break;
    case 5: end_sessions(bytes, pieces); break;
    default: sort_arrivals(bytes, pieces);
    }
    return 0;
}
