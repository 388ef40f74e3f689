#include "detail/writer_state.hpp"

#include <algorithm>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <ctime>
#include <moqlite/asio/error.hpp>

namespace moqlite::asio {

namespace detail {

// The events of the publishing end.

void origin_state::drain_publishing() {
    while (const auto e = publishing_.poll_event()) published(*e);
}

void origin_state::published(const event& e) {
    const auto to_owner = [&](request_id id) {
        if (const auto found = requests_.find(id); found != requests_.end()) found->second->handle(e);
    };
    if (const auto* s = std::get_if<subscribe_requested>(&e)) return requested(*s);
    if (const auto* t = std::get_if<track_requested>(&e)) {
        const auto found = writers_.find({std::string(t->track.broadcast), std::string(t->track.track)});
        if (found != writers_.end() && found->second->core_) return found->second->handle(e);
        return static_cast<void>(publishing_.answer_track(t->request, {})); // A SUBSCRIBE may follow, and begin it.
    }
    if (const auto* f = std::get_if<fetch_requested>(&e)) {
        const auto found = writers_.find({std::string(f->track.broadcast), std::string(f->track.track)});
        if (found != writers_.end() && found->second->core_) return found->second->handle(e);
        return static_cast<void>(publishing_.reject(f->request, app_error::not_found));
    }
    if (const auto* u = std::get_if<subscribe_updated>(&e)) return to_owner(u->request);
    if (const auto* w = std::get_if<groups_wanted>(&e)) return to_owner(w->request);
    if (const auto* d = std::get_if<group_delivered>(&e)) return to_owner(d->request);
    if (const auto* l = std::get_if<group_lost>(&e)) return to_owner(l->request);
    if (const auto* j = std::get_if<reader_joined>(&e)) return to_owner(j->request);
    if (const auto* l = std::get_if<reader_left>(&e)) return to_owner(l->request);
    if (const auto* r = std::get_if<request_ended>(&e)) return to_owner(r->request);
}

void origin_state::requested(const subscribe_requested& e) {
    track_name name{std::string(e.track.broadcast), std::string(e.track.track)};
    if (const auto found = writers_.find(name); found != writers_.end()) return found->second->handle(e);
    // No handler of everyone knows of one for a single session.
    const bool is_private = path::is_private(name.broadcast);
    for (std::string_view at = name.broadcast; !is_private;
        at = at.substr(0, at.rfind('/') == at.npos ? 0 : at.rfind('/'))) {
        if (const auto made_by = on_demand_.find(at); made_by != on_demand_.end()) {
            const auto asker = relay_.asker(publishing_key_, e.request);
            if (!may_ask(asker))
                return static_cast<void>(publishing_.reject(e.request, wire_code(errc::too_many_requests)));
            const auto writer = std::make_shared<writer_state>(shared_from_this(), std::move(name));
            writer->is_on_demand_ = true;
            ++unanswered_[asker], ++unanswered_tracks_;
            writer->ask(asker);
            writer->list();
            writer->handle(e);
            return boost::asio::post(on_, [prefix = made_by->first, writer, self = shared_from_this()]() mutable {
                track_request request{std::move(writer)};
                const auto found = self->on_demand_.find(prefix);
                if (found == self->on_demand_.end()) return; // With what it captured, perhaps.
                const auto make = found->second.make;        // It may be replaced meanwhile.
                try {
                    make(std::move(request));
                } catch (...) {
                    asio::origin{self}.log_exceptions()(std::current_exception());
                }
            });
        }
        if (at.empty()) break;
    }
    static_cast<void>(publishing_.reject(e.request, app_error::not_found));
}

/// Whether an on-demand handler may be asked for another track because of that session.
bool origin_state::may_ask(std::uint64_t asker) const noexcept {
    const auto found = unanswered_.find(asker);
    const auto its = found != unanswered_.end() ? found->second : 0;
    return its < bounds_.unanswered_tracks - unanswered_tracks_;
}

// Names.

void origin_state::announce(const std::string& path) {
    if (const auto done = publishing_.announce(path); !done)
        throw boost::system::system_error{make_error(done.error()), path};
    ++announced_[path];
    wake();
}

void origin_state::unannounce(const std::string& path) {
    const auto found = announced_.find(path);
    if (found == announced_.end() || --found->second != 0) return;
    announced_.erase(found);
    static_cast<void>(publishing_.unannounce(path));
    wake();
}

void origin_state::add(writer_state& w) {
    auto& here = writers_[w.name()];
    if (auto* before = std::exchange(here, nullptr)) before->close();
    writers_[w.name()] = &w;
}

void origin_state::remove(writer_state& w) noexcept {
    const auto found = writers_.find(w.name());
    if (found != writers_.end() && (found->second == &w || found->second == nullptr)) writers_.erase(found);
}

std::uint64_t origin_state::set_on_demand(const std::string& prefix, std::function<void(track_request)> make) {
    on_demand_[prefix] = {++makers_, std::move(make)};
    return makers_;
}

void origin_state::end_on_demand(const std::string& prefix, std::uint64_t number) noexcept {
    const auto found = on_demand_.find(prefix);
    if (found != on_demand_.end() && found->second.number == number) on_demand_.erase(found);
}

// One writer.

void writer_state::begin(const track_options& o) {
    answered();
    mode_ = o.mode;
    core_.emplace(of_->publishing(), track_ref{name_.broadcast, name_.track}, of_->relay().memory(),
        track_writer_options{
            .mode = o.mode, .hold_max = o.hold_max, .patience = of_->bounds().hold_back, .info = o.info});
    for (const auto& [id, options] : std::exchange(waiting_, {}))
        core_->handle(subscribe_requested{id, {name_.broadcast, name_.track}, options});
    of_->wake();
}

void writer_state::refuse(app_error code) {
    answered();
    for (const auto id : std::exchange(owned_, {})) {
        of_->disown(id);
        static_cast<void>(of_->publishing().reject(id, code));
    }
    waiting_.clear();
    unlist();
    of_->wake();
}

void writer_state::handle(const event& e) {
    if (const auto* s = std::get_if<subscribe_requested>(&e)) {
        owned_.insert(s->request);
        of_->own(s->request, *this);
        if (!core_) return waiting_.push_back({s->request, s->options});
    }
    const auto* wanted = std::get_if<groups_wanted>(&e);
    if (wanted != nullptr && !core_)
        for (auto& w : waiting_)
            if (w.id == wanted->request) w.options.end = wanted->up_to;
    if (const auto* r = std::get_if<request_ended>(&e)) {
        owned_.erase(r->request);
        of_->disown(r->request);
        std::erase_if(waiting_, [&](const waiting& w) { return w.id == r->request; });
    }
    if (core_) core_->handle(e);
    if (const auto* j = std::get_if<reader_joined>(&e)) {
        ++subscribers_;
        changed({.came = true, .from = number(j->first)});
    } else if (const auto* l = std::get_if<reader_left>(&e)) {
        subscribers_ -= std::min<std::size_t>(subscribers_, 1);
        returning_ = returning_ || (moving_ && l->with_session && !l->delivered);
        changed({.delivered = l->delivered, .code = l->code});
    }
    check();
    end_if_over();
}

/// The next group, or frame, may be wanted now, or no more.
void writer_state::check() {
    if (!core_) return;
    if (opening_ && may_open()) {
        auto g = open({});
        auto done = std::move(opening_);
        const auto error = g ? error_code{} : make_error(errc::out_of_memory_limit);
        done(error, std::move(g));
    }
    if (opening_ && is_on_demand_ && !core_->has_subscribers()) opening_.abort();
    if (rooming_ && has_room()) {
        of_->leave_room(*this);
        std::exchange(rooming_, {})({});
    }
    if (opening_ || rooming_) await_deadline();
}

void writer_state::await_deadline() {
    const auto at = core_->deadline();
    if (!at || at == room_at_) return;
    room_at_ = at;
    room_.expires_at(to_steady(*at));
    room_.async_wait([self = weak_from_this()](const error_code& error) {
        const auto here = self.lock();
        if (error || !here) return;
        here->room_at_.reset();
        here->check();
    });
}

group_writer writer_state::open(std::optional<group_sequence> at) {
    if (!core_ || finished_) return {};
    auto g = core_->open_group(at);
    of_->wake();
    if (!g) return {};
    return {shared_from_this(), std::move(g)};
}

void writer_state::open_when_wanted(completion<group_writer> done) {
    if (opening_) return done(make_error(errc::too_many_requests), {});
    if (!core_ || finished_) return done(make_error(errc::closed), {});
    if (is_on_demand_ && !core_->has_subscribers()) return done.abort();
    opening_ = std::move(done);
    opening_.on_cancel([self = weak_from_this()] {
        if (const auto here = self.lock()) here->opening_.abort();
    });
    check();
}

void writer_state::grew() {
    if (core_) core_->grown();
    of_->wake();
}

void writer_state::finish() {
    if (!core_ || std::exchange(finished_, true)) return;
    opening_.abort();
    room_.cancel();
    of_->leave_room(*this);
    rooming_.abort();
    core_->end();
    if (mode_ == writing::live) unlist();
    of_->keep(shared_from_this());
    end_if_over();
    of_->wake();
}

void writer_state::close() noexcept {
    opening_.abort();
    room_.cancel();
    of_->leave_room(*this);
    rooming_.abort();
    changing_.abort();
    delivering_.abort();
    if (finished_) return unlist();
    finished_ = true;
    refuse(app_error::dropped);
    core_.reset();
}

} // namespace detail

// Handles.

namespace {

const track_name nowhere{"", ""}; ///< Of empty handles.

} // namespace

std::string now_text() {
    const auto now = std::time(nullptr);
    std::tm parts{};
    ::localtime_r(&now, &parts);
    char text[16];
    return {text, std::strftime(text, sizeof text, "%H:%M:%S", &parts)};
}

timestamp now_timestamp() noexcept {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return timestamp{static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count())};
}

group_writer& group_writer::operator=(group_writer&& other) noexcept {
    abort();
    of_ = std::move(other.of_);
    group_ = std::move(other.group_);
    return *this;
}

error_code group_writer::grew(result<void> how) {
    if (of_) of_->grew();
    return how ? error_code{} : make_error(how.error());
}

error_code group_writer::write(byte_view payload, timestamp time) {
    return group_ ? grew(group_->write_frame(time, payload)) : make_error(errc::closed);
}

error_code group_writer::begin_frame(std::uint64_t size, timestamp time) {
    return group_ ? grew(group_->begin_frame(time, size, 0)) : make_error(errc::closed);
}

error_code group_writer::append(byte_view part) {
    return group_ ? grew(group_->append_payload(part)) : make_error(errc::closed);
}

error_code group_writer::finish() {
    if (!group_) return make_error(errc::closed);
    const auto how = grew(group_->finish());
    if (!how) group_ = {};
    return how;
}

void group_writer::abort(app_error code) noexcept {
    if (!group_) return;
    group_->abort(code);
    group_ = {};
    if (of_) of_->grew();
}

track_writer& track_writer::operator=(track_writer&& other) noexcept {
    abort();
    state_ = std::move(other.state_);
    return *this;
}

group_writer track_writer::open_group(std::optional<group_sequence> at) {
    return state_ ? state_->open(at) : group_writer{};
}

void track_writer::open_group_when_wanted(
    const std::shared_ptr<detail::writer_state>& state, detail::completion<group_writer>::handler handler) {
    state->open_when_wanted({std::move(handler), state->executor()});
}

bool track_writer::unwanted() const noexcept { return !state_ || !state_->is_wanted(); }
std::uint64_t track_writer::groups() const noexcept { return state_ ? state_->groups() : 0; }

void track_writer::finish() {
    if (state_) state_->finish();
}

void track_writer::abort() noexcept {
    if (const auto state = std::exchange(state_, nullptr)) state->close();
}

const std::string& broadcast::path() const noexcept { return state_ ? state_->shown() : nowhere.broadcast; }

track_writer broadcast::track(std::string_view name, const track_options& options) {
    const auto& state = *detail::required(state_);
    const auto made = std::make_shared<detail::writer_state>(state.of(), track_name{state.path(), std::string(name)});
    made->begin(options);
    made->list();
    return track_writer{made};
}

track_request& track_request::operator=(track_request&& other) noexcept {
    reject(app_error::not_found);
    state_ = std::move(other.state_);
    is_answered_ = other.is_answered_;
    return *this;
}

const std::string& track_request::broadcast() const noexcept { return (state_ ? state_->name() : nowhere).broadcast; }
const std::string& track_request::track() const noexcept { return (state_ ? state_->name() : nowhere).track; }

track_writer track_request::accept(const track_options& options) {
    detail::required(state_);
    if (std::exchange(is_answered_, true)) throw boost::system::system_error{make_error(errc::already_answered)};
    state_->begin(options);
    return track_writer{state_};
}

void track_request::reject(app_error code) {
    if (state_ && !std::exchange(is_answered_, true)) state_->refuse(code);
}

} // namespace moqlite::asio
