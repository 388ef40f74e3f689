// Peers that dial us: decided about by the application, by a dial of ours, or by a session that there is.
#include "detail/peers_state.hpp"

#include <algorithm>
#include <moqlite/asio/error.hpp>
#include <moqlite/core/version.hpp>

namespace moqlite::asio {

namespace detail {

namespace {

constexpr std::string_view rejected = "rejected";
/// The number 1, whatever it means on the list of this version.
app_error rejection(const session_state& s) {
    constexpr std::uint64_t number = 1;
    const auto spoken = version_from_alpn(s.protocol);
    return spoken ? app_error{session_codes(*spoken), number} : app_error{number};
}
std::string_view host_of(std::string_view remote) { return remote.substr(0, remote.rfind(':')); }

} // namespace

peer_arrival::~peer_arrival() {
    timer.cancel();
    if (const auto here = is_decided ? nullptr : of.lock()) here->reject(*this);
}

std::shared_ptr<peer_arrival> peers_state::undecided(const peer_key& key) const {
    const auto found = undecided_.find(key);
    return found != undecided_.end() ? found->second.lock() : nullptr;
}

bool peers_state::has_listeners() {
    std::erase_if(listeners_, [](const auto& each) { return each.expired(); });
    return !listeners_.empty();
}

std::shared_ptr<incoming_state> peers_state::listen_for_peers() {
    auto made = std::make_shared<incoming_state>(of_, of_->bounds().undecided_peers);
    if (is_stopping_) return made->end(), made;
    std::erase_if(listeners_, [](const auto& each) { return each.expired(); });
    listeners_.push_back(made);
    return made;
}

/// A peer asks to be admitted.
void peers_state::asked(const session_ref& by, const admission& what) {
    const peer_key key{by->tls.peer_fingerprint.empty() ? by->remote : by->tls.peer_fingerprint};
    if (is_stopping_) return server_->answer(by, admission::refuse(app_error::cancel, "cancelled"));
    if (key == own_) return server_->answer(by, admission::refuse(app_error::unauthorized, "this is we"));
    if (find(key)) return admit(key, by);
    if (const auto earlier = undecided(key)) {
        watch(key, by);
        earlier->waiting.push_back(by);
        if (earlier->waiting.size() <= 2) return;
        const auto oldest = earlier->waiting.front();
        earlier->waiting.erase(earlier->waiting.begin());
        return server_->answer(oldest, admission::refuse(connection_superseded, "another connection is kept"));
    }
    const bool is_wanted = wanted_.contains(key);
    if (!has_listeners()) return admit(key, by);
    const auto made = std::make_shared<peer_arrival>(weak_from_this(), key, executor());
    made->path = by->path;
    made->remote = what.remote();
    made->tls = what.tls();
    made->waiting.push_back(by);
    watch(key, by);
    undecided_[key] = made;
    if (is_wanted) static_cast<void>(accept(*made));
    offer(made);
}

void peers_state::offer(const std::shared_ptr<peer_arrival>& a) {
    if (!a->is_decided) {
        a->timer.expires_after(of_->bounds().handshake_timeout);
        a->timer.async_wait([weak = std::weak_ptr{a}](const error_code& error) {
            const auto its = error ? nullptr : weak.lock();
            if (const auto here = its ? its->of.lock() : nullptr) here->reject(*its);
        });
    }
    const auto all = listeners_;
    for (const auto& weak : all)
        if (const auto each = weak.lock()) each->offer(a);
}

/// Admits a connection, and tells who waits for its peer.
void peers_state::admit(const peer_key& key, const session_ref& by) {
    of_->relay().alone(by->key, link_of(key).session->alone());
    server_->answer(by, admission::accept(scope_of(key)));
    join(key, by, false);
    if (const auto session = find(key)) fulfil(key, session);
}

/// Null: it is gone, or was rejected.
std::shared_ptr<session_state> peers_state::accept(peer_arrival& a) {
    if (a.is_decided) return a.session.lock();
    a.is_decided = true;
    a.timer.cancel();
    undecided_.erase(a.key);
    for (const auto& by : std::exchange(a.waiting, {})) {
        if (!by->is_open() || by->is_closing()) continue;
        admit(a.key, by);
        a.session = find(a.key);
    }
    return a.session.lock();
}

void peers_state::reject(peer_arrival& a) {
    if (std::exchange(a.is_decided, true)) return;
    a.timer.cancel();
    const auto found = undecided_.find(a.key);
    if (found != undecided_.end() && (found->second.expired() || found->second.lock().get() == &a))
        undecided_.erase(found);
    for (const auto& by : std::exchange(a.waiting, {}))
        server_->answer(by, admission::refuse(rejection(*by), std::string{rejected}));
}

// One listener.

void incoming_state::offer(const std::shared_ptr<peer_arrival>& a) {
    if (next_) return std::exchange(next_, {})({}, incoming_peer{a});
    unseen_.push_back(a);
    if (unseen_.size() > most_) skip_one();
}

/// The oldest of the address that has most, so that one host cannot push out the others.
void incoming_state::skip_one() {
    const auto count = [&](const auto& a) {
        return std::ranges::count(unseen_, host_of(a->remote), [](const auto& each) { return host_of(each->remote); });
    };
    auto most = unseen_.begin();
    for (auto each = unseen_.begin(); each != unseen_.end(); ++each)
        if (count(*each) > count(*most)) most = each;
    const auto gone = std::move(*most); // It may be rejected by this, which calls nobody.
    unseen_.erase(most);
    ++skipped_;
    of_->log(link::log_level::info, "a peer was skipped: " + gone->remote);
}

void incoming_state::next(completion<std::optional<incoming_peer>> done) {
    if (next_) return done(make_error(errc::too_many_requests), {});
    if (!unseen_.empty()) {
        const auto first = std::move(unseen_.front());
        unseen_.pop_front();
        return done({}, incoming_peer{first});
    }
    if (ended_) return done({}, std::nullopt);
    next_ = std::move(done);
    next_.on_cancel([self = weak_from_this()] {
        if (const auto here = self.lock()) here->next_.abort();
    });
}

void incoming_state::end() {
    ended_ = true;
    unseen_.clear();
    if (next_) std::exchange(next_, {})({}, std::nullopt);
}

void incoming_state::leave() {
    next_.abort();
    unseen_.clear();
}

} // namespace detail

// Handles.

const peer_key& incoming_peer::key() const { return detail::required(state_)->key; }
const std::string& incoming_peer::remote() const { return detail::required(state_)->remote; }
const std::string& incoming_peer::path() const { return detail::required(state_)->path; }
const link::tls_facts& incoming_peer::tls() const { return detail::required(state_)->tls; }
bool incoming_peer::is_accepted() const noexcept { return state_ && state_->session.lock() != nullptr; }

session incoming_peer::accept() {
    const auto here = state_ ? state_->of.lock() : nullptr;
    auto its = here ? here->accept(*state_) : nullptr;
    return its ? session{std::move(its), false} : session{};
}

void incoming_peer::reject() {
    if (const auto here = state_ ? state_->of.lock() : nullptr) here->reject(*state_);
}

incoming_peers& incoming_peers::operator=(incoming_peers&& other) noexcept {
    leave();
    state_ = std::move(other.state_);
    return *this;
}

std::uint64_t incoming_peers::skipped() noexcept { return state_ ? state_->skipped() : 0; }

void incoming_peers::next(const std::shared_ptr<detail::incoming_state>& state,
    detail::completion<std::optional<incoming_peer>>::handler handler) {
    state->next({std::move(handler), state->executor()});
}

void incoming_peers::leave() noexcept {
    if (const auto state = std::exchange(state_, nullptr)) state->leave();
}

} // namespace moqlite::asio
