#include "detail/loop.hpp"

#include <boost/asio/post.hpp>
#include <moqlite/asio/clock.hpp>
#include <new>
#include <utility>

namespace moqlite::asio::detail {

namespace net = boost::asio;

namespace {

/// Datagrams that one turn reads: enough for one GRO burst, few enough that pumps are not delayed.
constexpr std::size_t reads_per_turn = 64;
/// How long turns follow each other without a look at the executor.
constexpr duration around = std::chrono::microseconds{200};
/// Sooner than this a timer costs more than asking again.
constexpr duration soon = std::chrono::microseconds{20};

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
    if (waiter_.is_open()) waiter_.release(); // Cancels; the handle is the socket's to close.
    socket_.close();
    timer_.cancel();
    grace_.cancel();
    done_ = nullptr;
}

loop::~loop() {
    if (waiter_.is_open()) waiter_.release(); // It would close what is not its own.
}

void loop::turn() {
    if (stopped_ || in_turn_) return;
    const auto self = shared_from_this(); // A callback may drop the last other reference.
    in_turn_ = true;
    const time_point start = now();
    time_point t = start;
    // Going around here saves the executor's own round; others on it do not wait for long.
    bool more = false;
    try {
        more = one_turn(t);
        while (more && !stopped_ && (t = now()) - start < around) more = one_turn(t);
    } catch (const std::bad_alloc&) { // Of nobody's in particular; those of one connection end with it.
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
    // Pumping drains events too: what those make ready does not wait for the next datagram.
    woken_ = false;
    if (before_pump_) before_pump_(t);
    return !stopped_ && (more || woken_);
}

void loop::post_turn() {
    if (posted_) return;
    net::post(executor_, [self = shared_from_this()] {
        self->posted_ = false;
        self->turn();
    });
    posted_ = true; // Only now: it may throw.
}

// One wait at a time; turns for other reasons read as well, and may leave it nothing.
void loop::wait_readable() {
    if (reading_ || posted_ || stopped_) return;
    waiter_.async_wait(
        net::posix::descriptor_base::wait_read, [self = shared_from_this()](const boost::system::error_code& error) {
            self->reading_ = false;
            if (!error) self->turn();
        });
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

// A timer that rings too early costs one turn; moving it to each later deadline would cost a system
// call a turn, for deadlines that hardly ever come.
void loop::wait_deadline(time_point t) {
    const auto next = endpoint_.deadline();
    if (posted_ || !next) return; // A turn that is on its way will ask again.
    if (*next <= t + soon) return post_turn();
    if (timer_set_ && timer_at_ <= *next) return;
    timer_at_ = *next;
    timer_set_ = false; // The wait before this is cancelled, and what follows may throw.
    timer_.expires_at(to_steady(*next));
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
        if (error) return; // Moved, or gone.
        self->timer_set_ = false;
        self->turn();
    });
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

// The closing periods end by the endpoint's timers, the grace by its own.
void loop::finish_shutdown(time_point t) {
    const bool quiet = endpoint_.connections() == 0 && endpoint_.closing() == 0 && kept_.empty();
    if (!quiet && t < shutdown_by_) return;
    const auto done = std::exchange(done_, nullptr);
    stop();
    if (done) done();
}

} // namespace moqlite::asio::detail
