// Any bytes of a moq-transport stream or datagram: the messages of a prefix are a prefix of the messages, and what was
// decoded is encoded to bytes that decode to the same.
// Input: carrier, quirks and draft in the first byte, then the bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <moqlite/wire/moqt/inspect_fields.hpp>
#include <span>
#include <variant>
#include <vector>

using namespace moqlite;
using namespace moqlite::wire::moqt;

namespace {

void check(bool holds) {
    if (!holds) std::abort();
}

struct reading {
    std::vector<std::size_t> sizes = {};
    inspection_end end = {};
};

/// Encoded again, a message is as its fields say, in the draft's layout.
void check_again(const draft& d, const any_message& message) {
    std::visit(
        [&](const auto& m) {
            std::vector<std::byte> bytes;
            if (encode(d, m, bytes) != errc::ok) return; // What is left out where it was read may make it too long.
            const auto whole = take_message(d, bytes);
            check(static_cast<bool>(whole) && whole->size == bytes.size());
            const auto back = decode_message({.rules = d, .reads = {.moqtail_switch = true}}, *whole);
            check(static_cast<bool>(back));
            std::vector<std::byte> again;
            std::visit([&](const auto& each) { check(encode(d, each, again) == errc::ok); }, *back);
            check(again == bytes);
        },
        message);
}

reading read(const inspection& what, byte_view bytes, bool encodes) {
    reading out;
    std::uint64_t next = 0;
    out.end = inspect(what, bytes, [&](const inspected& m) {
        check(m.offset == next && m.size <= bytes.size() - m.offset && m.size != 0);
        next = m.offset + m.size;
        out.sizes.push_back(m.size);
        for_each_field(what.read.rules, m, [](std::string_view name, const auto&) { check(!name.empty()); });
        if (const auto* message = std::get_if<any_message>(&m.what); message != nullptr && encodes)
            check_again(what.read.rules, *message);
    });
    check(out.end.offset == next && (out.end.how == ending::malformed) == (out.end.error != errc::ok));
    check(out.end.how != ending::whole || next == bytes.size());
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const bool quirks_on = (data[0] & 4) != 0;
    const inspection what{{.rules = (data[0] & 8) != 0 ? draft_18 : draft_14,
                              .reads = {.empty_prefix = quirks_on,
                                  .namespace_by_request = quirks_on,
                                  .moqtail_track_status = quirks_on,
                                  .moqtail_switch = quirks_on}},
        static_cast<carrier>((data[0] & 3) % 3)};
    const auto bytes = std::as_bytes(std::span{data, size}).subspan(1);
    const auto whole = read(what, bytes, true);
    if (what.kind == carrier::datagram) return 0; // A prefix of a datagram is another datagram.
    for (std::size_t cut = 0; cut < std::min<std::size_t>(bytes.size(), 256); ++cut) {
        const auto part = read(what, bytes.first(cut), false);
        check(part.sizes.size() <= whole.sizes.size());
        check(std::equal(part.sizes.begin(), part.sizes.end(), whole.sizes.begin()));
        check(part.end.how != ending::malformed || part.end == whole.end);
    }
    return 0;
}
