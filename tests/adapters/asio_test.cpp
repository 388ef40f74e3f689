// Real sockets on loopback, bounded in time, without a fixed port.
#include "memory_pair.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <moqlite/asio/host_port.hpp>
#include <moqlite/asio/quic_client.hpp>
#include <moqlite/asio/quic_server.hpp>

#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace moqlite::test::asio_test {

namespace net = boost::asio;

namespace {

/// The errno of the next sendmsg; 0: it succeeds.
std::function<int(const msghdr&)> fault;

} // namespace

// Loopback sockets are never full and accept everything, so refusals are injected here: the
// libraries are static, and this definition precedes the C library's.
extern "C" ssize_t sendmsg(int fd, const msghdr* m, int flags) {
    if (fault)
        if (const int error = fault(*m); error != 0) return errno = error, -1;
    return syscall(SYS_sendmsg, fd, m, flags);
}

namespace {

/// A server and a client on one thread.
struct loopback {
    explicit loopback(
        asio::options server_options = {}, asio::options client_options = {}, std::string_view where = "127.0.0.1:0")
        : server{context.get_executor(), std::move(server_options)},
          client{context.get_executor(), std::move(client_options)} {
        std::string why;
        const bool listening = server.listen(where, server_tls(), keep(at_server), why);
        INFO(why);
        REQUIRE(listening);
    }

    link::accept_function keep(std::vector<recorder*>& where) {
        return [&where](link::connection& c, time_point) {
            auto made = std::make_unique<recorder>(c);
            made->ended = std::make_shared<std::optional<link::closed>>();
            where.push_back(made.get());
            return made;
        };
    }

    void connect(
        std::string host = "127.0.0.1", ngtcp2::trust whom = ngtcp2::trust::insecure(), std::uint16_t port = 0) {
        client.connect({std::move(host), port != 0 ? port : server.local_address().port(), "localhost", {"moq-lite-05"},
                           client_tls(whom)},
            keep(at_client), [this](const link::closed& how) { failures.push_back(how.reason); });
    }

    /// True: `done` within the limit.
    bool run(const std::function<bool()>& done, std::chrono::seconds limit = 30s) {
        const auto end = std::chrono::steady_clock::now() + limit;
        context.restart();
        while (!done() && std::chrono::steady_clock::now() < end)
            if (context.run_one_for(100ms) == 0) context.restart();
        return done();
    }

    std::pair<recorder*, recorder*> connected() {
        connect();
        REQUIRE(run([&] { return !at_client.empty() && !at_server.empty(); }));
        return {at_client.back(), at_server.back()};
    }

    net::io_context context;
    asio::quic_server server;
    asio::quic_client client;
    std::vector<recorder*> at_server, at_client;
    std::vector<std::string> failures;
};

void transfer(loopback& net, std::size_t size) {
    const auto [client, server] = net.connected();
    const auto data = noise(size);
    client->send(direction::uni, data);
    REQUIRE(net.run([c = client] { return c->closed_streams.size() == 1; }));
    CHECK(server->received.begin()->second.bytes == data);
}

/// Every built packet has reached the kernel. (QUIC retransmits lost ones, so received bytes prove
/// nothing; a few packets of a handshake share a datagram.)
bool all_were_sent(loopback& net) {
    constexpr std::uint64_t shared = 8;
    return net.client.stats().datagrams_sent + shared >= net.at_client[0]->connection.stats().packets_sent;
}

} // namespace

TEST_CASE("64 MiB cross loopback byte for byte, in bursts") {
    loopback net;
    transfer(net, 64 * 1024 * 1024);
    const auto& sent = net.client.stats();
    CHECK(sent.datagrams_sent / sent.writes >= 4);
    const auto& got = net.server.stats();
    CHECK(got.datagrams_received / got.reads >= 4);
}

TEST_CASE("the same works where the kernel has neither GSO nor GRO") {
    asio::options plain;
    plain.socket.gso = plain.socket.gro = false;
    loopback net{plain, plain};
    transfer(net, 8 * 1024 * 1024);
    CHECK(net.client.stats().datagrams_sent == net.client.stats().writes);
}

TEST_CASE("a full socket loses nothing: built packets are kept and sent first") {
    loopback net;
    fault = [n = 0](const msghdr&) mutable { return ++n % 3 == 0 ? EAGAIN : 0; };
    transfer(net, 8 * 1024 * 1024);
    fault = nullptr;
    CHECK(net.client.stats().full > 0);
    CHECK(net.client.stats().dropped == 0);
    CHECK(all_were_sent(net));
}

TEST_CASE("a kernel that refuses GSO when it is used gets datagrams one by one, and one line is logged") {
    std::vector<std::string> lines;
    asio::options options;
    options.quic.log = [&](link::log_level level, std::string_view line) {
        if (level >= link::log_level::warning) lines.emplace_back(line);
    };
    options.socket.buffer = 100'000; // A larger size may be refused, which is also logged.
    loopback net{{}, options};
    // Linux on some virtual devices: EIO for a burst, everything else works.
    fault = [](const msghdr& m) { return m.msg_iov->iov_len > 1452 ? EIO : 0; };
    transfer(net, 2 * 1024 * 1024);
    fault = nullptr;
    CHECK(lines == std::vector<std::string>{"the kernel rejects UDP_SEGMENT; sending datagrams one by one"});
    CHECK(all_were_sent(net));
}

TEST_CASE("jumbo packets are found by probing, and a path that does not carry them is not harmed") {
    asio::options jumbo;
    jumbo.quic.packet_size = 8952;
    loopback net{jumbo, jumbo};
    const bool narrow = GENERATE(false, true);
    if (narrow) fault = [](const msghdr& m) { return m.msg_iov->iov_len == 8952 ? EMSGSIZE : 0; };
    transfer(net, 8 * 1024 * 1024);
    fault = nullptr;
    CHECK(net.at_client[0]->connection.stats().packet_size == (narrow ? 1452 : 8952));
}

TEST_CASE("one dual-stack socket serves IPv4 and IPv6") {
    loopback net{{}, {}, ":0"};
    if (!net.server.local_address().is_v6()) SKIP("this machine has no IPv6");
    net.connect("127.0.0.1");
    REQUIRE(net.run([&] { return net.at_server.size() == 1; }));
    CHECK(to_string(net.at_server[0]->connection.remote()).starts_with("127.0.0.1:"));
    net.connect("::1");
    const bool six = net.run([&] { return net.at_server.size() == 2; }, 5s);
    if (!six) SKIP("this machine has no IPv6 loopback");
    CHECK(to_string(net.at_server[1]->connection.remote()).starts_with("[::1]:"));
}

TEST_CASE("50 connections on one client socket each get their own bytes") {
    loopback net;
    for (int i = 0; i < 50; ++i) net.connect();
    REQUIRE(net.run([&] { return net.at_client.size() == 50 && net.at_server.size() == 50; }));
    for (std::size_t i = 0; i < 50; ++i) net.at_client[i]->send(direction::bidi, noise(200'000, i));
    REQUIRE(net.run([&] {
        return std::all_of(net.at_server.begin(), net.at_server.end(),
            [](const recorder* s) { return !s->received.empty() && s->received.begin()->second.fin; });
    }));
    std::vector<std::string> expected, got;
    for (std::size_t i = 0; i < 50; ++i) expected.push_back(noise(200'000, i));
    for (const auto* s : net.at_server) got.push_back(s->received.begin()->second.bytes);
    std::sort(expected.begin(), expected.end());
    std::sort(got.begin(), got.end());
    CHECK(expected == got);
}

TEST_CASE("wake() from outside of a turn causes one") {
    loopback net;
    const auto [client, server] = net.connected();
    const int before = server->pumps;
    server->send(direction::uni, "hello");
    REQUIRE(net.run([c = client] { return !c->received.empty(); }));
    CHECK(server->pumps > before);
}

TEST_CASE("connecting by name finds the address on which somebody listens") {
    loopback net;
    net.connect("localhost"); // On most machines also ::1.
    REQUIRE(net.run([&] { return !net.at_client.empty() || !net.failures.empty(); }));
    CHECK(net.failures == std::vector<std::string>{});
}

TEST_CASE("an invalid name and a wrong certificate are each reported in one line") {
    loopback net;
    net.connect("no-such-host.invalid");
    REQUIRE(net.run([&] { return net.failures.size() == 1; }));
    CHECK(net.failures[0].starts_with("cannot resolve no-such-host.invalid"));
    net.connect("127.0.0.1", ngtcp2::trust::system_roots());
    REQUIRE(net.run([&] { return net.failures.size() == 2; }));
    CHECK(net.failures[1] == "certificate verify failed: self-signed certificate");
}

TEST_CASE("a closed port is reported at once", "[regression]") {
    loopback net;
    const std::string host = GENERATE("127.0.0.1", "::1");
    net.connect(host, ngtcp2::trust::insecure(), 9);
    REQUIRE(net.run([&] { return net.failures.size() == 1; }, 2s));
    CHECK(net.failures[0].ends_with(":9: Connection refused"));
    CHECK(net.failures[0].starts_with("cannot reach "));
    // The socket still works.
    net.connected();
}

TEST_CASE("an unreachable destination is reported at once during the handshake", "[regression]") {
    loopback net;
    const int error = GENERATE(ENETUNREACH, EHOSTUNREACH, EPERM);
    fault = [=](const msghdr&) { return error; };
    net.connect();
    const bool ended = net.run([&] { return net.failures.size() == 1; }, 2s);
    fault = nullptr;
    REQUIRE(ended);
    CHECK(net.failures[0] == "cannot reach " + to_string(net.server.local_address()) + ": " + std::strerror(error));
    const auto [client, server] = net.connected();
    int left = 20;
    fault = [&](const msghdr&) { return left-- > 0 ? error : 0; };
    client->send(direction::uni, noise(100'000));
    const bool arrived = net.run([s = server] { return !s->received.empty() && s->received.begin()->second.fin; });
    fault = nullptr;
    CHECK(arrived);
}

TEST_CASE("a kernel that begins to refuse large packets is given small ones", "[regression]") {
    loopback net;
    const auto [client, server] = net.connected();
    client->send(direction::uni, noise(1'000'000));
    REQUIRE(net.run([s = server] { return !s->received.empty() && s->received.begin()->second.fin; }));
    fault = [](const msghdr& m) {
        std::size_t segment = m.msg_iov->iov_len;
        for (auto* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(const_cast<msghdr*>(&m), c)) {
            if (c->cmsg_level != IPPROTO_UDP) continue;
            std::uint16_t n{};
            std::memcpy(&n, CMSG_DATA(c), sizeof n);
            segment = n;
        }
        return segment > 1232 ? EMSGSIZE : 0;
    };
    client->send(direction::uni, noise(1'000'000, 2));
    const bool arrived =
        net.run([s = server] { return s->received.size() == 2 && s->received.rbegin()->second.fin; }, 5s);
    fault = nullptr;
    CHECK(arrived);
    CHECK(client->connection.stats().packet_size <= 1232);
}

TEST_CASE("listening twice on one port fails with the reason") {
    loopback net;
    asio::quic_server second{net.context.get_executor()};
    std::string why;
    const auto where = to_string(net.server.local_address());
    CHECK_FALSE(second.listen(where, server_tls(), net.keep(net.at_server), why));
    CHECK(why == "cannot listen on " + where + ": Address already in use");
    CHECK_FALSE(second.listen("relay.example:1", server_tls(), net.keep(net.at_server), why));
    CHECK(why == "cannot listen on \"relay.example\": it is not an IP address");
}

TEST_CASE("shutdown() tells the peers and then calls back") {
    loopback net;
    const auto [client, server] = net.connected();
    const auto end = client->ended;
    bool done = false;
    net.server.shutdown(app_error::closed, "going down", 5s, [&] { done = true; });
    REQUIRE(net.run([&] { return done && end->has_value(); }));
    CHECK((*end)->reason == "going down");
}

TEST_CASE("shutdown() of a client without connections is over at once, and nothing connects after it") {
    loopback net;
    bool done = false;
    net.client.shutdown(app_error::cancel, "bye", 5s, [&] { done = true; });
    REQUIRE(net.run([&] { return done; }, 2s));
    net.connect();
    REQUIRE(net.run([&] { return net.failures.size() == 1; }));
    CHECK(net.failures[0] == "the client is shutting down");
}

TEST_CASE("HOST:PORT is parsed in every usual form") {
    const auto read = [](std::string_view text) {
        std::string why;
        return asio::parse_host_port(text, 443, why);
    };
    CHECK(read("relay.example:4443") == asio::host_port{"relay.example", 4443});
    CHECK(read("relay.example") == asio::host_port{"relay.example", 443});
    CHECK(read(":4443") == asio::host_port{"", 4443});
    CHECK(read("*:4443") == asio::host_port{"", 4443});
    CHECK(read("[::1]:4443") == asio::host_port{"::1", 4443});
    CHECK(read("[::1]") == asio::host_port{"::1", 443});
    CHECK(read("2001:db8::1") == asio::host_port{"2001:db8::1", 443});
    CHECK_FALSE(read("host:"));
    CHECK_FALSE(read("host:65536"));
    CHECK_FALSE(read("host:http"));
    CHECK_FALSE(read("[::1"));
    CHECK_FALSE(read("[]:1"));
    CHECK_FALSE(read("[::1]1"));
}

} // namespace moqlite::test::asio_test
