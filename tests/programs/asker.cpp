// moqlite-asker: asks for what moqlite-watch does not ask for. For tests; it trusts any certificate.
//
//   moqlite-asker PROTOCOL URL BROADCAST TRACK take LAST: subscribes to the groups 0 to LAST, a Group End that it never
//   raises; "took N bytes" once it has them, and stays.
//   moqlite-asker PROTOCOL URL BROADCAST TRACK fetch GROUP FILE: fetches a group into a file; "fetched N frames", ends.
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <moqlite/asio/quic_client.hpp>
#include <moqlite/asio/tls.hpp>
#include <moqlite/asio/url.hpp>
#include <moqlite/link/session_handler.hpp>
#include <moqlite/session/session.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace moqlite;

namespace {

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "moqlite-asker: %s\n", why.c_str());
    std::exit(1);
}

class asker {
public:
    explicit asker(std::vector<std::string> words)
        : words_{std::move(words)}, sequence_{std::strtoull(words_[3].c_str(), nullptr, 10)} {}

    void run(const asio::url& where, std::string protocol, const asio::tls& tls) {
        path_ = where.path;
        client_.connect(
            {.host = where.host, .port = where.port, .alpn = {std::move(protocol)}, .tls = tls},
            [this](link::connection& c, time_point now) { return connected(c, now); },
            [](const link::closed& how) { fail(how.reason); });
        io_.run();
    }

private:
    [[nodiscard]] bool fetches() const { return words_[2] == "fetch"; }
    [[nodiscard]] track_ref track() const { return {words_[0], words_[1]}; }

    std::unique_ptr<link::handler> connected(link::connection& c, time_point now) {
        session_.emplace(role::client, *version_from_alpn(c.alpn()), session_options{.path = path_}, now);
        const subscribe_options whole{
            .ordered = true, .max_age = complete_age, .start = group_sequence{0}, .end = sequence_};
        const auto asked = fetches() ? session_->fetch(track(), sequence_).has_value()
                                     : session_->subscribe(track(), whole).has_value();
        if (!asked) fail("cannot ask");
        auto handle = [this](const event& e) { on_event(e); };
        return std::make_unique<link::session_handler<session*, decltype(handle)>>(&*session_, std::move(handle));
    }
    void on_event(const event& e) {
        if (const auto* data = std::get_if<frame_data>(&e))
            take(*data);
        else if (const auto* closed = std::get_if<group_closed>(&e))
            take(*closed);
        else if (const auto* how = std::get_if<session_closed>(&e); how != nullptr && !done_)
            fail("the session has ended: " + std::string{how->reason});
    }
    void take(const frame_data& e) {
        content_ += as_text(e.data);
        frames_ += e.offset + e.data.size() == e.size ? 1 : 0;
        if (!fetches()) static_cast<void>(session_->release(e.group, e.data.size()));
    }
    void take(const group_closed& e) {
        if (!e.complete) fail("cut off: " + std::string{to_string(e.code)});
        if (!fetches() && groups_++ == number(sequence_)) say("took %zu bytes\n", content_.size());
        if (!fetches()) return;
        std::ofstream{words_[4], std::ios::binary} << content_;
        say("fetched %zu frames\n", frames_);
        done_ = true;
        client_.shutdown(app_error::cancel, "done", std::chrono::milliseconds{500}, [this] { io_.stop(); });
    }
    static void say(const char* what, std::size_t n) {
        std::printf(what, n);
        std::fflush(stdout);
    }

    boost::asio::io_context io_;
    std::vector<std::string> words_; ///< Broadcast, track, command and its arguments.
    group_sequence sequence_;
    std::string path_;
    std::string content_;
    std::size_t frames_ = 0;
    std::uint64_t groups_ = 0;
    bool done_ = false;
    std::optional<session> session_; ///< Outlives its connection.
    asio::quic_client client_{io_.get_executor()};
};

} // namespace

int main(int argc, char** argv) {
    const bool takes = argc == 7 && std::string_view{argv[5]} == "take";
    const bool fetches = argc == 8 && std::string_view{argv[5]} == "fetch";
    if (!takes && !fetches) fail("moqlite-asker PROTOCOL URL BROADCAST TRACK take LAST | fetch GROUP FILE");
    std::string why;
    const auto where = asio::parse_url(argv[2], why);
    const auto tls = asio::tls::client({.whom = asio::trust::insecure()}, why);
    if (!where || !tls) fail(why);
    asker{{argv + 3, argv + argc}}.run(*where, argv[1], *tls);
}
