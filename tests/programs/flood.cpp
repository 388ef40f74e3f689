// moqlite-flood: floods a relay with datagrams from many addresses of 127/8. For tests.
//
//   moqlite-flood 127.0.0.1:PORT DATAGRAMS-PER-SECOND     until SIGTERM; 0 a second: as many as it can
//
// A quarter each: random UDP, half of it disguised as Initial packets; a few Initial packets again and
// again; truncated Initial packets; complete Initial packets of new clients.
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <moqlite/asio/host_port.hpp>
#include <moqlite/link/connection.hpp>
#include <moqlite/ngtcp2/endpoint.hpp>
#include <netinet/in.h>
#include <random>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <vector>

using namespace moqlite;
using namespace std::chrono_literals;

namespace {

constexpr int sources = 256;      ///< Addresses, a socket each.
constexpr std::size_t batch = 20; ///< Datagrams per batch of one address.
constexpr int clients = 4096;     ///< Number of different first packets, used cyclically.
constexpr std::size_t replayed = 8;

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "moqlite-flood: %s\n", why.c_str());
    std::exit(1);
}

struct collector final : link::sink {
    bool send(const link::burst& b) override {
        packets.emplace_back(as_text(b.bytes.first(b.segment)));
        return true;
    }
    void ready() override {}
    std::vector<std::string> packets;
};

/// The first packets of real clients.
std::vector<std::string> make_initials(const link::address& relay) {
    std::string why;
    const auto tls = ngtcp2::tls::client(ngtcp2::trust::insecure(), why);
    if (!tls) fail(why);
    collector out;
    constexpr int together = 64; // In batches: each takes memory while it is made.
    for (int made = 0; made < clients; made += together) {
        ngtcp2::endpoint end{{}, out};
        const ngtcp2::target to{relay, *link::address::parse("127.0.0.1", 1), "localhost", {"moq-lite-05"}};
        for (int i = 0; i < together; ++i)
            if (end.connect(
                    *tls, to, [](auto&, auto) { return nullptr; }, [](auto&) {}, why, time_point{1s}) == nullptr)
                fail(why);
        end.pump(time_point{1s});
    }
    return std::move(out.packets);
}

class ammunition {
public:
    explicit ammunition(const link::address& relay) : initials_{make_initials(relay)}, bytes_{} {}

    /// The next datagram, in `room`.
    std::string_view next(std::array<char, 1500>& room) {
        switch (random_() & 3) {
        case 0: return noise(room);
        case 1: return initials_[random_() % replayed];
        case 2: {
            const auto& whole = initials_[random_() % initials_.size()];
            return std::string_view{whole}.substr(0, 1 + random_() % (whole.size() - 1));
        }
        default: return initials_[replayed + fresh_++ % (initials_.size() - replayed)];
        }
    }

private:
    std::string_view noise(std::array<char, 1500>& room) {
        const std::size_t size = 1 + random_() % 1400;
        for (std::size_t i = 0; i < room.size(); i += sizeof bytes_) {
            bytes_ = random_();
            std::memcpy(&room[i], &bytes_, std::min(sizeof bytes_, room.size() - i));
        }
        if ((random_() & 1) == 0) return {room.data(), size};
        // An Initial packet of version 1 by its header, a connection id of its own, and nothing that can be decrypted.
        std::memcpy(room.data(), "\xc0\0\0\0\1\x8", 6);
        std::memcpy(room.data() + 14, "\0\0\x44\x9e", 4);
        return {room.data(), 1200};
    }

    std::vector<std::string> initials_;
    std::mt19937_64 random_{42};
    std::uint64_t bytes_;
    std::size_t fresh_ = 0;
};

std::vector<int> open_sockets(const link::address& relay) {
    std::vector<int> out;
    for (int i = 0; i < sources; ++i) {
        const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        const auto from =
            *link::address::parse("127." + std::to_string(1 + i % 250) + ".7." + std::to_string(1 + i / 2), 0);
        const int small = 4096; // Answers are not read.
        if (fd < 0 || ::bind(fd, static_cast<const sockaddr*>(from.data()), static_cast<socklen_t>(from.size())) != 0 ||
            ::connect(fd, static_cast<const sockaddr*>(relay.data()), static_cast<socklen_t>(relay.size())) != 0 ||
            ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) != 0)
            fail("no socket at " + to_string(from) + ": " + std::strerror(errno));
        out.push_back(fd);
    }
    return out;
}

/// Sends one batch; returns how many the kernel took.
std::size_t send_batch(int fd, ammunition& from) {
    static std::array<std::array<char, 1500>, batch> rooms;
    std::array<iovec, batch> pieces{};
    std::array<mmsghdr, batch> heads{};
    for (std::size_t i = 0; i < batch; ++i) {
        const auto bytes = from.next(rooms[i]);
        pieces[i] = {const_cast<char*>(bytes.data()), bytes.size()};
        heads[i].msg_hdr.msg_iov = &pieces[i];
        heads[i].msg_hdr.msg_iovlen = 1;
    }
    const int n = ::sendmmsg(fd, heads.data(), batch, MSG_DONTWAIT);
    return n > 0 ? static_cast<std::size_t>(n) : 0; // Refused datagrams are not retried.
}

} // namespace

int main(int argc, char** argv) {
    std::string why;
    if (argc != 3) fail("moqlite-flood HOST:PORT DATAGRAMS-PER-SECOND");
    const auto where = asio::parse_host_port(argv[1], 0, why);
    const auto relay = where ? link::address::parse(where->host, where->port) : std::nullopt;
    if (!relay) fail("there is no relay at " + std::string{argv[1]});
    const double rate = std::atof(argv[2]);

    ammunition bullets{*relay};
    const auto sockets = open_sockets(*relay);
    sigset_t term;
    ::sigemptyset(&term);
    ::sigaddset(&term, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &term, nullptr);
    std::puts("ready");
    std::fflush(stdout);
    using clock = std::chrono::steady_clock;
    const auto start = clock::now();
    const auto seconds = [&] { return std::chrono::duration<double>(clock::now() - start).count(); };
    std::size_t sent = 0;
    for (std::size_t batches = 0;;) {
        const bool early = rate > 0 && static_cast<double>(batches * batch) > rate * seconds();
        const timespec wait{0, early ? 1'000'000 : 0};
        if (::sigtimedwait(&term, nullptr, &wait) == SIGTERM) break;
        if (!early) sent += send_batch(sockets[batches++ % sockets.size()], bullets);
    }
    std::printf(
        "sent %zu datagrams in %.1f s, %.0f a second\n", sent, seconds(), static_cast<double>(sent) / seconds());
}
