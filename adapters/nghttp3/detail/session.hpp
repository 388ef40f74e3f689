// A WebTransport session, as a link::connection for its handler.
#pragma once

#include "stream_table.hpp"

#include <array>
#include <memory>
#include <moqlite/link/connection.hpp>
#include <moqlite/webtransport/session.hpp>
#include <moqlite/webtransport/stream_prefix.hpp>
#include <string>
#include <vector>

namespace moqlite::nghttp3::detail {

class session final : public link::connection {
public:
    session(link::connection& quic, stream_table&, stream_id id, std::string protocol, webtransport::session&&);

    [[nodiscard]] std::optional<stream_id> open(direction) override;
    [[nodiscard]] std::optional<std::size_t> write(const write_stream&) override;
    void reset(stream_id, app_error) override;
    void stop(stream_id, app_error) override;
    void credit(stream_id id, std::uint64_t bytes) override { quic_.credit(id, bytes); }
    void close(app_error, std::string_view reason) override;
    void flush() override { quic_.flush(); }
    bool send(byte_view datagram) override;
    void wake() override { quic_.wake(); }
    [[nodiscard]] role side() const noexcept override { return quic_.side(); }
    [[nodiscard]] std::string_view alpn() const noexcept override { return protocol_; }
    [[nodiscard]] const link::address& remote() const noexcept override { return quic_.remote(); }
    [[nodiscard]] const link::address& local() const noexcept override { return quic_.local(); }
    [[nodiscard]] const link::tls_facts& tls() const noexcept override { return quic_.tls(); }
    [[nodiscard]] link::connection_stats stats() const override { return quic_.stats(); }
    [[nodiscard]] std::size_t datagram_size() const override;

    /// The stream of the CONNECT.
    [[nodiscard]] stream_id id() const noexcept { return id_; }
    void handler(std::unique_ptr<link::handler> h) noexcept { handler_ = std::move(h); }
    /// The handler of events; nullptr before the session begins and once its end is decided.
    [[nodiscard]] link::handler* active_handler() const noexcept {
        return state_.is_established() && !closing_ ? handler_.get() : nullptr;
    }
    void pump(time_point);
    /// The peer has acknowledged `n` more bytes of a stream.
    void acked(stream_id, stream&, std::uint64_t n, time_point);

    /// The session's state machine, on the stream of the CONNECT.
    [[nodiscard]] webtransport::session& state() noexcept { return state_; }
    [[nodiscard]] const webtransport::session& state() const noexcept { return state_; }
    /// Reports the end, if reached, to the handler, and destroys that.
    void settle(time_point);
    void connection_closed(const link::closed&, time_point);

private:
    struct prefix {
        std::array<std::byte, webtransport::stream_prefix_size_max> bytes{};
        std::size_t size = 0;
    };
    /// The part of the prefix that is not written yet.
    [[nodiscard]] byte_view rest_of_prefix(stream_id, const stream&) const noexcept;
    [[nodiscard]] byte_view copy_of(const write_stream&, const stream&);
    void flush_pending_fins();
    void reset_streams();
    void finish(const link::closed&, time_point);

    link::connection& quic_;
    stream_table& streams_;
    stream_id id_;
    std::string protocol_;
    const bool resets_reliably_;
    std::unique_ptr<link::handler> handler_;
    webtransport::session state_;
    std::array<prefix, 2> prefixes_;        ///< By direction.
    std::vector<byte_view> pieces_;         ///< Of the current write.
    std::vector<std::byte> datagram_;       ///< Buffer of the last one sent.
    std::vector<stream_id> pending_fins_;   ///< Streams without data whose prefix could not be written completely.
    std::unique_ptr<link::closed> closing_; ///< Requested, not executed yet.
    bool pumping_ = false;                  ///< Within the handler's pump.
};

} // namespace moqlite::nghttp3::detail
