#include "detail/reader_state.hpp"

#include <moqlite/asio/clock.hpp>
#include <moqlite/asio/error.hpp>

namespace moqlite::asio {

namespace detail {

// The events of the reading end.

void origin_state::drain_reading(time_point now) {
    while (const auto e = reading_.poll_event()) read(*e, now);
}

void origin_state::read(const event& e, time_point now) {
    const auto to_reader = [&](subscribe_id id) {
        if (const auto found = readers_.find(id); found != readers_.end()) found->second->handle(e, now);
    };
    const auto to_fetch = [&](group_id id) {
        if (const auto found = fetches_.find(id); found != fetches_.end()) std::shared_ptr {
                found->second
            } -> handle(e);
    };
    const auto informed = [&](query_id id, error_code error, const track_info& info) {
        if (const auto found = queries_.find(id); found != queries_.end()) found->second->informed(error, info);
    };
    const auto to_watch = [&](watch_id id, std::string_view path, bool available, bool restart) {
        if (const auto found = watches_.find(id); found != watches_.end())
            found->second->handle({std::string(path), available, restart});
    };
    const auto to_readers_of = [&](std::string_view path) {
        const auto [first, last] = readers_by_path_.equal_range(path);
        for (auto at = first; at != last;) (at++)->second->handle(e, now);
    };
    if (const auto* a = std::get_if<broadcast_available>(&e)) {
        to_watch(a->watch, a->path, true, a->restart);
        announced(*a);
        to_readers_of(a->path);
    } else if (const auto* b = std::get_if<broadcast_ended>(&e)) {
        to_watch(b->watch, b->path, false, false);
        to_readers_of(b->path);
    } else if (const auto* s = std::get_if<subscription_accepted>(&e)) {
        to_reader(s->subscription);
    } else if (const auto* k = std::get_if<subscription_end_known>(&e)) {
        to_reader(k->subscription);
    } else if (const auto* d = std::get_if<groups_dropped>(&e)) {
        to_reader(d->subscription);
    } else if (const auto* n = std::get_if<subscription_ended>(&e)) {
        to_reader(n->subscription);
    } else if (const auto* o = std::get_if<group_opened>(&e)) {
        to_reader(o->subscription);
    } else if (const auto* g = std::get_if<group_grown>(&e)) {
        to_reader(g->subscription);
    } else if (const auto* f = std::get_if<frame_data>(&e)) {
        f->subscription == no_subscription ? to_fetch(f->group) : to_reader(f->subscription);
    } else if (const auto* i = std::get_if<track_info_received>(&e)) {
        informed(i->query, {}, i->info);
    } else if (const auto* r = std::get_if<track_refused>(&e)) {
        informed(r->query, make_error(r->code), {});
    } else if (const auto* c = std::get_if<group_closed>(&e)) {
        c->subscription == no_subscription ? to_fetch(c->group) : to_reader(c->subscription);
    }
}

void origin_state::watch_all() {
    if (!std::exchange(watches_all_, true)) static_cast<void>(reading_.watch_hidden(""));
}

void origin_state::await_announcement(const std::string& path, const std::shared_ptr<starter>& who) {
    watch_all();
    if (who->waits_as == 0) who->waits_as = ++waits_;
    unannounced_.insert_or_assign({path, who->waits_as}, who);
}

/// Whoever waits for the path, or for one below it, subscribes.
void origin_state::announced(const broadcast_available& e) {
    const std::string path{e.path};
    std::vector<std::shared_ptr<starter>> found;
    const auto take = [&](const std::string& from, auto&& concerns) {
        for (auto at = unannounced_.lower_bound({from, 0}); at != unannounced_.end() && concerns(at->first.first);
            at = unannounced_.erase(at))
            if (auto who = at->second.lock()) found.push_back(std::move(who));
    };
    take(path, [&](const std::string& its) { return its == path; });
    const auto below = path.empty() ? path : path + '/';
    take(below, [&](const std::string& its) { return its.starts_with(below); });
    for (const auto& who : found) who->announced();
}

void origin_state::index(reader_state& r, std::optional<subscribe_id> before, std::optional<subscribe_id> now) {
    if (before) readers_.erase(*before);
    if (now) readers_[*now] = &r;
}

void origin_state::set_deadline(reader_state& r, std::optional<time_point> before, std::optional<time_point> at) {
    if (before) {
        const auto [first, last] = deadlines_.equal_range(*before);
        const auto its = std::find_if(first, last, [&](const auto& each) { return each.second == &r; });
        if (its != last) deadlines_.erase(its);
    }
    if (at) deadlines_.emplace(*at, &r);
}

void origin_state::run_deadlines(time_point now) {
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        auto* const due = deadlines_.begin()->second;
        deadlines_.erase(deadlines_.begin());
        due->tick(now);
    }
}

void origin_state::index_path(reader_state& r) { readers_by_path_.emplace(r.name().broadcast, &r); }

void origin_state::forget(reader_state& r) noexcept {
    const auto [first, last] = readers_by_path_.equal_range(r.name().broadcast);
    const auto its = std::find_if(first, last, [&](const auto& each) { return each.second == &r; });
    if (its != last) readers_by_path_.erase(its);
}

void origin_state::add(group_id id, const std::shared_ptr<fetch_state>& f) { fetches_[id] = f; }
void origin_state::remove(group_id id) noexcept { fetches_.erase(id); }
void origin_state::add(watch_id id, announcements_state& a) { watches_[id] = &a; }
void origin_state::remove(watch_id id) noexcept { watches_.erase(id); }

// One reader.

namespace {

track_reader_options core_options(const subscribe_request& how, const limits& bounds) {
    return {.mode = how.mode,
        .start = how.start,
        .priority = how.priority,
        .bounds = bounds,
        .patience = how.patience,
        .follow = how.follow,
        .answer = how.answer};
}

} // namespace

/// A group of a track: only the one that is being read has frames.
class reader_state::track_group final : public group_source, public std::enable_shared_from_this<track_group> {
public:
    track_group(std::shared_ptr<reader_state> of, group_sequence sequence)
        : group_source(sequence), of_(std::move(of)) {
        joined = std::move(of_->joined_);
    }
    ~track_group() override {
        leave();
        if (can_join_again()) of_->joined_ = std::move(joined);
    }

    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept override { return of_->executor(); }
    void next_frame(completion<std::optional<frame>> done) override {
        of_->next_in(shared_from_this(), {std::move(done), {}});
    }
    void next_part(completion<std::optional<frame_part>> done) override {
        of_->next_in(shared_from_this(), {{}, std::move(done)});
    }
    std::optional<frame_part> ready_part() override { return of_->ready_part(*this); }
    void leave() noexcept override { of_->leave_group(*this); }

private:
    std::shared_ptr<reader_state> of_;
};

reader_state::reader_state(std::shared_ptr<origin_state> of, track_name what, const subscribe_request& how)
    : of_(std::move(of)),
      name_(path::normalise(what.broadcast), std::move(what.track)),
      core_(of_->reading(), core_options(how, of_->bounds())),
      timeout_(of_->executor()),
      timeout_at_most_(how.timeout),
      has_answer_limit_(how.answer > duration{}) {
    of_->add(static_cast<waiter&>(*this));
}

void reader_state::start(completion<track_reader> done) {
    starting_ = std::move(done);
    starting_.on_cancel([self = weak_from_this()] {
        if (const auto here = self.lock()) here->leave();
    });
    if (timeout_at_most_ > duration{}) {
        timeout_.expires_after(timeout_at_most_);
        timeout_.async_wait([self = weak_from_this()](const error_code& error) {
            const auto here = self.lock();
            if (error || !here || !here->starting_) return;
            auto starting = std::move(here->starting_);
            here->leave();
            starting(boost::asio::error::timed_out, {});
        });
    }
    of_->keep_starting(shared_from_this());
    if (of_->relay().broadcasts().covering(name_.broadcast) != nullptr) return announced();
    of_->await_announcement(name_.broadcast, shared_from_this());
    of_->wake();
}

void reader_state::announced() {
    if (left_ || std::exchange(subscribed_, true)) return;
    of_->watch_all(); // For successors.
    of_->index_path(*this);
    if (has_answer_limit_) timeout_.cancel();
    static_cast<void>(core_.start({name_.broadcast, name_.track}));
    core_.tick(asio::now());
    updated();
    of_->wake();
}

/// Its broadcast is awaited there as it was at first.
void reader_state::session_moved() {
    core_.end_move(asio::now());
    updated();
}

void reader_state::session_ended(error_code why) {
    session_moved();
    if (!starting_) return;
    auto starting = std::move(starting_);
    leave();
    starting(why, {});
}

void reader_state::handle(const event& e, time_point now) {
    if (left_) return;
    core_.handle(e, now);
    updated();
    check();
}

void reader_state::tick(time_point now) {
    core_.tick(now);
    deadline_.reset(); // It may be the same again.
    updated();
    check();
}

/// Registers what the core awaits.
void reader_state::updated() {
    if (restarting_ && core_.restarts() != restarts_told_) {
        restarts_told_ = core_.restarts();
        std::exchange(restarting_, {})({});
    }
    if (const auto now = core_.subscription(); now != indexed_) of_->index(*this, std::exchange(indexed_, now), now);
    const auto at = core_.deadline();
    if (at == deadline_) return;
    of_->set_deadline(*this, std::exchange(deadline_, at), at);
    of_->wake();
}

error_code reader_state::why() const {
    const auto code = core_.failed();
    return code ? make_error(*code) : error_code{};
}

void reader_state::check() {
    const auto self = shared_from_this();
    if (starting_ && (core_.answered() || core_.failed() || core_.finished())) {
        timeout_.cancel();
        auto done = std::move(starting_);
        if (const auto failed = why(); failed && !core_.answered()) {
            leave();
            return done(failed, {});
        }
        done({}, track_reader{self});
        of_->release_starting(self);
    }
    check_frame();
    check_group();
    updated(); // Either may have subscribed to a successor.
}

// Groups.

void reader_state::next_group(completion<std::optional<group_reader>> done) {
    if (grouping_) return done(make_error(errc::too_many_requests), {});
    if (left_) return done(make_error(errc::closed), {});
    grouping_ = std::move(done);
    grouping_.on_cancel([self = weak_from_this()] {
        if (const auto here = self.lock()) here->grouping_.abort();
    });
    // The rest of the previous group is skipped.
    if (reading_ && (core_.next_group() == reading_ || core_.awaits_rest(*reading_))) core_.pass_group();
    reading_.reset();
    check_frame();
    updated();
    check_group();
    of_->wake_if_commanded();
}

void reader_state::check_group() {
    if (!grouping_) return;
    if (const auto next = core_.next_group()) {
        reading_ = next;
        auto group = std::allocate_shared<track_group>(operation_allocator<track_group>{}, shared_from_this(), *next);
        current_ = group;
        auto done = std::move(grouping_);
        return done({}, group_reader{std::move(group)});
    }
    updated();
    if (core_.finished()) return std::exchange(grouping_, {})({}, std::nullopt);
    if (const auto failed = why()) std::exchange(grouping_, {})(failed, std::nullopt);
}

void reader_state::next_in(const std::shared_ptr<group_source>& group, group_wait wait) {
    if (framing_) return wait.end(make_error(errc::too_many_requests));
    framing_ = std::move(wait);
    framer_ = group;
    const auto cancel = [self = weak_from_this()] {
        const auto here = self.lock();
        if (!here) return;
        here->framer_.reset();
        here->framing_.abort();
    };
    framing_.whole ? framing_.whole.on_cancel(cancel) : framing_.part.on_cancel(cancel);
    check_frame();
    updated();
    of_->wake_if_commanded();
}

bool reader_state::is_current(const group_source& g) { return current_.lock().get() == &g && reading_ == g.sequence(); }

std::optional<frame_part> reader_state::ready_part(group_source& group) {
    if (framing_) return std::nullopt;
    group.pinned.release();
    if (left_ || !is_current(group) || core_.next_group() != reading_) return std::nullopt;
    const auto p = core_.next_in_group();
    if (!p) return std::nullopt;
    const auto part = take_part(*p, core_.log(), group, [&](std::size_t n) { core_.consume(n); });
    updated();
    of_->wake_if_commanded();
    return part;
}

void reader_state::check_frame() {
    if (!framing_) return;
    const auto group = framer_;
    const auto waiting = [&] {
        framer_.reset();
        return std::exchange(framing_, {});
    };
    group->pinned.release();
    const bool is_ours = is_current(*group);
    if (is_ours && !core_.next_group() && core_.awaits_rest(*reading_) && !core_.failed() && !core_.finished())
        return;                                                             // The rest comes over another session.
    if (!is_ours || core_.next_group() != reading_) return waiting().end(); // It was cut off, or skipped.
    const auto take = [&](std::size_t n) { core_.consume(n); };
    for (auto p = core_.next_in_group(); p; p = core_.next_in_group()) {
        if (framing_.part) {
            const auto part = take_part(*p, core_.log(), *group, take);
            return waiting().part({}, part);
        }
        if (p->offset != 0) {
            take(p->data.size()); // The rest of a frame that was read in parts.
            continue;
        }
        if (!core_.has_frame()) return core_.want_frame();
        auto f = take_frame(*p, core_.log(), group, take, [&] { return core_.next_in_group(); });
        return waiting().whole({}, std::move(f));
    }
    if (core_.at_group_end()) {
        group->is_complete = true;
        core_.pass_group();
        reading_.reset();
        updated();
        waiting().end();
    }
}

void reader_state::leave_group(const group_source& g) noexcept {
    if (framer_.get() == &g) {
        framer_.reset();
        framing_.abort();
    }
}

void reader_state::leave() noexcept {
    if (std::exchange(left_, true)) return;
    starting_.abort();
    grouping_.abort();
    framing_.abort();
    restarting_.abort();
    stop_asking();
    framer_.reset();
    timeout_.cancel();
    of_->await_no_more(name_.broadcast, *this);
    of_->release_starting(weak_from_this().lock());
    if (indexed_) {
        static_cast<void>(of_->reading().unsubscribe(*indexed_));
        of_->index(*this, indexed_, std::nullopt);
    }
    of_->set_deadline(*this, deadline_, std::nullopt);
    of_->forget(*this);
    of_->wake();
}

} // namespace detail

// Handles.

shared_frame frame::share() const {
    if (!from_) return {};
    if (from_->joined && bytes_.data() == from_->joined->data()) return {bytes_, from_->joined};
    return {bytes_, std::make_shared<group_pin>(from_->pinned.get())};
}

group_reader& group_reader::operator=(group_reader&& other) noexcept {
    leave();
    state_ = std::move(other.state_);
    return *this;
}

group_sequence group_reader::sequence() const noexcept { return state_ ? state_->sequence() : group_sequence{}; }
bool group_reader::is_complete() const noexcept { return state_ && state_->is_complete; }

void group_reader::next_frame(
    const std::shared_ptr<detail::group_source>& state, detail::completion<std::optional<frame>>::handler handler) {
    state->next_frame({std::move(handler), state->executor()});
}

void group_reader::next_part(const std::shared_ptr<detail::group_source>& state,
    detail::completion<std::optional<frame_part>>::handler handler) {
    state->next_part({std::move(handler), state->executor()});
}

std::optional<frame_part> group_reader::next_part() { return state_ ? state_->ready_part() : std::nullopt; }

void group_reader::leave() noexcept {
    if (const auto state = std::exchange(state_, nullptr)) state->leave();
}

track_reader& track_reader::operator=(track_reader&& other) noexcept {
    leave();
    state_ = std::move(other.state_);
    return *this;
}

void track_reader::next_group(const std::shared_ptr<detail::reader_state>& state,
    detail::completion<std::optional<group_reader>>::handler handler) {
    state->next_group({std::move(handler), state->executor()});
}

void track_reader::leave() noexcept {
    if (const auto state = std::exchange(state_, nullptr)) state->leave();
}

} // namespace moqlite::asio
