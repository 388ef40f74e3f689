// A server: its sockets, its certificate, and its sessions.
#pragma once

#include "session_state.hpp"

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <moqlite/asio/quic_server.hpp>
#include <moqlite/asio/server.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::asio::detail {

class server_state final : public std::enable_shared_from_this<server_state>, public waiter {
public:
    server_state(std::shared_ptr<origin_state> of, server_options o);

    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept { return of_->executor(); }
    [[nodiscard]] error_code listen(std::string_view where, const listen_options& = {});
    void resume();
    void serve(const std::string& where, completion<> done);
    void shutdown(duration grace, const std::string& uri, completion<> done);
    void close(app_error code, std::string_view reason, completion<> done = {});
    void answer(const std::shared_ptr<session_state>&, const admission_answer&);
    void end() noexcept;
    void abandon(dropped_handlers& dropped) override {
        serving_.drop(dropped);
        for (auto& done : stopping_) done.drop(dropped);
    }

    [[nodiscard]] std::vector<std::string> addresses() const {
        std::vector<std::string> all;
        for (const auto& s : sockets_) all.push_back(to_string(s->local_address()));
        return all;
    }
    [[nodiscard]] std::string fingerprint() const {
        return has_certificate_ ? certificates_.current().fingerprint : "";
    }
    [[nodiscard]] std::size_t sessions() const noexcept { return sessions_.size(); }

    // The certificate (server_certificate.cpp).

    void reload_certificate();
    [[nodiscard]] std::vector<std::string> fingerprints() const;
    [[nodiscard]] validity certificate_validity() const {
        return has_certificate_ ? certificates_.current().good : validity{};
    }

    std::function<admission_answer(const admission&)> decide;
    std::function<void(session)> on_session;
    std::map<std::string, std::function<void(session)>, std::less<>> by_path; ///< Of on_session() with a path.
    [[nodiscard]] server_stats stats() const;
    /// Takes each peer that asks, instead of `decide`, and is to answer() in its time.
    std::function<void(const std::shared_ptr<session_state>&, const admission&)> on_asked;

private:
    struct http_stats;
    [[nodiscard]] std::function<void(session)> handler_of(std::string_view path) const;
    [[nodiscard]] std::unique_ptr<link::handler> accept(
        link::connection&, time_point now, std::string path, std::optional<http_headers> request);
    [[nodiscard]] link::accept_function accept_webtransport(bool loopback);
    void asked(const std::shared_ptr<session_state>&, const std::string& path, const http_headers&);
    void session_ended(std::uint64_t key);
    void close_all(app_error code, std::string_view reason);
    void ended();
    [[nodiscard]] bool load_certificate(std::string& why);
    void watch_certificate();
    void certificate_changed(certificate_store::outcome, const std::string& why);
    void check_dates();
    /// Ours, by which pages may reach us.
    [[nodiscard]] std::vector<std::string> own_names() const;

    std::shared_ptr<origin_state> of_;
    server_options options_;
    certificate_store certificates_;
    std::string date_warning_; ///< The last one; empty: the certificate is valid.
    boost::asio::steady_timer renewal_;
    boost::asio::steady_timer grace_;
    std::vector<std::unique_ptr<quic_server>> sockets_;
    std::map<std::uint64_t, std::weak_ptr<session_state>> sessions_;
    completion<> serving_;
    std::vector<completion<>> stopping_;
    std::shared_ptr<http_stats> http_stats_;
    std::uint64_t admitted_ = 0;
    std::uint64_t refused_ = 0;
    bool has_certificate_ = false;
    bool is_stopping_ = false;
    bool is_closing_ = false;
    app_error end_code_ = app_error::going_away;             ///< Told to peers as it ends,
    std::string end_reason_ = "the server is shutting down"; ///< and to those who come meanwhile.
    bool is_farewell_due_ = false;                           ///< They are about to be told.
    bool is_stopped_ = false;
};

} // namespace moqlite::asio::detail
