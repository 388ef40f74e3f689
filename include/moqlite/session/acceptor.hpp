// Chooses the session of a new connection, by its ALPN or WebTransport sub-protocol, or else by its first bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/result.hpp>
#include <moqlite/session/any_session.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace moqlite {

/// Whether the first bytes of the client's first bidirectional stream are those of a protocol.
enum class recognition : std::uint8_t { no, needs_more, yes };

/// Makes the session of a connection. `Protocols`, in the order of preference, each have
/// - `static bool speaks(std::string_view name)`: the name alone decides for it;
/// - `static recognition recognises(std::string_view name, byte_view first)`; needs_more of no bytes: they can decide;
/// - `static void make(role, std::string_view name, session_options, time_point now, std::optional<Any>& into)`.
///
/// Where the name decides, make() makes the session. Else a server's acceptor takes the connection's inputs until
/// decide() makes the session; replay() then gives them to it:
///
///     if (!acceptor.make(name, options, now, session)) refuse();
///     // ... each input, while acceptor.is_waiting():
///     acceptor.stream_received(id, bytes, fin, now);
///     if (!acceptor.decide(now, session)) refuse();
///     while (session && acceptor.replay(*session)) drain_events();
template <class Any, class... Protocols>
class basic_acceptor {
public:
    explicit basic_acceptor(role side) noexcept : side_(side) {}

    /// `into` stays empty where the first bytes decide. errc::unsupported: `name` is unknown.
    result<void> make(std::string_view name, session_options options, time_point now, std::optional<Any>& into) {
        if ((make_if<Protocols>(Protocols::speaks(name), name, options, now, into) || ...)) return {};
        const bool bytes_decide = ((Protocols::recognises(name, {}) == recognition::needs_more) || ...);
        if (side_ == role::client || !bytes_decide) return errc::unsupported;
        name_ = name;
        begun_ = now;
        options_ = std::move(options);
        return {};
    }

    // Inputs, in place of the session.

    [[nodiscard]] bool is_waiting() const noexcept { return options_.has_value(); }
    /// When to call decide() at the latest.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept {
        return is_waiting() ? std::optional{begun_ + options_->bounds.handshake_timeout} : std::nullopt;
    }
    void stream_received(stream_id id, byte_view data, bool fin, time_point now) {
        if (!has_room(data.size())) return;
        const bool is_first = initiator_of(id) == role::client && direction_of(id) == direction::bidi;
        if (is_first && !first_) first_ = id;
        if (first_ == id) first_bytes_.insert(first_bytes_.end(), data.begin(), data.end());
        auto* last = taken_.empty() ? nullptr : std::get_if<received>(&taken_.back().what);
        if (last == nullptr || last->id != id || last->fin) {
            take(received{id, bytes_.size(), data.size(), fin}, now);
        } else { // The same input, longer.
            last->size += data.size();
            last->fin = fin;
        }
        bytes_.insert(bytes_.end(), data.begin(), data.end());
    }
    void stream_reset(stream_id id, app_error code, time_point now) { take(reset{id, code}, now); }
    void stream_stopped(stream_id id, app_error code, time_point now) { take(stopped{id, code}, now); }
    void stream_closed(stream_id id, std::optional<app_error> code, time_point now) { take(closed{id, code}, now); }
    void streams_available(direction kind, time_point now) { take(available{kind}, now); }
    void path_measured(const path_facts& path, time_point now) { take(path, now); }
    void datagram_received(byte_view data, time_point now) {
        if (!has_room(data.size())) return;
        take(datagram{bytes_.size(), data.size()}, now);
        bytes_.insert(bytes_.end(), data.begin(), data.end());
    }

    /// Makes the session once the bytes decide. Call it after each input, and at the deadline. errc::unsupported: the
    /// bytes are of no protocol. errc::setup_timeout: they did not arrive in time. errc::message_too_large (more than
    /// limits.control_message) and errc::too_many_streams: too much arrived before them. Precondition: is_waiting().
    result<void> decide(time_point now, std::optional<Any>& into) {
        if (overflow_ != errc::ok) return overflow_; // An input is missing.
        const byte_view first{first_bytes_};
        const auto is = [&](recognition r, recognition other) { return r == other; };
        // The session begins with the connection: its inputs, and its timeout, are counted from there.
        if ((make_if<Protocols>(
                 is(Protocols::recognises(name_, first), recognition::yes), name_, *options_, begun_, into) ||
                ...)) {
            options_.reset();
            return {};
        }
        const bool undecided = (is(Protocols::recognises(name_, first), recognition::needs_more) || ...);
        if (!undecided) return errc::unsupported;
        return now < *deadline() ? result<void>{} : errc::setup_timeout;
    }

    /// Gives the session the next input that was taken; drain its events before the next. False: there is none.
    bool replay(Any& to) {
        if (replayed_ == taken_.size()) return false;
        const auto& next = taken_[replayed_++];
        std::visit([&](const auto& what) { give(to, what, next.now); }, next.what);
        return true;
    }

private:
    struct received {
        stream_id id;
        std::size_t begin; ///< In bytes_.
        std::size_t size;
        bool fin;
    };
    struct reset {
        stream_id id;
        app_error code;
    };
    struct stopped {
        stream_id id;
        app_error code;
    };
    struct closed {
        stream_id id;
        std::optional<app_error> code;
    };
    struct available {
        direction kind;
    };
    struct datagram {
        std::size_t begin; ///< In bytes_.
        std::size_t size;
    };
    struct input {
        std::variant<received, reset, stopped, closed, available, datagram, path_facts> what;
        time_point now;
    };

    template <class P>
    bool make_if(
        bool chosen, std::string_view name, session_options& options, time_point now, std::optional<Any>& into) const {
        if (chosen) P::make(side_, name, std::move(options), now, into);
        return chosen;
    }
    /// An overflow is reported by decide().
    [[nodiscard]] bool has_room(std::size_t more) {
        if (overflow_ == errc::ok && bytes_.size() + more > options_->bounds.control_message)
            overflow_ = errc::message_too_large;
        return overflow_ == errc::ok;
    }
    template <class Input>
    void take(const Input& what, time_point now) {
        if (taken_.size() == most_inputs) overflow_ = errc::too_many_streams;
        if (overflow_ == errc::ok) taken_.push_back({what, now});
    }
    [[nodiscard]] byte_view at(std::size_t begin, std::size_t size) const noexcept {
        return byte_view{bytes_}.subspan(begin, size);
    }
    void give(Any& to, const received& i, time_point now) { to.stream_received(i.id, at(i.begin, i.size), i.fin, now); }
    void give(Any& to, const reset& i, time_point now) { to.stream_reset(i.id, i.code, now); }
    void give(Any& to, const stopped& i, time_point now) { to.stream_stopped(i.id, i.code, now); }
    void give(Any& to, const closed& i, time_point now) { to.stream_closed(i.id, i.code, now); }
    void give(Any& to, const available& i, time_point now) { to.streams_available(i.kind, now); }
    void give(Any& to, const datagram& i, time_point now) { to.datagram_received(at(i.begin, i.size), now); }
    void give(Any& to, const path_facts& i, time_point now) { to.path_measured(i, now); }

    static constexpr std::size_t most_inputs = 256;
    role side_;
    std::string name_;
    std::optional<session_options> options_; ///< Of the session that is still to be made.
    time_point begun_{};                     ///< When the connection began.
    std::optional<stream_id> first_;
    std::vector<std::byte> first_bytes_;
    std::vector<std::byte> bytes_; ///< Of all inputs.
    std::vector<input> taken_;
    std::size_t replayed_ = 0;
    errc overflow_ = errc::ok;
};

/// moq-lite: each version has a name of its own, which decides.
struct lite_protocol {
    [[nodiscard]] static bool speaks(std::string_view name) noexcept { return version_from_alpn(name).has_value(); }
    [[nodiscard]] static recognition recognises(std::string_view, byte_view) noexcept { return recognition::no; }
    template <class Any>
    static void make(
        role side, std::string_view name, session_options options, time_point now, std::optional<Any>& into) {
        into.emplace(std::in_place_type<session>, side, *version_from_alpn(name), std::move(options), now);
    }
};

using acceptor = basic_acceptor<any_session, lite_protocol>;

} // namespace moqlite
