// The peer's announcements: our watches, and the broadcasts that the peer has announced.
#pragma once

#include <algorithm>
#include <moqlite/core/result.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/session/detail/watch.hpp>
#include <moqlite/wire/lite/announce.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::detail {

class watching {
public:
    explicit watching(context& c) noexcept : c_(c) {}

    result<watch_id> start(std::string_view prefix, bool hidden) {
        const auto wanted = c_.names.relative_published(prefix);
        if (!wanted) return errc::out_of_scope;
        const wire::lite::announce_request message{
            c_.names.written_prefix(c_.names.asked_prefix(*wanted)), c_.origin, hidden};
        if (const auto why = c_.encodable(message); why != errc::ok) return why;
        if (const auto why = c_.may_request(); why != errc::ok) return why;
        std::string below{*wanted};
        std::string asked{c_.names.asked_prefix(below)};
        watches_.make_room();
        by_id_.make_room();
        auto& stream = c_.open_control(control_kind::announce_out, wire::lite::bidi_type::announce, message);
        auto& w = watches_.make();
        w.id = watch_id{next_id_++};
        w.prefix = std::move(below);
        w.asked = std::move(asked);
        w.hidden = hidden;
        w.stream = &stream;
        stream.owner = number(w.id);
        by_id_.insert(number(w.id), w);
        return w.id;
    }
    result<void> stop(watch_id id) {
        watch* w = find(number(id));
        if (w == nullptr) return errc::not_found;
        c_.drop_control(*w->stream, app_error::cancel);
        announced_ -= w->live.size() - w->refused_count;
        announced_bytes_ -= w->live_bytes;
        forgotten_ -= w->forgotten;
        by_id_.erase(number(id));
        watches_.destroy(*w);
        return {};
    }

    /// Forgets a broadcast that has just been reported, as if it had been refused.
    result<void> decline(watch_id id, std::string_view whole) {
        watch* w = find(number(id));
        const auto name = c_.names.relative_published(whole);
        if (w == nullptr || !name) return errc::not_found;
        auto* at = w->live.find(*name);
        if ((at == nullptr || !at->reported) && *name == w->prefix) at = w->live.find(w->asked);
        if (at == nullptr || !at->reported) return errc::not_found;
        refuse(*w, *at);
        return {};
    }

    /// Parses one message from the front of `in`. need_more: it is incomplete.
    wire::taken<std::size_t> parse(control_stream& stream, byte_view in) {
        watch* w = find(stream.owner);
        if (w == nullptr) return in.empty() ? wire::taken<std::size_t>{} : wire::taken<std::size_t>{in.size()};
        if (has_announce_ok(c_.dialect) && !w->answered) return parse_ok(*w, in);
        if (has_typed_announces(c_.dialect)) return parse_typed(*w, in);
        const auto message = wire::lite::take_message(c_.dialect, in, c_.bounds.control_message);
        if (message.status == wire::progress::error) return message.error;
        if (!message) return {};
        if (const auto why = announced(*w, message->body); why != errc::ok) {
            if (is_fatal(why)) return why;
            if (const auto flood = refuse_named(*w, message->body, why); flood != errc::ok) return flood;
        }
        return message->size;
    }

    /// The peer's side of the stream has ended, or the stream has closed.
    void stream_ended(control_stream& stream, app_error code) {
        watch* w = find(stream.owner);
        if (w == nullptr) return;
        if (!c_.closing) c_.out.finish(stream);
        by_id_.erase(number(w->id));
        ending_.push_back(w);
        ending_code_ = code;
    }
    /// Ends one path of a watch that has ended, and finally the watch; false: none is left.
    bool end_one() {
        if (ending_.empty()) return false;
        watch& w = *ending_.back();
        while (auto* first = w.live.first()) {
            path::join(c_.names.allowed.root_of_published(), shown(w, *first), c_.path_scratch);
            if (first->reported) c_.emit(broadcast_ended{w.id, c_.views.keep(c_.path_scratch)}); // Allocates first.
            forget(w, *first);
            if (!c_.events.empty()) return true;
        }
        c_.emit(watch_ended{w.id, ending_code_});
        forgotten_ -= w.forgotten;
        ending_.pop_back();
        watches_.destroy(w);
        return true;
    }
    void end_all(app_error code) {
        by_id_.for_each([&](std::uint64_t, watch& w) { ending_.push_back(&w); });
        by_id_ = {};
        ending_code_ = code;
    }

    /// Calls f(path) for each broadcast that is reported as available; the path is whole.
    template <class F>
    void for_each_available(F&& f) {
        by_id_.for_each([&](std::uint64_t, watch& w) {
            w.live.for_each([&](const announced_path& each) {
                if (!each.reported) return;
                path::join(c_.names.allowed.root_of_published(), shown(w, each), c_.path_scratch);
                f(c_.path_scratch);
            });
        });
    }

private:
    watch* find(std::uint64_t id) noexcept { return by_id_.find(id); }
    wire::taken<std::size_t> parse_ok(watch& w, byte_view in) {
        const auto message = wire::lite::take_message(c_.dialect, in, c_.bounds.control_message);
        if (message.status == wire::progress::error) return message.error;
        if (!message) return {};
        const auto ok = wire::lite::decode<wire::lite::announce_ok>(c_.dialect, message->body, c_.bounds);
        if (!ok) return ok.error();
        w.answered = true;
        w.publisher = ok->hop;
        c_.peer_hop(w.stream->id, ok->hop);
        w.initial_left = ok->active_count;
        sync(w);
        return message->size;
    }
    void sync(watch& w) {
        if (w.synced || w.initial_left != 0) return;
        w.synced = true;
        c_.emit(announcements_synced{w.id});
    }
    // An announcement that breaks a rule or exceeds a bound is refused alone: it is reported, and the others stay. The
    // session ends where later announcements could not be interpreted, because its broadcasts would be silently wrong.
    // Nothing is kept of a refused one, except where others may build on it; of these the latest few are kept. A peer
    // that has more refused ones than any relay announces ends.

    static bool is_fatal(errc why) noexcept {
        return why == errc::duplicate_announce || why == errc::unknown_announce || why == errc::bad_announce_base;
    }
    /// Of announcements that exceed a bound only the first, until one is accepted again.
    void report(watch& w, errc why) {
        if (why == errc::too_many_announcements && std::exchange(w.is_full, true)) return;
        c_.emit(stream_rejected{w.stream->id, why});
    }
    errc forgot_one(watch& w) noexcept {
        ++w.forgotten;
        return ++forgotten_ > c_.bounds.refused_announcements ? errc::too_many_announcements : errc::ok;
    }
    void found_forgotten(watch& w, std::size_t n) noexcept {
        w.forgotten -= n;
        forgotten_ -= n;
    }
    errc refuse(watch& w, announced_path& at) {
        at.reported = false;
        uncount(w, at);
        w.refused.push_back(at);
        ++w.refused_count;
        if (w.refused_count <= (has_announce_bases(c_.dialect) ? refused_max : 0)) return errc::ok;
        announced_path& oldest = w.refused.front();
        w.ids.erase(oldest.id);
        forget(w, oldest);
        return forgot_one(w);
    }
    /// errc::ok: only this announcement was refused.
    errc refuse_named(watch& w, byte_view body, errc why) {
        report(w, why);
        wire::reader in{body};
        const bool active = in.u8() != 0;
        const auto suffix = in.string();
        // It replaces an earlier announcement of that name.
        std::string name;
        if (in.error() == errc::ok && name_of(w, suffix, name) == errc::ok)
            if (auto* at = w.live.find(name)) set_ended(w, *at);
        if (!active) return errc::ok;
        count_initial(w);
        return forgot_one(w);
    }
    /// The same.
    errc refuse_typed(watch& w, const wire::typed_framed& message, errc why) {
        if (is_fatal(why)) return why;
        if (message.type == 0) {
            report(w, why);
            ++w.next_announce; // The peer has counted it.
            count_initial(w);
            return forgot_one(w);
        }
        wire::reader in{message.body, wire::integers_of(c_.dialect)};
        announced_path* at = nullptr;
        const auto id = in.varint();
        if (message.type != 2 || in.error() != errc::ok) return why;
        if (const auto unknown = find_id(w, id, at); unknown != errc::ok) return unknown;
        report(w, why);
        if (at == nullptr) return errc::ok;
        at->chain_known = false;
        if (!std::exchange(at->reported, false)) return errc::ok;
        path::join(c_.names.allowed.root_of_published(), at->name, c_.path_scratch);
        c_.emit(broadcast_ended{w.id, c_.views.keep(c_.path_scratch)});
        return errc::ok;
    }

    // Announcements with a status.

    errc announced(watch& w, byte_view body) {
        const auto m = wire::lite::decode<wire::lite::announce>(c_.dialect, body, c_.bounds);
        if (!m) return m.error();
        std::string name;
        if (const auto why = name_of(w, m->suffix, name); why != errc::ok) return why;
        if (m->status != wire::lite::announce_status::ended) c_.codes.saw_announce(m->hops.size());
        if (!path::strip(name, w.prefix) && !path::strip(w.prefix, name)) return errc::ok; // Not what we want.
        auto* at = w.live.find(name);
        if (m->status == wire::lite::announce_status::ended) {
            // An unknown path is ignored, as other implementations do.
            if (at != nullptr)
                set_ended(w, *at);
            else if (w.forgotten != 0)
                found_forgotten(w, 1);
            return errc::ok;
        }
        if (at != nullptr && !has_announce_restart(c_.dialect)) return errc::duplicate_announce;
        if (is_above(w, name)) path::join(c_.names.allowed.root_of_published(), w.prefix, c_.path_scratch);
        const bool usable = is_usable(w, m->hops);
        if (at == nullptr) {
            if (!usable) return count_initial(w), errc::ok;
            if (is_full()) return errc::too_many_announcements;
            w.is_full = false;
            found_forgotten(w, w.forgotten); // There is room: a refused one may have been announced again.
        }
        auto& here = at == nullptr ? remember(w, std::move(name)) : *at;
        if (usable)
            set_available(w, here, route_cost::unknown());
        else
            set_ended(w, here);
        return count_initial(w), errc::ok;
    }

    // Announcements with an id.

    wire::taken<std::size_t> parse_typed(watch& w, byte_view in) {
        const auto message = wire::lite::take_typed_message(c_.dialect, in, c_.bounds.control_message);
        if (message.status == wire::progress::error) return message.error;
        if (!message) return {};
        if (message->type >= wire::lite::announcement_types) return message->size; // Skipped: it has no id.
        const auto m = wire::lite::decode_announcement(c_.dialect, *message, c_.bounds);
        auto why = m ? std::visit([&](const auto& what) { return announced(w, what); }, *m) : m.error();
        if (why != errc::ok) why = refuse_typed(w, *message, why);
        if (why != errc::ok) return why;
        return message->size;
    }
    errc announced(watch& w, const wire::lite::announce_start& m) {
        std::string_view suffix = m.suffix;
        if (const auto why = resolve_path(w, m, suffix); why != errc::ok) return why;
        std::string name;
        auto refusal = name_of(w, suffix, name);
        if (refusal == errc::ok && is_full()) refusal = errc::too_many_announcements;
        // The peer does not know of the refusal, and may build on it. A name that grew from base to base is forgotten
        // all the same.
        if (refusal != errc::ok && (!has_announce_bases(c_.dialect) || name.size() > c_.bounds.control_message))
            return refusal;
        if (w.live.find(name) != nullptr) return errc::duplicate_announce;
        auto hops = m.hops;
        if (const auto why = resolve_hops(w, m.hop_base, hops); why != errc::ok) return why;
        // An unusable route has its id too: an update may make it usable.
        w.ids.make_room();
        auto& at = remember(w, std::move(name));
        at.id = w.next_announce++;
        w.ids.insert(at.id, at);
        keep_chain(w, at, hops);
        auto flood = errc::ok;
        if (refusal != errc::ok) {
            report(w, refusal);
            flood = refuse(w, at);
        } else {
            w.is_full = false;
            if (is_usable(w, hops)) set_available(w, at, m.cost);
        }
        return count_initial(w), flood;
    }
    errc announced(watch& w, const wire::lite::announce_update& m) {
        announced_path* at = nullptr;
        if (const auto why = find_id(w, m.id, at); why != errc::ok) return why;
        auto hops = m.hops;
        if (const auto why = resolve_hops(w, m.hop_base, hops); why != errc::ok) return why;
        if (at == nullptr) return errc::ok; // A refused announcement was never reported.
        if (outgrows(*at, hops)) return errc::too_many_announcements;
        keep_chain(w, *at, hops);
        if (at->refused()) return errc::ok;
        path::join(c_.names.allowed.root_of_published(), at->name, c_.path_scratch);
        if (is_usable(w, hops))
            set_available(w, *at, m.cost);
        else if (std::exchange(at->reported, false))
            c_.emit(broadcast_ended{w.id, c_.views.keep(c_.path_scratch)});
        return errc::ok;
    }
    errc announced(watch& w, const wire::lite::announce_end& m) {
        announced_path* at = nullptr;
        if (const auto why = find_id(w, m.id, at); why != errc::ok) return why;
        if (at == nullptr) return found_forgotten(w, 1), errc::ok;
        w.ids.erase(m.id);
        set_ended(w, *at);
        return errc::ok;
    }

    // Bases.

    /// The live announcement with this id; nullptr: a refused one that is forgotten.
    static errc find_id(watch& w, std::uint64_t id, announced_path*& at) noexcept {
        at = w.ids.find(id);
        return at != nullptr || (w.forgotten != 0 && id < w.next_announce) ? errc::ok : errc::unknown_announce;
    }
    /// The live announcement that a base names; nullptr: a forgotten one, of which nothing is kept.
    static errc find_base(watch& w, const wire::lite::announce_base& base, announced_path*& at) noexcept {
        if (base.distance > w.next_announce) return errc::unknown_announce;
        if (const auto why = find_id(w, w.next_announce - base.distance, at); why != errc::ok) return why;
        return base.keep != 0 && at == nullptr ? errc::base_refused : errc::ok;
    }
    /// Puts the segments kept before `suffix`, which then aliases based_.
    errc resolve_path(watch& w, const wire::lite::announce_start& m, std::string_view& suffix) {
        if (m.path_base.distance == 0) return errc::ok;
        announced_path* at = nullptr;
        if (const auto why = find_base(w, m.path_base, at); why != errc::ok || m.path_base.keep == 0) return why;
        auto kept = path::strip(at->name, w.prefix).value_or(std::string_view{});
        if (m.path_base.keep > path::segments(kept)) return errc::bad_announce_base;
        kept = path::first_segments(kept, static_cast<std::size_t>(m.path_base.keep));
        path::normalise(suffix, normal_);
        path::join(kept, normal_, based_);
        if (path::segments(based_) > c_.bounds.path_segments) return errc::bad_announce_base;
        suffix = based_;
        return errc::ok;
    }
    /// Appends the hops kept.
    errc resolve_hops(watch& w, const wire::lite::announce_base& base, wire::lite::hop_list& hops) {
        if (base.distance == 0) return errc::ok;
        announced_path* at = nullptr;
        if (const auto why = find_base(w, base, at); why != errc::ok || base.keep == 0) return why;
        if (!at->chain_known) return errc::base_refused;
        if (base.keep > at->chain.size()) return errc::bad_announce_base;
        for (auto i = at->chain.size() - static_cast<std::size_t>(base.keep); i != at->chain.size(); ++i) {
            const auto hop = at->chain[i];
            const bool twice = hop != hop_id{} && hops.contains(hop);
            if (twice || hops.size() >= c_.bounds.hops || !hops.push_back(hop)) return errc::bad_announce_base;
        }
        return errc::ok;
    }
    /// An update of this many hops takes more memory than is left.
    [[nodiscard]] bool outgrows(const announced_path& at, const wire::lite::hop_list& hops) const noexcept {
        return has_announce_bases(c_.dialect) && hops.size() > at.chain.size() && is_full_of_bytes();
    }
    void keep_chain(watch& w, announced_path& at, const wire::lite::hop_list& hops) {
        if (has_announce_bases(c_.dialect)) keep_hops(w, at, hops);
        at.chain_known = true;
    }
    template <class Hops>
    void keep_hops(watch& w, announced_path& at, const Hops& hops) {
        const auto before = at.refused() ? 0 : weight(at);
        if (hops.size() < at.chain.size()) at.chain = {}; // Otherwise it keeps more memory than is counted.
        at.chain.assign(hops.begin(), hops.end());
        if (at.refused()) return;
        w.live_bytes += weight(at) - before;
        announced_bytes_ += weight(at) - before;
    }

    // Names and routes.

    /// The name relative to the root; sets path_scratch to the whole name. Also where it is beyond a bound.
    errc name_of(const watch& w, std::string_view suffix, std::string& name) {
        path::normalise(suffix, normal_);
        name = path::join(w.asked, normal_);
        path::join(c_.names.allowed.root_of_published(), name, c_.path_scratch);
        if (!c_.names.fits(suffix)) return errc::name_too_long;
        // A name may be short enough while the whole name is not: it could not be announced to others.
        if (path::segments(c_.path_scratch) > c_.bounds.path_segments) return errc::too_many_segments;
        return c_.names.fits(c_.path_scratch) ? errc::ok : errc::name_too_long;
    }
    /// Whether the broadcast in path_scratch can be reached through these hops. Sets hops_ to them, with the peer
    /// added.
    bool is_usable(const watch& w, const wire::lite::hop_list& hops) {
        hops_.assign(hops.begin(), hops.end());
        if (!hops_include_sender(c_.dialect)) {
            if (w.publisher != hop_id{} && hops.contains(w.publisher)) return false; // The route passes the peer twice.
            hops_.push_back(w.publisher);
        } else if (!hops_.empty()) {
            c_.peer_hop(w.stream->id, hops_.back());
        }
        if (hops_.empty()) hops_.push_back({}); // A peer that does not count itself is still a hop.
        if (hops_.size() > c_.bounds.route_hops) return false;
        // A route through ourselves is a loop.
        if (c_.origin != hop_id{} && std::find(hops_.begin(), hops_.end(), c_.origin) != hops_.end()) return false;
        if (path::has_wildcard(c_.path_scratch)) return false;
        const auto name = c_.names.relative_published(c_.path_scratch);
        if (!name || (!w.hidden && path::is_hidden(path::strip(*name, w.prefix).value_or(*name)))) return false;
        return wire_names::covered(c_.names.allowed.publish,
            *name); // Otherwise the peer may not publish it, and it is ignored.
    }
    void set_available(watch& w, announced_path& at, const route_cost& said) {
        const auto price = c_.own_cost.value_or(has_route_cost(c_.dialect) ? c_.peer_cost.value_or(1) : 1);
        bool known = std::exchange(at.reported, true);
        if (is_above(w, at.name)) {
            keep_hops(w, at, hops_);
            const auto* nearer = w.live.find(w.prefix);
            at.reported = nearer == nullptr || !nearer->reported;
            if (!at.reported) return;
        } else if (auto* above = covering(w, at)) {
            known = std::exchange(above->reported, false) || known;
        }
        c_.emit(
            broadcast_available{w.id, c_.views.keep(c_.path_scratch), c_.views.keep(hops_), known, said.plus(price)});
    }
    void set_ended(watch& w, announced_path& at) {
        path::join(c_.names.allowed.root_of_published(), shown(w, at), c_.path_scratch);
        if (auto* above = at.reported ? covering(w, at) : nullptr; above != nullptr) {
            at.reported = false;
            above->reported = true; // It replaces the nearer one.
            hops_ = above->chain;
            set_available(w, *above, route_cost::unknown());
        } else if (at.reported) {
            c_.emit(broadcast_ended{w.id, c_.views.keep(c_.path_scratch)});
        }
        forget(w, at);
    }

    // A request for the prefix above ours brings what is announced there, too. It covers our prefix, as peers report it
    // that are asked for ours: there it is, until something is announced at our prefix itself.

    static bool is_above(const watch& w, std::string_view name) noexcept { return name.size() < w.prefix.size(); }
    static std::string_view shown(const watch& w, const announced_path& at) noexcept {
        return is_above(w, at.name) ? w.prefix : at.name;
    }
    /// The announcement above the prefix, if `at` is at the prefix; nullptr: nothing, or it is not.
    static announced_path* covering(watch& w, const announced_path& at) noexcept {
        return w.asked != w.prefix && at.name == w.prefix ? w.live.find(w.asked) : nullptr;
    }
    /// Counts one announcement of the initial set, if that is not complete.
    void count_initial(watch& w) {
        if (w.initial_left == 0) return;
        --w.initial_left;
        sync(w);
    }

    [[nodiscard]] bool is_full() const noexcept { return announced_ >= c_.bounds.announcements || is_full_of_bytes(); }
    [[nodiscard]] bool is_full_of_bytes() const noexcept { return announced_bytes_ >= c_.bounds.announced_bytes; }
    [[nodiscard]] std::size_t weight(const announced_path& at) const noexcept {
        return c_.names.allowed.root_of_published().size() + at.name.size() + at.chain.size() * sizeof(hop_id);
    }
    announced_path& remember(watch& w, std::string name) {
        auto& at = w.live.make(std::move(name));
        w.live_bytes += weight(at);
        announced_bytes_ += weight(at);
        ++announced_;
        return at;
    }
    void uncount(watch& w, const announced_path& at) noexcept {
        w.live_bytes -= weight(at);
        announced_bytes_ -= weight(at);
        --announced_;
    }
    void forget(watch& w, announced_path& at) {
        if (at.refused())
            --w.refused_count;
        else
            uncount(w, at);
        w.live.erase(at);
    }

    static constexpr std::size_t refused_max = 16; ///< Refused announcements kept by one watch.
    context& c_;
    object_pool<watch> watches_;
    pointer_table<watch> by_id_;
    std::vector<watch*> ending_;
    app_error ending_code_ = app_error::cancel;
    std::size_t announced_ = 0;
    std::size_t announced_bytes_ = 0;
    std::size_t forgotten_ = 0; ///< Over all watches.
    std::vector<hop_id> hops_;
    std::string normal_; ///< Scratch: a normalised suffix.
    std::string based_;  ///< Scratch: a suffix with the segments kept of its base.
    std::uint64_t next_id_ = 0;
};

} // namespace moqlite::detail
