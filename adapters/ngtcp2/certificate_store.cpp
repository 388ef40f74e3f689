#include <moqlite/ngtcp2/certificate_store.hpp>
#include <utility>

namespace moqlite::ngtcp2 {

namespace {

/// A generated certificate is replaced this long before it expires, so that a published hash stays usable that long.
constexpr auto margin = std::chrono::days{3};

} // namespace

certificate_store certificate_store::generating(std::vector<std::string> names, std::vector<std::string> alpn) {
    certificate_store made{std::move(alpn)};
    made.names_ = std::move(names);
    return made;
}

certificate_store certificate_store::reading(
    std::string chain_file, std::string key_file, std::vector<std::string> alpn) {
    certificate_store made{std::move(alpn)};
    made.chain_file_ = std::move(chain_file);
    made.key_file_ = std::move(key_file);
    return made;
}

certificate_store certificate_store::fixed(identity who, std::vector<std::string> alpn) {
    certificate_store made{std::move(alpn)};
    made.fixed_ = std::move(who);
    return made;
}

void certificate_store::options(tls_server_options o) {
    o.alpn = std::move(options_.alpn);
    options_ = std::move(o);
}

certificate_store::outcome certificate_store::load(wall_time now, std::string& why) {
    last_error_.clear();
    unsettled_.reset();
    if (fixed_) return take(fixed_, why);
    const bool from_files = !chain_file_.empty();
    return take(
        from_files ? load_identity(chain_file_, key_file_, why) : generate_identity({.names = names_, .now = now}, why),
        why);
}

certificate_store::outcome certificate_store::refresh(wall_time now, std::string& why) {
    if (fixed_) return outcome::same;
    if (chain_file_.empty())
        return is_due(now) ? take(generate_identity({.names = names_, .now = now}, why), why) : outcome::same;
    auto found = load_identity(chain_file_, key_file_, why);
    // The two files are not replaced atomically: a new state may be half of a pair.
    if (found && found != unsettled_ && found != current_->who) {
        unsettled_ = std::move(found);
        return outcome::same;
    }
    return take(std::move(found), why);
}

bool certificate_store::is_due(wall_time now) const {
    return now < current_->good.from || now >= current_->good.until - margin;
}

certificate_store::outcome certificate_store::take(std::optional<identity> found, std::string& why) {
    if (found && current_ && *found == current_->who) {
        last_error_.clear();
        return outcome::same;
    }
    auto options = options_;
    options.who = found;
    auto configuration = found ? tls::server(std::move(options), why) : std::nullopt;
    auto print = configuration ? fingerprint(*found, why) : std::nullopt;
    const auto good = print ? valid_times(*found, why) : std::nullopt;
    auto names = good ? certified_names(*found, why) : std::nullopt;
    if (!names) return std::exchange(last_error_, why) == why ? outcome::same : outcome::failed;
    last_error_.clear();
    unsettled_.reset();
    previous_ = std::exchange(current_,
        certificate{std::move(*found), std::move(*configuration), std::move(*print), *good, std::move(*names)});
    return outcome::renewed;
}

std::vector<std::string> certificate_store::fingerprints(wall_time now) const {
    std::vector<std::string> all{current_->fingerprint};
    if (previous_ && now < previous_->good.until) all.push_back(previous_->fingerprint);
    return all;
}

} // namespace moqlite::ngtcp2
