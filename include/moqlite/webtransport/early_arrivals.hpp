// Streams and datagrams that arrive before their session (draft-ietf-webtrans-http3 §4.5).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/webtransport/datagram.hpp>
#include <moqlite/webtransport/error.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace moqlite::webtransport {

/// Bounds on what may wait on one connection.
struct early_limits {
    std::size_t streams = 16;
    std::size_t stream_bytes = 64 * 1024; ///< Per stream.
    std::size_t datagrams = 32;
    duration timeout = std::chrono::seconds{5}; ///< Longest wait.
};

/// The bytes of a stream so far, without its prefix.
struct early_stream {
    stream_id id{};
    std::vector<std::byte> bytes{};
    bool fin = false;
    std::optional<app_error> stopped{}; ///< The peer has stopped our half.
    bool closed = false;                ///< QUIC has closed it.
};

/// Keeps them in order of arrival. Later bytes may overtake a request, and also its answer, so both ends need this.
/// `arrivals` decides what to keep.
class early_arrivals {
public:
    explicit early_arrivals(early_limits bounds = {}) noexcept : bounds_(bounds) {}

    // Inputs. After a violation the stream is not kept.

    violation stream_begun(stream_id id, stream_id session, byte_view payload, bool fin, time_point now) {
        if (streams_.size() >= bounds_.streams) return violation::too_many_early_streams;
        streams_.push_back({{.id = id}, session, now + bounds_.timeout});
        return stream_received(id, payload, fin);
    }
    /// More bytes of a waiting stream.
    violation stream_received(stream_id id, byte_view bytes, bool fin) {
        const auto s = find(id);
        if (s == streams_.end()) return violation::none;
        if (bytes.size() > bounds_.stream_bytes - s->what.bytes.size()) {
            streams_.erase(s);
            return violation::early_stream_too_long;
        }
        s->what.bytes.insert(s->what.bytes.end(), bytes.begin(), bytes.end());
        s->what.fin = s->what.fin || fin;
        return violation::none;
    }
    /// The peer has reset a waiting stream: it is dropped unseen.
    void stream_reset(stream_id id) {
        if (const auto s = find(id); s != streams_.end()) streams_.erase(s);
    }
    void stream_stopped(stream_id id, app_error code) {
        if (const auto s = find(id); s != streams_.end()) s->what.stopped = code;
    }
    /// QUIC may close a short stream before it has been read.
    void stream_closed(stream_id id) {
        if (const auto s = find(id); s != streams_.end()) s->what.closed = true;
    }
    violation datagram_received(const datagram& d, time_point now) {
        if (datagrams_.size() >= bounds_.datagrams) return violation::too_many_early_datagrams;
        datagrams_.push_back({{d.payload.begin(), d.payload.end()}, d.session, now + bounds_.timeout});
        return violation::none;
    }

    // Outputs.

    /// The next stream of a session that has been established or rejected: call until nullopt.
    [[nodiscard]] std::optional<early_stream> take_stream(stream_id session) {
        return take(streams_, [=](const auto& s) { return s.session == session; });
    }
    /// The next stream whose wait has expired.
    [[nodiscard]] std::optional<early_stream> take_late_stream(time_point now) {
        return take(streams_, [=](const auto& s) { return s.until <= now; });
    }
    [[nodiscard]] std::optional<std::vector<std::byte>> take_datagram(stream_id session) {
        return take(datagrams_, [=](const auto& d) { return d.session == session; });
    }
    [[nodiscard]] std::optional<std::vector<std::byte>> take_late_datagram(time_point now) {
        return take(datagrams_, [=](const auto& d) { return d.until <= now; });
    }
    /// When the first wait expires.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept {
        // The first of each list has waited longest.
        std::optional<time_point> first;
        if (!streams_.empty()) first = streams_.front().until;
        if (!datagrams_.empty()) first = first ? std::min(*first, datagrams_.front().until) : datagrams_.front().until;
        return first;
    }

private:
    template <class What>
    struct waiting {
        What what;
        stream_id session{};
        time_point until{};
    };
    using waiting_streams = std::vector<waiting<early_stream>>;

    [[nodiscard]] waiting_streams::iterator find(stream_id id) noexcept {
        return std::find_if(streams_.begin(), streams_.end(), [id](const auto& s) { return s.what.id == id; });
    }

    template <class What, class Wanted>
    [[nodiscard]] static std::optional<What> take(std::vector<waiting<What>>& from, Wanted wanted) {
        const auto found = std::find_if(from.begin(), from.end(), wanted);
        if (found == from.end()) return std::nullopt;
        std::optional<What> out{std::move(found->what)};
        from.erase(found);
        return out;
    }

    early_limits bounds_;
    waiting_streams streams_;
    std::vector<waiting<std::vector<std::byte>>> datagrams_;
};

} // namespace moqlite::webtransport
