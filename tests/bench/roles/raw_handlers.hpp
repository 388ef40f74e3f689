// Handlers without a session: the same endpoint code without a protocol above QUIC.
#pragma once

#include "roles.hpp"

#include <array>
#include <deque>
#include <memory>
#include <moqlite/link/connection.hpp>
#include <moqlite/link/handler.hpp>
#include <optional>
#include <vector>

namespace moqlite::bench {

class raw_handler : public link::handler {
public:
    explicit raw_handler(link::connection& c) noexcept : connection_{c} {}
    void stream_received(stream_id id, byte_view bytes, bool, time_point) override {
        connection_.credit(id, bytes.size());
    }
    void stream_reset(stream_id, app_error, time_point) override {}
    void stream_stopped(stream_id, app_error, time_point) override {}
    void stream_writable(stream_id, time_point) override { blocked_ = false; }
    void stream_acked(stream_id, std::uint64_t, time_point) override {}
    void stream_closed(stream_id, std::optional<app_error>, time_point) override {}
    void streams_available(direction, time_point) override { blocked_ = false; }
    void pump(link::connection& to, time_point) override { to.flush(); }
    void on_closed(const link::closed&, time_point) override {}

    [[nodiscard]] link::connection& on() noexcept { return connection_; }

protected:
    link::connection& connection_;
    bool blocked_ = false;
};

/// Counts received bytes, and returns their credit.
class raw_sink final : public raw_handler {
public:
    raw_sink(link::connection& c, std::uint64_t& bytes) noexcept : raw_handler{c}, bytes_{bytes} {}
    void stream_received(stream_id id, byte_view bytes, bool fin, time_point now) override {
        bytes_ += bytes.size();
        raw_handler::stream_received(id, bytes, fin, now);
    }

private:
    std::uint64_t& bytes_;
};

/// Sends the same bytes on one stream endlessly.
class raw_endless final : public raw_handler {
public:
    raw_endless(link::connection& c, byte_view bytes) noexcept : raw_handler{c}, bytes_{bytes} {}
    void pump(link::connection& to, time_point) override;

private:
    byte_view bytes_;
    std::optional<stream_id> stream_;
};

/// Bytes in a forwarder, each copied once, on input, and kept until acknowledged.
class raw_pipe {
public:
    void append(byte_view bytes);
    /// What follows the written mark.
    [[nodiscard]] std::span<const byte_view> lend(std::size_t& size);
    void wrote(std::uint64_t n) noexcept { written_ += n; }
    void acked(std::uint64_t n);

private:
    static constexpr std::size_t block_size = 64 * 1024;
    struct block {
        std::array<std::byte, block_size> bytes;
    };
    std::deque<std::unique_ptr<block>> blocks_;
    std::vector<std::unique_ptr<block>> spare_;
    std::uint64_t base_ = 0; ///< Of the first block.
    std::uint64_t written_ = 0, acked_ = 0, end_ = 0;
    std::array<byte_view, 4> ranges_;
};

class raw_pipe_out;

/// Copies its one stream into a pipe, bounded by returning credit as the far side acknowledges.
class raw_pipe_in final : public raw_handler {
public:
    raw_pipe_in(link::connection& c, raw_pipe_out& out) noexcept;
    void stream_received(stream_id id, byte_view bytes, bool fin, time_point now) override;
    ~raw_pipe_in() override;
    void release(std::uint64_t n) { connection_.credit(stream_, n); }
    /// The far side's connection has ended.
    void part() noexcept { out_ = nullptr; }

private:
    raw_pipe_out* out_;
    stream_id stream_{};
};

class raw_pipe_out final : public raw_handler {
public:
    using raw_handler::raw_handler;
    ~raw_pipe_out() override {
        if (in_ != nullptr) in_->part();
    }
    void feed(byte_view bytes) {
        pipe_.append(bytes);
        connection_.wake();
    }
    /// Null: that connection has ended.
    void from(raw_pipe_in* in) noexcept { in_ = in; }
    void stream_acked(stream_id, std::uint64_t n, time_point) override {
        pipe_.acked(n);
        if (in_ != nullptr) in_->release(n);
    }
    void pump(link::connection& to, time_point) override;

private:
    raw_pipe pipe_;
    raw_pipe_in* in_ = nullptr;
    std::optional<stream_id> stream_;
};

/// Frames for all receivers, with the same bytes.
struct raw_frames {
    std::vector<std::byte> group; ///< The frames of one group.
    std::uint64_t due = 0;        ///< Bytes, from the beginning of time.
};

/// Sends them, each group on a stream of its own.
class raw_fan : public raw_handler {
public:
    raw_fan(link::connection& c, const raw_frames& frames) noexcept
        : raw_handler{c}, frames_{frames}, at_{frames.due / frames.group.size() * frames.group.size()} {}
    void pump(link::connection& to, time_point) override;

private:
    const raw_frames& frames_;
    std::uint64_t at_;
    std::optional<stream_id> stream_; ///< The group around at_.
};

} // namespace moqlite::bench
