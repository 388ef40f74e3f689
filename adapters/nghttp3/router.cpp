#include <moqlite/nghttp3/router.hpp>
#include <moqlite/webtransport/origin.hpp>
#include <moqlite/webtransport/protocols.hpp>
#include <moqlite/webtransport/target.hpp>
#include <utility>

namespace moqlite::nghttp3 {

std::string origin_policy::objection(const request& r) const {
    if (!webtransport::admits_origin(allowed, r.origin, r.authority))
        return "pages of " + r.origin + " are not allowed";
    const bool same_host = !r.origin.empty() && allowed.empty();
    if (same_host && own_names && !webtransport::is_own_host(r.authority, own_names(), loopback))
        return r.authority + " is not a name of this server";
    return {};
}

namespace {

std::string list_of(const std::vector<std::string>& protocols) {
    std::string all;
    for (const auto& each : protocols) all += (all.empty() ? "" : ", ") + each;
    return all.empty() ? "nothing" : all;
}

} // namespace

answer_function answer_with(session_offer offer) {
    return [offer = std::make_shared<const session_offer>(std::move(offer))](const request& r) -> answer {
        if (auto objection = offer->origins.objection(r); !objection.empty())
            return {.status = 403, .reason = std::move(objection)};
        const auto* chosen = webtransport::select_protocol(r.protocols, offer->protocols);
        if (chosen == nullptr && !offer->protocols.empty())
            return {.status = 400, .reason = "no common protocol: the client offers " + list_of(r.protocols)};
        return {.status = 200,
            .protocol = chosen != nullptr ? *chosen : std::string{},
            .accept = [offer, r](link::connection& c, time_point now) {
                return offer->accept ? offer->accept(c, r, now) : nullptr;
            }};
    };
}

result<void> router::add(table& to, std::string path, answer_function answers) {
    if (path.find_first_of("?#") != path.npos || !answers) return errc::invalid_argument;
    if (!to.try_emplace(std::move(path), std::move(answers)).second) return errc::invalid_argument;
    return {};
}

result<void> router::at(std::string path, answer_function answers) {
    if (!path.starts_with('/')) return errc::invalid_argument;
    return add(exact_, std::move(path), std::move(answers));
}

result<void> router::below(std::string path, answer_function answers) {
    if (!path.starts_with('/')) return errc::invalid_argument;
    if (path.ends_with('/')) path.pop_back();
    return add(prefixes_, std::move(path), std::move(answers));
}

void router::otherwise(answer_function answers) { otherwise_ = std::move(answers); }

const answer_function* router::find(std::string_view path) const {
    if (const auto exact = exact_.find(path); exact != exact_.end()) return &exact->second;
    // In the order of their names, so that the last one that fits is the longest. The cost is that of the routes,
    // whatever path a client sends.
    const auto* found = otherwise_ ? &otherwise_ : nullptr;
    for (const auto& [prefix, answers] : prefixes_)
        if (webtransport::is_below(path, prefix)) found = &answers;
    return found;
}

answer router::operator()(const request& r) const {
    const auto* answers = find(r.path_only());
    return answers != nullptr ? (*answers)(r) : answer{.status = 404, .reason = "nothing is served there"};
}

} // namespace moqlite::nghttp3
