// The server: which requests become sessions, and how the others are answered.
#include <memory>
#include <moqlite/nghttp3/server.hpp>

#include "detail/http3_connection.hpp"
#include "detail/http_service.hpp"

#include <moqlite/webtransport/origin.hpp>
#include <moqlite/webtransport/protocols.hpp>
#include <moqlite/webtransport/target.hpp>
#include <moqlite/wire/utf8.hpp>

#include <exception>
#include <new>
#include <utility>
#include <vector>

namespace moqlite::nghttp3 {

namespace detail {

namespace {

/// A client's text for the log: printable, and not too long.
std::string printable(std::string_view text) {
    constexpr std::size_t longest = 200;
    std::string out{text.substr(0, longest)};
    for (auto& c : out)
        if (c < 0x20 || c > 0x7e) c = '?';
    return out;
}

class server_connection final : public http3_connection {
public:
    server_connection(link::connection& c, const std::shared_ptr<const server_options>& options,
        const std::shared_ptr<const answer_function>& answer, time_point now)
        : http3_connection{c, options->log, options->counts, now},
          answer_{answer},
          others_{http(), c, options, counts()} {}

private:
    void negotiate(time_point now) override {
        others_.cut_off_late(now);
        if (exchanges().empty()) return;
        // A request for a session may overtake the client's SETTINGS, which say whether it supports datagrams.
        const bool may_connect = http().settings() != nullptr;
        std::vector<exchange> waiting;
        for (auto& e : std::exchange(exchanges(), {})) {
            if (e.is_connect() && may_connect)
                connect(e, now);
            else if (e.is_connect() || !respond(e, now))
                waiting.push_back(std::move(e));
        }
        exchanges() = std::move(waiting);
    }

    /// False: it waits.
    [[nodiscard]] bool respond(const exchange& e, time_point now) {
        const auto& h = e.header;
        if (h.too_large()) return refuse(e, 431, "header too large", now), true;
        if (!others_.is_on()) return refuse(e, h.method == "GET" || h.method == "HEAD" ? 404 : 405, {}, now), true;
        const auto made = others_.handle(e, now);
        if (made.what == http_service::step::refused) refuse(e, made.status, made.why, now);
        if (made.what == http_service::step::answered) refuse_session(e.id, now);
        return made.what != http_service::step::waits;
    }

    void connect(exchange& e, time_point now) {
        const auto& h = e.header;
        if (h.too_large()) return refuse(e, 431, "header too large", now);
        if (h.protocol.empty()) return refuse(e, 405, "no :protocol", now);
        if (!webtransport::is_webtransport(h.protocol)) return refuse(e, 501, "unknown :protocol", now);
        if (e.ended) return refuse(e, 400, "the request has already ended", now);
        if (webtransport::missing_in_client(*http().settings()) != webtransport::missing_feature::none)
            return refuse(e, 400, "the client does not support HTTP datagrams", now);
        if (has_session()) return refuse(e, 429, "the connection has a session already", now);
        ask(e, now);
    }

    void ask(exchange& e, time_point now) {
        auto& h = e.header;
        // A page with an unusable Origin; must not pass as a client that is no browser.
        if (h.bad_origin || (!h.origin.empty() && !webtransport::is_origin(h.origin)))
            return refuse(e, 403, "malformed Origin", now);
        if (!wire::is_utf8(h.path)) return refuse(e, 400, "path is not UTF-8", now);
        auto offered = webtransport::read_protocols(h.available_protocols).value_or(std::vector<std::string>{});
        const auto said =
            judge({h.authority, h.path, h.origin, std::move(offered), quic().remote(), std::move(h.fields)});
        if (said.status != ok) return refuse(e, said.status, said.reason, now, said.headers);
        if (!make_session(e, said.protocol, said.accept, now)) return refuse(e, 503, said.reason, now, said.headers);
        std::vector<field> fields{
            {":status", "200"}, {webtransport::draft_answer_field.first, webtransport::draft_answer_field.second}};
        const auto name = webtransport::write_protocol(said.protocol);
        if (name) fields.push_back({webtransport::protocol_field, *name});
        for (const auto& f : said.headers) fields.push_back({f.name, f.value});
        http().respond(e.id, fields, true);
        begin_session(now);
    }

    /// The application's answer, or why there is none that can be sent.
    [[nodiscard]] answer judge(const request& r) const {
        constexpr int refusal_min = 300, refusal_max = 599;
        std::string why = "invalid status or headers of the answer";
        try {
            auto said = (*answer_)(r);
            const bool fits = said.status == ok || (said.status >= refusal_min && said.status <= refusal_max);
            if (fits && is_sendable(said.headers)) return said;
        } catch (const std::bad_alloc&) { // Ends the connection, as everywhere.
            throw;
        } catch (const std::exception& thrown) {
            why = thrown.what();
        } catch (...) {
            why = "unknown exception";
        }
        return {.status = 500, .reason = std::move(why)};
    }

    void refuse(
        const exchange& e, int status, std::string_view why, time_point now, const header_fields& headers = {}) {
        const auto code = std::to_string(status);
        std::vector<field> fields{{":status", code}};
        for (const auto& f : headers) fields.push_back({f.name, f.value});
        http().respond(e.id, fields, false);
        // We do not read the rest, which is no error (RFC 9114 §4.1).
        quic().stop(e.id, to_code(http3_code::no_error));
        constexpr int lines = 10;
        if (refused_ < lines) log_refusal(e.header, code, why);
        refuse_session(e.id, now);
        message_refused(e.id);
    }

    void log_refusal(const message& h, const std::string& code, std::string_view why) const {
        log(link::log_level::info, "refused " + printable(h.method) + ' ' + printable(h.path) + " of " +
                                       to_string(quic().remote()) + ": " + code + (why.empty() ? "" : " ") +
                                       printable(why));
    }

    void message_refused(stream_id id) override {
        http3_connection::message_refused(id);
        // A client with so many requests is abusive.
        constexpr int most = 100;
        if (++refused_ > most) http().fail(http3_code::excessive_load, "too many requests");
    }

    /// No answer is pending any more.
    void request_over(stream_id id) override {
        std::erase_if(exchanges(), [id](const exchange& e) { return e.id == id; });
        others_.request_over(id);
    }

    bool take_body(exchange& e, byte_view bytes) override {
        const bool is_others = !e.is_connect() && others_.is_on();
        if (is_others) others_.body_received(e, bytes, exchanges());
        return is_others;
    }
    std::optional<time_point> requests_due() const override { return others_.deadline(exchanges()); }
    std::optional<time_point> keep_until(time_point now) const override { return others_.keep_until(exchanges(), now); }

    void come_to_nothing(const link::closed& how) override {
        log(link::log_level::debug, to_string(quic().remote()) + " left without a session: " + how.reason);
    }

    static constexpr int ok = 200;
    std::shared_ptr<const answer_function> answer_;
    http_service others_;
    int refused_ = 0;
};

} // namespace

} // namespace detail

std::string_view request::path_only() const noexcept { return webtransport::split_target(path).path; }

std::optional<std::string> request::query(std::string_view name) const {
    return webtransport::query_value(webtransport::split_target(path).query, name);
}

std::optional<std::string_view> request::header(std::string_view name) const noexcept {
    return find_field(headers, name);
}

link::accept_function serve(server_options options, answer_function answer) {
    return [options = std::make_shared<const server_options>(std::move(options)),
               answer = std::make_shared<const answer_function>(std::move(answer))](
               link::connection& c, time_point now) -> std::unique_ptr<link::handler> {
        return std::make_unique<detail::server_connection>(c, options, answer, now);
    };
}

} // namespace moqlite::nghttp3
