// Our announcements: each ANNOUNCE_REQUEST of the peer is a cursor over the table.
#pragma once

#include <algorithm>
#include <moqlite/session/announcements.hpp>
#include <moqlite/session/detail/announce_bases.hpp>
#include <moqlite/session/detail/announce_shares.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/session/detail/held_changes.hpp>
#include <moqlite/wire/lite/announce.hpp>
#include <moqlite/wire/utf8.hpp>
#include <string>
#include <vector>

namespace moqlite::detail {

/// The peer's interest in the broadcasts below a prefix.
struct announce_reply : announcements::listener, list_hook<owned_tag> {
    control_stream* stream = nullptr;
    std::string prefix; ///< Relative to the root.
    std::string whole;  ///< The prefix relative to the table's root.
    hop_id exclude{};
    bool begun = false; ///< ANNOUNCE_OK and the start of the initial set have been written.
    /// The nearest broadcast at the prefix or above it, announced to the peer as if it were at the prefix; nullptr:
    /// none.
    announcements::entry* cover = nullptr;
    /// Digest of what the peer has received of it; 0: nothing, it only hides those above it.
    std::uint32_t cover_digest = 0;
    hold_id cover_held = not_held; ///< A change of it is held back.
    std::size_t announced = 0;     ///< Broadcasts that are active at the peer.
    announce_shares shares;        ///< Of these, the cover aside.
    bool withheld = false;         ///< Some broadcasts did not fit,
    std::size_t freed = 0;         ///< and so many have ended since the table was read.
    id_table<std::uint64_t> ids{}; ///< Announce ids by slot, where the version has them.
    std::uint64_t next_id = 0;
    announce_bases bases; ///< Where the version has them.
    bool hidden = false;  ///< It wants hidden broadcasts, too.
};

class announcing {
public:
    announcing(context& c, announcements* shared) noexcept : c_(c), table_(shared != nullptr ? shared : &own_) {}

    /// The shared table, or the session's own if there is none.
    [[nodiscard]] announcements& table() noexcept { return *table_; }

    errc request_arrived(control_stream& stream, byte_view body) {
        const auto m = wire::lite::decode<wire::lite::announce_request>(c_.dialect, body, c_.bounds);
        if (!m) return m.error();
        if (replies_.size() >= c_.bounds.watches) return errc::too_many_requests;
        if (!c_.names.fits_path(m->prefix)) return errc::name_too_long;
        auto& r = replies_.make();
        r.stream = &stream;
        r.ready = &c_.ready;
        r.queue = &pending_;
        r.waiting = &waiting_;
        r.source = c_.key;
        c_.names.saw_path(m->prefix);
        r.prefix = path::normalise(m->prefix);
        r.whole = path::join(c_.names.allowed.root, r.prefix);
        r.exclude = m->exclude_hop;
        r.hidden = has_hidden(c_.dialect) && m->hidden;
        c_.peer_hop(stream.id, m->exclude_hop);
        stream.owner = next_id_++;
        by_stream_.insert(stream.owner, r);
        table_->listen(r, readable(r.prefix));
        return errc::ok;
    }
    /// The peer has ended its side, or the stream has closed. Not `finished`: it was cut off; the code cancel only
    /// withdraws the request.
    void peer_left(control_stream& stream, bool finished, app_error code) {
        auto* found = by_stream_.find(stream.owner);
        if (found == nullptr) return;
        announce_reply& r = *found;
        if (!c_.closing) c_.out.finish(stream);
        const bool refused = !finished && code != app_error::cancel;
        if (refused && !c_.closing && stream.reading != read_state::abandoned) // Otherwise we abandoned it.
            c_.emit(announcements_cut_off{c_.views.keep(r.whole), code});
        destroy(r);
    }

    /// Why a broadcast of our own, given its whole name, cannot be announced; errc::ok: it can.
    [[nodiscard]] errc announceable(std::string_view name, const std::vector<hop_id>& hops) const {
        if (!c_.names.relative(name)) return errc::out_of_scope;
        if (!wire::is_utf8(name)) return errc::bad_utf8;
        if (path::has_wildcard(name)) return errc::invalid_argument;
        if (path::segments(c_.names.url_root) + path::segments(name) > c_.bounds.path_segments)
            return errc::too_many_segments;
        const auto there = name.size() + (c_.names.url_root.empty() || name.empty() ? 0 : 1) + c_.names.url_root.size();
        if (there > c_.bounds.name) return errc::name_too_long;
        if (hops.size() >= c_.bounds.route_hops) return errc::too_many_hops; // Our own hop is added to the list.
        for (auto hop = hops.begin(); hop != hops.end(); ++hop) {
            if (number(*hop) > wire::varint_max) return errc::value_too_large;
            const bool twice = *hop == c_.origin || std::find(hops.begin(), hop, *hop) != hop;
            if (*hop != hop_id{} && twice) return errc::duplicate_hop;
        }
        return errc::ok;
    }

    /// Writes changes, as far as the peer's backlog and the budget of this pump allow; the requests take turns.
    void write() {
        while (!pending_.empty() && has_room()) {
            if (entries_left_ == 0) return c_.ready.mark(); // Lets other sessions go first.
            auto& r = static_cast<announce_reply&>(pending_.front());
            if (r.overrun) return c_.fail(errc::control_backlog);
            r.list_hook<pending_tag>::unlink();
            const auto how = write_some(r);
            if (how == progress::more) pending_.push_back(r);
            if (how == progress::too_many) refuse(r);
        }
    }
    /// An input has brought the current time: changes that have been held back for long enough go out.
    void note_time() {
        table_->note_time(c_.now);
        while (const auto due = held_.take_due(c_.now)) {
            auto* const found = by_stream_.find(due->request);
            if (found == nullptr) continue;
            if (due->slot != cover_of_prefix) {
                table_->end_hold(*found, due->slot, due->id);
            } else if (found->cover_held == due->id) {
                found->cover_held = hold_passed;
                if (!found->list_hook<pending_tag>::linked()) pending_.push_back(*found);
                c_.ready.mark();
            }
        }
    }
    /// When the first change that is held back is due.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept { return held_.deadline(); }
    void pump_ended() noexcept { entries_left_ = entries_per_pump; }
    /// Changes remain to be written.
    [[nodiscard]] bool is_behind() const noexcept { return !pending_.empty(); }
    void clear() {
        while (announce_reply* r = replies_.first()) destroy(*r);
    }

private:
    /// Whether an entry is at the prefix or above it.
    [[nodiscard]] bool is_above(const announce_reply& r, const announcements::entry& e) const {
        const auto name = c_.names.relative(e.path);
        return name && path::strip(r.prefix, *name);
    }
    /// The most specific such entry; nullptr: there is none below the peer's root.
    [[nodiscard]] announcements::entry* cover_of(const announce_reply& r) {
        auto* e = table_->covering(r.whole, c_.names.alone);
        return e != nullptr && c_.names.relative(e->path) ? e : nullptr;
    }
    /// Whether one for this peer alone takes the place of a broadcast.
    [[nodiscard]] bool is_replaced(const announcements::entry& e) const {
        return table_->has_private() && !c_.names.alone.empty() && !path::is_private(e.path) &&
               table_->find(path::join(c_.names.alone, e.path)) != nullptr;
    }
    /// The entry that the peer hears of by the same name: for it alone, or everyone's. nullptr: there is none.
    [[nodiscard]] announcements::entry* namesake(const announcements::entry& e) {
        if (c_.names.alone.empty() || !table_->has_private()) return nullptr;
        if (!path::is_private(e.path)) return table_->kept(path::join(c_.names.alone, e.path));
        const auto shown = path::strip(e.path, c_.names.alone);
        return shown ? table_->kept(*shown) : nullptr;
    }
    /// Whether the peer may hear of a broadcast at `name`, or of one that covers it.
    [[nodiscard]] bool may_hear(std::string_view name, bool covers) const noexcept {
        const auto& allowed = c_.names.allowed.subscribe;
        if (wire_names::covered(allowed, name)) return true;
        // A peer that writes slashes asks for the prefix above the one that it wants, which may be all that it may
        // read.
        return covers && c_.names.slashes &&
               std::any_of(allowed.begin(), allowed.end(), [&](auto& p) { return path::strip(p, name).has_value(); });
    }
    /// The route to announce to the peer; nullptr: none.
    const route* visible(const announce_reply& r, const announcements::entry& e) {
        const auto name = c_.names.relative(e.path);
        if (!name || !may_hear(is_above(r, e) ? r.prefix : *name, is_above(r, e))) return nullptr;
        if (is_replaced(e)) return nullptr;
        bool hidden = false;
        if (!is_above(r, e)) {
            const auto suffix = path::strip(*name, r.prefix);
            if (!suffix) return nullptr;
            hidden = path::is_hidden(*suffix);
        }
        for (const auto& way : e.routes) {
            if (way.source != 0 && way.source == r.source) continue;
            // A client's own broadcasts are announced all the same: its server has no other way to learn of them.
            if (hidden && !r.hidden && (way.source != 0 || c_.side != role::client)) continue;
            const auto leads_back = [&](hop_id peer) {
                return peer != hop_id{} && std::find(way.hops.begin(), way.hops.end(), peer) != way.hops.end();
            };
            if (way.hops.size() >= c_.bounds.route_hops) continue; // There is no room for our hop.
            if (leads_back(r.exclude) || leads_back(c_.peer_origin) || leads_back(c_.origin)) continue;
            return &way;
        }
        return nullptr;
    }
    /// The whole paths below which the peer may read what it requested; none is below another.
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
        if (!c_.names.alone.empty())
            for (auto i = out.size(); i-- != 0;) out.push_back(path::join(c_.names.alone, out[i]));
        return out;
    }

    enum class progress : std::uint8_t { done, more, too_many };
    [[nodiscard]] bool has_room() const noexcept { return c_.out.has_room(); }
    progress write_some(announce_reply& r) {
        if (!r.begun && !begin(r)) return progress::too_many;
        r.begun = true;
        if (r.cover_held == hold_passed && !update_cover(r, nullptr)) return progress::too_many;
        for (std::size_t i = 0; i != most_at_once && entries_left_ != 0 && has_room(); ++i) {
            auto* e = table_->next(r);
            if (e == nullptr && !read_again(r)) return progress::done;
            if (e == nullptr) break;
            --entries_left_;
            if (!update_peer(r, *e)) return progress::too_many;
        }
        return progress::more;
    }
    /// Announcements have ended since others did not fit. Enough of them, so that reading the table for the others
    /// costs a few entries for each.
    bool read_again(announce_reply& r) {
        if (!r.withheld || r.freed <= table_->size() / 64) return false;
        r.withheld = false;
        r.freed = 0;
        announcements::read_again(r);
        return true;
    }
    /// ANNOUNCE_OK gives the number of announcements that follow at once: all, or as many as fit. False: too many.
    bool begin(announce_reply& r) {
        if (!has_announce_ok(c_.dialect)) return true;
        std::uint64_t count = 0;
        std::size_t bytes = 0;
        std::size_t seen = 0;
        bool has_cover = false;
        announce_shares fitting; // As the broadcasts will be counted that follow.
        table_->peek(r, [&](const announcements::entry& e) {
            if (seen++ == entries_per_pump) return false;
            const bool above = is_above(r, e);
            if (above && std::exchange(has_cover, true)) return true; // Several entries, but one announcement.
            const auto* shown = above ? cover_of(r) : &e;
            const route* way = shown != nullptr ? visible(r, *shown) : nullptr;
            if (way == nullptr) return true;
            bytes += e.path.size() + way->hops.size() * 8 + 16;
            if (bytes > c_.bounds.control_unsent / 2) return false;
            if (!above && !fitting.add(c_.bounds, charged(*way), weight(e))) return true;
            ++count;
            return true;
        });
        entries_left_ -= std::min(entries_left_, seen);
        static_cast<void>(c_.send(*r.stream, wire::lite::announce_ok{c_.origin, count}));
        while (r.announced < count)
            if (auto* e = table_->next(r); e == nullptr || !update_peer(r, *e)) return e == nullptr;
        return true;
    }
    /// Brings the peer up to date on one broadcast. False: too many are announced to it.
    bool update_peer(announce_reply& r, announcements::entry& e) {
        if (is_above(r, e)) return update_cover(r, &e);
        const route* way = visible(r, e);
        const auto known = announcements::known(r, e);
        const auto before = known.digest;
        auto now = way != nullptr ? digest(*way) : 0;
        if (before == 0 && now != 0)
            if (auto* other = namesake(e); other != nullptr && announcements::known(r, *other).digest != 0)
                if (!update_peer(r, *other)) return false; // It ends first: the peer hears of one at a time.
        const auto due = now != before ? held_until(r, e, way, known) : std::nullopt;
        if (due && (before == 0 || !known.retracted)) return hold(r, e, known.held, *due), true;
        if (due) now = 0, way = nullptr; // The retraction goes out at once, and only the new route is held back.
        auto source = known.source;
        if (before == 0 && now != 0) {
            source = charged(*way);
            if (!r.shares.add(c_.bounds, source, weight(e))) {
                r.withheld = true;
                return table_->set_known(r, e, 0), true;
            }
        } else if (before != 0 && now == 0) {
            r.shares.remove(source, weight(e));
            ++r.freed;
        }
        const auto name = c_.names.relative(e.path).value_or(std::string_view{});
        const auto suffix = path::strip(name, r.prefix).value_or(std::string_view{});
        if (before != now && !write_change(r, before, now, e.slot, suffix, way)) return false;
        table_->set_known(r, e, now, source);
        if (due) hold(r, e, not_held, *due);
        return true;
    }
    /// The source whose share a broadcast uses, also when another route to it is announced later.
    static std::uint32_t charged(const route& way) noexcept {
        return way.is_local ? 0 : static_cast<std::uint32_t>(way.source);
    }
    /// What a peer that reads hops keeps of an announcement, for most routes.
    static std::size_t weight(const announcements::entry& e) noexcept { return e.path.size() + 4 * sizeof(hop_id); }
    /// Until when a route that differs from what the peer knows is held back; nullopt: it is not. New announcements and
    /// retractions go out at once, changed routes later, in case more changes follow (moq-lite-wire §10), except those
    /// of our own broadcasts: a command makes them, and has no time.
    [[nodiscard]] std::optional<time_point> held_until(const announce_reply& r, const announcements::entry& e,
        const route* way, const announcements::known_state& known) noexcept {
        if (way == nullptr || way->source == 0 || !r.begun || known.held == hold_passed) return std::nullopt;
        if (known.held == not_held && held_.size() >= std::max(held_max, table_->size())) return std::nullopt;
        if (known.digest != 0 && !known.retracted) return table_->latest_input() + change_hold;
        return table_->held_until(r, e, *way);
    }
    void hold(announce_reply& r, announcements::entry& e, hold_id held, time_point due) {
        if (held == not_held)
            announcements::hold(r, e, held_.add(due, r.stream->owner, static_cast<std::uint32_t>(e.slot)));
    }
    /// The same for the entries at the prefix and above it, of which `e` may have changed: only the most specific one
    /// is announced, as if it were at the prefix.
    bool update_cover(announce_reply& r, announcements::entry* e) {
        auto* const old = r.cover;
        auto* best = cover_of(r);
        const route* way = best != nullptr ? visible(r, *best) : nullptr;
        const auto before = r.cover_digest;
        const auto now = way != nullptr ? digest(*way) : 0;
        if (before == now || !holds_cover(r, best, way)) {
            if (before != now && !write_change(r, before, now, cover_slot, {}, way)) return false;
            r.cover_digest = now;
            r.cover_held = not_held;
        }
        // Also one that is hidden from the peer: when it ends, the one above it has to be announced.
        if (best != nullptr) table_->set_known(r, *best, now | 1);
        r.cover = best;
        if (old != nullptr && old != best) table_->set_known(r, *old, 0);
        if (e != nullptr && e != old && e != best) table_->set_known(r, *e, 0);
        return true;
    }
    /// Whether a new cover of the prefix, or a new route of it, is held back.
    bool holds_cover(announce_reply& r, const announcements::entry* best, const route* way) {
        if (best == nullptr) return false;
        const auto due = held_until(r, *best, way, {.digest = r.cover_digest, .held = r.cover_held});
        if (due && r.cover_held == not_held) r.cover_held = held_.add(*due, r.stream->owner, cover_of_prefix);
        return due.has_value();
    }
    /// False: too many are announced to the peer.
    bool write_change(announce_reply& r, std::uint32_t before, std::uint32_t now, std::uint64_t slot,
        std::string_view suffix, const route* way) {
        // The bound grows with the table, so that a few requests for everything can always be answered.
        if (before == 0 && announced_ >= std::max(c_.bounds.announced_to_peer, 4 * table_->size())) return false;
        if (has_typed_announces(c_.dialect))
            write_by_id(r, slot, suffix, way);
        else
            write_by_name(r, before != 0, suffix, way);
        if (before == 0) ++r.announced, ++announced_;
        if (now == 0) --r.announced, --announced_;
        return true;
    }
    void destroy(announce_reply& r) {
        announced_ -= r.announced;
        by_stream_.erase(r.stream->owner);
        replies_.destroy(r);
    }
    /// Ends a request that exceeds the bound.
    void refuse(announce_reply& r) {
        control_stream& stream = *r.stream;
        destroy(r);
        c_.reject(stream, errc::too_many_requests);
    }
    /// Digest of what the peer receives of a route, and of its source and the time of its first announcement. A route
    /// with the same digest is not announced again.
    [[nodiscard]] std::uint32_t digest(const route& way) const noexcept {
        std::uint64_t sum = 0xcbf29ce484222325;
        const auto add = [&](std::uint64_t n) { sum = (sum ^ n ^ n >> 32) * 0x100000001b3; };
        add(way.since);
        add(way.hops.size());
        for (const auto hop : way.hops) {
            add(number(hop));
            if (!has_hop_ids(c_.dialect))
                break; // Hops are only counted; but another first hop means another publisher.
        }
        if (has_route_cost(c_.dialect)) add(way.cost.warm), add(way.cost.cold);
        return static_cast<std::uint32_t>(sum >> 32) | 1;
    }
    void write_by_name(const announce_reply& r, bool known, std::string_view suffix, const route* way) {
        wire::lite::announce m{.status = wire::lite::announce_status::ended, .suffix = suffix};
        if (way != nullptr) {
            // Where a second ACTIVE is an error, ENDED goes first.
            if (known && !has_announce_restart(c_.dialect)) static_cast<void>(c_.send(*r.stream, m));
            m.status = wire::lite::announce_status::active;
            m.hops = hops_of(*way);
            if (hops_include_sender(c_.dialect)) static_cast<void>(m.hops.push_back(c_.origin));
        }
        static_cast<void>(c_.send(*r.stream, m));
    }
    void write_by_id(announce_reply& r, std::uint64_t slot, std::string_view suffix, const route* way) {
        const auto* id = r.ids.find(slot);
        if (way != nullptr) return id != nullptr ? update_by_id(r, *id, *way) : start_by_id(r, slot, suffix, *way);
        if (id != nullptr) {
            static_cast<void>(c_.send(*r.stream, wire::lite::announce_end{*id}));
            r.bases.ended(*id);
        }
        r.ids.erase(slot);
    }
    void update_by_id(announce_reply& r, std::uint64_t id, const route& way) {
        wire::lite::announce_update m{id, hops_of(way), way.cost, {}};
        const auto hops = m.hops;
        if (has_announce_bases(c_.dialect)) r.bases.shorten(m, r.next_id);
        if (c_.send(*r.stream, m) == errc::ok) r.bases.updated(id, hops);
    }
    void start_by_id(announce_reply& r, std::uint64_t slot, std::string_view suffix, const route& way) {
        wire::lite::announce_start m{suffix, hops_of(way), way.cost, {}, {}};
        const auto hops = m.hops;
        if (has_announce_bases(c_.dialect)) r.bases.shorten(m, r.next_id);
        if (c_.send(*r.stream, m) != errc::ok) return;
        if (has_announce_bases(c_.dialect)) r.bases.started(r.next_id, suffix, hops);
        r.ids.insert(slot, r.next_id++); // Ids count the announcements that the peer receives.
    }
    static wire::lite::hop_list hops_of(const route& way) noexcept {
        wire::lite::hop_list out;
        for (auto hop : way.hops) static_cast<void>(out.push_back(hop));
        return out;
    }

    static constexpr std::uint64_t cover_slot = UINT64_MAX;      ///< Key in `ids` of the entry that covers the prefix.
    static constexpr std::uint32_t cover_of_prefix = UINT32_MAX; ///< The same among held changes.
    static constexpr std::size_t held_max = 4096; ///< Or the number of broadcasts; beyond it changes go out at once.
    static constexpr std::size_t entries_per_pump = 1024; ///< Entries examined in one pump.
    static constexpr std::size_t most_at_once = 64;       ///< Entries of one request before the next request's turn.
    context& c_;
    announcements own_;
    announcements* table_;
    list<announcements::listener, pending_tag> pending_; ///< Requests with changes to write.
    held_changes held_;                                  ///< Of all requests.
    std::size_t waiting_ = 0;                            ///< Changes that all of them have yet to read.
    object_pool<announce_reply> replies_;
    pointer_table<announce_reply> by_stream_;
    std::size_t entries_left_ = entries_per_pump; ///< Entries that may still be examined in this pump.
    std::size_t announced_ = 0;                   ///< Active broadcasts over all requests.
    std::uint64_t next_id_ = 0;
};

} // namespace moqlite::detail
