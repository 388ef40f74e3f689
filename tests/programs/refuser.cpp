// moqlite-refuser: a moq-lite-05 server that requests its first client's announcements, and resets each request with a
// code once an announcement arrives. For tests.
//
//   moqlite-refuser CODE      "listening HOST:PORT FINGERPRINT", then "refused" for each request
//
// Two requests: a client that answers the second has survived the first refusal.
#include <array>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <moqlite/asio/quic_server.hpp>
#include <string>

using namespace moqlite;

namespace {

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "moqlite-refuser: %s\n", why.c_str());
    std::exit(1);
}

class refuser final : public link::handler {
public:
    refuser(link::connection& c, app_error code) : connection_{c}, code_{code} { connection_.wake(); }

    void stream_received(stream_id id, byte_view bytes, bool, time_point) override {
        if (!bytes.empty()) connection_.credit(id, bytes.size());
        if (id != asked_) return;
        received_ += bytes.size();
        // ANNOUNCE_OK has at least three bytes, an ANNOUNCE more than three.
        if (received_ <= 6) return;
        refused_ = true;
        connection_.wake();
    }
    void pump(link::connection& to, time_point) override {
        if (!greeted_) greeted_ = write(to, direction::uni, setup_).has_value();
        if (refused_) {
            to.reset(*asked_, code_);
            to.stop(*asked_, code_);
            std::puts("refused");
            std::fflush(stdout);
            refused_ = false;
            asked_.reset();
        }
        if (!asked_ && requests_ != 2) {
            asked_ = write(to, direction::bidi, request_);
            received_ = 0;
            if (asked_) ++requests_;
        }
        to.flush();
    }
    void stream_reset(stream_id, app_error, time_point) override {}
    void stream_stopped(stream_id, app_error, time_point) override {}
    void stream_writable(stream_id, time_point) override {}
    void stream_acked(stream_id, std::uint64_t, time_point) override {}
    void stream_closed(stream_id, std::optional<app_error>, time_point) override {}
    void streams_available(direction, time_point) override { connection_.wake(); }
    void on_closed(const link::closed&, time_point) override {}

private:
    static std::optional<stream_id> write(link::connection& to, direction kind, byte_view bytes) {
        const auto id = to.open(kind);
        if (!id) return std::nullopt;
        const std::array<byte_view, 1> data{bytes};
        const auto taken = to.write({.stream = *id, .data = data, .size = bytes.size(), .fin = false});
        if (taken != bytes.size()) fail("the first bytes of a stream do not fit into a packet");
        return id;
    }

    static constexpr std::array setup_{std::byte{1}, std::byte{1}, std::byte{0}};
    static constexpr std::array request_{std::byte{1}, std::byte{2}, std::byte{0}, std::byte{0}}; ///< Of everything.
    link::connection& connection_;
    app_error code_;
    bool greeted_ = false;
    bool refused_ = false;
    std::optional<stream_id> asked_;
    std::size_t received_ = 0; ///< Bytes of the answer to the latest request.
    int requests_ = 0;
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) fail("moqlite-refuser CODE");
    const app_error code{std::strtoull(argv[1], nullptr, 10)};
    std::string why;
    const auto self = ngtcp2::generate_identity({.names = {"localhost"}}, why);
    const auto print = self ? ngtcp2::fingerprint(*self, why) : std::nullopt;
    const auto tls = print ? ngtcp2::tls::server(*self, {"moq-lite-05"}, why) : std::nullopt;
    boost::asio::io_context context;
    asio::quic_server server{context.get_executor()};
    const auto accept = [code](link::connection& c, time_point) { return std::make_unique<refuser>(c, code); };
    if (!tls || !server.listen("127.0.0.1:0", *tls, accept, why)) fail(why);
    std::printf("listening %s %s\n", to_string(server.local_address()).c_str(), print->c_str());
    std::fflush(stdout);
    context.run();
}
