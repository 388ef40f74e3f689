#include "web_server.hpp"

#include "web_files.hpp"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <fcntl.h>
#include <memory>
#include <moqlite/asio/host_port.hpp>
#include <unistd.h>
#include <utility>
#include <vector>

namespace moqlite::programs {

namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using net::ip::tcp;

/// Delay after an error of accept(), such as no more descriptors.
constexpr auto a_while = std::chrono::milliseconds{200};

/// Resources only from here, but WebTransport and certificate hashes also from other relays.
constexpr const char* policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                               "connect-src 'self' http: https:; base-uri 'none'; form-action 'none'; "
                               "frame-ancestors 'none'";

std::string_view path_of(const http::request<http::empty_body>& request) {
    const std::string_view target{request.target().data(), request.target().size()};
    return target.substr(0, target.find('?'));
}

} // namespace

/// A reserve descriptor: closing it makes room for one connection when the process has no more descriptors.
class reserved_descriptor {
public:
    reserved_descriptor() { take(); }
    ~reserved_descriptor() { static_cast<void>(release()); }
    reserved_descriptor(const reserved_descriptor&) = delete;
    reserved_descriptor& operator=(const reserved_descriptor&) = delete;

    void take() noexcept {
        if (descriptor_ < 0) descriptor_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    /// False: already in use.
    [[nodiscard]] bool release() noexcept { return descriptor_ >= 0 && ::close(std::exchange(descriptor_, -1)) == 0; }

private:
    int descriptor_ = -1;
};

class web_server::state : public std::enable_shared_from_this<state> {
public:
    state(net::any_io_executor executor, web_options o, page_function p)
        : options{std::move(o)},
          files{options.root, options.files, options.total},
          pages{std::move(p)},
          acceptor{executor},
          pause_{executor} {}

    bool open(const tcp::endpoint& at, bool both_families, std::string& why);
    void accept();
    void stop() {
        error_code ignored;
        acceptor.close(ignored);
        pause_.cancel();
    }
    /// The connection's descriptor is free again.
    void left(visitor& who) {
        std::erase(visitors_, &who);
        reserve_.take();
    }

    const web_options options;
    const web_files files;
    const page_function pages;
    tcp::acceptor acceptor;

private:
    void welcome(tcp::socket);
    void refused(const error_code&);
    void accept_later();
    /// Closes the oldest connection that waits for a request, of the address with the most of them; if none waits, the
    /// oldest. False: no connections.
    bool make_room();

    net::steady_timer pause_;
    std::vector<visitor*> visitors_; ///< The oldest first.
    reserved_descriptor reserve_;
    bool warned_ = false;
    bool accepting_ = false;
};

/// One connection, with one request at a time.
class web_server::visitor : public std::enable_shared_from_this<visitor> {
public:
    visitor(tcp::socket socket, std::shared_ptr<state> home)
        : stream_{std::move(socket)}, home_{std::move(home)}, buffer_{2 * home_->options.header} {
        error_code ignored;
        address_ = stream_.socket().remote_endpoint(ignored).address();
    }
    ~visitor() {
        stream_.close();
        home_->left(*this);
    }
    visitor(const visitor&) = delete;
    visitor& operator=(const visitor&) = delete;

    /// True: no complete request has arrived yet.
    [[nodiscard]] bool is_silent() const noexcept { return silent_; }
    [[nodiscard]] const net::ip::address& address() const noexcept { return address_; }
    void close() { stream_.close(); }

    void read() {
        silent_ = true;
        parser_.emplace();
        parser_->header_limit(static_cast<std::uint32_t>(home_->options.header));
        parser_->body_limit(0);
        stream_.expires_after(std::chrono::seconds{home_->options.seconds_to_ask});
        http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
            if (error) return self->complain(error);
            self->answer();
        });
    }

private:
    [[nodiscard]] bool only_looks() const {
        const auto method = parser_->get().method();
        return method == http::verb::get || method == http::verb::head;
    }

    /// Answers an invalid request with an error; a closed or silent connection gets no answer.
    void complain(error_code error) {
        static const auto& ours = http::make_error_code(http::error::bad_target).category();
        if (error.category() != ours || error == http::error::end_of_stream || error == http::error::partial_message)
            return;
        const bool has_body = error == http::error::body_limit || error == http::error::unexpected_body;
        if (has_body && !only_looks()) return refuse(405);
        refuse(error == http::error::header_limit ? 431 : 400);
    }

    void answer() {
        silent_ = false;
        if (!only_looks()) return refuse(405);
        const auto& request = parser_->get();
        const auto path = path_of(request);
        if (auto page = home_->pages(path)) return show(std::move(*page));
        if (const auto* file = home_->files.find(path)) return give(*file);
        if (path == "/") return show({"text/plain; charset=utf-8", home_->options.without_root + '\n'});
        refuse(404, request.keep_alive());
    }

    void refuse(unsigned status, bool keep_alive = false) {
        begin(status, "text/plain; charset=utf-8", keep_alive);
        page_ = std::string{http::obsolete_reason(static_cast<http::status>(status))} + '\n';
        if (status == 405) head_.set(http::field::allow, "GET, HEAD");
        write(page_);
    }

    void show(web_page page) {
        begin(page.status, page.type, parser_->keep_alive());
        head_.set(http::field::cache_control, "no-store");
        if (page.for_every_origin) head_.set(http::field::access_control_allow_origin, "*");
        page_ = std::move(page.text);
        write(page_);
    }

    void give(const web_file& file) {
        const bool known = parser_->get()[http::field::if_none_match] == file.tag;
        begin(known ? 304 : 200, file.type, parser_->keep_alive());
        head_.set(http::field::cache_control, "no-cache"); // May be stored, but must be revalidated.
        head_.set(http::field::etag, file.tag);
        head_.set("Content-Security-Policy", policy);
        write(known ? std::string_view{} : std::string_view{file.content});
    }

    void begin(unsigned status, std::string_view type, bool keep_alive) {
        head_ = {};
        head_.version(11);
        head_.result(status);
        head_.keep_alive(keep_alive);
        head_.set(http::field::content_type, type);
        head_.set("X-Content-Type-Options", "nosniff");
        head_.set("Referrer-Policy", "no-referrer");
    }

    /// `content` lives as long as this or the files.
    void write(std::string_view content) {
        if (head_.result() != http::status::not_modified) head_.content_length(content.size());
        const bool head_only = parser_->get().method() == http::verb::head;
        head_.body() = head_only ? boost::beast::span<const char>{}
                                 : boost::beast::span<const char>{content.data(), content.size()};
        serializer_.emplace(head_);
        stream_.expires_after(std::chrono::seconds{home_->options.seconds_to_answer});
        http::async_write(stream_, *serializer_, [self = shared_from_this()](error_code error, std::size_t) {
            if (error) return;
            if (self->head_.keep_alive()) return self->read();
            error_code ignored;
            self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
        });
    }

    beast::tcp_stream stream_;
    const std::shared_ptr<state> home_;
    net::ip::address address_;
    bool silent_ = true;
    beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::empty_body>> parser_;
    http::response<http::span_body<const char>> head_;
    std::optional<http::response_serializer<http::span_body<const char>>> serializer_;
    std::string page_;
};

bool web_server::state::open(const tcp::endpoint& at, bool both_families, std::string& why) {
    error_code error;
    acceptor.open(at.protocol(), error);
    if (!error) acceptor.set_option(net::socket_base::reuse_address{true}, error);
    if (!error && at.protocol() == tcp::v6()) acceptor.set_option(net::ip::v6_only{!both_families}, error);
    if (!error) acceptor.bind(at, error);
    if (!error) acceptor.listen(net::socket_base::max_listen_connections, error);
    if (!error) return true;
    why = "cannot listen on TCP port " + std::to_string(at.port()) + ": " + error.message();
    error_code ignored;
    acceptor.close(ignored);
    return false;
}

void web_server::state::accept() {
    if (!acceptor.is_open() || accepting_) return;
    acceptor.async_accept([self = shared_from_this()](const error_code& error, tcp::socket socket) {
        self->accepting_ = false;
        if (!self->acceptor.is_open()) return;
        if (error) return self->refused(error);
        try {
            self->welcome(std::move(socket));
        } catch (const std::bad_alloc&) { // The connection is closed.
        }
        self->accept();
    });
    accepting_ = true; // Last: async_accept() may throw.
}

void web_server::state::welcome(tcp::socket socket) {
    while (visitors_.size() >= options.connections && make_room()) {
    }
    auto made = std::make_shared<visitor>(std::move(socket), shared_from_this());
    visitors_.push_back(made.get());
    made->read();
}

bool web_server::state::make_room() {
    const auto crowd = [this](const visitor* of) {
        return std::ranges::count_if(visitors_, [of](const visitor* v) { return v->address() == of->address(); });
    };
    visitor* yields = nullptr;
    std::ptrdiff_t most = 0;
    for (auto* v : visitors_) {
        if (!v->is_silent()) continue;
        if (const auto n = crowd(v); n > most) {
            most = n;
            yields = v;
        }
    }
    if (yields == nullptr && !visitors_.empty()) yields = visitors_.front();
    if (yields == nullptr) return false;
    std::erase(visitors_, yields);
    yields->close();
    return true;
}

/// Without descriptors a new connection gets the reserve, or that of an idle connection, so that /health is still
/// answered.
void web_server::state::refused(const error_code& error) {
    const bool no_descriptor =
        error == net::error::no_descriptors || error == boost::system::errc::too_many_files_open_in_system;
    if (no_descriptor && !std::exchange(warned_, true) && options.warn)
        options.warn("--web cannot accept a connection: " + error.message() +
                     "; raise the limit of open files (ulimit -n, LimitNOFILE=)");
    if (no_descriptor && (reserve_.release() || make_room())) return accept();
    accept_later();
}

void web_server::state::accept_later() {
    pause_.expires_after(a_while);
    pause_.async_wait([self = shared_from_this()](const error_code& error) {
        if (!error) self->accept();
    });
}

web_server::web_server(net::any_io_executor executor, web_options o, page_function pages)
    : state_{std::make_shared<state>(std::move(executor), std::move(o), std::move(pages))} {}

web_server::~web_server() { state_->stop(); }

bool web_server::listen(std::string_view where, std::string& why) {
    const auto parsed = asio::parse_host_port(where, 0, why);
    if (!parsed) return false;
    if (parsed->host.empty()) {
        // IPv4 only, without IPv6.
        if (!state_->open({tcp::v6(), parsed->port}, true, why) && !state_->open({tcp::v4(), parsed->port}, false, why))
            return false;
    } else {
        error_code error;
        const auto host = net::ip::make_address(parsed->host, error);
        if (error) {
            why = "cannot listen on \"" + parsed->host + "\": it is not an IP address";
            return false;
        }
        if (!state_->open({host, parsed->port}, false, why)) return false;
    }
    state_->accept();
    return true;
}

void web_server::resume() { state_->accept(); }

link::address web_server::local_address() const {
    error_code ignored;
    const auto at = state_->acceptor.local_endpoint(ignored);
    return {at.data(), at.size()};
}

} // namespace moqlite::programs
