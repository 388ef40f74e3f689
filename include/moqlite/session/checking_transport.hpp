// Asserts the contract of transport.hpp in both directions: for tests, and for those who bind a QUIC stack.
//
//     contract_checker books{role::client};
//     checking_session checked{session, books};         // Use it in place of the session.
//     checking_transport wire{transport, books};        // Pump into it.
//     pump(checked, wire);
//
// Each call costs a lookup in a map. Memory grows with the gaps between the streams that have closed.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <moqlite/session/detail/id_ranges.hpp>
#include <moqlite/session/event.hpp>
#include <moqlite/session/session.hpp>
#include <moqlite/session/transport.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

namespace moqlite {

/// Prints the broken rule and aborts the program.
struct abort_on_fault {
    [[noreturn]] void operator()(std::string_view rule) const noexcept {
        std::fprintf(stderr, "moqlite: broken contract: %.*s\n", static_cast<int>(rule.size()), rule.data());
        std::abort();
    }
};

/// Records what the session and the transport of one connection have passed to each other. Calls `on_fault(rule)` for
/// each rule of transport.hpp that either breaks; if it returns, checking continues as well as possible.
template <class OnFault = abort_on_fault>
class contract_checker {
public:
    explicit contract_checker(role side, OnFault on_fault = {}) : side_(side), on_fault_(std::move(on_fault)) {}
    contract_checker(const contract_checker&) = delete;
    contract_checker& operator=(const contract_checker&) = delete;

    // The session's side: outputs.

    void polled() { pumping_ = true; }
    void asked_open() { output(rank::open); }
    void opened(direction kind, stream_id id) {
        must(number(id) <= most, "open: an id is below 2^62");
        must(
            initiator_of(id) == side_ && direction_of(id) == kind, "open: the low bits of an id are its side and kind");
        must(!streams_.contains(number(id)) && !over_.contains(id), "open: an id is used once");
        streams_[number(id)] = {.sends = true, .receives = kind == direction::bidi};
    }
    void asked_write(const write_stream& w) {
        output(rank::write);
        std::size_t sum = 0;
        for (const auto part : w.data) sum += part.size();
        must(sum == w.size, "write: size is the sum of the parts");
        must(w.size != 0 || w.fin, "write: there are bytes or FIN");
        stream* s = find(w.stream);
        must(s != nullptr && s->sends, "write: the stream is open, and we send on it");
        if (s == nullptr) return;
        must(!s->fin, "write: nothing follows FIN");
        must(!s->reset, "write: nothing follows a reset");
        must(!s->blocked, "write: a blocked stream waits until it is writable");
        s->offered = w.size;
    }
    void answered(const write_stream& w, std::optional<std::size_t> taken) {
        stream* s = find(w.stream);
        if (s == nullptr || ended_) return;
        must(taken.value_or(0) <= w.size, "write: no more bytes are accepted than offered");
        s->offered = 0;
        s->taken += taken.value_or(0);
        s->fin = taken == w.size && w.fin;
        s->blocked = taken == 0 && w.size != 0;
        must(s->acked <= s->taken, "stream_acked: no more bytes are acknowledged than accepted");
    }
    void asked_reset(stream_id id) {
        stream* s = stopped_or_reset(id);
        if (s == nullptr) return;
        must(s->sends, "reset: we send on the stream");
        must(!std::exchange(s->reset, true), "reset: a stream is reset once");
    }
    void asked_stop(stream_id id) {
        stream* s = stopped_or_reset(id);
        if (s == nullptr) return;
        must(s->receives, "stop: the peer sends on the stream");
        must(!std::exchange(s->stopped, true), "stop: a stream is stopped once");
    }
    void asked_credit(stream_id id, std::uint64_t n) {
        output(rank::credit);
        must(n != 0, "credit: n is above 0");
        stream* s = find(id);
        if (s == nullptr) return must(over_.contains(id), "credit: the stream has been opened");
        if (!s->receives) return must(false, "credit: the peer sends on the stream");
        s->credited += n;
        must(s->credited <= s->received, "credit: it is returned once for each received byte");
    }
    void asked_close() {
        output(rank::close);
        closed_ = true;
    }
    void asked_datagram() { output(rank::datagram); }
    void flushed() {
        pumping_ = false;
        last_ = rank::close;
    }
    void drained() { undrained_ = false; }

    // The transport's side: inputs. Call each before the session's own.

    void received(stream_id id, std::size_t n, bool fin, time_point now) {
        input(now);
        stream* s = find_or_accept(id);
        if (s == nullptr) return;
        must(s->receives, "stream_received: not on a stream that only we send on");
        must(!s->ended, "stream_received: nothing follows FIN or RESET_STREAM");
        s->received += n;
        s->ended = fin;
    }
    void was_reset(stream_id id, time_point now) {
        input(now);
        stream* s = find_or_accept(id);
        if (s == nullptr) return;
        must(s->receives, "stream_reset: not on a stream that only we send on");
        must(!std::exchange(s->ended, true), "stream_reset: nothing follows FIN or RESET_STREAM");
    }
    void was_stopped(stream_id id, time_point now) {
        input(now);
        if (const stream* s = find_or_accept(id))
            must(s->sends, "stream_stopped: not on a stream that only the peer sends on");
    }
    void writable(stream_id id, time_point now) {
        input(now);
        stream* s = find_or_accept(id);
        if (s == nullptr) return;
        must(s->sends, "stream_writable: not on a stream that only the peer sends on");
        s->blocked = false;
    }
    void acked(stream_id id, std::uint64_t n, time_point now) {
        input_anywhere(now);
        stream* s = find_or_accept(id);
        must(n != 0, "stream_acked: n is above 0");
        if (s == nullptr) return;
        s->acked += n;
        must(s->acked <= s->taken + s->offered, "stream_acked: no more bytes are acknowledged than accepted");
    }
    void was_closed(stream_id id, bool clean, time_point now) {
        input(now);
        const stream* s = find_or_accept(id);
        if (s == nullptr) return;
        const bool sent = !s->sends || (s->fin && s->acked == s->taken);
        must(!clean || sent, "stream_closed: without a code all our bytes and FIN are acknowledged");
        must(!clean || !s->receives || s->ended || s->stopped,
            "stream_closed: without a code the peer's side has ended");
        streams_.erase(number(id));
        over_.add(id);
    }
    void fact(time_point now) { input(now); }
    void connection_closed(time_point now) {
        input_anywhere(now);
        ended_ = true;
    }
    void ticked(time_point now, std::optional<time_point> deadline) {
        must(!deadline || *deadline > now, "deadline: a tick moves it beyond now");
    }

private:
    /// In the order of a pump.
    enum class rank : std::uint8_t { close, credit, open, datagram, write };
    struct stream {
        bool sends = false;
        bool receives = false;
        // Ours.
        std::uint64_t taken = 0;
        std::uint64_t acked = 0;
        std::uint64_t offered = 0; ///< Bytes of the unanswered write.
        bool fin = false;
        bool reset = false;
        bool blocked = false;
        // Theirs.
        std::uint64_t received = 0;
        std::uint64_t credited = 0;
        bool ended = false;
        bool stopped = false;
    };
    static constexpr std::uint64_t most = (std::uint64_t{1} << 62) - 1;

    void must(bool holds, std::string_view rule) {
        if (!holds) on_fault_(rule);
    }
    void output(rank r) {
        pumping_ = true;
        must(!closed_, "outputs: nothing follows close");
        must(last_ == rank::close || (r != rank::close && r >= last_),
            "outputs: the order is close, credit, open, datagrams, write");
        last_ = r;
    }
    stream* stopped_or_reset(stream_id id) {
        pumping_ = true;
        must(!closed_, "outputs: nothing follows close");
        stream* s = find(id);
        must(s != nullptr || over_.contains(id), "reset, stop: the stream has been opened");
        return s;
    }
    void input(time_point now) {
        must(!pumping_, "inputs: only stream_acked and connection_closed inside a pump");
        must(!undrained_, "inputs: all events are polled before the next");
        input_anywhere(now);
        undrained_ = true;
    }
    void input_anywhere(time_point now) {
        must(now >= now_, "inputs: time never goes back");
        must(!ended_, "inputs: none follows connection_closed");
        now_ = now;
    }
    stream* find(stream_id id) {
        const auto found = streams_.find(number(id));
        return found != streams_.end() ? &found->second : nullptr;
    }
    stream* find_or_accept(stream_id id) {
        if (stream* s = find(id)) return s;
        must(number(id) <= most, "inputs: a stream id is below 2^62");
        must(!over_.contains(id), "inputs: none on a stream after stream_closed");
        must(initiator_of(id) != side_, "inputs: none on a stream of ours that was not opened");
        if (over_.contains(id) || initiator_of(id) == side_) return nullptr;
        return &(streams_[number(id)] = {.sends = direction_of(id) == direction::bidi, .receives = true});
    }

    role side_;
    OnFault on_fault_;
    std::map<std::uint64_t, stream> streams_;
    detail::id_ranges over_; ///< Streams that have closed.
    time_point now_{};
    rank last_ = rank::close; ///< The last output of this pump.
    bool pumping_ = false;
    bool undrained_ = false;
    bool closed_ = false; ///< The session has closed the connection.
    bool ended_ = false;  ///< connection_closed was given.
};

/// A transport that checks each call and passes it on to another one.
template <transport T, class OnFault = abort_on_fault>
class checking_transport {
public:
    checking_transport(T& to, contract_checker<OnFault>& books) noexcept : to_(to), books_(books) {}

    std::optional<stream_id> open(direction kind) {
        books_.asked_open();
        const auto id = to_.open(kind);
        if (id) books_.opened(kind, *id);
        return id;
    }
    std::optional<std::size_t> write(const write_stream& w) {
        books_.asked_write(w);
        const auto taken = to_.write(w);
        books_.answered(w, taken);
        return taken;
    }
    void reset(stream_id id, app_error code) {
        books_.asked_reset(id);
        to_.reset(id, code);
    }
    void stop(stream_id id, app_error code) {
        books_.asked_stop(id);
        to_.stop(id, code);
    }
    void credit(stream_id id, std::uint64_t n) {
        books_.asked_credit(id, n);
        to_.credit(id, n);
    }
    void close(app_error code, std::string_view reason) {
        books_.asked_close();
        to_.close(code, reason);
    }
    void flush() {
        to_.flush();
        books_.flushed();
    }
    bool send(byte_view datagram)
        requires datagram_transport<T>
    {
        books_.asked_datagram();
        return to_.send(datagram);
    }

private:
    T& to_;
    contract_checker<OnFault>& books_;
};

/// A session whose inputs are checked. Commands and facts are behind `->`.
template <class Session, class OnFault = abort_on_fault>
class checking_session {
public:
    checking_session(Session& s, contract_checker<OnFault>& books) noexcept : is_(s), books_(books) {}

    [[nodiscard]] Session* operator->() const noexcept { return &is_; }
    [[nodiscard]] Session& operator*() const noexcept { return is_; }

    void stream_received(stream_id id, byte_view data, bool fin, time_point now) {
        books_.received(id, data.size(), fin, now);
        is_.stream_received(id, data, fin, now);
    }
    void stream_reset(stream_id id, app_error code, time_point now) {
        books_.was_reset(id, now);
        is_.stream_reset(id, code, now);
    }
    void stream_stopped(stream_id id, app_error code, time_point now) {
        books_.was_stopped(id, now);
        is_.stream_stopped(id, code, now);
    }
    void stream_writable(stream_id id, time_point now) {
        books_.writable(id, now);
        is_.stream_writable(id, now);
    }
    void stream_acked(stream_id id, std::uint64_t n, time_point now) {
        books_.acked(id, n, now);
        is_.stream_acked(id, n, now);
    }
    void stream_closed(stream_id id, std::optional<app_error> code, time_point now) {
        books_.was_closed(id, !code, now);
        is_.stream_closed(id, code, now);
    }
    void streams_available(direction kind, time_point now) {
        books_.fact(now);
        is_.streams_available(kind, now);
    }
    void datagram_received(byte_view bytes, time_point now) {
        books_.fact(now);
        is_.datagram_received(bytes, now);
    }
    void path_measured(const path_facts& path, time_point now) {
        books_.fact(now);
        is_.path_measured(path, now);
    }
    void connection_closed(const closed_by& how, time_point now) {
        books_.connection_closed(now);
        is_.connection_closed(how, now);
    }
    void tick(time_point now) {
        books_.fact(now);
        is_.tick(now);
        books_.ticked(now, is_.deadline());
    }

    [[nodiscard]] std::optional<event> poll_event() {
        auto e = is_.poll_event();
        if (!e) books_.drained();
        return e;
    }
    [[nodiscard]] std::optional<output> poll_output() {
        books_.polled();
        return is_.poll_output();
    }
    void stream_opened(direction kind, std::optional<stream_id> id) { is_.stream_opened(kind, id); }
    void stream_written(stream_id id, std::size_t taken) { is_.stream_written(id, taken); }
    void flushed() noexcept { is_.flushed(); }
    [[nodiscard]] std::optional<time_point> deadline() const noexcept { return is_.deadline(); }
    [[nodiscard]] bool reads_raw_codes() const noexcept { return is_.reads_raw_codes(); }

private:
    Session& is_;
    contract_checker<OnFault>& books_;
};

} // namespace moqlite
