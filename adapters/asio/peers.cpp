#include "detail/peers_state.hpp"
#include "detail/reader_state.hpp"
#include "detail/writer_state.hpp"

#include <algorithm>
#include <moqlite/asio/error.hpp>
#include <moqlite/core/path.hpp>

namespace moqlite::asio {

namespace detail {

peers_state::peers_state(boost::asio::any_io_executor on, peers_options o)
    : of_(asio::origin{std::move(on), o.node}.state()) {
    std::string why;
    auto who = o.who ? std::move(o.who) : generate_identity({.names = {"peer"}}, why);
    if (who) own_ = peer_key{fingerprint(*who, why).value_or("")};
    if (!own_) of_->log(moqlite::link::log_level::error, "a peer's certificate: " + why);
    client_options c{.trusted = trust::any_certificate(), .who = who};
    c.protocols = o.protocols;
    c.transport = o.transport;
    server_options s{.tls = server_identity::of(who ? *who : identity{})};
    s.clients = client_authentication{trust::any_certificate(), o.certificates_required};
    s.protocols = std::move(o.protocols);
    s.transport = std::move(o.transport);
    client_ = std::make_shared<client_state>(of_, std::move(c));
    server_ = std::make_shared<server_state>(of_, std::move(s));
    of_->add(static_cast<waiter&>(*this));
}

void peers_state::begin() {
    server_->on_asked = [weak = weak_from_this()](const session_ref& by, const admission& what) {
        if (const auto here = weak.lock()) here->asked(by, what);
    };
}

/// Answers all that wait: nothing follows.
void peers_state::stop_waiting(error_code why) {
    wanted_.clear();
    for (auto& [address, each] : std::exchange(dials_, {}))
        for (auto& [n, who] : each.callers) answer(std::move(who), why);
    undecided_.clear();
    for (const auto& weak : std::exchange(listeners_, {}))
        if (const auto each = weak.lock()) each->end();
}

void peers_state::shutdown(completion<> done) {
    if (is_over_ || (is_stopping_ && to_stop_ == 0)) return done({});
    stopping_.push_back(std::move(done));
    if (std::exchange(is_stopping_, true)) return;
    stop_waiting(make_error(errc::closed));
    for (auto& [key, each] : links_) each.session->close(app_error::cancel, "cancelled");
    to_stop_ = 2;
    const auto stopped = [weak = weak_from_this()](error_code) {
        const auto here = weak.lock();
        if (!here || --here->to_stop_ != 0) return;
        while (!here->links_.empty()) here->end(here->links_.begin()->second, {});
        for (auto& each : std::exchange(here->stopping_, {})) each({});
    };
    client_->shutdown("cancelled", {stopped, executor()});
    server_->close(app_error::cancel, "cancelled", {stopped, executor()});
}

void peers_state::end() noexcept {
    if (std::exchange(is_over_, true)) return;
    is_stopping_ = true;
    stop_waiting(boost::asio::error::operation_aborted);
    client_->end();
    server_->end();
    while (!links_.empty()) end(links_.begin()->second, boost::asio::error::operation_aborted);
    stopping_.clear();
}

void peers_state::abandon(dropped_handlers& dropped) {
    for (auto& [address, each] : dials_)
        for (auto& [n, who] : each.callers) who.done.drop(dropped);
    for (auto& each : stopping_) each.drop(dropped);
}

} // namespace detail

// Handles.

peer_key::peer_key(std::string_view text) : text_(text) {
    constexpr std::size_t digits = 64;
    std::string hex;
    for (const char c : text)
        if (c != ':') hex.push_back(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
    if (hex.size() == digits && hex.find_first_not_of("0123456789abcdef") == hex.npos) text_ = std::move(hex);
}

struct peers::handle {
    explicit handle(std::shared_ptr<detail::peers_state> s) noexcept : state(std::move(s)) {}
    handle(const handle&) = delete;
    handle& operator=(const handle&) = delete;
    ~handle() { state->end(); }
    std::shared_ptr<detail::peers_state> state;
};

peers::peers(boost::asio::any_io_executor on, peers_options o)
    : state_(std::make_shared<handle>(std::make_shared<detail::peers_state>(std::move(on), std::move(o)))) {
    state_->state->begin();
}

const peer_key& peers::key() const noexcept {
    static const peer_key none;
    return state_ ? state_->state->own() : none;
}
error_code peers::listen(std::string_view where) { return detail::required(state_)->state->server().listen(where); }
std::vector<std::string> peers::addresses() const { return detail::required(state_)->state->server().addresses(); }
asio::origin peers::origin() const { return asio::origin{detail::required(state_)->state->of()}; }

session peers::find(const peer_key& peer) const {
    auto found = detail::required(state_)->state->find(peer);
    return found ? session{std::move(found), false} : session{};
}
std::vector<peer_key> peers::connected() const { return detail::required(state_)->state->connected(); }
peer_key peers::key_of(const session& s) { return peer_key{s.state_ ? s.state_->read_root : ""}; }
incoming_peers peers::incoming() { return incoming_peers{detail::required(state_)->state->listen_for_peers()}; }

broadcast peers::publish(std::string_view path) {
    return broadcast{std::make_shared<detail::broadcast_state>(
        detail::required(state_)->state->of(), path::normalise(path), std::string{detail::here_root})};
}
std::vector<std::string> peers::published() const {
    return detail::required(state_)->state->of()->published_below(detail::here_root);
}

void peers::connect(
    handle& h, const std::string& address, const peer_request& how, detail::completion<session>::handler handler) {
    h.state->connect(address, how, {std::move(handler), h.state->executor()});
}

void peers::subscribe(handle& h, const peer_key& from, const track_name& track, const subscribe_request& how,
    detail::completion<track_reader>::handler handler) {
    const auto found = h.state->find(from);
    if (found) return session::subscribe(found, track, how, std::move(handler));
    detail::completion<track_reader>{std::move(handler), h.state->executor()}(make_error(errc::not_found), {});
}

void peers::shutdown(handle& h, detail::completion<>::handler handler) {
    h.state->shutdown({std::move(handler), h.state->executor()});
}

} // namespace moqlite::asio
