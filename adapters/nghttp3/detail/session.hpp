// A WebTransport session, to its handler a connection of its own.
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
    [[nodiscard]] link::connection_stats stats() const override { return quic_.stats(); }
    [[nodiscard]] std::size_t datagram_size() const override;

    /// Of the CONNECT.
    [[nodiscard]] stream_id id() const noexcept { return id_; }
    void handler(std::unique_ptr<link::handler> h) noexcept { upper_ = std::move(h); }
    /// Whom to tell what happens; nullptr: before it begins, and from when its end was decided.
    [[nodiscard]] link::handler* upper() const noexcept {
        return state_.is_established() && !closing_ ? upper_.get() : nullptr;
    }
    void pump(time_point);
    /// The peer has `n` more bytes of a stream.
    void acked(stream_id, stream&, std::uint64_t n, time_point);

    /// What is said on the stream of the CONNECT, and after.
    [[nodiscard]] webtransport::session& state() noexcept { return state_; }
    [[nodiscard]] const webtransport::session& state() const noexcept { return state_; }
    /// Tells the handler of the end, if it has come; there is no handler afterwards.
    void settle(time_point);
    void connection_closed(const link::closed&, time_point);

private:
    struct prefix {
        std::array<std::byte, webtransport::stream_prefix_size_max> bytes{};
        std::size_t size = 0;
    };
    /// What of the prefix is still to be written.
    [[nodiscard]] byte_view rest_of_prefix(stream_id, const stream&) const noexcept;
    void pay();
    void reset_streams();
    void finish(const link::closed&, time_point);

    link::connection& quic_;
    stream_table& streams_;
    stream_id id_;
    std::string protocol_;
    std::unique_ptr<link::handler> upper_;
    webtransport::session state_;
    std::array<prefix, 2> prefixes_;        ///< By direction.
    std::vector<byte_view> pieces_;         ///< Of the write under way.
    std::vector<std::byte> datagram_;       ///< The last that was sent.
    std::vector<stream_id> owed_;           ///< They end with their prefix, of which not all could be written.
    std::unique_ptr<link::closed> closing_; ///< Wanted, not done yet.
    bool pumping_ = false;                  ///< The handler's pump is under way.
};

} // namespace moqlite::nghttp3::detail
