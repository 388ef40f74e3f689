// Requests of ours that the publisher answers once: TRACK.
#pragma once

#include <map>
#include <moqlite/core/result.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/wire/lite/track.hpp>

namespace moqlite::detail {

class querying {
public:
    explicit querying(context& c) noexcept : c_(c) {}

    result<query_id> request_track(const track_ref& track) {
        if (!has_track_info(c_.dialect)) return errc::unsupported;
        const auto broadcast = c_.names.relative(track.broadcast);
        if (!broadcast) return errc::out_of_scope;
        const wire::lite::track message{*broadcast, track.track};
        if (const auto why = c_.encodable(message); why != errc::ok) return why;
        if (!c_.out.may_open()) return errc::too_many_requests;
        decltype(open_) one; // Its node moves into the map without an allocation.
        one.emplace(next_id_, nullptr);
        auto& stream = c_.open_control(control_kind::track_out, wire::lite::bidi_type::track, message);
        stream.owner = next_id_;
        one.begin()->second = &stream;
        open_.merge(one);
        return query_id{next_id_++};
    }
    /// No event reports it.
    result<void> cancel(query_id id) {
        const auto found = open_.find(number(id));
        if (found == open_.end()) return errc::not_found;
        c_.drop_control(*found->second, app_error::cancel);
        open_.erase(found);
        return {};
    }
    errc answered(control_stream& stream, byte_view body) {
        const auto info = wire::lite::decode<wire::lite::track_info>(c_.dialect, body, c_.bounds);
        if (!info) return info.error();
        if (open_.erase(stream.owner) == 0) return errc::unexpected_message;
        // Not earlier: some publishers treat a FIN before the answer as cancellation (moq-lite-wire 9.5).
        c_.out.finish(stream);
        c_.emit(track_info_received{query_id{stream.owner}, *info});
        return errc::ok;
    }
    void ended(control_stream& stream, app_error code) {
        if (open_.erase(stream.owner) == 0) return;
        c_.out.finish(stream);
        c_.emit(track_refused{query_id{stream.owner}, code});
    }
    /// Ends one request because the connection has ended; false: none is left.
    bool end_one(app_error code) {
        if (open_.empty()) return false;
        const auto query = open_.begin()->first;
        open_.erase(open_.begin());
        c_.emit(track_refused{query_id{query}, code});
        return true;
    }

private:
    context& c_;
    std::map<std::uint64_t, control_stream*> open_; ///< Unanswered requests, each with its stream.
    std::uint64_t next_id_ = 0;
};

} // namespace moqlite::detail
