// Early data (0-RTT) of the application API, with each of the first datagrams lost: whether the server takes it or
// rejects it, every request is answered, once, and readers get everything.
#include "adapters/api_stage.hpp"

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::test::api_early_data {
namespace {

using namespace api_stage;
using net::ip::udp;

/// Passes the datagrams of one client on to a server, and loses one of each way.
class path {
public:
    explicit path(net::io_context& io) : near_{io, here()}, far_{io, here()} {
        pass(near_, far_, up, to_client_, to_server_);
        pass(far_, near_, down, from_server_, to_client_);
    }
    [[nodiscard]] std::string at() const { return "127.0.0.1:" + std::to_string(near_.local_endpoint().port()); }
    void lead_to(const std::string& address) {
        const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1)));
        to_server_ = {net::ip::address_v4::loopback(), port};
        up = {}, down = {};
    }

    struct way {
        std::size_t passed = 0;
        std::optional<std::size_t> lost{};
        std::array<char, 65536> bytes{};
    };
    way up, down;

private:
    static udp::endpoint here() { return {net::ip::address_v4::loopback(), 0}; }
    void pass(udp::socket& from, udp::socket& to, way& w, udp::endpoint& sender, const udp::endpoint& receiver) {
        from.async_receive_from(net::buffer(w.bytes), sender, [&, this](error_code e, std::size_t size) {
            if (e == net::error::operation_aborted) return;
            if (!e && w.passed++ != w.lost) {
                error_code lost; // As on any path.
                to.send_to(net::buffer(w.bytes.data(), size), receiver, 0, lost);
            }
            pass(from, to, w, sender, receiver);
        });
    }

    udp::socket near_, far_;
    udp::endpoint to_client_, to_server_, from_server_;
};

enum class later { accepts, rejects, has_other_keys };

/// A client that has met a server meets it again, and asks for everything at once.
class reunion {
public:
    reunion(net::io_context& io, later l, std::optional<std::size_t> up, std::optional<std::size_t> down)
        : io_(io), how_(l), lost_up_(up), lost_down_(down), path_(io), here_(io.get_executor()) {
        client_.emplace(io.get_executor(), moq::client_options{.trusted = moq::trust::insecure()});
        serve(moq::ticket_keys::shared({std::byte{1}}), true);
        film_ = here_.on_demand("film", [this](moq::track_request r) { asked(std::move(r)); });
        heard_ = here_.announcements("song");
        hear();
    }

    net::awaitable<void> play() {
        co_await meet();
        serve(moq::ticket_keys::shared({how_ == later::has_other_keys ? std::byte{2} : std::byte{1}}),
            how_ == later::accepts);
        path_.up.lost = lost_up_, path_.down.lost = lost_down_;
        requests_.clear(), tracks_.clear();

        moq::connect_request how;
        how.early_data = true;
        auto session = co_await client_->async_connect("moqt://" + path_.at(), how, net::use_awaitable);
        CHECK(session.tls().early != link::early_data::none);
        auto song = moq::origin{client_->origin()}.publish("song");
        auto notes = song.track("notes");
        put(notes, "la 0");
        auto mine = co_await read_all(session, "video"), other = co_await read_all(session, "audio");
        CHECK(mine == expected("video "));
        CHECK(other == expected("audio "));
        moq::subscribe_request all;
        all.mode = reading::complete;
        all.start = group_sequence{0};
        auto listener = co_await here_.async_subscribe({"song", "notes"}, all, net::use_awaitable);
        for (int i = 1; i != groups; ++i) put(notes, "la " + std::to_string(i));
        notes.finish();
        std::vector<std::string> sung;
        for (auto one = co_await first(listener); one != "-"; one = co_await first(listener)) sung.push_back(one);
        CHECK(sung == expected("la "));

        CHECK(requests_ == std::map<std::string, int>{{"audio", 1}, {"video", 1}});
        CHECK(songs_ == 1);
        CHECK(
            session.tls().early == (how_ == later::accepts ? link::early_data::accepted : link::early_data::rejected));
        CHECK(sessions_ == 2);
        heard_ = {};
        passed_up = path_.up.passed, passed_down = path_.down.passed;
    }
    std::size_t passed_up = 0, passed_down = 0;

private:
    static constexpr int groups = 4;

    static std::vector<std::string> expected(const std::string& what) {
        std::vector<std::string> all;
        for (int i = 0; i != groups; ++i) all.push_back(what + std::to_string(i));
        return all;
    }
    /// The server, or another one in its place.
    void serve(moq::ticket_keys keys, bool early) {
        server_.emplace(here_, moq::server_options{.tickets = std::move(keys), .early_data = early});
        server_->on_session([this](const moq::session&) { ++sessions_; });
        REQUIRE(!server_->listen("127.0.0.1:0"));
        path_.lead_to(server_->addresses().front());
    }
    void asked(moq::track_request r) {
        ++requests_[r.track()];
        const auto name = r.track();
        auto& track = tracks_.emplace_back(r.accept());
        for (int i = 0; i != groups; ++i) put(track, name + ' ' + std::to_string(i));
        track.finish();
    }
    void hear() {
        heard_.async_next([this](error_code e, const std::optional<moq::announcement>& a) {
            if (e || !a) return;
            CHECK((a->available && !a->restart));
            ++songs_;
            hear();
        });
    }
    /// The client gets a ticket.
    net::awaitable<void> meet() {
        moq::connect_request how;
        how.early_data = true; // Once it has a ticket.
        auto session = co_await client_->async_connect("moqt://" + path_.at(), how, net::use_awaitable);
        CHECK(session.tls().early == link::early_data::none);
        auto all = co_await read_all(session, "ticket");
        CHECK(all.size() == groups);
        session.close();
        co_await closed(session);
        net::steady_timer gone{io_};
        while (here_.stats().sessions != 0) {
            gone.expires_after(1ms);
            co_await gone.async_wait(net::use_awaitable);
        }
    }
    static net::awaitable<std::vector<std::string>> read_all(moq::session& from, std::string track) {
        moq::subscribe_request all;
        all.mode = reading::complete;
        all.start = group_sequence{0};
        auto reader = co_await from.async_subscribe({"film", std::move(track)}, all, net::use_awaitable);
        std::vector<std::string> got;
        for (auto one = co_await first(reader); one != "-"; one = co_await first(reader)) got.push_back(one);
        co_return got;
    }

    net::io_context& io_;
    later how_;
    std::optional<std::size_t> lost_up_, lost_down_;
    path path_;
    moq::origin here_;
    std::optional<moq::server> server_;
    std::optional<moq::client> client_;
    moq::broadcast film_;
    moq::announcements heard_;
    std::vector<moq::track_writer> tracks_;
    std::map<std::string, int> requests_; ///< Of the second meeting, by track.
    int songs_ = 0, sessions_ = 0;
};

TEST_CASE("whatever datagram of the first flights is lost, requests in early data are answered once", "[api][early]") {
    net::io_context io{1};
    std::vector<std::unique_ptr<reunion>> all; // At once, since each waits for its loss to be noticed.
    std::size_t over = 0;
    for (const auto how : {later::accepts, later::rejects, later::has_other_keys}) {
        all.push_back(std::make_unique<reunion>(io, how, std::nullopt, std::nullopt));
        for (std::size_t n = 0; n != 6; ++n) {
            all.push_back(std::make_unique<reunion>(io, how, n, std::nullopt));
            all.push_back(std::make_unique<reunion>(io, how, std::nullopt, n));
        }
    }
    std::exception_ptr thrown;
    for (const auto& each : all)
        net::co_spawn(io, each->play(), [&](std::exception_ptr e) {
            if (e) thrown = e;
            ++over;
        });
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (over != all.size() && io.run_one_until(until) != 0) {
    }
    REQUIRE(over == all.size());
    if (thrown) std::rethrow_exception(thrown);
    for (const auto& each : all) CHECK((each->passed_up > 6 && each->passed_down > 6));
}

} // namespace
} // namespace moqlite::test::api_early_data
