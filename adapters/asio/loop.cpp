#include "detail/loop.hpp"

#include <boost/asio/post.hpp>
#include <functional>
#include <moqlite/asio/clock.hpp>
#include <new>
#include <utility>

namespace moqlite::asio::detail {

namespace net = boost::asio;

namespace {

/// Datagrams per turn: enough for a GRO burst, few enough not to delay pumps.
constexpr std::size_t reads_per_turn = 64;
/// How long turns are run back to back before returning to the executor.
constexpr duration spin_budget = std::chrono::microseconds{200};
/// A deadline closer than this is cheaper to poll than a timer.
constexpr duration timer_slack = std::chrono::microseconds{20};

} // namespace

loop::loop(net::any_io_executor executor, options o)
    : executor_{std::move(executor)},
      before_pump_{std::move(o.before_pump)},
      icmp_errors_{o.socket.icmp_errors},
      socket_{o.socket, o.quic.log},
      endpoint_{std::move(o.quic), *this},
      waiter_{executor_},
      timer_{executor_},
      grace_{executor_} {}

bool loop::open(const link::address& local, std::string& why) {
    if (!socket_.open(local, why)) return false;
    boost::system::error_code error;
    waiter_.assign(socket_.handle(), error);
    if (error) {
        why = "cannot wait for the socket: " + error.message();
        return false;
    }
    wait_readable();
    return true;
}

void loop::stop() {
    if (std::exchange(stopped_, true)) return;
    if (waiter_.is_open()) waiter_.release(); // Cancels; the socket closes the handle.
    socket_.close();
    timer_.cancel();
    grace_.cancel();
    done_ = nullptr;
}

loop::~loop() {
    if (waiter_.is_open()) waiter_.release(); // It does not own the handle.
}

void loop::turn() {
    if (stopped_ || in_turn_) return;
    const auto self = shared_from_this(); // A callback may drop the last other reference.
    in_turn_ = true;
    const time_point start = now();
    time_point t = start;
    // Repeating turns here saves a round through the executor, whose other work waits only for spin_budget.
    bool more = false;
    try {
        more = one_turn(t);
        while (more && !stopped_ && (t = now()) - start < spin_budget) more = one_turn(t);
    } catch (const std::bad_alloc&) { // Not of one connection: that would end only that connection.
        more = true;
    }
    in_turn_ = false;
    if (done_ && !stopped_) finish_shutdown(t);
    if (stopped_) return;
    if (more)
        post_turn();
    else
        wait_readable();
    wait_writable();
    wait_deadline(t);
}

/// True: there is more to read or to send at once.
bool loop::one_turn(time_point t) {
    ++socket_.stats().turns;
    if (!kept_.empty() && send_kept()) endpoint_.writable();
    const bool unread = socket_.read(reads_per_turn, [&](const link::datagram& d) { endpoint_.receive(d, t); });
    if (icmp_errors_)
        socket_.read_errors([&](byte_view quoted, int error) { endpoint_.undeliverable(quoted, error, t); });
    if (const auto due = endpoint_.deadline(); due && *due <= t) endpoint_.expire(t);
    if (before_pump_) before_pump_(t);
    if (stopped_) return false;
    const bool more = endpoint_.pump(t) || unread;
    // Pumping drains events, too; connections that these make ready are pumped without another datagram.
    woken_ = false;
    if (before_pump_) before_pump_(t);
    return !stopped_ && (more || woken_);
}

void loop::post_turn() {
    if (posted_) return;
    post_operation(executor_, [self = shared_from_this()] {
        self->posted_ = false;
        self->turn();
    });
    posted_ = true; // Last: post() may throw.
}

// One wait at a time; other turns read, too, and may leave nothing.
void loop::wait_readable() {
    if (reading_ || posted_ || stopped_) return;
    waiter_.async_wait(net::posix::descriptor_base::wait_read,
        in_kept_memory([self = shared_from_this()](const boost::system::error_code& error) {
            self->reading_ = false;
            if (!error) self->turn();
        }));
    reading_ = true;
}

void loop::wait_writable() {
    if (kept_.empty() || writing_) return;
    waiter_.async_wait(
        net::posix::descriptor_base::wait_write, [self = shared_from_this()](const boost::system::error_code& error) {
            self->writing_ = false;
            if (!error) self->turn();
        });
    writing_ = true;
}

// A timer that fires too early costs one turn; moving it to each later deadline would cost a system
// call a turn, for deadlines that are rarely reached.
void loop::wait_deadline(time_point t) {
    const auto next = endpoint_.deadline();
    if (posted_ || !next) return; // The posted turn will set the timer.
    if (*next <= t + timer_slack) return post_turn();
    if (timer_set_ && timer_at_ <= *next) return;
    timer_at_ = *next;
    timer_set_ = false; // The previous wait is cancelled, and the next call may throw.
    timer_.expires_at(to_steady(*next));
    timer_.async_wait(in_kept_memory([self = shared_from_this()](const boost::system::error_code& error) {
        if (error) return; // Rescheduled or stopped.
        self->timer_set_ = false;
        self->turn();
    }));
    timer_set_ = true;
}

bool loop::send(const link::burst& b) {
    std::size_t done = 0;
    if (kept_.empty()) {
        const auto s = socket_.write(b, done);
        if (s == udp_socket::sent::lost) endpoint_.send_failed(socket_.lost_size(), socket_.lost_reason());
        if (s != udp_socket::sent::full) return true;
    }
    const auto rest = b.bytes.subspan(done);
    kept_.push_back({b.local, b.remote, b.ecn, b.segment, {rest.begin(), rest.end()}});
    return false;
}

bool loop::send_kept() {
    while (!kept_.empty()) {
        auto& k = kept_.front();
        std::size_t done = 0;
        if (socket_.write({k.local, k.remote, k.ecn, k.segment, k.bytes}, done) == udp_socket::sent::full) {
            k.bytes.erase(k.bytes.begin(), k.bytes.begin() + static_cast<std::ptrdiff_t>(done));
            return false;
        }
        kept_.pop_front();
    }
    return true;
}

void loop::ready() {
    woken_ = true;
    if (!in_turn_ && !stopped_) post_turn();
}

void loop::shutdown(app_error code, std::string_view reason, duration grace, std::function<void()> done) {
    endpoint_.refuse();
    endpoint_.close_all(code, reason);
    done_ = std::move(done);
    shutdown_by_ = now() + grace;
    grace_.expires_at(to_steady(shutdown_by_));
    grace_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
        if (!error) self->turn();
    });
    post_turn();
}

// The endpoint's timers end the closing periods; the grace period has a timer of its own.
void loop::finish_shutdown(time_point t) {
    const bool quiet = endpoint_.connections() == 0 && endpoint_.closing() == 0 && kept_.empty();
    if (!quiet && t < shutdown_by_) return;
    const auto done = std::exchange(done_, nullptr);
    stop();
    if (done) done();
}

} // namespace moqlite::asio::detail
