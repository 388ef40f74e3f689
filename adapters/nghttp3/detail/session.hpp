// A WebTransport session, to its handler a connection of its own.
#pragma once

#include "stream_table.hpp"

#include <array>
#include <memory>
#include <moqlite/ngtcp2/connection.hpp>
#include <moqlite/webtransport/stream_prefix.hpp>
#include <string>
#include <vector>

namespace moqlite::nghttp3::detail {

class session final : public ngtcp2::connection {
public:
    session(ngtcp2::connection& quic, stream_table& streams, stream_id id, std::string protocol);

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
    [[nodiscard]] const ngtcp2::address& remote() const noexcept override { return quic_.remote(); }
    [[nodiscard]] ngtcp2::connection_stats stats() const override { return quic_.stats(); }
    [[nodiscard]] std::size_t datagram_size() const override;

    /// Of the CONNECT.
    [[nodiscard]] stream_id id() const noexcept { return id_; }
    void begin(std::unique_ptr<ngtcp2::handler> h) noexcept { upper_ = std::move(h); }
    /// Whom to tell what happens; nullptr once the end was decided.
    [[nodiscard]] ngtcp2::handler* upper() const noexcept { return ending_ ? nullptr : upper_.get(); }
    void pump(time_point);
    /// The peer's acknowledgement of `n` bytes of a stream.
    void acked(stream_id, stream&, std::uint64_t n, time_point);

    /// Decides that it ends. The first reason given stays.
    void end(ngtcp2::closed how);
    [[nodiscard]] bool is_ending() const noexcept { return ending_ && upper_; }
    /// What the peer is told of the end; empty where it was the peer's.
    [[nodiscard]] std::vector<std::byte> farewell() const;
    /// Tells the handler, which is no more afterwards.
    void finish(time_point);

private:
    struct prefix {
        std::array<std::byte, webtransport::stream_prefix_size_max> bytes{};
        std::size_t size = 0;
    };
    [[nodiscard]] const prefix& prefix_of(stream_id id) const noexcept {
        return prefixes_[direction_of(id) == direction::uni ? 1 : 0];
    }
    [[nodiscard]] bool pay();

    ngtcp2::connection& quic_;
    stream_table& streams_;
    stream_id id_;
    std::string protocol_;
    std::unique_ptr<ngtcp2::handler> upper_;
    std::array<prefix, 2> prefixes_;
    std::vector<byte_view> pieces_;   ///< Of the write under way.
    std::vector<std::byte> datagram_; ///< The last that was sent.
    std::vector<stream_id> owed_;     ///< Streams that are to end with the prefix, of which not all could be written.
    std::unique_ptr<ngtcp2::closed> ending_;
};

} // namespace moqlite::nghttp3::detail
