// The relay's certificate: reloaded on SIGHUP, with a warning while its dates make it invalid.
#include "service.hpp"

#include <spdlog/fmt/chrono.h>
#include <spdlog/spdlog.h>
#include <utility>

namespace moqlite::programs {

namespace {

std::string date(asio::wall_time at) {
    return fmt::format("{:%FT%TZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(at)));
}

} // namespace

void service::certificate_changed(asio::certificate_store::outcome what, const std::string& why) {
    using enum asio::certificate_store::outcome;
    if (what == same) return;
    if (what == failed) return spdlog::error("cannot reload the certificate, keeping the old one: {}", why);
    const auto& certificate = certificates_.current();
    shard_.renew(certificate.configuration);
    spdlog::info(
        "certificate renewed, sha256 {}, valid until {}", certificate.fingerprint, date(certificate.good.until));
}

void service::reload_certificate() {
    std::string why;
    const auto what = certificates_.load(wall_clock(), why);
    if (what == asio::certificate_store::outcome::same) spdlog::info("SIGHUP: the certificate has not changed");
    certificate_changed(what, why);
    date_warning_.clear(); // Repeat the warning after a manual reload.
    check_dates();
}

void service::check_dates() {
    const auto& good = certificates_.current().good;
    const auto now = wall_clock();
    std::string warning;
    if (now < good.from) warning = fmt::format("the certificate is not valid before {}", date(good.from));
    if (now >= good.until) warning = fmt::format("the certificate expired at {}", date(good.until));
    if (warning == date_warning_) return;
    date_warning_ = std::move(warning);
    if (!date_warning_.empty()) spdlog::warn("{}: clients that check it will not connect", date_warning_);
}

} // namespace moqlite::programs
