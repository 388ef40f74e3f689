// The peer's announcements: what we asked to watch, and what is there.
#pragma once

#include <algorithm>
#include <moqlite/core/result.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/wire/lite/announce.hpp>
#include <set>
#include <string>

namespace moqlite::detail {

/// Our interest in what has a prefix.
struct watch : list_hook<owned_tag> {
    watch_id id{};
    control_stream* stream = nullptr;
    std::string prefix;    ///< Relative to the root.
    bool answered = false; ///< ANNOUNCE_OK has come.
    bool synced = false;
    std::uint64_t snapshot_left = 0;         ///< Announcements of the initial set that have not come yet.
    hop_id publisher{};                      ///< The peer's own hop, which it leaves out.
    std::set<std::string, std::less<>> live; ///< Paths relative to the root.
    std::size_t live_bytes = 0;              ///< Of those, each with the root.
};

class watching {
public:
    explicit watching(context& c) noexcept : c_(c) {}

    result<watch_id> start(std::string_view prefix) {
        const auto wanted = c_.relative(prefix);
        if (!wanted) return errc::out_of_scope;
        const wire::lite::announce_request message{*wanted, c_.origin};
        c_.scratch.clear();
        if (const auto why = wire::lite::encode(c_.dialect, message, c_.scratch); why != errc::ok) return why;
        auto& w = watches_.make();
        w.id = watch_id{next_id_++};
        w.prefix = path::normalise(*wanted);
        w.stream = &c_.open_control(control_kind::announce_out, wire::lite::bidi_type::announce);
        w.stream->owner = number(w.id);
        by_id_.insert(number(w.id), &w);
        static_cast<void>(c_.send(*w.stream, message));
        return w.id;
    }
    result<void> stop(watch_id id) {
        watch* w = find(number(id));
        if (w == nullptr) return errc::not_found;
        c_.drop_control(*w->stream, app_error::cancel);
        announced_ -= w->live.size();
        announced_bytes_ -= w->live_bytes;
        by_id_.erase(number(id));
        watches_.destroy(*w);
        return {};
    }

    /// Takes one message off the front of `in`. need_more: it has not all arrived.
    wire::taken<std::size_t> parse(control_stream& stream, byte_view in) {
        watch* w = find(stream.owner);
        if (w == nullptr) return in.empty() ? wire::taken<std::size_t>{} : wire::taken<std::size_t>{in.size()};
        if (has_announce_ok(c_.dialect) && !w->answered) return parse_ok(*w, in);
        const auto message = wire::take_message(in, c_.bounds.control_message);
        if (message.status == wire::progress::error) return message.error;
        if (!message) return {};
        if (const auto why = announced(*w, message->body); why != errc::ok) return why;
        return message->size;
    }

    /// The peer's side of the stream has ended, or the stream is no more.
    void stream_ended(control_stream& stream, app_error code) {
        watch* w = find(stream.owner);
        if (w == nullptr) return;
        if (!c_.closing) c_.finish(stream);
        by_id_.erase(number(w->id));
        ending_.push_back(w);
        ending_code_ = code;
    }
    /// One path of a watch that has ended, then the watch; false: nothing is left of any.
    bool end_one() {
        if (ending_.empty()) return false;
        watch& w = *ending_.back();
        if (w.live.empty()) {
            c_.emit(watch_ended{w.id, ending_code_});
            ending_.pop_back();
            watches_.destroy(w);
            return true;
        }
        path::join(c_.allowed.root, *w.live.begin(), c_.path_scratch);
        static_cast<void>(forget(w, *w.live.begin()));
        c_.emit(broadcast_ended{w.id, c_.path_scratch});
        return true;
    }
    void end_all(app_error code) {
        by_id_.for_each([&](std::uint64_t, watch*& w) { ending_.push_back(w); });
        by_id_ = {};
        ending_code_ = code;
    }

private:
    watch* find(std::uint64_t id) noexcept {
        auto* found = by_id_.find(id);
        return found != nullptr ? *found : nullptr;
    }
    wire::taken<std::size_t> parse_ok(watch& w, byte_view in) {
        const auto message = wire::take_message(in, c_.bounds.control_message);
        if (message.status == wire::progress::error) return message.error;
        if (!message) return {};
        const auto ok = wire::lite::decode<wire::lite::announce_ok>(c_.dialect, message->body, c_.bounds);
        if (!ok) return ok.error();
        w.answered = true;
        w.publisher = ok->hop;
        w.snapshot_left = ok->active_count;
        sync(w);
        return message->size;
    }
    void sync(watch& w) {
        if (w.synced || w.snapshot_left != 0) return;
        w.synced = true;
        c_.emit(announcements_synced{w.id});
    }
    errc announced(watch& w, byte_view body) {
        const auto m = wire::lite::decode<wire::lite::announce>(c_.dialect, body, c_.bounds);
        if (!m) return m.error();
        if (!c_.fits(m->suffix)) return errc::name_too_long;
        path::normalise(m->suffix, c_.name_scratch);
        const auto name = path::join(w.prefix, c_.name_scratch);
        path::join(c_.allowed.root, name, c_.path_scratch);
        // Below its root a name may be short enough and the whole not: nobody could be told of that.
        if (path::segments(c_.path_scratch) > c_.bounds.path_segments) return errc::too_many_segments;
        if (!c_.fits(c_.path_scratch)) return errc::name_too_long;
        if (m->status == wire::lite::announce_status::ended) {
            // One that we never heard of: other implementations ignore it too.
            if (!forget(w, name)) return errc::ok;
            c_.emit(broadcast_ended{w.id, c_.path_scratch});
            return errc::ok;
        }
        const bool counted = w.snapshot_left != 0;
        if (counted) --w.snapshot_left;
        if (const auto why = active(w, name, *m); why != errc::ok) return why;
        if (counted) sync(w);
        return errc::ok;
    }
    errc active(watch& w, const std::string& name, const wire::lite::announce& m) {
        hops_.assign(m.hops.begin(), m.hops.end());
        if (!hops_include_sender(c_.dialect)) {
            if (hops_.size() >= c_.bounds.hops) return errc::ok; // Too far away to be passed on.
            hops_.push_back(w.publisher);
        }
        const bool known = w.live.contains(name);
        if (known && !has_announce_restart(c_.dialect)) return errc::duplicate_announce;
        // A path that leads through ourselves is a loop; if it was there another way, it is no more.
        if (c_.origin != hop_id{} && std::find(hops_.begin(), hops_.end(), c_.origin) != hops_.end()) {
            if (!forget(w, name)) return errc::ok;
            c_.emit(broadcast_ended{w.id, c_.path_scratch});
            return errc::ok;
        }
        if (!context::covered(c_.allowed.publish, name)) return errc::ok; // It may not; nobody is told.
        if (!known) {
            const bool fits = announced_ < c_.bounds.announcements && announced_bytes_ < c_.bounds.announced_bytes;
            if (!fits) return errc::too_many_announcements;
            remember(w, name);
        }
        c_.emit(broadcast_available{w.id, c_.path_scratch, hops_, known});
        return errc::ok;
    }

    [[nodiscard]] std::size_t weight(const std::string& name) const noexcept {
        return c_.allowed.root.size() + name.size();
    }
    void remember(watch& w, const std::string& name) {
        w.live.insert(name);
        w.live_bytes += weight(name);
        announced_bytes_ += weight(name);
        ++announced_;
    }
    /// False: it was not there.
    bool forget(watch& w, const std::string& name) {
        const auto found = w.live.find(name);
        if (found == w.live.end()) return false;
        w.live_bytes -= weight(name);
        announced_bytes_ -= weight(name);
        --announced_;
        w.live.erase(found); // `name` may be this one.
        return true;
    }

    context& c_;
    object_pool<watch> watches_;
    id_table<watch*> by_id_;
    std::vector<watch*> ending_;
    app_error ending_code_ = app_error::cancel;
    std::size_t announced_ = 0;
    std::size_t announced_bytes_ = 0;
    std::vector<hop_id> hops_;
    std::uint64_t next_id_ = 0;
};

} // namespace moqlite::detail
