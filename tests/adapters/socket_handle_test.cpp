// A UDP socket of the caller's.
#include "memory_pair.hpp"

#include <arpa/inet.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <cerrno>
#include <fcntl.h>
#include <moqlite/asio/quic_client.hpp>
#include <moqlite/asio/quic_server.hpp>
#include <sys/socket.h>
#include <unistd.h>

namespace moqlite::test::socket_handle_test {

namespace net = boost::asio;

namespace {

/// Bound to a free port of 127.0.0.1; the caller owns it.
int bound_socket() {
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    REQUIRE(fd >= 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    return fd;
}
std::uint16_t port_of(int fd) {
    sockaddr_in at{};
    socklen_t size = sizeof at;
    REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    return ntohs(at.sin_port);
}
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1 || errno != EBADF; }

asio::options with(int fd) {
    asio::options o;
    o.socket.native_handle = fd;
    return o;
}
/// Why a server cannot use the socket, which it has closed.
std::string refusal(int fd) {
    std::string why;
    {
        net::io_context context;
        asio::quic_server server{context.get_executor(), with(fd)};
        CHECK_FALSE(server.listen("127.0.0.1:0", server_tls(), {}, why));
    }
    CHECK_FALSE(is_open(fd));
    return why;
}

} // namespace

TEST_CASE("server and client use the sockets that they are given, and close them") {
    const int at_server = bound_socket(), at_client = bound_socket();
    const auto server_port = port_of(at_server), client_port = port_of(at_client);
    {
        net::io_context context;
        asio::quic_server server{context.get_executor(), with(at_server)};
        asio::quic_client client{context.get_executor(), with(at_client)};
        std::uint16_t seen = 0;
        std::string why;
        REQUIRE(server.listen(
            "127.0.0.1:1", server_tls(),
            [&](link::connection& c, time_point) {
                seen = c.remote().port();
                return std::make_unique<recorder>(c);
            },
            why));
        CHECK(server.local_address().port() == server_port);
        bool connected = false;
        client.connect(
            {"127.0.0.1", server_port, "localhost", {"moq-lite-05"}, client_tls()},
            [&](link::connection& c, time_point) {
                connected = true;
                return std::make_unique<recorder>(c);
            },
            [](const link::closed& how) { FAIL(how.reason); });
        const auto end = std::chrono::steady_clock::now() + 30s;
        while ((seen == 0 || !connected) && std::chrono::steady_clock::now() < end) context.run_one_for(100ms);
        CHECK(connected);
        CHECK(seen == client_port);
    }
    CHECK_FALSE(is_open(at_server));
    CHECK_FALSE(is_open(at_client));
}

TEST_CASE("a socket that was given and never used is closed with its owner") {
    const int fd = bound_socket();
    {
        net::io_context context;
        const asio::quic_server server{context.get_executor(), with(fd)};
        CHECK(is_open(fd));
    }
    CHECK_FALSE(is_open(fd));
}

TEST_CASE("a socket of Asio's passes on by release()") {
    net::io_context context;
    net::ip::udp::socket theirs{context, {net::ip::address_v4::loopback(), 0}};
    const auto port = theirs.local_endpoint().port();
    asio::quic_server server{context.get_executor(), with(theirs.release())};
    std::string why;
    REQUIRE(server.listen("127.0.0.1:0", server_tls(), {}, why));
    CHECK(server.local_address().port() == port);
}

TEST_CASE("a socket that cannot be used is refused with the reason, and closed") {
    CHECK(refusal(::socket(AF_INET, SOCK_STREAM, 0)) == "the given socket cannot be used: it is not a UDP socket");
    CHECK(refusal(::socket(AF_UNIX, SOCK_DGRAM, 0)) == "the given socket cannot be used: it is not a UDP socket");
    CHECK(refusal(::socket(AF_INET, SOCK_DGRAM, 0)) == "the given socket cannot be used: it is not bound");
    const int fd = bound_socket();
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(9);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    CHECK(refusal(fd) == "the given socket cannot be used: it is connected");
}

} // namespace moqlite::test::socket_handle_test
