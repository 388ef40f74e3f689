// The handler of a QUIC connection under test: sends bytes that encode their position, and checks received ones.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <moqlite/link/connection.hpp>
#include <must.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace moqlite::fuzz {

using sim::must;

[[nodiscard]] inline std::byte byte_of(stream_id id, std::uint64_t at) {
    return static_cast<std::byte>(number(id) * 31 + at * 7 + (at >> 8));
}

/// Sends on request, and checks its inputs.
class talker final : public link::handler {
public:
    explicit talker(link::connection& c) : connection(c) {}
    ~talker() override {
        if (gone) *gone = nullptr;
    }

    void stream_received(stream_id id, byte_view bytes, bool fin, time_point) override {
        auto& in = received_[id];
        must(!in.over, "nothing follows the end of a stream");
        for (auto b : bytes) must(b == byte_of(id, in.bytes++), "what arrives was sent");
        in.over = fin;
        if (far != nullptr && *far != nullptr) (*far)->check_sent(id, in.bytes, fin);
        if (!bytes.empty()) connection.credit(id, bytes.size());
    }
    void stream_reset(stream_id id, app_error, time_point) override {
        must(!std::exchange(received_[id].over, true), "a stream ends once");
    }
    void stream_stopped(stream_id id, app_error, time_point) override { wanted_resets_.insert(id); }
    void stream_writable(stream_id id, time_point) override { sent_[id].blocked = false; }
    void stream_acked(stream_id id, std::uint64_t n, time_point) override {
        auto& out = sent_[id];
        out.acked += n;
        must(n > 0 && out.acked <= out.written, "only what was sent is acknowledged");
        out.scribble(out.acked);
    }
    void stream_closed(stream_id id, std::optional<app_error>, time_point) override {
        must(closed_.insert(id).second, "a stream is closed once");
    }
    void streams_available(direction, time_point) override {}
    void pump(link::connection& to, time_point) override {
        for (; !wanted.empty(); wanted.pop_front()) {
            const auto& w = wanted.front();
            if (w.action == plan::what::close) {
                to.close(app_error::cancel, "bye");
                to.flush();
                for (auto& [id, out] : sent_) out.scribble(out.bytes.size());
                return;
            }
            if (w.action == plan::what::send) {
                const auto id = to.open(w.kind);
                if (!id) break;
                auto& out = sent_[*id];
                for (std::size_t i = 0; i < w.size; ++i) out.bytes.push_back(static_cast<char>(byte_of(*id, i)));
            } else if (const auto at = sent_.begin(); at != sent_.end()) {
                const auto id = std::next(at, static_cast<std::ptrdiff_t>(w.size % sent_.size()))->first;
                if (w.action == plan::what::stop && direction_of(id) == direction::bidi) to.stop(id, app_error::old);
                if (w.action == plan::what::reset && !sent_[id].done) wanted_resets_.insert(id);
            }
        }
        for (const auto id : wanted_resets_) sent_[id].done = true, to.reset(id, app_error::old);
        for (auto& [id, out] : sent_)
            if (!out.done && !out.blocked && !write(to, id, out)) break;
        to.flush();
        // As a session whose memory is reused.
        for (const auto id : std::exchange(wanted_resets_, {})) sent_[id].scribble(sent_[id].bytes.size());
    }
    void on_closed(const link::closed&, time_point) override {}

    struct plan {
        enum class what : std::uint8_t { send, reset, stop, close };
        what action = what::send;
        direction kind = direction::uni;
        std::size_t size = 0;
    };
    std::deque<plan> wanted;
    link::connection& connection;
    talker** gone = nullptr; ///< Records its end.
    talker** far = nullptr;

private:
    struct outgoing {
        std::string bytes{};
        std::size_t written = 0;
        std::uint64_t acked = 0;
        bool blocked = false;
        bool done = false;
        /// The first `n` bytes are not lent any more: the far end detects a retransmission.
        void scribble(std::uint64_t n) {
            std::fill_n(bytes.begin(), static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(n, written)), '!');
        }
    };
    struct incoming {
        std::uint64_t bytes = 0;
        bool over = false;
    };
    static bool write(link::connection& to, stream_id id, outgoing& out) {
        const byte_view rest = as_bytes(out.bytes).subspan(out.written);
        const auto n = to.write({id, {&rest, 1}, rest.size(), true});
        if (!n) return false;
        must(*n <= rest.size(), "no more is taken than was offered");
        out.written += *n;
        out.done = out.written == out.bytes.size();
        out.blocked = !out.done;
        return true;
    }
    void check_sent(stream_id id, std::uint64_t bytes, bool fin) const {
        const auto out = sent_.find(id);
        must(out != sent_.end(), "a stream that is received was opened");
        must(bytes <= out->second.written, "no more arrives than was sent");
        must(!fin || bytes == out->second.bytes.size(), "a stream that ended is there as a whole");
    }

    std::map<stream_id, outgoing> sent_;
    std::map<stream_id, incoming> received_;
    std::set<stream_id> closed_;
    std::set<stream_id> wanted_resets_;
};

} // namespace moqlite::fuzz
