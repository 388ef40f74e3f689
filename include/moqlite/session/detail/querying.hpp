// Requests of ours that the publisher answers once: TRACK.
#pragma once

#include <moqlite/core/result.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/wire/lite/track.hpp>

namespace moqlite::detail {

class querying {
public:
    explicit querying(context& c) noexcept : c_(c) {}

    result<query_id> request_track(const track_ref& track) {
        if (!has_track_info(c_.dialect)) return errc::unsupported;
        const auto broadcast = c_.names.relative_published(track.broadcast);
        if (!broadcast) return errc::out_of_scope;
        const wire::lite::track message{*broadcast, track.track};
        if (const auto why = c_.encodable(message); why != errc::ok) return why;
        if (const auto why = c_.may_request(); why != errc::ok) return why;
        by_id_.make_room();
        auto& stream = c_.open_control(control_kind::track_out, wire::lite::bidi_type::track, message);
        stream.owner = next_id_;
        by_id_.insert(next_id_, stream);
        open_.push_back(stream);
        return query_id{next_id_++};
    }
    /// No event reports it.
    result<void> cancel(query_id id) {
        control_stream* stream = by_id_.find(number(id));
        if (stream == nullptr) return errc::not_found;
        forget(*stream);
        c_.drop_control(*stream, app_error::cancel);
        return {};
    }
    errc answered(control_stream& stream, byte_view body) {
        const auto info = wire::lite::decode<wire::lite::track_info>(c_.dialect, body, c_.bounds);
        if (!info) return info.error();
        if (!forget(stream)) return errc::unexpected_message;
        // Not earlier: some publishers treat a FIN before the answer as cancellation (moq-lite-wire 9.5).
        c_.out.finish(stream);
        c_.emit(track_info_received{query_id{stream.owner}, *info});
        return errc::ok;
    }
    void ended(control_stream& stream, app_error code) {
        if (!forget(stream)) return;
        c_.out.finish(stream);
        c_.emit(track_refused{query_id{stream.owner}, code});
    }
    /// Ends one request because the connection has ended; false: none is left.
    bool end_one(app_error code) {
        if (open_.empty()) return false;
        auto& stream = open_.front();
        const auto query = stream.owner;
        forget(stream);
        c_.emit(track_refused{query_id{query}, code});
        return true;
    }

private:
    /// False: it had been answered.
    bool forget(control_stream& stream) noexcept {
        stream.list_hook<query_tag>::unlink();
        return by_id_.erase(stream.owner);
    }
    context& c_;
    list<control_stream, query_tag> open_; ///< Streams of unanswered requests, the oldest first.
    pointer_table<control_stream> by_id_;  ///< The same.
    std::uint64_t next_id_ = 0;
};

} // namespace moqlite::detail
