// Our announcements: each of the peer's requests is a cursor over the table.
#pragma once

#include <algorithm>
#include <moqlite/session/announcements.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/wire/lite/announce.hpp>
#include <moqlite/wire/utf8.hpp>
#include <string>
#include <vector>

namespace moqlite::detail {

/// The peer's interest in what has a prefix.
struct announce_reply : announcements::listener, list_hook<owned_tag> {
    control_stream* stream = nullptr;
    std::string prefix; ///< Relative to the root.
    std::string whole;  ///< The same from the table's root.
    hop_id exclude{};
    bool begun = false; ///< ANNOUNCE_OK and the first of the set are written.
    /// The nearest at the prefix or above it, which the peer was told of as if it were at the prefix; nullptr: none.
    announcements::entry* cover = nullptr;
    std::uint32_t cover_told = 0;  ///< The digest of what was told of it; 0: nothing, it only hides those above it.
    std::size_t told = 0;          ///< Broadcasts that the peer believes to be there.
    id_table<std::uint64_t> ids{}; ///< By slot: the announce id of what was told, where announcements have one.
    std::uint64_t next_id = 0;
};

class announcing {
public:
    announcing(context& c, announcements* shared) noexcept : c_(c), table_(shared != nullptr ? shared : &own_) {}

    /// The session's own table, unless it was given one.
    [[nodiscard]] announcements& table() noexcept { return *table_; }

    errc request_arrived(control_stream& stream, byte_view body) {
        const auto m = wire::lite::decode<wire::lite::announce_request>(c_.dialect, body, c_.bounds);
        if (!m) return m.error();
        if (replies_.size() >= c_.bounds.watches) return errc::too_many_requests;
        if (!c_.names.fits_path(m->prefix)) return errc::name_too_long;
        auto& r = replies_.make();
        r.stream = &stream;
        r.ready = &c_.ready;
        r.news = &news_;
        r.waiting = &waiting_;
        r.source = c_.key;
        c_.names.saw_path(m->prefix);
        r.prefix = path::normalise(m->prefix);
        r.whole = path::join(c_.names.allowed.root, r.prefix);
        r.exclude = m->exclude_hop;
        c_.peer_hop(stream.id, m->exclude_hop);
        stream.owner = next_id_++;
        by_stream_.insert(stream.owner, &r);
        table_->listen(r, readable(r.prefix));
        return errc::ok;
    }
    /// The peer has ended its side, or the stream is no more; not `finished`: it has cut it off, with the code cancel
    /// where it only takes its request back.
    void peer_left(control_stream& stream, bool finished, app_error code) {
        auto* found = by_stream_.find(stream.owner);
        if (found == nullptr) return;
        announce_reply& r = **found;
        if (!c_.closing) c_.out.finish(stream);
        const bool refused = !finished && code != app_error::cancel;
        if (refused && !c_.closing && stream.reading != read_state::abandoned) // Else it was us.
            c_.emit(announcements_cut_off{c_.views.keep(r.whole), code});
        destroy(r);
    }

    /// Why a broadcast of our own, by its whole name, cannot be announced; ok: it can.
    [[nodiscard]] errc announceable(std::string_view name, const std::vector<hop_id>& hops) const {
        if (!c_.names.relative(name)) return errc::out_of_scope;
        if (!wire::is_utf8(name)) return errc::bad_utf8;
        if (path::segments(c_.names.url_root) + path::segments(name) > c_.bounds.path_segments)
            return errc::too_many_segments;
        const auto there = name.size() + (c_.names.url_root.empty() || name.empty() ? 0 : 1) + c_.names.url_root.size();
        if (there > c_.bounds.name) return errc::name_too_long;
        if (hops.size() >= c_.bounds.hops) return errc::too_many_hops; // Ours closes the list.
        for (auto hop = hops.begin(); hop != hops.end(); ++hop) {
            if (number(*hop) > wire::varint_max) return errc::value_too_large;
            const bool twice = *hop == c_.origin || std::find(hops.begin(), hop, *hop) != hop;
            if (*hop != hop_id{} && twice) return errc::duplicate_hop;
        }
        return errc::ok;
    }

    /// Writes what is new, as far as the peer takes it and the turn lasts; each request gets its share.
    void write() {
        while (!news_.empty() && has_room()) {
            if (left_ == 0) return c_.ready.mark(); // The other sessions first.
            auto& r = static_cast<announce_reply&>(news_.front());
            if (r.overrun) return c_.fail(errc::control_backlog);
            r.list_hook<news_tag>::unlink();
            const auto how = write_some(r);
            if (how == progress::more) news_.push_back(r);
            if (how == progress::too_many) refuse(r);
        }
    }
    void turn_over() noexcept { left_ = most_a_turn; }
    /// There is more to tell than was written.
    [[nodiscard]] bool is_behind() const noexcept { return !news_.empty(); }
    void clear() {
        while (announce_reply* r = replies_.first()) destroy(*r);
    }

private:
    /// It is at the prefix or above it.
    [[nodiscard]] bool is_above(const announce_reply& r, const announcements::entry& e) const {
        const auto name = c_.names.relative(e.path);
        return name && path::strip(r.prefix, *name);
    }
    /// The most specific of those; nullptr: there is none below the peer's root.
    [[nodiscard]] announcements::entry* cover_of(const announce_reply& r) {
        auto* e = table_->covering(r.whole);
        return e != nullptr && c_.names.relative(e->path) ? e : nullptr;
    }
    /// How the peer would reach it; nullptr: it would not.
    const route* visible(const announce_reply& r, const announcements::entry& e) {
        const auto name = c_.names.relative(e.path);
        if (!name || !wire_names::covered(c_.names.allowed.subscribe, is_above(r, e) ? r.prefix : *name))
            return nullptr;
        if (!is_above(r, e) && !path::strip(*name, r.prefix)) return nullptr;
        for (const auto& way : e.routes) {
            if (way.source != 0 && way.source == r.source) continue;
            const auto leads_back = [&](hop_id peer) {
                return peer != hop_id{} && std::find(way.hops.begin(), way.hops.end(), peer) != way.hops.end();
            };
            if (way.hops.size() >= c_.bounds.hops) continue; // The peer could not add ours, or itself.
            if (leads_back(r.exclude) || leads_back(c_.peer_origin) || leads_back(c_.origin)) continue;
            return &way;
        }
        return nullptr;
    }
    /// The whole paths below which the peer may read what it asked for; none is below another.
    [[nodiscard]] std::vector<std::string> readable(std::string_view prefix) const {
        std::vector<std::string_view> found;
        for (const std::string& allowed : c_.names.allowed.subscribe) {
            if (path::strip(allowed, prefix))
                found.emplace_back(allowed);
            else if (path::strip(prefix, allowed))
                found.emplace_back(prefix);
        }
        std::sort(found.begin(), found.end(), [](auto a, auto b) { return a.size() < b.size(); });
        std::vector<std::string_view> kept;
        for (const auto p : found)
            if (std::none_of(kept.begin(), kept.end(), [&](auto k) { return path::strip(p, k).has_value(); }))
                kept.push_back(p);
        std::vector<std::string> out;
        for (const auto p : kept) out.push_back(path::join(c_.names.allowed.root, p));
        return out;
    }

    enum class progress : std::uint8_t { done, more, too_many };
    [[nodiscard]] bool has_room() const noexcept { return c_.out.has_room(); }
    progress write_some(announce_reply& r) {
        if (!r.begun && !begin(r)) return progress::too_many;
        for (std::size_t i = 0; i != most_at_once && left_ != 0 && has_room(); ++i) {
            auto* e = table_->next(r);
            if (e == nullptr) return progress::done;
            --left_;
            if (!tell(r, *e)) return progress::too_many;
        }
        return progress::more;
    }
    /// ANNOUNCE_OK names how many follow at once: all, or as many as fit. False: they are too many.
    bool begin(announce_reply& r) {
        r.begun = true;
        if (!has_announce_ok(c_.dialect)) return true;
        std::uint64_t count = 0;
        std::size_t bytes = 0;
        std::size_t seen = 0;
        table_->peek(r, [&](const announcements::entry& e) {
            if (seen++ == most_a_turn) return false;
            const auto* shown = is_above(r, e) ? cover_of(r) : &e;
            const route* way = shown != nullptr ? visible(r, *shown) : nullptr;
            if (way == nullptr) return true;
            bytes += e.path.size() + way->hops.size() * 8 + 16;
            if (bytes > c_.bounds.control_unsent / 2) return false;
            ++count;
            return true;
        });
        left_ -= std::min(left_, seen);
        static_cast<void>(c_.send(*r.stream, wire::lite::announce_ok{c_.origin, count}));
        while (r.told < count)
            if (auto* e = table_->next(r); e == nullptr || !tell(r, *e)) return e == nullptr;
        return true;
    }
    /// Brings the peer up to date on one broadcast. False: it has been told of too many.
    bool tell(announce_reply& r, announcements::entry& e) {
        if (is_above(r, e)) return tell_cover(r, e);
        const route* way = visible(r, e);
        const auto before = announcements::belief(r, e);
        const auto now = way != nullptr ? digest(*way) : 0;
        const auto name = c_.names.relative(e.path).value_or(std::string_view{});
        const auto suffix = path::strip(name, r.prefix).value_or(std::string_view{});
        if (before != now && !write_news(r, before, now, e.slot, suffix, way)) return false;
        table_->told(r, e, now);
        return true;
    }
    /// The same on what covers the prefix, now that `e` there has changed: the most specific is told of as if it were
    /// at the prefix, and the peer believes in that one only.
    bool tell_cover(announce_reply& r, announcements::entry& e) {
        auto* const old = r.cover;
        auto* best = cover_of(r);
        const route* way = best != nullptr ? visible(r, *best) : nullptr;
        const auto before = r.cover_told;
        const auto now = way != nullptr ? digest(*way) : 0;
        if (before != now && !write_news(r, before, now, cover_slot, {}, way)) return false;
        r.cover_told = now;
        // Also of one that the peer may not know of: when it ends, one above it is to be told.
        if (best != nullptr) table_->told(r, *best, now | 1);
        r.cover = best;
        if (old != nullptr && old != best) table_->told(r, *old, 0);
        if (&e != old && &e != best) table_->told(r, e, 0);
        return true;
    }
    /// False: the peer has been told of too many.
    bool write_news(announce_reply& r, std::uint32_t before, std::uint32_t now, std::uint64_t slot,
        std::string_view suffix, const route* way) {
        // However many broadcasts others announce, a few requests for all of them are answered.
        if (before == 0 && told_ >= std::max(c_.bounds.told, 4 * table_->size())) return false;
        if (has_typed_announces(c_.dialect))
            tell_by_id(r, slot, suffix, way);
        else
            tell_by_name(r, before != 0, suffix, way);
        if (before == 0) ++r.told, ++told_;
        if (now == 0) --r.told, --told_;
        return true;
    }
    void destroy(announce_reply& r) {
        told_ -= r.told;
        by_stream_.erase(r.stream->owner);
        replies_.destroy(r);
    }
    /// Ends a request for which nothing more can be kept.
    void refuse(announce_reply& r) {
        control_stream& stream = *r.stream;
        destroy(r);
        c_.reject(stream, errc::too_many_requests);
    }
    /// Of what the peer is told of a route, and of who began when to announce it: what is the same need not be
    /// told again.
    [[nodiscard]] std::uint32_t digest(const route& way) const noexcept {
        std::uint64_t sum = 0xcbf29ce484222325;
        const auto add = [&](std::uint64_t n) { sum = (sum ^ n ^ n >> 32) * 0x100000001b3; };
        add(way.since);
        add(way.hops.size());
        for (const auto hop : way.hops) {
            add(number(hop));
            if (!has_hop_ids(c_.dialect)) break; // They are only counted; but another first one is another publisher.
        }
        if (has_route_cost(c_.dialect)) add(way.cost);
        return static_cast<std::uint32_t>(sum >> 32) | 1;
    }
    void tell_by_name(const announce_reply& r, bool known, std::string_view suffix, const route* way) {
        wire::lite::announce m{.status = wire::lite::announce_status::ended, .suffix = suffix};
        if (way != nullptr) {
            // Where a second ACTIVE is an error, the old one ends first.
            if (known && !has_announce_restart(c_.dialect)) static_cast<void>(c_.send(*r.stream, m));
            m.status = wire::lite::announce_status::active;
            m.hops = hops_of(*way);
            if (hops_include_sender(c_.dialect)) static_cast<void>(m.hops.push_back(c_.origin));
        }
        static_cast<void>(c_.send(*r.stream, m));
    }
    void tell_by_id(announce_reply& r, std::uint64_t slot, std::string_view suffix, const route* way) {
        const auto* id = r.ids.find(slot);
        if (way == nullptr) {
            if (id != nullptr) static_cast<void>(c_.send(*r.stream, wire::lite::announce_end{*id}));
            r.ids.erase(slot);
        } else if (id != nullptr) {
            static_cast<void>(c_.send(*r.stream, wire::lite::announce_update{*id, hops_of(*way), way->cost}));
        } else if (c_.send(*r.stream, wire::lite::announce_start{suffix, hops_of(*way), way->cost}) == errc::ok) {
            r.ids.insert(slot, r.next_id++); // The peer counts those that it gets.
        }
    }
    static wire::lite::hop_list hops_of(const route& way) noexcept {
        wire::lite::hop_list out;
        for (auto hop : way.hops) static_cast<void>(out.push_back(hop));
        return out;
    }

    static constexpr std::uint64_t cover_slot = UINT64_MAX; ///< In `ids`: of what covers the prefix.
    static constexpr std::size_t most_a_turn = 1024;        ///< Entries that are looked at in one pump.
    static constexpr std::size_t most_at_once = 64;         ///< For one request, before it is another's turn.
    context& c_;
    announcements own_;
    announcements* table_;
    list<announcements::listener, news_tag> news_; ///< Requests with something to tell.
    std::size_t waiting_ = 0;                      ///< Changes that all of them have still to look at.
    object_pool<announce_reply> replies_;
    id_table<announce_reply*> by_stream_;
    std::size_t left_ = most_a_turn; ///< Entries that may still be looked at in this turn.
    std::size_t told_ = 0;           ///< By all requests together.
    std::uint64_t next_id_ = 0;
};

} // namespace moqlite::detail
