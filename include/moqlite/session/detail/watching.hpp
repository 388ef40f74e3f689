// The peer's announcements: our watches, and the broadcasts that the peer has announced.
#pragma once

#include <algorithm>
#include <map>
#include <moqlite/core/result.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/wire/lite/announce.hpp>
#include <string>
#include <utility>

namespace moqlite::detail {

/// Our interest in the broadcasts below a prefix.
struct watch : list_hook<owned_tag> {
    watch_id id{};
    control_stream* stream = nullptr;
    std::string prefix;    ///< Relative to the root.
    bool answered = false; ///< ANNOUNCE_OK has arrived.
    bool synced = false;
    std::uint64_t initial_left = 0; ///< Announcements of the initial set that have not arrived yet.
    hop_id publisher{};             ///< The peer's own hop, which its announcements omit.
    /// Paths that the peer has announced and not ended, relative to the root; true: reported as available.
    using path_map = std::map<std::string, bool, std::less<>>;
    path_map live;
    std::size_t live_bytes = 0; ///< Bytes of these paths, each with the root.
    /// The same by announce id, where the version has them; a refused ANNOUNCE_START maps to the end of `live`.
    std::map<std::uint64_t, path_map::iterator> ids;
    std::size_t refused = 0;         ///< Number of refused ids.
    std::uint64_t next_announce = 0; ///< The id of the next ANNOUNCE_START.
};

class watching {
public:
    explicit watching(context& c) noexcept : c_(c) {}

    result<watch_id> start(std::string_view prefix) {
        const auto wanted = c_.names.relative(prefix);
        if (!wanted) return errc::out_of_scope;
        const wire::lite::announce_request message{c_.names.written_prefix(*wanted), c_.origin};
        if (const auto why = c_.encodable(message); why != errc::ok) return why;
        if (!c_.out.may_open()) return errc::too_many_requests;
        auto normal = path::normalise(*wanted);
        watches_.make_room();
        by_id_.make_room();
        auto& stream = c_.open_control(control_kind::announce_out, wire::lite::bidi_type::announce, message);
        auto& w = watches_.make();
        w.id = watch_id{next_id_++};
        w.prefix = std::move(normal);
        w.stream = &stream;
        stream.owner = number(w.id);
        by_id_.insert(number(w.id), w);
        return w.id;
    }
    result<void> stop(watch_id id) {
        watch* w = find(number(id));
        if (w == nullptr) return errc::not_found;
        c_.drop_control(*w->stream, app_error::cancel);
        announced_ -= w->live.size() + w->refused;
        announced_bytes_ -= w->live_bytes;
        by_id_.erase(number(id));
        watches_.destroy(*w);
        return {};
    }

    /// Parses one message from the front of `in`. need_more: it is incomplete.
    wire::taken<std::size_t> parse(control_stream& stream, byte_view in) {
        watch* w = find(stream.owner);
        if (w == nullptr) return in.empty() ? wire::taken<std::size_t>{} : wire::taken<std::size_t>{in.size()};
        if (has_announce_ok(c_.dialect) && !w->answered) return parse_ok(*w, in);
        if (has_typed_announces(c_.dialect)) return parse_typed(*w, in);
        const auto message = wire::take_message(in, c_.bounds.control_message);
        if (message.status == wire::progress::error) return message.error;
        if (!message) return {};
        if (const auto why = announced(*w, message->body); why != errc::ok) {
            if (is_fatal(why)) return why;
            refuse_named(*w, message->body, why);
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
        while (!w.live.empty()) {
            const auto first = w.live.begin();
            path::join(c_.names.allowed.root, first->first, c_.path_scratch);
            if (first->second) c_.emit(broadcast_ended{w.id, c_.views.keep(c_.path_scratch)}); // Allocates first.
            forget(w, first);
            if (!c_.events.empty()) return true;
        }
        c_.emit(watch_ended{w.id, ending_code_});
        announced_ -= w.refused;
        ending_.pop_back();
        watches_.destroy(w);
        return true;
    }
    void end_all(app_error code) {
        by_id_.for_each([&](std::uint64_t, watch& w) { ending_.push_back(&w); });
        by_id_ = {};
        ending_code_ = code;
    }

private:
    watch* find(std::uint64_t id) noexcept { return by_id_.find(id); }
    wire::taken<std::size_t> parse_ok(watch& w, byte_view in) {
        const auto message = wire::take_message(in, c_.bounds.control_message);
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
    // An announcement that breaks a rule is refused alone: it is reported, and the others stay. The session ends where
    // later announcements could not be interpreted, because its broadcasts would be silently wrong.

    static bool is_fatal(errc why) noexcept {
        return why == errc::duplicate_announce || why == errc::unknown_announce || why == errc::too_many_announcements;
    }
    void refuse_named(watch& w, byte_view body, errc why) {
        c_.emit(stream_rejected{w.stream->id, why});
        wire::reader in{body};
        const bool active = in.u8() != 0;
        const auto suffix = in.string();
        // It replaces an earlier announcement of that name.
        std::string name;
        if (in.error() == errc::ok && name_of(w, suffix, name) == errc::ok)
            if (const auto at = w.live.find(name); at != w.live.end()) set_ended(w, at);
        if (active) count_initial(w);
    }
    /// errc::ok: only this announcement was refused.
    errc refuse_typed(watch& w, const wire::typed_framed& message, errc why) {
        if (is_fatal(why)) return why;
        if (message.type == 0) {
            if (is_full()) return errc::too_many_announcements;
            c_.emit(stream_rejected{w.stream->id, why});
            w.ids.emplace(w.next_announce++, w.live.end()); // The peer has counted it.
            ++w.refused;
            ++announced_;
            return count_initial(w), errc::ok;
        }
        if (message.type >= wire::lite::announcement_types) // It is skipped, and has no id.
            return c_.emit(stream_rejected{w.stream->id, why}), errc::ok;
        wire::reader in{message.body};
        const auto found = w.ids.find(in.varint());
        if (message.type != 2 || in.error() != errc::ok) return why;
        if (found == w.ids.end()) return errc::unknown_announce;
        c_.emit(stream_rejected{w.stream->id, why});
        if (found->second == w.live.end() || !std::exchange(found->second->second, false)) return errc::ok;
        path::join(c_.names.allowed.root, found->second->first, c_.path_scratch);
        c_.emit(broadcast_ended{w.id, c_.views.keep(c_.path_scratch)});
        return errc::ok;
    }

    // Announcements with a status.

    errc announced(watch& w, byte_view body) {
        const auto m = wire::lite::decode<wire::lite::announce>(c_.dialect, body, c_.bounds);
        if (!m) return m.error();
        std::string name;
        if (const auto why = name_of(w, m->suffix, name); why != errc::ok) return why;
        const auto at = w.live.find(name);
        if (m->status == wire::lite::announce_status::ended) {
            // An unknown path is ignored, as other implementations do.
            if (at != w.live.end()) set_ended(w, at);
            return errc::ok;
        }
        if (at != w.live.end() && !has_announce_restart(c_.dialect)) return errc::duplicate_announce;
        const bool usable = is_usable(w, m->hops);
        if (at == w.live.end()) {
            if (!usable) return count_initial(w), errc::ok;
            if (is_full()) return errc::too_many_announcements;
        }
        const auto here = at == w.live.end() ? remember(w, std::move(name)) : at;
        if (usable)
            set_available(w, here, hops_.size() - 1);
        else
            set_ended(w, here);
        return count_initial(w), errc::ok;
    }

    // Announcements with an id.

    wire::taken<std::size_t> parse_typed(watch& w, byte_view in) {
        const auto message = wire::take_typed_message(in, c_.bounds.control_message);
        if (message.status == wire::progress::error) return message.error;
        if (!message) return {};
        const auto m = wire::lite::decode_announcement(c_.dialect, *message, c_.bounds);
        auto why = m ? std::visit([&](const auto& what) { return announced(w, what); }, *m) : m.error();
        if (why != errc::ok) why = refuse_typed(w, *message, why);
        if (why != errc::ok) return why;
        return message->size;
    }
    errc announced(watch& w, const wire::lite::announce_start& m) {
        std::string name;
        if (const auto why = name_of(w, m.suffix, name); why != errc::ok) return why;
        if (w.live.contains(name)) return errc::duplicate_announce;
        if (is_full()) return errc::too_many_announcements;
        // An unusable route has its id too: an update may make it usable.
        const auto at = remember(w, std::move(name));
        w.ids.emplace(w.next_announce++, at);
        if (is_usable(w, m.hops)) set_available(w, at, m.route_cost);
        return count_initial(w), errc::ok;
    }
    errc announced(watch& w, const wire::lite::announce_update& m) {
        const auto found = w.ids.find(m.id);
        if (found == w.ids.end()) return errc::unknown_announce;
        const auto at = found->second;
        if (at == w.live.end()) return errc::ok; // A refused announcement was never reported.
        path::join(c_.names.allowed.root, at->first, c_.path_scratch);
        if (is_usable(w, m.hops))
            set_available(w, at, m.route_cost);
        else if (std::exchange(at->second, false))
            c_.emit(broadcast_ended{w.id, c_.views.keep(c_.path_scratch)});
        return errc::ok;
    }
    errc announced(watch& w, const wire::lite::announce_end& m) {
        const auto found = w.ids.find(m.id);
        if (found == w.ids.end()) return errc::unknown_announce;
        const auto at = found->second;
        w.ids.erase(found);
        if (at == w.live.end()) {
            --w.refused;
            --announced_;
            return errc::ok;
        }
        path::join(c_.names.allowed.root, at->first, c_.path_scratch);
        set_ended(w, at);
        return errc::ok;
    }

    // Names and routes.

    /// The name relative to the root; sets path_scratch to the whole name.
    errc name_of(const watch& w, std::string_view suffix, std::string& name) {
        if (!c_.names.fits(suffix)) return errc::name_too_long;
        path::normalise(suffix, normal_);
        name = path::join(w.prefix, normal_);
        path::join(c_.names.allowed.root, name, c_.path_scratch);
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
        if (hops_.empty()) hops_.push_back({});          // A peer that does not count itself is still a hop.
        if (hops_.size() > c_.bounds.hops) return false; // Too many hops to be passed on.
        // A route through ourselves is a loop.
        if (c_.origin != hop_id{} && std::find(hops_.begin(), hops_.end(), c_.origin) != hops_.end()) return false;
        const auto name = c_.names.relative(c_.path_scratch);
        return name && wire_names::covered(c_.names.allowed.publish,
                           *name); // Otherwise the peer may not publish it, and it is ignored.
    }
    void set_available(watch& w, watch::path_map::iterator at, std::uint64_t said) {
        const auto price = c_.own_cost.value_or(has_route_cost(c_.dialect) ? c_.peer_cost.value_or(1) : 1);
        const auto cost = std::min(said, wire::varint_max) + std::min(price, wire::varint_max);
        const bool known = std::exchange(at->second, true);
        c_.emit(broadcast_available{
            w.id, c_.views.keep(c_.path_scratch), c_.views.keep(hops_), known, std::min(cost, wire::varint_max)});
    }
    void set_ended(watch& w, watch::path_map::iterator at) {
        if (at->second) c_.emit(broadcast_ended{w.id, c_.views.keep(c_.path_scratch)});
        forget(w, at);
    }
    /// Counts one announcement of the initial set, if that is not complete.
    void count_initial(watch& w) {
        if (w.initial_left == 0) return;
        --w.initial_left;
        sync(w);
    }

    [[nodiscard]] bool is_full() const noexcept {
        return announced_ >= c_.bounds.announcements || announced_bytes_ >= c_.bounds.announced_bytes;
    }
    [[nodiscard]] std::size_t weight(const std::string& name) const noexcept {
        return c_.names.allowed.root.size() + name.size();
    }
    watch::path_map::iterator remember(watch& w, std::string name) {
        w.live_bytes += weight(name);
        announced_bytes_ += weight(name);
        ++announced_;
        return w.live.emplace(std::move(name), false).first;
    }
    void forget(watch& w, watch::path_map::iterator at) {
        w.live_bytes -= weight(at->first);
        announced_bytes_ -= weight(at->first);
        --announced_;
        w.live.erase(at);
    }

    context& c_;
    object_pool<watch> watches_;
    pointer_table<watch> by_id_;
    std::vector<watch*> ending_;
    app_error ending_code_ = app_error::cancel;
    std::size_t announced_ = 0;
    std::size_t announced_bytes_ = 0;
    std::vector<hop_id> hops_;
    std::string normal_; ///< Scratch: a normalised suffix.
    std::uint64_t next_id_ = 0;
};

} // namespace moqlite::detail
