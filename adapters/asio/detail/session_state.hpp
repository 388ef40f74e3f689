// What the handles of one session with a peer share.
#pragma once

#include "origin_state.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/session.hpp>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::asio::detail {

class session_state final : public std::enable_shared_from_this<session_state>, public waiter {
public:
    explicit session_state(std::shared_ptr<origin_state> of) : of_(std::move(of)), alone_(of_->next_private_root()) {
        of_->add(static_cast<waiter&>(*this));
    }

    [[nodiscard]] const std::shared_ptr<origin_state>& of() const noexcept { return of_; }
    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept { return of_->executor(); }

    /// Above the broadcasts for this session alone, also when it is replaced.
    [[nodiscard]] const std::string& alone() const noexcept { return alone_; }

    void closed(completion<> done) {
        if (how_) return done(*how_);
        closed_->add(std::move(done));
    }
    void goaway(completion<std::string> done) {
        if (goaway_) return done({}, *goaway_);
        if (how_) return done(make_error(errc::closed), {});
        leaving_->add(std::move(done));
    }
    void reconnected(completion<> done) {
        if (how_) return done(make_error(errc::closed));
        reconnected_->add(std::move(done));
    }
    /// The connection has been replaced.
    void has_moved() {
        is_moving_ = false;
        for (const auto& weak : std::vector{starters_})
            if (const auto s = weak.lock()) s->session_moved();
        of_->sessions_moved(of_->bounds().return_time);
        (*reconnected_)({});
    }
    /// The peer has refused to announce its broadcasts, or stopped: those who wait for one wait in vain, unless a
    /// successor is asked, too.
    void announcements_refused(app_error code) {
        const auto* s = of_->relay().session(key);
        if (how_ || is_moving_ || asks_parts || s == nullptr || s->is_closed()) return;
        for (const auto& weak : std::vector{starters_})
            if (const auto one = weak.lock()) one->announcements_refused(make_error(code));
    }
    /// Whoever waits on this session ends with it.
    void add(const std::shared_ptr<starter>& s) {
        if (how_) return s->session_ended(*how_ ? *how_ : make_error(errc::closed));
        std::erase_if(starters_, [](const auto& each) { return each.expired(); });
        starters_.push_back(s);
    }
    void refused(completion<app_error> done) {
        if (how_) return done(*how_ ? *how_ : make_error(errc::closed), {});
        if (refusing_) return done(make_error(errc::too_many_requests), {});
        if (refusal_) return done({}, *std::exchange(refusal_, std::nullopt));
        refusing_ = std::move(done);
        refusing_.on_cancel([self = weak_from_this()] {
            if (const auto here = self.lock()) here->refusing_.abort();
        });
    }
    void handle(const announcements_cut_off& e) {
        if (is_moving_ || how_) return;
        if (refusing_) return std::exchange(refusing_, {})({}, e.code);
        refusal_ = e.code;
    }
    // PROBE (probing.cpp).
    void add(const std::shared_ptr<probe_state>&);
    void begin_probe();
    void leave_probe(const probe_state&) noexcept;
    void wanted_bitrate(completion<std::uint64_t> done);
    /// Events of the session that the relay has no use for.
    [[nodiscard]] static bool concerns(const event& e) noexcept {
        return std::holds_alternative<path_reported>(e) || std::holds_alternative<bitrate_wanted>(e) ||
               std::holds_alternative<probe_ended>(e) || std::holds_alternative<announcements_cut_off>(e) ||
               std::holds_alternative<watch_ended>(e);
    }
    void handle(const event&);

    /// Another session is to replace the present one: whoever reads a track completely goes on there where it is.
    void moves() {
        is_moving_ = true;
        of_->sessions_move();
        for (const auto& weak : starters_)
            if (const auto s = weak.lock()) s->session_moves();
    }
    void left(const std::string& uri) { on_goaway ? on_goaway(uri) : report_goaway(uri); }
    void report_goaway(const std::string& uri) {
        goaway_ = uri;
        (*leaving_)({}, uri);
    }
    /// The session `which` has ended: ours, or one that this has replaced.
    void ended(std::uint64_t which, const session_closed& how) {
        if (how_ || which != key) return;
        const bool quiet = how.code == app_error::cancel;
        const auto error = quiet ? error_code{} : how.by_peer ? make_error(how.code) : make_error(how.why);
        session_end as{how.code, how.by_peer, std::string{how.reason}, "session " + to_text(how)};
        if (on_lost && !closing_ && on_lost(as)) return;
        end(error, std::move(as));
    }
    void end(error_code error, session_end as = {}) {
        if (how_) return;
        how_ = error;
        end_ = std::move(as);
        if (end_.text.empty()) end_.text = "session closed";
        on_lost = nullptr;
        on_goaway = nullptr;
        (*closed_)(error);
        (*leaving_)(make_error(errc::closed), {});
        (*reconnected_)(make_error(errc::closed));
        if (wanting_) std::exchange(wanting_, {})(*how_ ? *how_ : make_error(errc::closed), {});
        if (refusing_) std::exchange(refusing_, {})(*how_ ? *how_ : make_error(errc::closed), {});
        if (std::exchange(is_moving_, false)) of_->sessions_moved({});
        end_probes(*how_);
        for (const auto& weak : std::exchange(starters_, {}))
            if (const auto s = weak.lock()) s->session_ended(*how_ ? *how_ : make_error(errc::closed));
        if (on_end) on_end();
    }
    void close(app_error code, std::string_view reason) {
        closing_ = true;
        if (auto* s = of_->relay().session(key))
            s->close(code, reason);
        else
            end({});
        of_->wake();
    }
    void abandon(dropped_handlers& dropped) override {
        closed_->drop(dropped);
        leaving_->drop(dropped);
        reconnected_->drop(dropped);
        wanting_.drop(dropped);
        refusing_.drop(dropped);
    }

    std::uint64_t key = 0;
    std::string protocol, path, remote, local;
    std::string read_root;    ///< In front of the names that are read from this peer alone.
    std::string publish_root; ///< In front of those that are published for it alone.
    link::tls_facts tls;
    bool is_webtransport = false;
    bool asks_parts = false; ///< Several prefixes: one may be refused, and the others not.
    /// A server's: answers admission_wanted, and counts.
    std::function<void(const std::string& path)> on_setup;
    std::function<void()> on_end;
    /// A client's that reconnects: true if another session is to replace this one.
    std::function<bool(const session_end&)> on_lost;
    /// The same: it follows, or reports it.
    std::function<void(const std::string& uri)> on_goaway;
    /// A connection's beneath a session with a peer: takes the events of handle().
    std::function<void(const event&)> on_probe;
    [[nodiscard]] bool is_closing() const noexcept { return closing_; }
    [[nodiscard]] bool is_open() const noexcept { return !how_; }
    /// Its end; nullopt: it is open.
    [[nodiscard]] const std::optional<error_code>& how() const noexcept { return how_; }
    [[nodiscard]] const session_end& end_of() const noexcept { return end_; }

private:
    void end_probes(error_code how);
    [[nodiscard]] std::optional<std::uint64_t> largest_target() const noexcept;
    void ask_probe(std::optional<std::uint64_t> target);
    void report_wanted();
    std::shared_ptr<origin_state> of_;
    std::string alone_;
    std::optional<error_code> how_;
    session_end end_;      ///< Once how_ is set.
    bool closing_ = false; ///< By us.
    bool is_moving_ = false;
    std::shared_ptr<completions<>> closed_ = std::make_shared<completions<>>();
    std::vector<std::weak_ptr<starter>> starters_;
    std::optional<std::string> goaway_;
    std::shared_ptr<completions<std::string>> leaving_ = std::make_shared<completions<std::string>>();
    std::shared_ptr<completions<>> reconnected_ = std::make_shared<completions<>>();
    std::vector<std::weak_ptr<probe_state>> probes_;
    std::optional<std::uint64_t> probe_target_; ///< The largest of these, as the peer was told; bits a second.
    std::optional<std::uint64_t> wanted_;       ///< The peer's.
    completion<std::uint64_t> wanting_;
    std::optional<app_error> refusal_; ///< Of an announcement.
    completion<app_error> refusing_;
};

} // namespace moqlite::asio::detail
