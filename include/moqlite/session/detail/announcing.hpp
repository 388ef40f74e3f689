// Our announcements: each of the peer's requests is a cursor over the table.
#pragma once

#include <moqlite/session/announcements.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/wire/lite/announce.hpp>
#include <string>

namespace moqlite::detail {

/// The peer's interest in what has a prefix.
struct announce_reply : announcements::listener, list_hook<owned_tag> {
    control_stream* stream = nullptr;
    std::string prefix; ///< Relative to the root.
    hop_id exclude{};
    bool begun = false;            ///< ANNOUNCE_OK and the first of the set are written.
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
        auto& r = replies_.make();
        r.stream = &stream;
        r.ready = &c_.ready;
        r.source = c_.key;
        if (!c_.fits_path(m->prefix)) return replies_.destroy(r), errc::name_too_long;
        c_.saw_path(m->prefix);
        r.prefix = path::normalise(m->prefix);
        r.exclude = m->exclude_hop;
        stream.kind = control_kind::announce_in;
        stream.owner = next_id_++;
        by_stream_.insert(stream.owner, &r);
        table_->listen(r);
        behind_ = true;
        c_.ready.mark();
        return errc::ok;
    }
    /// The peer has ended its side, or the stream is no more.
    void peer_left(control_stream& stream) {
        auto* found = by_stream_.find(stream.owner);
        if (found == nullptr) return;
        announce_reply* r = *found;
        by_stream_.erase(stream.owner);
        if (!c_.closing) c_.finish(stream);
        replies_.destroy(*r);
    }

    /// Writes what is new, as far as the peer takes it.
    void write() {
        if (!behind_ && written_up_to_ == table_->newest()) return;
        behind_ = false;
        written_up_to_ = table_->newest();
        replies_.for_each([&](announce_reply& r) {
            if (r.overrun) return c_.fail(errc::control_backlog);
            behind_ = behind_ || c_.control_unsent >= c_.bounds.control_unsent;
            if (behind_) return;
            if (!r.begun) begin(r);
            while (c_.control_unsent < c_.bounds.control_unsent) {
                const auto* e = table_->after(r.seen);
                if (e == nullptr) return;
                tell(r, *e);
            }
            behind_ = behind_ || table_->after(r.seen) != nullptr;
        });
    }
    /// There is more to tell than was written.
    [[nodiscard]] bool is_behind() const noexcept { return behind_; }
    void clear() {
        while (announce_reply* r = replies_.first()) replies_.destroy(*r);
        by_stream_ = {};
    }

private:
    /// How the peer would reach it; nullptr: it would not.
    const route* visible(const announce_reply& r, const announcements::entry& e) {
        const auto name = c_.relative(e.path);
        if (!name || !path::strip(*name, r.prefix) || !context::covered(c_.allowed.subscribe, *name)) return nullptr;
        for (const auto& way : e.routes) {
            if (way.source != 0 && way.source == r.source) continue;
            const auto leads_back = [&](hop_id peer) {
                return peer != hop_id{} && std::find(way.hops.begin(), way.hops.end(), peer) != way.hops.end();
            };
            if (way.hops.size() >= c_.bounds.hops) continue; // The peer could not add ours, or itself.
            if (leads_back(r.exclude) || leads_back(c_.peer_origin)) continue;
            return &way;
        }
        return nullptr;
    }
    /// ANNOUNCE_OK names how many follow at once: all, or as many as fit.
    void begin(announce_reply& r) {
        r.begun = true;
        if (!has_announce_ok(c_.dialect)) return;
        std::uint64_t count = 0;
        std::size_t bytes = 0;
        for (const auto* e = table_->after(r.seen); e != nullptr; e = table_->after(e->change)) {
            const route* way = visible(r, *e);
            if (way == nullptr) continue;
            bytes += e->path.size() + way->hops.size() * 8 + 16;
            if (bytes > c_.bounds.control_unsent / 2) break;
            ++count;
        }
        static_cast<void>(c_.send(*r.stream, wire::lite::announce_ok{c_.origin, count}));
        for (const auto* e = table_->after(r.seen); e != nullptr && count != 0; e = table_->after(r.seen))
            if (tell(r, *e)) --count;
    }
    /// Brings the peer up to date on one broadcast. True: it was told that it is there.
    bool tell(announce_reply& r, const announcements::entry& e) {
        r.seen = e.change;
        const route* way = visible(r, e);
        const auto before = e.slot < r.told.size() ? r.told[e.slot] : 0;
        const auto now = way != nullptr ? digest(*way) : 0;
        if (before == now) return false;
        if (r.told.size() <= e.slot) r.told.resize(e.slot + 1);
        const auto name = c_.relative(e.path).value_or(std::string_view{});
        const auto suffix = path::strip(name, r.prefix).value_or(std::string_view{});
        if (has_typed_announces(c_.dialect))
            tell_by_id(r, e.slot, suffix, way);
        else
            tell_by_name(r, e.slot, suffix, way);
        r.told[e.slot] = now;
        return way != nullptr;
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
    void tell_by_name(const announce_reply& r, std::size_t slot, std::string_view suffix, const route* way) {
        wire::lite::announce m{.status = wire::lite::announce_status::ended, .suffix = suffix};
        if (way != nullptr) {
            // Where a second ACTIVE is an error, the old one ends first.
            if (r.told[slot] != 0 && !has_announce_restart(c_.dialect)) static_cast<void>(c_.send(*r.stream, m));
            m.status = wire::lite::announce_status::active;
            m.hops = hops_of(*way);
            if (hops_include_sender(c_.dialect)) static_cast<void>(m.hops.push_back(c_.origin));
        }
        static_cast<void>(c_.send(*r.stream, m));
    }
    void tell_by_id(announce_reply& r, std::size_t slot, std::string_view suffix, const route* way) {
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

    context& c_;
    announcements own_;
    announcements* table_;
    object_pool<announce_reply> replies_;
    id_table<announce_reply*> by_stream_;
    std::uint64_t written_up_to_ = 0; ///< The change up to which all replies were written, unless one is behind.
    bool behind_ = false;
    std::uint64_t next_id_ = 0;
};

} // namespace moqlite::detail
