// Dials: one for each address, and for each peer that is expected, with all who wait for it.
#include "detail/peers_state.hpp"

#include <algorithm>
#include <cctype>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/url.hpp>

namespace moqlite::asio::detail {

namespace {

/// A dial ends with its callers, which have time-outs of their own.
constexpr duration no_timeout = std::chrono::hours{1};

} // namespace

/// Equal addresses as equal texts; "" if it cannot be used. Sets `url`.
std::string peers_state::normalised(const std::string& address, std::string& url) const {
    url = address.find("://") == address.npos ? "moqt://" + address : address;
    std::string why;
    const auto where = parse_url(url, why);
    if (!where) {
        of_->log(moqlite::link::log_level::warning, "cannot connect to " + url + ": " + why);
        return {};
    }
    std::string host = where->host;
    std::ranges::transform(
        host, host.begin(), [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
    return std::string{where->webtransport ? "https " : "moqt "}.append(host).append(" ").append(
        std::to_string(where->port).append(where->path));
}

void peers_state::connect(const std::string& address, const peer_request& how, completion<session> done) {
    if (is_stopping_) return done(make_error(errc::closed), {});
    std::string url;
    const auto there = normalised(address, url);
    if (there.empty() || (how.key && *how.key == own_)) return done(make_error(errc::invalid_argument), {});
    const auto known = addresses_.find(there);
    if (auto open = how.key ? find(*how.key) : known != addresses_.end() ? find(known->second) : nullptr)
        return done({}, session{std::move(open), false});
    if (how.key)
        if (const auto waiting = undecided(*how.key)) // It has dialled us, and we want it.
            if (auto accepted = accept(*waiting)) return done({}, session{std::move(accepted), false});
    const auto wanted = how.key ? wanted_.find(*how.key) : wanted_.end();
    if (wanted != wanted_.end()) return wait_for(wanted->second, how, std::move(done));
    const bool is_new = !dials_.contains(there);
    wait_for(there, how, std::move(done));
    if (is_new) start(there, url);
}

void peers_state::wait_for(const std::string& address, const peer_request& how, completion<session> done) {
    auto& to = dials_[address];
    if (to.id == 0) to.id = ++dialled_;
    if (how.key) wanted_.emplace(*how.key, address);
    const auto n = ++callers_;
    auto& who = to.callers[n];
    who.done = std::move(done);
    who.expected = how.key;
    who.timer = std::make_unique<boost::asio::steady_timer>(executor(), how.timeout);
    const auto leave = [weak = weak_from_this(), address, id = to.id, n](error_code why) {
        if (const auto here = weak.lock()) here->give_up(address, id, n, why);
    };
    who.timer->async_wait([leave](const error_code& error) {
        if (!error) leave(boost::asio::error::timed_out);
    });
    who.done.on_cancel([leave] { leave(boost::asio::error::operation_aborted); });
}

void peers_state::start(const std::string& address, const std::string& url) {
    const auto id = dials_.at(address).id;
    auto ended = [weak = weak_from_this(), address, id](error_code error, const session&) {
        const auto here = weak.lock();
        if (here && error) here->failed(address, id, error);
    };
    client_->connect(url, {.timeout = no_timeout}, {std::move(ended), executor()},
        [weak = weak_from_this(), address, id](const session_ref& by) {
            const auto here = weak.lock();
            return here && here->reached(address, id, by);
        });
}

void peers_state::answer(caller&& who, error_code error, const session_ref& with) {
    who.timer->cancel();
    std::exchange(who.done, {})(error, with ? session{with, false} : session{});
}

/// Forgets a dial, whose callers have been answered.
void peers_state::forget_dial(const std::string& address) {
    std::erase_if(wanted_, [&](const auto& each) { return each.second == address; });
    dials_.erase(address);
}

void peers_state::failed(const std::string& address, std::uint64_t id, error_code error) {
    const auto found = dials_.find(address);
    if (found == dials_.end() || found->second.id != id) return; // A late failure, of an earlier dial.
    auto callers = std::move(found->second.callers);
    forget_dial(address);
    for (auto& [n, who] : callers) answer(std::move(who), error);
}

/// One caller waits no longer; without any the dial is forgotten, and ends by itself.
void peers_state::give_up(const std::string& address, std::uint64_t id, std::uint64_t n, error_code why) {
    const auto found = dials_.find(address);
    if (found == dials_.end() || found->second.id != id) return;
    auto who = found->second.callers.extract(n);
    if (who.empty()) return;
    answer(std::move(who.mapped()), why);
    if (found->second.callers.empty()) forget_dial(address);
}

/// The peer has dialled us meanwhile.
void peers_state::fulfil(const peer_key& key, const session_ref& with) {
    const auto wanted = wanted_.find(key);
    const auto found = wanted != wanted_.end() ? dials_.find(wanted->second) : dials_.end();
    if (found == dials_.end()) return;
    const auto address = found->first;
    auto& callers = found->second.callers;
    for (auto each = callers.begin(); each != callers.end();) {
        if (each->second.expected != key) {
            ++each;
            continue;
        }
        answer(std::move(each->second), {}, with);
        each = callers.erase(each);
    }
    wanted_.erase(key);
    if (callers.empty()) forget_dial(address);
}

scope peers_state::scope_of(const peer_key& key) const {
    return {.root = std::string{here_root}, .publish_root = key.text()};
}

void peers_state::turn_away(const session_ref& by, app_error code, std::string_view reason) {
    static_cast<void>(of_->relay().admit(by->key, {.root = {}, .publish = {}, .subscribe = {}}));
    by->close(code, reason);
}

/// Our dial has an answer, which has not been sent anything yet.
bool peers_state::reached(const std::string& address, std::uint64_t id, const session_ref& by) {
    const auto found = dials_.find(address);
    const peer_key key{by->tls.peer_fingerprint.empty() ? by->remote : by->tls.peer_fingerprint};
    if (found == dials_.end() || found->second.id != id) { // Nobody waits for it any more.
        if (!find(key)) return turn_away(by, app_error::cancel, {}), false;
        // The peer may have seen it, and have closed another one for it: both ends settle by the same rule.
        static_cast<void>(let_in(key, by));
        return join(key, by, true), true;
    }
    auto callers = std::move(found->second.callers);
    forget_dial(address);
    bool is_wanted = false;
    for (auto& [n, who] : callers) is_wanted = is_wanted || !who.expected || *who.expected == key;
    is_wanted = is_wanted && key != own_;
    session_ref with;
    if (is_wanted) {
        static_cast<void>(let_in(key, by));
        if (const auto waiting = undecided(key)) static_cast<void>(accept(*waiting));
        join(key, by, true);
        with = find(key);
        auto& its = link_of(key).addresses;
        constexpr std::size_t most = 16;
        if (its.size() < most && its.insert(address).second) addresses_[address] = key;
    } else {
        turn_away(by, app_error::unauthorized, "another peer is expected");
    }
    for (auto& [n, who] : callers) {
        const bool meant = with && (!who.expected || *who.expected == key);
        answer(std::move(who),
            meant ? error_code{} : make_error(key == own_ ? errc::invalid_argument : errc::unauthorized),
            meant ? with : nullptr);
    }
    return is_wanted;
}

} // namespace moqlite::asio::detail
