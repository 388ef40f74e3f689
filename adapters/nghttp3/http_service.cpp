#include "detail/http_service.hpp"

#include <algorithm>
#include <exception>
#include <moqlite/wire/utf8.hpp>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace moqlite::nghttp3::detail {

namespace {

constexpr int status_min = 200, status_max = 599;

/// RFC 9110 §15.3.5, §15.3.6, §15.4.5.
bool has_no_body(int status) noexcept { return status == 204 || status == 205 || status == 304; }

std::vector<std::byte> copy_of(std::string_view text) {
    const auto bytes = as_bytes(text);
    return {bytes.begin(), bytes.end()};
}

} // namespace

http_service::http_service(
    http3& http, link::connection& quic, std::shared_ptr<const server_options> options, stats& counts)
    : http_{http}, quic_{quic}, options_{std::move(options)}, counts_{counts} {}

void http_service::body_received(exchange& of, byte_view bytes, std::span<const exchange> all) {
    if (of.body_refused != 0) return;
    std::size_t held = 0;
    for (const auto& e : all) held += e.body.size();
    const auto& bounds = options_->bounds;
    if (bytes.size() > bounds.request_body - of.body.size())
        of.body_refused = 413;
    else if (held + bytes.size() > bounds.request_bodies)
        of.body_refused = 503;
    else
        of.body.append(as_text(bytes));
    if (of.body_refused != 0) std::exchange(of.body, {}).clear();
}

/// A request that is complete waits for responses that are due by then.
time_point http_service::due(const exchange& e) const {
    const auto once = options_->bounds.timeout;
    return e.since + (e.ended ? 2 * once : once);
}

bool http_service::has_room() const {
    auto held = options_->bounds.response_body;
    for (const auto& [id, r] : responses_) held += r.size;
    return responses_.size() < responses_max && (responses_.empty() || held <= options_->bounds.response_bodies);
}

http_service::outcome http_service::handle(const exchange& e, time_point now) {
    if (e.body_refused != 0) return {step::refused, e.body_refused, "body too long"};
    const bool late = due(e) <= now;
    if (!e.ended) return late ? outcome{step::refused, 408, "request not sent in time"} : outcome{};
    if (e.header.bad_origin) return {step::refused, 403, "malformed Origin"};
    if (!wire::is_utf8(e.header.path)) return {step::refused, 400, "path is not UTF-8"};
    if (!has_room()) return late ? outcome{step::refused, 503, "responses not taken"} : outcome{};
    ++counts_.http_requests;
    send(e, ask(e), now);
    return {step::answered};
}

http_response http_service::ask(const exchange& e) {
    const auto& h = e.header;
    const auto host = h.authority.empty() ? find_field(h.fields, "host").value_or("") : std::string_view{h.authority};
    std::string_view fault = "invalid status, header, or too long a body";
    std::string what;
    try {
        auto made = options_->http({h.method, std::string{host}, h.path, h.fields, e.body, quic_.remote()});
        const bool fits = made.status >= status_min && made.status <= status_max && is_sendable(made.headers) &&
                          made.body.size() <= options_->bounds.response_body;
        if (fits) return made;
    } catch (const std::bad_alloc&) { // Ends the connection, as everywhere.
        throw;
    } catch (const std::exception& thrown) {
        fault = what = thrown.what();
    } catch (...) {
        fault = "unknown exception";
    }
    log_fault(fault);
    return {.status = 500};
}

void http_service::send(const exchange& e, const http_response& r, time_point now) {
    const auto status = std::to_string(r.status), length = std::to_string(r.body.size());
    std::vector<field> fields{{":status", status}};
    for (const auto& f : r.headers) fields.push_back({f.name, f.value});
    if (!has_no_body(r.status)) fields.push_back({"content-length", length});
    const bool with_body = e.header.method != "HEAD" && !has_no_body(r.status) && !r.body.empty();
    http_.respond(e.id, fields, with_body);
    if (with_body) http_.send_body(e.id, copy_of(r.body), true);
    responses_.insert_or_assign(e.id, response{now, with_body ? r.body.size() : 0});
    answered_ = now;
}

void http_service::cut_off_late(time_point now) {
    std::erase_if(responses_, [&](const auto& one) {
        const auto& [id, r] = one;
        if (r.since + options_->bounds.timeout > now) return false;
        http_.abort(id, http3_code::request_cancelled);
        ++counts_.cut_off_responses;
        return true;
    });
}

void http_service::request_over(stream_id id) {
    if (responses_.erase(id) != 0) http_.release_body(id);
}

std::optional<time_point> http_service::deadline(std::span<const exchange> all) const {
    std::optional<time_point> first;
    const auto consider = [&](time_point t) { first = first ? std::min(*first, t) : t; };
    if (!is_on()) return first;
    for (const auto& e : all)
        if (!e.is_connect()) consider(due(e));
    for (const auto& [id, r] : responses_) consider(r.since + options_->bounds.timeout);
    return first;
}

std::optional<time_point> http_service::keep_until(std::span<const exchange> all, time_point now) const {
    if (!is_on()) return std::nullopt;
    const auto timeout = options_->bounds.timeout;
    const bool any = std::ranges::any_of(all, [](const exchange& e) { return !e.is_connect(); });
    if (any || !responses_.empty()) return now + timeout;
    if (answered_ && *answered_ + timeout > now) return *answered_ + timeout;
    return std::nullopt;
}

void http_service::log_fault(std::string_view what) {
    constexpr int lines = 10; // Of one connection.
    if (faults_++ < lines && options_->log)
        options_->log(link::log_level::error, "the HTTP function failed: " + std::string{what});
}

} // namespace moqlite::nghttp3::detail
