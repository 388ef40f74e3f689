// SETUP, ours and the peer's, and what is reported in its place where the version has none.
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

    /// `path`: of the URL, with its query; of a server, that of the request that the transport came with.
    void begin(std::string_view path, bool reports_path) {
        if (c_.side == role::server) requested_ = path;
        if (!has_setup(c_.dialect)) return;
        auto& s = c_.streams.controls.make();
        s.kind = control_kind::setup_out;
        s.reading = read_state::ended; // Only we write on it.
        ours_ = &s;
        c_.scratch.clear();
        wire::lite::encode(wire::lite::uni_type::setup, c_.scratch);
        c_.append(s, c_.scratch);
        wire::lite::setup message{.origin = c_.origin};
        if (reports_path) message.probe = wire::lite::probe_level::report;
        if (c_.side == role::client && !path.empty()) message.path = path;
        if (c_.side == role::client) message.cost = c_.own_price;
        static_cast<void>(c_.send(s, message));
        c_.out.finish(s);
        c_.ready.mark();
    }
    /// Our SETUP has no stream yet.
    [[nodiscard]] bool needs_stream() const noexcept { return ours_ != nullptr; }
    /// The stream of our SETUP, which is given its id; nullptr: it has one.
    control_stream* take_stream() noexcept { return std::exchange(ours_, nullptr); }

    /// The first event of a version without SETUP; nullopt: it was reported, or the peer's SETUP is.
    std::optional<setup_received> unreported() {
        if (peer_ != peer_setup::unreported) return std::nullopt;
        peer_ = peer_setup::received;
        return setup_received{requested_, std::nullopt, hop_id{}};
    }
    /// The peer has opened a stream for its SETUP. False: a second one.
    [[nodiscard]] bool arrives() noexcept {
        if (peer_ != peer_setup::awaited) return false;
        peer_ = peer_setup::arriving;
        return true;
    }
    wire::taken<std::size_t> parse(control_stream& s, byte_view in) {
        // Whatever more comes: the error may not depend on how the bytes are split.
        if (peer_ == peer_setup::received) return errc::duplicate_setup;
        return take_first(c_, s, in, [&](byte_view body) { return received(s, body); });
    }
    /// When the peer's SETUP will be late; nullopt: it is here, or there is none.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept {
        if (!is_awaited()) return std::nullopt;
        return created_ + c_.bounds.handshake_timeout;
    }
    [[nodiscard]] bool is_awaited() const noexcept {
        return peer_ == peer_setup::awaited || peer_ == peer_setup::arriving;
    }

private:
    /// A state is only ever followed by a later one.
    enum class peer_setup : std::uint8_t {
        unreported, ///< The version has none: setup_received is due, and empty.
        awaited,
        arriving, ///< On the stream that the peer has opened for it.
        received,
    };

    errc received(const control_stream& s, byte_view body) {
        const auto m = wire::lite::decode<wire::lite::setup>(c_.dialect, body, c_.bounds);
        if (!m) return m.error();
        const bool says_client = m->path.has_value() || m->role != wire::lite::peer_role::both;
        if (c_.side == role::client && says_client) return errc::setup_from_server;
        peer_ = peer_setup::received;
        c_.peer_origin = m->origin;
        c_.peer_price = m->cost;
        std::optional<std::uint64_t> hint;
        if (m->role != wire::lite::peer_role::both) hint = static_cast<std::uint64_t>(m->role);
        // Where the transport had a request, its path is the one that others checked.
        const auto path = requested_.empty() ? c_.views.keep(m->path.value_or("")) : std::string_view{requested_};
        c_.emit(setup_received{path, hint, m->origin});
        c_.peer_hop(s.id, m->origin);
        probing_.peer_said(m->probe);
        return errc::ok;
    }

    context& c_;
    probing& probing_;
    time_point created_;
    peer_setup peer_;
    control_stream* ours_ = nullptr; ///< Until it has a stream.
    std::string requested_;          ///< Path and query of the request that the transport came with.
};

} // namespace moqlite::detail
