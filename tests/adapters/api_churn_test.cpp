// A thousand sessions that come, subscribe, publish, and vanish without a farewell, while their server and their origin
// end: each operation completes once, and nothing stays behind.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <moqlite/asio/client.hpp>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/server.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace moqlite::test::api_churn {
namespace {

namespace moq = moqlite::asio;
namespace net = boost::asio;
using boost::system::error_code;
using namespace std::chrono_literals;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t sessions = 200;
#else
constexpr std::size_t sessions = 1000;
#endif

/// What nobody reads any more is forgotten soon.
limits forgetful() {
    limits l;
    l.cache_age = 20ms;
    return l;
}

struct tally {
    std::size_t begun = 0, completed = 0;
    std::size_t connected = 0, read = 0; ///< Sessions, and those whose client has read a frame.
    std::size_t heard = 0;               ///< Frames of clients that the server has read.
    std::map<std::string, int> open{};   ///< Operations that have not ended.
};

/// Whose operations are counted. An error ends what it was about, and no more.
template <class Self>
class counting : public std::enable_shared_from_this<Self> {
protected:
    explicit counting(tally& t) : all(t) {}
    template <class F>
    auto then(const char* name, F f) {
        ++all.begun;
        ++all.open[name];
        return [weak = this->weak_from_this(), &t = all, f, name](error_code e, auto... result) {
            ++t.completed;
            --t.open[name];
            const auto self = weak.lock();
            if (self && !self->over && !e) f(*self, std::move(result)...);
        };
    }
    tally& all;
    bool over = false;
};

/// Each vanishes at another point of its visit, and every other one speaks HTTP/3.
class visitor final : public counting<visitor> {
public:
    visitor(const net::any_io_executor& on, std::size_t number, tally& t)
        : counting(t), number_(number), client_(on, {.trusted = moq::trust::insecure()}) {
        origin = moq::origin{client_.origin()}.state();
    }
    void come(const std::string& address, const std::function<void()>& settled) {
        ++all.begun;
        const auto url = (number_ % 2 == 0 ? "moqt://" : "https://") + address;
        client_.async_connect(url, moq::connect_request{.timeout = 2s},
            [weak = weak_from_this(), settled, &t = all](error_code e, moq::session s) {
                ++t.completed;
                t.connected += e ? 0 : 1;
                if (const auto self = weak.lock(); self && !e) self->connected(std::move(s));
                settled();
            });
        if (leaves_after(0)) settled();
    }
    /// Its owner destroys it.
    std::function<void()> vanish;
    std::weak_ptr<void> origin;

private:
    [[nodiscard]] bool leaves_after(std::size_t stage) {
        if (number_ / 2 % 6 != stage) return false;
        vanish();
        return true;
    }
    void connected(moq::session s) {
        session_ = std::move(s);
        if (leaves_after(1)) return;
        session_.async_subscribe(
            {"film", "t"}, then("subscribe", [](visitor& v, moq::track_reader r) { v.subscribed(std::move(r)); }));
        mine_ = moq::origin{client_.origin()}.publish("visit/" + std::to_string(number_));
        writer_ = mine_.track("t");
        writer_.async_open_group(then("open group", [](visitor& v, moq::group_writer g) {
            static_cast<void>(g.write("hello"));
            v.half_ = std::move(g);
        }));
        session_.async_closed(then("closed", [](visitor&) {}));
    }
    void subscribed(moq::track_reader r) {
        reader_ = std::move(r);
        if (leaves_after(2)) return;
        reader_.async_next_group(then("next group", [](visitor& v, std::optional<moq::group_reader> g) {
            v.group_ = std::move(g);
            if (v.group_ && !v.leaves_after(3))
                v.group_->async_next_frame(v.then("first frame", [](visitor& its, const std::optional<moq::frame>&) {
                    ++its.all.read;
                    if (!its.leaves_after(4))
                        its.group_->async_next_frame(its.then("second frame", [](visitor&, const auto&) {}));
                }));
        }));
    }

    std::size_t number_;
    moq::client client_;
    moq::session session_;
    moq::broadcast mine_;
    moq::track_writer writer_;
    moq::group_writer half_;
    moq::track_reader reader_;
    std::optional<moq::group_reader> group_;
};

/// Serves a film, and reads what visitors publish.
class host final : public counting<host> {
public:
    host(const net::any_io_executor& on, tally& t)
        : counting(t), origin_(std::in_place, on, moq::origin_options{.bounds = forgetful()}) {
        moq::server_options o;
        o.transport.quic.idle_timeout = 400ms;
        server_.emplace(*origin_, std::move(o));
        if (server_->listen("127.0.0.1:0")) throw std::runtime_error{"no port"};
        address = server_->addresses().front();
        origin = origin_->state();
    }
    void open() {
        film_ = origin_->publish("film");
        writer_ = film_.track("t");
        group_ = writer_.open_group();
        static_cast<void>(group_.write("scene"));
        visits_ = origin_->announcements("visit");
        hear();
    }
    void close() { server_->close(); }
    void shut_down() {
        server_->async_shutdown(20ms, "", then("shutdown", [](host&) {}));
    }
    void destroy_server() { server_.reset(); }
    /// Everything but what others hold.
    void destroy() {
        server_.reset(), origin_.reset();
        leave();
    }
    void leave() {
        over = true;
        group_ = {}, writer_ = {}, film_ = {}, visits_ = {}, readers_.clear(), groups_.clear();
    }
    [[nodiscard]] relay_stats stats() const { return origin_ ? origin_->stats() : relay_stats{}; }

    std::string address;
    std::weak_ptr<void> origin;

private:
    void hear() {
        visits_.async_next(then("announcement", [](host& h, const std::optional<moq::announcement>& a) {
            if (!a || !h.origin_) return;
            if (a->available) h.origin_->async_subscribe({a->path, "t"}, soon(), h.then("visit", &host::read));
            h.hear();
        }));
    }
    /// It may have gone already: nothing else would end the operation.
    static moq::subscribe_request soon() {
        moq::subscribe_request r;
        r.timeout = 200ms;
        return r;
    }
    static void read(host& h, moq::track_reader r) {
        auto& reader = h.readers_.emplace_back(std::move(r));
        reader.async_next_group(h.then("group of a visit", [](host& its, std::optional<moq::group_reader> g) {
            if (!g) return;
            auto& group = its.groups_.emplace_back(std::move(*g));
            group.async_next_frame(its.then("frame of a visit",
                [](host& who, const std::optional<moq::frame>& f) { who.all.heard += f ? 1u : 0u; }));
        }));
    }

    std::optional<moq::origin> origin_;
    std::optional<moq::server> server_;
    moq::broadcast film_;
    moq::track_writer writer_;
    moq::group_writer group_;
    moq::announcements visits_;
    std::vector<moq::track_reader> readers_;
    std::vector<moq::group_reader> groups_;
};

struct ending {
    const char* name;
    std::function<void(host&)> run;
};

/// Visitors come, at most `crowd` at once in their handshakes; when half of them have, the server ends. All of it is on
/// a strand, of two threads.
class day {
public:
    day(std::size_t visitors, const ending& how) : how_(how), visitors_(visitors) {
        for (int i = 0; i != 2; ++i) threads_.emplace_back([this] { io_.run(); });
    }
    ~day() {
        io_.stop();
        for (auto& t : threads_) t.join();
    }
    day(const day&) = delete;
    day& operator=(const day&) = delete;

    /// False: something is left.
    bool pass() {
        run([this] {
            host_ = std::make_shared<host>(on_, all);
            origins_.push_back(host_->origin);
            host_->open();
            for (std::size_t i = 0; i != crowd; ++i) more();
        });
        const bool all_came = until([this] { return settled_ == visitors_.size(); });
        run([this] {
            for (auto& v : visitors_) v.reset();
            host_->leave();
        });
        const bool emptied = until([this] {
            const auto s = host_->stats();
            return s.sessions + s.broadcasts + s.tracks + s.readers + s.memory == 0;
        });
        run([this] { host_.reset(); });
        const bool answered = until([this] { return all.begun == all.completed; });
        const bool forgotten =
            until([this] { return std::ranges::all_of(origins_, [](const auto& o) { return o.expired(); }); });
        return all_came && emptied && answered && forgotten;
    }
    tally all;

private:
    static constexpr std::size_t crowd = 24;

    void more() {
        if (begun_ == visitors_.size()) return;
        const auto i = begun_++;
        const auto v = std::make_shared<visitor>(on_, i, all);
        origins_.push_back(v->origin);
        visitors_[i] = v;
        v->vanish = [this, i] { visitors_[i].reset(); };
        v->come(host_->address, [this, once = std::make_shared<bool>(false)] {
            if (!std::exchange(*once, true)) settled();
        });
    }
    void settled() {
        if (++settled_ == visitors_.size() / 2) how_.run(*host_);
        net::post(on_, [this] { more(); });
    }
    /// On the strand.
    void run(const std::function<void()>& what) {
        std::promise<void> done;
        net::post(on_, [&] {
            try {
                what();
                done.set_value();
            } catch (...) {
                done.set_exception(std::current_exception());
            }
        });
        done.get_future().get();
    }
    bool until(const std::function<bool()>& what) {
        bool is_so = false;
        const auto end = std::chrono::steady_clock::now() + 30s;
        while (!is_so && std::chrono::steady_clock::now() < end) {
            run([&] { is_so = what(); });
            if (!is_so) std::this_thread::sleep_for(1ms);
        }
        return is_so;
    }

    const ending& how_;
    net::io_context io_{2};
    net::executor_work_guard<net::io_context::executor_type> work_ = net::make_work_guard(io_);
    net::strand<net::io_context::executor_type> on_ = net::make_strand(io_);
    std::shared_ptr<host> host_;
    std::vector<std::shared_ptr<visitor>> visitors_;
    std::vector<std::weak_ptr<void>> origins_;
    std::size_t begun_ = 0, settled_ = 0;
    std::vector<std::thread> threads_;
};

TEST_CASE(
    "sessions vanish by the hundred while their server and origin end, and nothing stays behind", "[api][churn]") {
    const std::vector<ending> endings{{"nothing ends", [](host&) {}},
        {"the server is closed", [](host& h) { h.close(); }},
        {"the server is shut down", [](host& h) { h.shut_down(); }},
        {"the server is destroyed", [](host& h) { h.destroy_server(); }},
        {"server and origin are destroyed", [](host& h) { h.destroy(); }}};
    std::size_t read = 0, heard = 0;
    for (const auto& how : endings) {
        day d{sessions / endings.size(), how};
        const bool passed = d.pass();
        CHECK(passed);
        INFO(how.name << ": " << d.all.connected << " connected, " << d.all.read << " read, " << d.all.heard
                      << " were heard, " << d.all.completed << " of " << d.all.begun << " operations ended");
        for (const auto& [name, open] : d.all.open) {
            INFO(name);
            CHECK(open == 0);
        }
        CHECK(d.all.begun == d.all.completed);
        CHECK(d.all.connected >= sessions / endings.size() / 4);
        read += d.all.read, heard += d.all.heard;
    }
    CHECK((read > 0 && heard > 0));
}

} // namespace
} // namespace moqlite::test::api_churn
