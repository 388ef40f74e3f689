// A server's certificate: renewed, read again, and its dates.
#include "detail/server_state.hpp"

#include <array>
#include <ctime>
#include <moqlite/asio/error.hpp>

namespace moqlite::asio::detail {

namespace {

constexpr auto certificate_checks = std::chrono::seconds{2};

[[nodiscard]] wall_time wall_now() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

/// "2026-11-30T09:43:00Z"
[[nodiscard]] std::string date(wall_time at) {
    const auto t = std::chrono::system_clock::to_time_t(at);
    std::tm parts{};
    std::array<char, 32> text{};
    const bool known = gmtime_r(&t, &parts) != nullptr;
    return {text.data(), known ? std::strftime(text.data(), text.size(), "%FT%TZ", &parts) : 0};
}

} // namespace

bool server_state::load_certificate(std::string& why) {
    if (certificates_.load(wall_now(), why) == certificate_store::outcome::failed) return false;
    has_certificate_ = true;
    check_dates();
    watch_certificate();
    return true;
}

void server_state::watch_certificate() {
    renewal_.expires_after(certificate_checks);
    renewal_.async_wait([weak = weak_from_this()](const error_code& error) {
        const auto here = weak.lock();
        if (error || !here || here->is_stopping_) return;
        here->watch_certificate(); // First: the rest may throw std::bad_alloc.
        std::string why;
        here->certificate_changed(here->certificates_.refresh(wall_now(), why), why);
        here->check_dates();
    });
}

void server_state::reload_certificate() {
    if (!has_certificate_) return;
    std::string why;
    const auto what = certificates_.load(wall_now(), why);
    if (what == certificate_store::outcome::same) of_->log(link::log_level::info, "the certificate has not changed");
    certificate_changed(what, why);
    date_warning_.clear(); // It is repeated.
    check_dates();
}

void server_state::certificate_changed(certificate_store::outcome what, const std::string& why) {
    if (what == certificate_store::outcome::same) return;
    if (what == certificate_store::outcome::failed)
        return of_->log(link::log_level::error, "cannot reload the certificate, keeping the old one: " + why);
    const auto& now = certificates_.current();
    for (const auto& s : sockets_) s->renew(now.configuration);
    of_->log(link::log_level::info,
        "certificate renewed, sha256 " + now.fingerprint + ", valid until " + date(now.good.until));
}

void server_state::check_dates() {
    const auto& good = certificates_.current().good;
    const auto now = wall_now();
    std::string warning;
    if (now < good.from) warning = "the certificate is not valid before " + date(good.from);
    if (now >= good.until) warning = "the certificate expired at " + date(good.until);
    if (warning == date_warning_) return;
    date_warning_ = std::move(warning);
    if (!date_warning_.empty())
        of_->log(link::log_level::warning, date_warning_ + ": clients that check it will not connect");
}

std::vector<std::string> server_state::own_names() const {
    auto names = certificates_.current().names;
    names.insert(names.end(), options_.hosts.begin(), options_.hosts.end());
    return names;
}

std::vector<std::string> server_state::fingerprints() const {
    return has_certificate_ ? certificates_.fingerprints(wall_now()) : std::vector<std::string>{};
}

} // namespace moqlite::asio::detail
