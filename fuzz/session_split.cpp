// However the bytes of a stream are split, the session has the same events and outputs.
// Input: a byte for side and version; then pieces: stream and FIN in one byte, a length, the bytes.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <moqlite/session/session.hpp>
#include <moqlite/session/transport.hpp>
#include <optional>
#include <print.hpp>
#include <string>
#include <utility>
#include <vector>

using namespace moqlite;

namespace {

/// Records everything but credit, which varies with the pieces.
struct recorder {
    std::optional<stream_id> open(direction kind) {
        auto& next = kind == direction::uni ? uni : bidi;
        return stream_id{4 * next++ + (kind == direction::uni ? 2u : 0u) + (side == role::server ? 1u : 0u)};
    }
    std::optional<std::size_t> write(const write_stream& w) {
        said.push_back(test::text(w));
        return w.size;
    }
    void reset(stream_id id, app_error code) { said.push_back(test::text(reset_stream{id, code})); }
    void stop(stream_id id, app_error code) { said.push_back(test::text(stop_sending{id, code})); }
    void credit(stream_id, std::uint64_t) {}
    void close(app_error code, std::string_view reason) { said.push_back(test::text(close_connection{code, reason})); }
    void flush() {}
    role side;
    std::uint64_t uni = 0;
    std::uint64_t bidi = 0;
    std::vector<std::string> said{};
};

/// A session with one request of each kind, and its events.
class subject {
public:
    subject(role side, version v) : session_(side, v, {}, time_point{std::chrono::seconds{1}}), link_{side} {
        static_cast<void>(session_.subscribe({"a", "b"}));
        subscribe_options part{.start = group_sequence{2}, .end = group_sequence{9}};
        if (has_frame_ranges(v)) part.frame_start = object_id{3}, part.frame_end = object_id{4};
        static_cast<void>(session_.subscribe({"a", "c"}, part));
        static_cast<void>(session_.watch(""));
        static_cast<void>(session_.request_track({"a", "b"}));
        static_cast<void>(session_.announce("a"));
        pump(session_, link_);
        drain();
    }
    void receive(stream_id id, byte_view bytes, bool fin) {
        session_.stream_received(id, bytes, fin, time_point{std::chrono::seconds{1}});
        drain();
    }
    void end_of_piece() {
        // Admission waits on another stream, which must not be interleaved with the pieces of this one.
        if (std::exchange(admit_, false)) static_cast<void>(session_.admit({}));
        drain();
        pump(session_, link_);
        drain();
        finish_frame();
        for (auto& line : link_.said) reported_.push_back(std::move(line));
        link_.said.clear();
    }
    [[nodiscard]] const std::vector<std::string>& reported() const noexcept { return reported_; }

private:
    void drain() {
        while (const auto e = session_.poll_event()) {
            if (const auto* f = std::get_if<frame_data>(&*e)) {
                add(*f);
                continue;
            }
            finish_frame();
            reported_.push_back(test::text(*e));
            act(*e);
        }
    }
    void act(const event& e) {
        admit_ = admit_ || (std::holds_alternative<setup_received>(e) && session_.side() == role::server);
        if (const auto* r = std::get_if<subscribe_requested>(&e)) {
            if (number(r->request) % 4 == 3)
                return static_cast<void>(session_.reject(r->request, app_error::not_found));
            static_cast<void>(session_.accept(r->request, group_sequence{1}));
        }
        if (const auto* r = std::get_if<track_requested>(&e)) static_cast<void>(session_.answer_track(r->request, {}));
        if (const auto* g = std::get_if<group_opened>(&e); g != nullptr && number(g->sequence) % 8 == 5)
            static_cast<void>(session_.stop(g->group, app_error::old));
    }
    /// Pieces of one frame are one line.
    void add(const frame_data& f) {
        const bool goes_on =
            frame_ && frame_->group == f.group && frame_->object == f.object && offset_ == f.offset && f.offset != 0;
        if (!goes_on) {
            finish_frame();
            frame_ = f;
            first_ = offset_ = f.offset;
        }
        for (auto b : f.data) bytes_.push_back(b);
        offset_ += f.data.size();
    }
    void finish_frame() {
        if (!frame_) return;
        frame_->data = bytes_;
        frame_->offset = first_;
        reported_.push_back(test::text(event{*frame_}));
        frame_.reset();
        bytes_.clear();
    }

    session session_;
    recorder link_;
    bool admit_ = false;
    std::vector<std::string> reported_;
    std::optional<frame_data> frame_;
    std::vector<std::byte> bytes_;
    std::uint64_t first_ = 0;
    std::uint64_t offset_ = 0;
};

void same(const subject& whole, const subject& split) {
    if (whole.reported() == split.reported()) return;
    for (const auto* s : {&whole, &split}) {
        std::fputs(s == &whole ? "whole:\n" : "split:\n", stderr);
        for (const auto& line : s->reported()) std::fprintf(stderr, "  %s\n", line.c_str());
    }
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto in = std::as_bytes(std::span{data, size});
    const auto byte = [&] {
        if (in.empty()) return std::uint8_t{0};
        const auto b = std::to_integer<std::uint8_t>(in[0]);
        in = in.subspan(1);
        return b;
    };
    const auto kind = byte();
    const auto side = (kind & 1) != 0 ? role::client : role::server;
    const auto v = (kind & 8) != 0 ? version::lite_07_wip : static_cast<version>(kind >> 1 & 3);
    subject whole{side, v};
    subject split{side, v};
    std::uint32_t ended = 0;
    while (!in.empty()) {
        const auto head = byte();
        const auto n = head & 31u;
        // Nothing follows the FIN of a stream; a peer sends nothing on our unidirectional streams.
        const std::size_t length = byte(); // Before in.size() is asked: it takes one off.
        const auto bytes = in.first(std::min(length, in.size()));
        in = in.subspan(bytes.size());
        const bool own_uni = (n & 2) != 0 && ((n & 1) != 0) == (side == role::server);
        if ((ended >> n & 1) != 0 || own_uni) continue;
        const bool fin = (head & 32) != 0;
        if (fin) ended |= 1u << n;

        whole.receive(stream_id{n}, bytes, fin);
        for (std::size_t i = 0; i < bytes.size(); ++i)
            split.receive(stream_id{n}, bytes.subspan(i, 1), fin && i + 1 == bytes.size());
        if (bytes.empty()) split.receive(stream_id{n}, bytes, fin);
        whole.end_of_piece();
        split.end_of_piece();
        same(whole, split);
    }
    return 0;
}
