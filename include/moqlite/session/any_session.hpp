// A session of any protocol in one object; the variant is visited only here.
#pragma once

#include <moqlite/core/protocol.hpp>
#include <moqlite/session/local_session.hpp>
#include <moqlite/session/session.hpp>
#include <utility>
#include <variant>

namespace moqlite {

/// A session of one of several kinds, with the members that all share and that mean the same in each. They are
/// documented at session.
template <class... Sessions>
class basic_any_session {
public:
    /// Makes a session of kind S in place; it never moves.
    template <class S, class... Args>
    explicit basic_any_session(std::in_place_type_t<S> kind, Args&&... args) : is_(kind, std::forward<Args>(args)...) {}

    // Inputs.
    void stream_received(stream_id id, byte_view data, bool fin, time_point now) {
        visit([&](auto& s) { s.stream_received(id, data, fin, now); });
    }
    void stream_reset(stream_id id, app_error code, time_point now) {
        visit([&](auto& s) { s.stream_reset(id, code, now); });
    }
    void stream_stopped(stream_id id, app_error code, time_point now) {
        visit([&](auto& s) { s.stream_stopped(id, code, now); });
    }
    void stream_writable(stream_id id, time_point now) {
        visit([&](auto& s) { s.stream_writable(id, now); });
    }
    void stream_acked(stream_id id, std::uint64_t n, time_point now) {
        visit([&](auto& s) { s.stream_acked(id, n, now); });
    }
    void stream_closed(stream_id id, std::optional<app_error> code, time_point now) {
        visit([&](auto& s) { s.stream_closed(id, code, now); });
    }
    void streams_available(direction kind, time_point now) {
        visit([&](auto& s) { s.streams_available(kind, now); });
    }
    void datagram_received(byte_view bytes, time_point now) {
        visit([&](auto& s) { s.datagram_received(bytes, now); });
    }
    void path_measured(const path_facts& path, time_point now) {
        visit([&](auto& s) { s.path_measured(path, now); });
    }
    void connection_closed(const closed_by& how, time_point now) {
        visit([&](auto& s) { s.connection_closed(how, now); });
    }
    void tick(time_point now) {
        visit([&](auto& s) { s.tick(now); });
    }

    // Events and outputs.
    [[nodiscard]] std::optional<event> poll_event() {
        return visit([](auto& s) { return s.poll_event(); });
    }
    [[nodiscard]] std::optional<output> poll_output() {
        return visit([](auto& s) { return s.poll_output(); });
    }
    void stream_opened(direction kind, std::optional<stream_id> id) {
        visit([&](auto& s) { s.stream_opened(kind, id); });
    }
    void stream_written(stream_id id, std::size_t taken) {
        visit([&](auto& s) { s.stream_written(id, taken); });
    }
    void flushed() noexcept {
        visit([](auto& s) { s.flushed(); });
    }
    [[nodiscard]] std::optional<time_point> deadline() const noexcept {
        return std::visit([](const auto& s) { return s.deadline(); }, is_);
    }

    // Commands.
    void alone(const std::string& above) {
        visit([&](auto& s) { s.alone(above); });
    }
    result<void> admit(scope allowed) {
        return visit([&](auto& s) { return s.admit(std::move(allowed)); });
    }
    result<void> refuse(app_error code = app_error::unauthorized, std::string_view reason = {}) {
        return visit([&](auto& s) { return s.refuse(code, reason); });
    }
    result<watch_id> watch(std::string_view prefix) {
        return visit([&](auto& s) { return s.watch(prefix); });
    }
    result<watch_id> watch_hidden(std::string_view prefix) {
        return visit([&](auto& s) { return s.watch_hidden(prefix); });
    }
    result<void> unwatch(watch_id id) {
        return visit([&](auto& s) { return s.unwatch(id); });
    }
    result<void> decline(watch_id id, std::string_view path) {
        return visit([&](auto& s) { return s.decline(id, path); });
    }
    result<subscribe_id> subscribe(const track_ref& track, const subscribe_options& options = {}) {
        return visit([&](auto& s) { return s.subscribe(track, options); });
    }
    result<void> update(subscribe_id id, const subscribe_changes& changes) {
        return visit([&](auto& s) { return s.update(id, changes); });
    }
    result<void> repeat_update(subscribe_id id) {
        return visit([&](auto& s) { return s.repeat_update(id); });
    }
    result<void> unsubscribe(subscribe_id id, app_error code = app_error::cancel) {
        return visit([&](auto& s) { return s.unsubscribe(id, code); });
    }
    result<query_id> request_track(const track_ref& track) {
        return visit([&](auto& s) { return s.request_track(track); });
    }
    result<void> cancel(query_id id) {
        return visit([&](auto& s) { return s.cancel(id); });
    }
    result<group_id> fetch(
        const track_ref& track, group_sequence sequence, priority urgency = 128, const frame_range& frames = {}) {
        return visit([&](auto& s) { return s.fetch(track, sequence, urgency, frames); });
    }
    result<void> collect(group_id id, group_ref log) {
        return visit([&](auto& s) { return s.collect(id, std::move(log)); });
    }
    /// The group itself, where its publisher is in this process (local_session::adopt); else null.
    [[nodiscard]] group_ref adopt(group_id id) {
        return visit([&](auto& s) -> group_ref {
            if constexpr (requires { s.adopt(id); })
                return s.adopt(id);
            else
                return {};
        });
    }
    result<void> release(group_id id, std::uint64_t bytes) {
        return visit([&](auto& s) { return s.release(id, bytes); });
    }
    result<void> stop(group_id id, app_error code) {
        return visit([&](auto& s) { return s.stop(id, code); });
    }
    result<void> probe(std::optional<std::uint64_t> target = {}) {
        return visit([=](auto& s) { return s.probe(target); });
    }
    void stop_probe() {
        visit([](auto& s) { s.stop_probe(); });
    }
    result<void> announce(std::string_view path, std::vector<hop_id> hops = {}) {
        return visit([&](auto& s) { return s.announce(path, std::move(hops)); });
    }
    result<void> unannounce(std::string_view path) {
        return visit([&](auto& s) { return s.unannounce(path); });
    }
    result<void> answer_track(request_id id, const track_info& info) {
        return visit([&](auto& s) { return s.answer_track(id, info); });
    }
    result<void> set_timescale(request_id id, std::uint64_t timescale) {
        return visit([&](auto& s) { return s.set_timescale(id, timescale); });
    }
    result<void> accept(request_id id, std::optional<group_sequence> start = {}, priority publisher = 0) {
        return visit([&](auto& s) { return s.accept(id, start, publisher); });
    }
    result<void> reject(request_id id, app_error code, std::string_view reason = {}) {
        return visit([&](auto& s) { return s.reject(id, code, reason); });
    }
    result<void> serve(request_id id, group_ref g) {
        return visit([&](auto& s) { return s.serve(id, std::move(g)); });
    }
    result<group_ref> open_group(request_id id, group_sequence sequence) {
        return visit([&](auto& s) { return s.open_group(id, sequence); });
    }
    result<void> serve_datagram(request_id id, group_sequence sequence, timestamp time, byte_view payload) {
        return visit([&](auto& s) { return s.serve_datagram(id, sequence, time, payload); });
    }
    result<void> drop(request_id id, group_sequence first, group_sequence last, app_error code) {
        return visit([&](auto& s) { return s.drop(id, first, last, code); });
    }
    result<void> end_track(request_id id, group_sequence end) {
        return visit([&](auto& s) { return s.end_track(id, end); });
    }
    result<void> finish(request_id id) {
        return visit([&](auto& s) { return s.finish(id); });
    }
    result<void> goaway(std::string_view uri = {}) {
        return visit([&](auto& s) { return s.goaway(uri); });
    }
    void close(app_error code, std::string_view reason = {}) {
        visit([&](auto& s) { s.close(code, reason); });
    }

    // Facts.
    [[nodiscard]] bool takes_more(request_id id) {
        return visit([&](auto& s) { return s.takes_more(id); });
    }
    [[nodiscard]] std::uint64_t unsent(request_id id) {
        return visit([&](auto& s) { return s.unsent(id); });
    }
    [[nodiscard]] slab_pool& pool() noexcept {
        return std::visit([](auto& s) -> slab_pool& { return s.pool(); }, is_);
    }
    [[nodiscard]] std::uint64_t peer_inputs() const noexcept {
        return std::visit([](const auto& s) { return s.peer_inputs(); }, is_);
    }
    [[nodiscard]] std::optional<std::uint64_t> requests_left() const noexcept {
        return std::visit([](const auto& s) { return s.requests_left(); }, is_);
    }
    [[nodiscard]] duration rtt() const noexcept {
        return std::visit([](const auto& s) { return s.rtt(); }, is_);
    }
    [[nodiscard]] bool is_closed() const noexcept {
        return std::visit([](const auto& s) { return s.is_closed(); }, is_);
    }
    [[nodiscard]] protocol negotiated() const noexcept {
        return std::visit([](const auto& s) { return protocol{s.negotiated()}; }, is_);
    }
    [[nodiscard]] protocol_features features() const noexcept {
        return std::visit([](const auto& s) { return s.features(); }, is_);
    }
    [[nodiscard]] role side() const noexcept {
        return std::visit([](const auto& s) { return s.side(); }, is_);
    }
    [[nodiscard]] bool reads_raw_codes() const noexcept {
        return std::visit([](const auto& s) { return s.reads_raw_codes(); }, is_);
    }
    template <class F>
    void for_each_available(F&& f) {
        visit([&](auto& s) { s.for_each_available(f); });
    }
    [[nodiscard]] app_error close_code(app_error code) const noexcept {
        return std::visit([&](const auto& s) { return s.close_code(code); }, is_);
    }
    [[nodiscard]] const scope& allowed() const noexcept {
        return std::visit([](const auto& s) -> const scope& { return s.allowed(); }, is_);
    }
    /// nullptr: it is of another kind.
    template <class S>
    [[nodiscard]] S* as() noexcept {
        return std::get_if<S>(&is_);
    }

private:
    template <class F>
    decltype(auto) visit(F&& f) {
        return std::visit(std::forward<F>(f), is_);
    }
    std::variant<Sessions...> is_;
};

using any_session = basic_any_session<session, local_session>;

} // namespace moqlite
