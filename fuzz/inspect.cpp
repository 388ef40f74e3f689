// Any bytes of a stream are messages, then an end; the messages of a prefix are a prefix of the messages, and a
// malformed prefix stays malformed, in whatever pieces the bytes arrive.
// Input: version, carrier and sender in the first byte, the answered request in the second, then the bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <moqlite/wire/lite/inspect_answer.hpp>
#include <moqlite/wire/lite/inspect_fields.hpp>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

using namespace moqlite;
using namespace moqlite::wire::lite;

namespace {

void check(bool holds) {
    if (!holds) std::abort();
}

/// A message with all its fields, for comparison.
std::string text(version v, const inspected& m) {
    auto out = std::to_string(m.offset) + ' ' + std::to_string(m.size) + ' ' + std::string{name_of(v, m)};
    for_each_field(v, m, [&](std::string_view name, const auto& value) {
        using value_type = std::decay_t<decltype(value)>;
        out.append(name) += '=';
        if constexpr (std::is_same_v<value_type, byte_view>)
            out += as_text(value);
        else if constexpr (std::is_same_v<value_type, std::string_view>)
            out += value;
        else if constexpr (std::is_same_v<value_type, hop_list>)
            for (auto hop : value) out += std::to_string(number(hop)) + ' ';
        else if constexpr (std::is_arithmetic_v<value_type>)
            out += std::to_string(value);
    });
    return out;
}

struct reading {
    std::vector<std::string> messages = {};
    inspection_end end = {};
};

reading read(const inspection& what, byte_view bytes) {
    reading out;
    std::uint64_t next = 0;
    out.end = inspect(what, bytes, [&](const inspected& m) {
        check(m.offset == next && m.size <= bytes.size() - m.offset);
        next = m.offset + m.size;
        out.messages.push_back(text(what.dialect, m));
    });
    check(out.end.offset == next && (out.end.how == ending::malformed) == (out.end.error != errc::ok));
    check(out.end.how != ending::whole || next == bytes.size());
    return out;
}

/// The same, byte by byte, each message as soon as it is complete.
reading read_slowly(const inspection& what, byte_view bytes) {
    reading out;
    inspector direction{what};
    std::size_t begin = 0;
    for (std::size_t end = 0; end <= bytes.size(); ++end) {
        // A message is incomplete without its last byte, so that a byte completes at most one.
        const auto found = direction.next(bytes.subspan(begin, end - begin));
        if (found.status == wire::progress::error) {
            out.end = {ending::malformed, found.error, direction.offset()};
            return out;
        }
        if (!found) continue;
        begin += found->size;
        check(begin == end);
        out.messages.push_back(text(what.dialect, *found));
    }
    const bool whole = begin == bytes.size() && direction.may_end();
    out.end = {whole ? ending::whole : ending::incomplete, errc::ok, direction.offset()};
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const auto v = (data[0] & 0x80) != 0 ? version::lite_07_wip : static_cast<version>(data[0] & 3);
    inspection what{v, static_cast<carrier>((data[0] >> 2 & 3) % 3), static_cast<sender>(data[0] >> 4 & 1), {}};
    if (data[1] % 7 != 0) what.answers = static_cast<bidi_type>(data[1] % 7);
    const auto bytes = std::as_bytes(std::span{data, size}).subspan(2);

    const auto whole = read(what, bytes);
    for (const auto& r : read_answers(what.dialect, bytes))
        check(r.end == read({what.dialect, carrier::bidi, sender::publisher, r.answers}, bytes).end);
    if (what.kind == carrier::datagram) return 0; // A prefix of a datagram is another datagram.

    const auto slow = read_slowly(what, bytes);
    check(slow.messages == whole.messages && slow.end == whole.end);
    for (std::size_t cut = 0; cut < std::min<std::size_t>(bytes.size(), 256); ++cut) {
        const auto part = read(what, bytes.first(cut));
        check(part.messages.size() <= whole.messages.size());
        check(std::equal(part.messages.begin(), part.messages.end(), whole.messages.begin()));
        check(part.end.how != ending::malformed || part.end == whole.end);
    }
    return 0;
}
