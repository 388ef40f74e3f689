#include "detail/reader_state.hpp"

#include <moqlite/asio/error.hpp>

namespace moqlite::asio {

namespace detail {

fetch_state::fetch_state(std::shared_ptr<origin_state> of, track_name what, group_sequence sequence, group_ref log)
    : group_source(sequence),
      of_(std::move(of)),
      name_(path::normalise(what.broadcast), std::move(what.track)),
      timeout_(of_->executor()),
      log_(std::move(log)),
      cursor_(log_) {
    of_->add(static_cast<waiter&>(*this));
}

std::shared_ptr<fetch_state> fetch(const std::shared_ptr<origin_state>& of, const track_name& track,
    group_sequence group, completion<group_reader>::handler handler) {
    completion<group_reader> done{std::move(handler), of->executor()};
    auto log = moqlite::group::make(of->fetched(), group, version::lite_06);
    if (!log) return done(make_error(errc::out_of_memory_limit), {}), nullptr;
    auto made = std::make_shared<fetch_state>(of, track, group, std::move(log));
    made->start(of->bounds().request_timeout, std::move(done));
    return made;
}

void fetch_state::start(duration timeout, completion<group_reader> done) {
    starting_ = std::move(done);
    starting_.on_cancel([self = weak_from_this()] {
        if (const auto here = self.lock()) here->leave();
    });
    of_->keep_starting(shared_from_this());
    timeout_.expires_after(timeout);
    timeout_.async_wait([self = weak_from_this()](const error_code& error) {
        const auto here = self.lock();
        if (error || !here || !here->starting_) return;
        auto starting = std::move(here->starting_);
        here->leave();
        starting(boost::asio::error::timed_out, {});
    });
    if (of_->relay().broadcasts().covering(name_.broadcast) != nullptr) return announced();
    of_->await_announcement(name_.broadcast, shared_from_this());
    of_->wake();
}

void fetch_state::announced() {
    if (left_ || id_) return;
    const auto id = of_->reading().fetch({name_.broadcast, name_.track}, sequence());
    if (!id) return;
    id_ = *id;
    of_->add(*id, shared_from_this());
    of_->wake();
}

void fetch_state::session_ended(error_code why) {
    if (!starting_) return;
    auto starting = std::move(starting_);
    leave();
    starting(why, {});
}

void fetch_state::handle(const event& e) {
    if (const auto* data = std::get_if<frame_data>(&e)) {
        auto stored = data->offset == 0 ? log_->begin_frame(data->time, data->size, data->data.size()) : result<void>{};
        if (stored) stored = log_->append_payload(data->data);
        if (!stored && id_) {
            failed_ = make_error(stored.error());
            static_cast<void>(of_->reading().stop(*id_, wire_code(stored.error())));
            of_->remove(*std::exchange(id_, std::nullopt));
        }
    } else if (const auto* closed = std::get_if<group_closed>(&e)) {
        if (closed->complete)
            static_cast<void>(log_->finish());
        else
            failed_ = make_error(closed->code);
        if (id_) of_->remove(*std::exchange(id_, std::nullopt));
    }
    if (starting_) {
        timeout_.cancel();
        const auto self = shared_from_this();
        auto done = std::move(starting_);
        of_->release_starting(self);
        if (failed_ && log_->frames() == 0) return done(*failed_, {});
        done({}, group_reader{self});
    }
    check();
}

void fetch_state::next(group_wait wait) {
    if (framing_) return wait.end(make_error(errc::too_many_requests));
    framing_ = std::move(wait);
    const auto cancel = [self = weak_from_this()] {
        if (const auto here = self.lock()) here->framing_.abort();
    };
    framing_.whole ? framing_.whole.on_cancel(cancel) : framing_.part.on_cancel(cancel);
    check();
}

std::optional<frame_part> fetch_state::ready_part() {
    const auto p = framing_ ? std::nullopt : cursor_.next();
    if (!p) return std::nullopt;
    return take_part(*p, log_, *this, [&](std::size_t n) { cursor_.consume(n); });
}

void fetch_state::check() {
    if (!framing_) return;
    const auto take = [&](std::size_t n) { cursor_.consume(n); };
    for (auto p = cursor_.next(); p; p = cursor_.next()) {
        if (framing_.part) return std::exchange(framing_.part, {})({}, take_part(*p, log_, *this, take));
        if (p->offset != 0) {
            take(p->data.size()); // The rest of a frame that was read in parts.
            continue;
        }
        if (!cursor_.has_frame()) break;
        auto f = take_frame(*p, log_, shared_from_this(), take, [&] { return cursor_.next(); });
        return std::exchange(framing_.whole, {})({}, f);
    }
    if (failed_) return framing_.end(*failed_);
    if (!cursor_.at_end()) return;
    is_complete = true;
    framing_.end();
}

void fetch_state::leave() noexcept {
    if (std::exchange(left_, true)) return;
    starting_.abort();
    framing_.abort();
    timeout_.cancel();
    of_->await_no_more(name_.broadcast, *this);
    of_->release_starting(weak_from_this().lock());
    if (!id_) return;
    static_cast<void>(of_->reading().stop(*id_, app_error::cancel));
    of_->remove(*std::exchange(id_, std::nullopt));
    of_->wake();
}

} // namespace detail

} // namespace moqlite::asio
