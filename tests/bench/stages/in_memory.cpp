// Two sessions joined in memory: the cost of a frame above QUIC. Each frame is written, pumped
// and read on its own, like a live one; only the sessions copy.
#include "stages.hpp"

#include "../measure.hpp"

#include <map>
#include <moqlite/session/session.hpp>
#include <moqlite/session/transport.hpp>
#include <stdexcept>
#include <variant>
#include <vector>

namespace moqlite::bench {

namespace {

/// One end; what it sends waits until deliver().
class memory_end {
public:
    memory_end(role side, time_point now) : is{side, version::lite_06, {}, now}, side_{side} {}

    // The transport.
    std::optional<stream_id> open(direction kind) {
        const auto n = kind == direction::uni ? uni_++ : bidi_++;
        return stream_id{n << 2 | (kind == direction::uni ? 2U : 0U) | (side_ == role::server ? 1U : 0U)};
    }
    std::optional<std::size_t> write(const write_stream& w) {
        // Lent until acknowledged, right after delivery.
        for (const auto bytes : w.data) sent_.push_back({w.stream, bytes, false});
        if (w.fin) sent_.push_back({w.stream, {}, true});
        return w.size;
    }
    void reset(stream_id, app_error) { throw std::logic_error("nothing is reset here"); }
    void stop(stream_id, app_error) { throw std::logic_error("nothing is stopped here"); }
    void credit(stream_id, std::uint64_t) {}
    void close(app_error, std::string_view) { throw std::logic_error("nothing is closed here"); }
    void flush() {}

    /// Delivers everything sent, with acknowledgements; `events` takes the peer session's events.
    template <class Events>
    void deliver(memory_end& to, time_point now, Events&& events) {
        for (std::size_t i = 0; i < sent_.size(); ++i) {
            const auto s = sent_[i];
            to.is.stream_received(s.stream, s.bytes, s.fin, now);
            to.drain(events);
            if (!s.bytes.empty()) is.stream_acked(s.stream, s.bytes.size(), now);
            if (s.fin && direction_of(s.stream) == direction::uni) {
                to.is.stream_closed(s.stream, {}, now);
                is.stream_closed(s.stream, {}, now);
            }
            drain([](const event&) {});
        }
        sent_.clear();
    }
    template <class Events>
    void drain(Events&& events) {
        while (auto e = is.poll_event()) events(*e);
    }

    session is;

private:
    struct piece {
        stream_id stream;
        byte_view bytes;
        bool fin;
    };
    role side_;
    std::uint64_t uni_ = 0, bidi_ = 0;
    std::vector<piece> sent_;
};

class conversation {
public:
    explicit conversation(std::size_t size) : payload_(size, std::byte{0x42}) {
        static_cast<void>(watcher_.is.subscribe({"bench", "track"}));
        turn();
        if (!request_) throw std::runtime_error("there is no subscription");
        static_cast<void>(publisher_.is.accept(*request_, group_sequence{0}));
        turn();
    }
    /// One group of 64 frames.
    void group() {
        const auto g = publisher_.is.open_group(*request_, next_);
        next_ = next(next_);
        for (std::uint64_t i = 0; i < frames_a_group; ++i) {
            static_cast<void>((*g)->write_frame(timestamp{frames_}, payload_));
            turn();
        }
        static_cast<void>((*g)->finish());
        turn();
    }
    [[nodiscard]] std::uint64_t frames() const noexcept { return frames_; }
    static constexpr std::uint64_t frames_a_group = 64;

private:
    void turn() {
        now_ += std::chrono::microseconds{1};
        pump(publisher_.is, publisher_);
        publisher_.deliver(watcher_, now_, [this](const event& e) {
            const auto* data = std::get_if<frame_data>(&e);
            if (data != nullptr && data->offset + data->data.size() == data->size) ++frames_;
        });
        pump(watcher_.is, watcher_);
        watcher_.deliver(publisher_, now_, [this](const event& e) {
            if (std::holds_alternative<setup_received>(e)) static_cast<void>(publisher_.is.admit({}));
            if (const auto* s = std::get_if<subscribe_requested>(&e)) request_ = s->request;
        });
    }

    std::vector<std::byte> payload_;
    time_point now_{std::chrono::seconds{1}};
    memory_end publisher_{role::server, now_};
    memory_end watcher_{role::client, now_};
    std::optional<request_id> request_;
    group_sequence next_{};
    std::uint64_t frames_ = 0;
};

} // namespace

void bench_in_memory(report& out, const run_plan& plan) {
    out.title("two sessions in memory, one frame at a time");
    for (const std::size_t size : {200U, 4096U, 8192U, 65536U}) {
        conversation talk{size};
        for (int i = 0; i < 100; ++i) talk.group();
        const auto before = talk.frames();
        const double begin = cpu_now(), until = begin + (plan.quick ? 0.1 : 0.5);
        double end = begin;
        for (; end < until; end = cpu_now()) talk.group();
        const double rate = static_cast<double>(talk.frames() - before) / (end - begin);
        out.line("%6zu B  %10.0f frames/s  %8.1f ns a frame  %8.1f MB/s", size, rate, 1e9 / rate,
            rate * static_cast<double>(size) / 1e6);
        out.data()["in_memory"][std::to_string(size)] = {{"frames_per_second", rate}};
    }
}

} // namespace moqlite::bench
