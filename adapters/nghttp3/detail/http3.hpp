// An nghttp3_conn on a QUIC connection: requests and their answers, and the three streams of each side.
// Of WebTransport it knows only the SETTINGS.
#pragma once

#include "../../common/counted_memory.hpp"
#include "control_stream.hpp"
#include "field_scan.hpp"
#include "message.hpp"
#include "priority_guard.hpp"

#include <cstdint>
#include <exception>
#include <memory>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/link/connection.hpp>
#include <moqlite/webtransport/error_code.hpp>
#include <moqlite/webtransport/settings.hpp>
#include <nghttp3/nghttp3.h>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace moqlite::nghttp3::detail {

using webtransport::http3_code;

[[nodiscard]] inline std::int64_t raw(stream_id id) noexcept { return static_cast<std::int64_t>(number(id)); }
[[nodiscard]] inline stream_id id_of(std::int64_t id) noexcept { return stream_id{static_cast<std::uint64_t>(id)}; }
/// The code as link::connection takes it.
[[nodiscard]] inline app_error to_code(http3_code c) noexcept { return app_error{static_cast<std::uint64_t>(c)}; }

struct field {
    std::string_view name, value;
};

class http3 {
public:
    /// Reports what was received; called within receive().
    class listener {
    public:
        virtual void message_received(stream_id, message&&, bool fin, time_point) = 0;
        virtual void body_received(stream_id, byte_view, time_point) = 0;
        virtual void message_ended(stream_id, time_point) = 0;
        /// A request of which nothing more is kept.
        virtual void message_refused(stream_id) = 0;

    protected:
        ~listener() = default;
    };

    http3(link::connection&, listener&);
    ~http3();
    http3(const http3&) = delete;
    http3& operator=(const http3&) = delete;

    // Inputs, for streams that are not WebTransport's.
    void receive(stream_id, byte_view, bool fin, time_point);
    void reset(stream_id);
    void stopped(stream_id);
    void writable(stream_id);
    void acked(stream_id, std::uint64_t n);
    void closed(stream_id, http3_code);

    /// A stream of the peer's is its control stream. nullptr: no SETTINGS yet.
    void control_stream_is(stream_id id) noexcept { remote_control_ = id; }
    [[nodiscard]] const webtransport::settings* settings() const noexcept { return settings_.received(); }

    // Commands, in a pump.

    /// Opens the three streams, once. False: the peer grants no streams.
    [[nodiscard]] bool open_streams();
    [[nodiscard]] bool is_open() const noexcept { return open_; }
    /// Request or answer, with a body that stays open if `open`, otherwise without.
    void request(stream_id, std::span<const field>);
    void respond(stream_id, std::span<const field>, bool open);
    /// Sends `bytes`, if any, in a DATA frame of their own on an open body; then, if `fin`, ends it.
    void send_body(stream_id, std::vector<std::byte> bytes, bool fin);
    /// Aborts both halves of a request's stream, and releases its body.
    void abort(stream_id, http3_code);
    /// The stream was reset, or is about to be: its body is freed once that has been flushed.
    void release_body(stream_id);
    /// The connection has flushed.
    void flushed() noexcept;
    /// Sends what is pending, as far as the connection takes it.
    void write();

    /// Closes the connection.
    void fail(http3_code, std::string_view reason);
    [[nodiscard]] bool has_failed() const noexcept { return dead_; }

    /// Deadline of the oldest incomplete header.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept;
    void tick(time_point);

private:
    struct arriving {
        message header;
        time_point since;
    };
    /// An open body of ours.
    struct open_body {
        std::vector<std::vector<std::byte>> pieces; ///< Few: kept until the stream is closed.
        std::size_t read = 0;                       ///< How many of them nghttp3 has.
        bool ends = false;
    };

    [[nodiscard]] static nghttp3_callbacks callbacks();
    [[nodiscard]] static nghttp3_data_reader body_reader();
    [[nodiscard]] nghttp3_ssize read_body(stream_id, nghttp3_vec& out, std::uint32_t& flags);
    [[nodiscard]] bool copy_control(std::span<const nghttp3_vec>);
    void scan(stream_id, byte_view);
    void begin_header(stream_id);
    void end_header(stream_id, bool fin);
    void refuse(stream_id);
    void check(int result);
    void add_field(stream_id, std::string_view name, std::string_view value);
    template <class Action>
    [[nodiscard]] int contain(Action) noexcept;

    static constexpr std::size_t memory = 1024 * 1024;
    static constexpr std::size_t headers_max = 32; ///< Incomplete ones at once.
    static constexpr duration header_timeout = std::chrono::seconds{10};

    link::connection& quic_;
    listener& listener_;
    adapters::counted_memory<nghttp3_mem> memory_{memory};
    nghttp3_conn* conn_ = nullptr;
    control_stream control_;
    priority_guard guard_; ///< For the peer's control stream.
    webtransport::settings_reader settings_;
    std::optional<stream_id> remote_control_;
    std::unordered_map<std::uint64_t, arriving> headers_;
    /// By request stream, of a server; null: its header is complete.
    std::unordered_map<std::uint64_t, std::unique_ptr<field_scan>> scans_;
    std::unordered_map<std::uint64_t, open_body> bodies_; ///< By stream.
    std::vector<open_body> released_;                     ///< QUIC may still read them.
    time_point now_{};
    bool open_ = false;
    bool dead_ = false;
    bool idle_ = false;         ///< nghttp3 had nothing more to write, and has been told nothing since.
    std::exception_ptr thrown_; ///< By a callback.
};

} // namespace moqlite::nghttp3::detail
