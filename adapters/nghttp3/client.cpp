// The client: one request, for one session.
#include <memory>
#include <moqlite/nghttp3/client.hpp>

#include "detail/http3_connection.hpp"

#include <moqlite/webtransport/protocols.hpp>

#include <algorithm>
#include <utility>

namespace moqlite::nghttp3 {

namespace detail {

namespace {

bool is_informational(const message& m) { return m.status.starts_with('1'); }
bool is_success(const message& m) { return m.status.starts_with('2'); }
/// nghttp3 has checked that these are three digits.
int status_of(const message& m) {
    int out = 0;
    for (const char c : m.status) out = 10 * out + (c - '0');
    return out;
}

class client_connection final : public http3_connection {
public:
    client_connection(link::connection& c, std::shared_ptr<const client_options> options, link::accept_function accept,
        link::failed_function failed, time_point now)
        : http3_connection{c, options->log, options->counts, now},
          options_{std::move(options)},
          accept_{std::move(accept)},
          failed_{std::move(failed)} {}

private:
    void negotiate(time_point now) override {
        if (has_session() || over_ || http().settings() == nullptr) return;
        if (!asked_) return ask();
        std::erase_if(exchanges(), [](const exchange& e) { return is_informational(e.header); });
        if (exchanges().empty()) return;
        auto answer = std::move(exchanges().front());
        exchanges().clear();
        if (answer.header.too_large()) return give_up("the server's answer has too large a header");
        const auto status = status_of(answer.header);
        if (options_->on_response) options_->on_response({status, answer.header.fields});
        if (is_success(answer.header)) return begin(answer, now);
        refused_with_ = status;
        give_up("the server answered " + std::to_string(status) + " to " + options_->path);
    }

    void ask() {
        const auto missing = webtransport::missing_in_server(*http().settings(), quic().datagram_size());
        if (missing != webtransport::missing_feature::none)
            return give_up("the server has no WebTransport (" + std::string{webtransport::to_string(missing)} + ')');
        const auto names = webtransport::write_protocols(options_->protocols);
        if (!names) return give_up("invalid protocol name");
        if (!is_sendable(options_->headers)) return give_up("invalid request header");
        // A client's first bidirectional stream, as some servers require; retried when there is credit.
        const auto id = quic().open(direction::bidi);
        if (!id) return;
        asked_ = id;
        open_request_stream(*id);
        std::vector<field> fields{{":method", "CONNECT"}, {":scheme", "https"}, {":authority", options_->authority},
            {":path", options_->path}, {":protocol", webtransport::connect_protocol(*http().settings())},
            {webtransport::draft_request_field.first, webtransport::draft_request_field.second}};
        if (!options_->origin.empty()) fields.push_back({"origin", options_->origin});
        if (!names->empty()) fields.push_back({webtransport::available_protocols_field, *names});
        for (const auto& f : options_->headers) fields.push_back({f.name, f.value});
        http().request(*id, fields);
    }

    void begin(exchange& answer, time_point now) {
        const auto protocol = agreed(answer.header);
        if (!protocol) return give_up("the server selected none of the offered protocols");
        if (!make_session(answer, *protocol, accept_, now)) return give_up("not accepted");
        begin_session(now);
    }

    void request_over(stream_id id) override {
        // An earlier answer counts.
        if (asked_ == id && exchanges().empty() && !over_) give_up("the server cut off the request");
    }

    /// nullopt: none, though several were offered. One that was not offered counts as none.
    [[nodiscard]] std::optional<std::string> agreed(const message& header) const {
        const auto& offered = options_->protocols;
        const auto named = webtransport::read_protocol(header.chosen_protocol);
        if (named && std::ranges::find(offered, *named) != offered.end()) return named;
        if (offered.size() > 1) return std::nullopt;
        if (offered.empty()) return std::string{};
        log(link::log_level::info,
            "the server selected no protocol; assuming " + offered.front() + ", the only one offered");
        return offered.front();
    }

    void give_up(std::string why) {
        over_ = true;
        quic().close(to_code(http3_code::no_error), why);
    }

    void come_to_nothing(const link::closed& how) override {
        if (!failed_) return;
        auto with_status = how;
        with_status.http_status = refused_with_;
        failed_(with_status);
    }

    std::shared_ptr<const client_options> options_;
    link::accept_function accept_;
    link::failed_function failed_;
    std::optional<stream_id> asked_;
    int refused_with_ = 0; ///< Status.
    bool over_ = false;
};

} // namespace

} // namespace detail

link::accept_function connect(client_options options, link::accept_function accept, link::failed_function failed) {
    return [options = std::make_shared<const client_options>(std::move(options)), accept = std::move(accept),
               failed = std::move(failed)](link::connection& c, time_point now) -> std::unique_ptr<link::handler> {
        return std::make_unique<detail::client_connection>(c, options, accept, failed, now);
    };
}

} // namespace moqlite::nghttp3
