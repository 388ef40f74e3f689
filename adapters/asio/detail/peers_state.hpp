// Peers: which connections belong to which, who waits for a session, and who has not been decided about.
#pragma once

#include "client_state.hpp"
#include "server_state.hpp"

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <moqlite/asio/peers.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::asio::detail {

/// A peer that has dialled us, and the decision about it. Held by incoming_peer and incoming_peers alone: when the last
/// of them lets it go undecided, it is rejected.
struct peer_arrival {
    peer_arrival(std::weak_ptr<peers_state> o, peer_key k, const boost::asio::any_io_executor& on)
        : of(std::move(o)), key(std::move(k)), timer(on) {}
    peer_arrival(const peer_arrival&) = delete;
    peer_arrival& operator=(const peer_arrival&) = delete;
    ~peer_arrival();

    std::weak_ptr<peers_state> of;
    peer_key key;
    std::string path, remote;
    link::tls_facts tls;
    /// Its connections, two at most: it may have tried two addresses of ours at once, and decides itself which to keep.
    std::vector<std::shared_ptr<session_state>> waiting;
    std::weak_ptr<session_state> session; ///< After it was accepted.
    bool is_decided = false;
    boost::asio::steady_timer timer;
};

/// One listener.
class incoming_state final : public waiter, public std::enable_shared_from_this<incoming_state> {
public:
    incoming_state(std::shared_ptr<origin_state> of, std::size_t most) : of_(std::move(of)), most_(most) {
        of_->add(static_cast<waiter&>(*this));
    }
    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept { return of_->executor(); }
    void offer(const std::shared_ptr<peer_arrival>&);
    void next(completion<std::optional<incoming_peer>> done);
    void end();
    void leave();
    [[nodiscard]] std::uint64_t skipped() noexcept { return std::exchange(skipped_, 0); }
    void abandon(dropped_handlers& dropped) override {
        next_.drop(dropped);
        unseen_.clear();
    }

private:
    void skip_one();
    std::shared_ptr<origin_state> of_;
    std::size_t most_;
    std::deque<std::shared_ptr<peer_arrival>> unseen_;
    std::uint64_t skipped_ = 0;
    completion<std::optional<incoming_peer>> next_;
    bool ended_ = false;
};

/// A session with a peer is a session_state of its own, which lives on one of the peer's connections after the other;
/// each connection has a session_state, too, as those of clients and servers have. Connections in use are two at most,
/// and settle() ends all but one.
class peers_state final : public std::enable_shared_from_this<peers_state>, public waiter {
public:
    peers_state(boost::asio::any_io_executor, peers_options);
    void begin();
    void end() noexcept;
    void abandon(dropped_handlers&) override;

    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept { return of_->executor(); }
    [[nodiscard]] const std::shared_ptr<origin_state>& of() const noexcept { return of_; }
    [[nodiscard]] const peer_key& own() const noexcept { return own_; }
    [[nodiscard]] server_state& server() noexcept { return *server_; }
    void shutdown(completion<> done);

    // Dialling (peers_dial.cpp).
    void connect(const std::string& address, const peer_request&, completion<session> done);

    // Sessions (peers_links.cpp).
    [[nodiscard]] std::shared_ptr<session_state> find(const peer_key&) const;
    [[nodiscard]] std::vector<peer_key> connected() const;

    // Decisions (peers_incoming.cpp).
    [[nodiscard]] std::shared_ptr<incoming_state> listen_for_peers();
    std::shared_ptr<session_state> accept(peer_arrival&);
    void reject(peer_arrival&);

private:
    using session_ref = std::shared_ptr<session_state>;

    struct connection {
        session_ref on;
        bool outbound = false;
        time_point since{};
        bool is_closing = false;
    };
    struct link {
        explicit link(const boost::asio::any_io_executor& on) : timer(on) {}
        session_ref session;
        std::vector<connection> connections; ///< In the order in which they came.
        std::set<std::string> addresses;     ///< At which it answered.
        std::optional<error_code> last;      ///< How the peer has ended one of several connections.
        boost::asio::steady_timer timer;     ///< Of a spare connection, or until another one comes.
    };
    struct caller {
        completion<session> done;
        std::optional<peer_key> expected;
        std::unique_ptr<boost::asio::steady_timer> timer;
    };
    struct dial {
        std::uint64_t id = 0;
        std::map<std::uint64_t, caller> callers;
    };

    void stop_waiting(error_code);

    // peers_dial.cpp
    [[nodiscard]] std::string normalised(const std::string& address, std::string& url) const;
    void wait_for(const std::string& address, const peer_request&, completion<session> done);
    void start(const std::string& address, const std::string& url);
    bool reached(const std::string& address, std::uint64_t id, const session_ref& by);
    void failed(const std::string& address, std::uint64_t id, error_code);
    void give_up(const std::string& address, std::uint64_t id, std::uint64_t who, error_code);
    void answer(caller&&, error_code, const session_ref& with = {});
    void fulfil(const peer_key&, const session_ref& with);
    void forget_dial(const std::string& address);
    [[nodiscard]] scope scope_of(const peer_key&) const;
    void turn_away(const session_ref& by, app_error code, std::string_view reason);

    // peers_links.cpp
    link& link_of(const peer_key&);
    result<void> let_in(const peer_key&, const session_ref& by);
    void join(const peer_key&, const session_ref& by, bool outbound);
    void watch(const peer_key&, const session_ref& by);
    void settle(const peer_key&, link&);
    [[nodiscard]] connection* choose(const peer_key&, link&);
    void close(connection&, app_error code, std::string_view reason);
    void ended(const peer_key&, const session_ref& which);
    void end(link&, error_code);
    void wait(const peer_key&, link&, error_code);
    void forget(const peer_key&, const session_state* whose);

    // peers_incoming.cpp
    void asked(const session_ref& by, const admission&);
    void admit(const peer_key&, const session_ref& by);
    void offer(const std::shared_ptr<peer_arrival>&);
    [[nodiscard]] bool has_listeners();
    std::shared_ptr<peer_arrival> undecided(const peer_key&) const;

    std::shared_ptr<origin_state> of_;
    peer_key own_;
    std::shared_ptr<client_state> client_;
    std::shared_ptr<server_state> server_;
    std::map<peer_key, link> links_;
    std::map<std::string, peer_key> addresses_; ///< Of the sessions there are.
    std::map<std::string, dial> dials_;         ///< By address.
    std::map<peer_key, std::string> wanted_;    ///< The dial that is to reach a peer.
    std::uint64_t dialled_ = 0;
    std::uint64_t callers_ = 0;
    std::map<peer_key, std::weak_ptr<peer_arrival>> undecided_;
    std::vector<std::weak_ptr<incoming_state>> listeners_;
    std::vector<completion<>> stopping_;
    unsigned to_stop_ = 0;
    bool is_stopping_ = false;
    bool is_over_ = false;
};

/// The root of our own broadcasts.
inline constexpr std::string_view here_root = "here";

} // namespace moqlite::asio::detail
