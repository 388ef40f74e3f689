// SETUP, ours and the peer's, and the event that replaces it where the version has none.
#pragma once

#include <cstdint>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/session/detail/probing.hpp>
#include <moqlite/session/detail/take.hpp>
#include <moqlite/wire/lite/setup.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace moqlite::detail {

class handshake {
public:
    handshake(context& c, probing& p, time_point now) noexcept
        : c_(c),
          probing_(p),
          created_(now),
          peer_(has_setup(c.dialect) ? peer_setup::awaited : peer_setup::unreported) {}

    /// `path`: path and query of the URL; on a server those of the request that opened the transport.
    void begin(std::string_view path, bool reports_path) {
        if (c_.side == role::server) requested_ = path;
        if (!has_setup(c_.dialect)) return;
        auto& s = c_.streams.controls.make();
        s.kind = control_kind::setup_out;
        s.reading = read_state::ended; // Only we send on it.
        our_setup_ = &s;
        c_.scratch.clear();
        wire::lite::encode(wire::lite::uni_type::setup, c_.scratch);
        c_.append(s, c_.scratch);
        wire::lite::setup message{.origin = c_.origin};
        if (reports_path) message.probe = wire::lite::probe_level::report;
        if (c_.side == role::client && !path.empty()) message.path = path;
        if (c_.side == role::client) message.cost = c_.own_cost;
        static_cast<void>(c_.send(s, message));
        c_.out.finish(s);
        c_.ready.mark();
    }
    /// Our SETUP has no stream yet.
    [[nodiscard]] bool needs_stream() const noexcept { return our_setup_ != nullptr; }
    /// The stream of our SETUP, for its id to be set; nullptr: it has one.
    control_stream* take_stream() noexcept { return std::exchange(our_setup_, nullptr); }

    /// The first event of a version without SETUP; nullopt: it has been reported, or the version has SETUP.
    std::optional<setup_received> unreported() {
        if (peer_ != peer_setup::unreported) return std::nullopt;
        peer_ = peer_setup::received;
        return setup_received{requested_, std::nullopt, hop_id{}};
    }
    /// The peer has opened a stream for its SETUP. False: it is the second.
    [[nodiscard]] bool arrives() noexcept {
        if (peer_ != peer_setup::awaited) return false;
        peer_ = peer_setup::arriving;
        return true;
    }
    wire::taken<std::size_t> parse(control_stream& s, byte_view in) {
        // Whatever bytes follow: the error must not depend on how they are split.
        if (peer_ == peer_setup::received) return errc::duplicate_setup;
        return take_first(c_, s, in, [&](byte_view body) { return received(s, body); });
    }
    /// When the peer's SETUP is overdue; nullopt: it has arrived, or the version has none.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept {
        if (!is_awaited()) return std::nullopt;
        return created_ + c_.bounds.handshake_timeout;
    }
    [[nodiscard]] bool is_awaited() const noexcept {
        return peer_ == peer_setup::awaited || peer_ == peer_setup::arriving;
    }

private:
    /// States only advance in this order.
    enum class peer_setup : std::uint8_t {
        unreported, ///< The version has none: an empty setup_received is due.
        awaited,
        arriving, ///< The peer has opened a stream for it.
        received,
    };

    errc received(const control_stream& s, byte_view body) {
        const auto m = wire::lite::decode<wire::lite::setup>(c_.dialect, body, c_.bounds);
        if (!m) return m.error();
        const bool has_client_parameter = m->path.has_value() || m->role != wire::lite::peer_role::both;
        if (c_.side == role::client && has_client_parameter) return errc::setup_from_server;
        peer_ = peer_setup::received;
        c_.peer_origin = m->origin;
        c_.peer_cost = m->cost;
        std::optional<std::uint64_t> hint;
        if (m->role != wire::lite::peer_role::both) hint = static_cast<std::uint64_t>(m->role);
        // If the transport was opened by a request, its path is the one that others have checked.
        const auto path = requested_.empty() ? c_.views.keep(m->path.value_or("")) : std::string_view{requested_};
        c_.emit(setup_received{path, hint, m->origin});
        c_.peer_hop(s.id, m->origin);
        probing_.set_peer_level(m->probe);
        return errc::ok;
    }

    context& c_;
    probing& probing_;
    time_point created_;
    peer_setup peer_;
    control_stream* our_setup_ = nullptr; ///< Set until it has a stream.
    std::string requested_;               ///< Path and query of the request that opened the transport.
};

} // namespace moqlite::detail
