// A decoded message can be encoded, and decodes to the same.
// Input: the version in the first byte, then a message body.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <moqlite/wire/lite/announce.hpp>
#include <moqlite/wire/lite/datagram.hpp>
#include <moqlite/wire/lite/fetch.hpp>
#include <moqlite/wire/lite/frame.hpp>
#include <moqlite/wire/lite/goaway.hpp>
#include <moqlite/wire/lite/group.hpp>
#include <moqlite/wire/lite/probe.hpp>
#include <moqlite/wire/lite/setup.hpp>
#include <moqlite/wire/lite/subscribe_response.hpp>
#include <moqlite/wire/lite/track.hpp>
#include <span>
#include <vector>

using namespace moqlite;
using namespace moqlite::wire;
using namespace moqlite::wire::lite;

namespace {

void check(bool holds) {
    if (!holds) std::abort();
}

template <class M>
byte_view body_of(version v, byte_view message) {
    if constexpr (typed_message<M>) {
        const auto taken = take_typed_message(v, message);
        check(taken && taken->size == message.size());
        return taken->body;
    } else {
        const auto taken = take_message(v, message);
        check(taken && taken->size == message.size());
        return taken->body;
    }
}

template <class M>
void survives(version v, byte_view body) {
    const auto first = decode<M>(v, body);
    if (!first) return;
    std::vector<std::byte> again;
    check(encode(v, *first, again) == errc::ok);
    const auto second = decode<M>(v, body_of<M>(v, again));
    check(second && *second == *first);
}

template <class... M>
void all_survive(version v, byte_view body) {
    (survives<M>(v, body), ...);
}

void datagram_survives(version v, byte_view body) {
    const auto first = decode<datagram>(v, body);
    if (!first) return;
    std::vector<std::byte> again;
    check(encode(v, *first, again) == errc::ok);
    const auto second = decode<datagram>(v, again);
    check(second && *second == *first);
}

void frame_header_survives(version v, byte_view in) {
    const auto first = take_frame_header(v, in);
    if (!first) return;
    std::array<std::byte, frame_header_size_max> again;
    const auto size = write_frame_header(v, first->delta, first->size, again);
    check(size != 0 && size <= first->consumed);
    const auto second = take_frame_header(v, byte_view{again}.first(size));
    check(second && second->delta == first->delta && second->size == first->size && second->consumed == size);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto v = static_cast<version>(data[0] % all_versions.size());
    const auto body = std::as_bytes(std::span{data, size}).subspan(1);
    all_survive<setup, announce_request, announce_ok, announce, announce_start, announce_end, announce_update,
        subscribe, subscribe_update, subscribe_ok, subscribe_end, subscribe_drop, track, wire::lite::track_info, fetch,
        group_header, probe, goaway>(v, body);
    datagram_survives(v, body);
    frame_header_survives(v, body);
    return 0;
}
