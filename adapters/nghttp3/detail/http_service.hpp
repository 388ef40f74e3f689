// The requests of one connection that are answered by server_options::http.
#pragma once

#include "exchange.hpp"
#include "http3.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <moqlite/nghttp3/server.hpp>
#include <optional>
#include <span>
#include <string_view>

namespace moqlite::nghttp3::detail {

class http_service {
public:
    http_service(http3&, link::connection&, std::shared_ptr<const server_options>, stats&);

    [[nodiscard]] bool is_on() const noexcept { return options_->http != nullptr; }

    /// Keeps a piece of the body of `of`, one of `all`, within the bounds.
    void body_received(exchange& of, byte_view, std::span<const exchange> all);

    enum class step : std::uint8_t { waits, answered, refused };
    struct outcome {
        step what = step::waits;
        int status = 0; ///< If refused.
        std::string_view why{};
    };
    /// In a pump: answers the request if it is complete and there is room for the answer.
    [[nodiscard]] outcome handle(const exchange&, time_point);
    /// In a pump: cuts off responses that the client does not take.
    void cut_off_late(time_point);
    /// The stream of a request has ended, or was cut off.
    void request_over(stream_id);

    /// When to pump again.
    [[nodiscard]] std::optional<time_point> deadline(std::span<const exchange> all) const;
    /// Until when a connection without a session is kept; nullopt: it has no use.
    [[nodiscard]] std::optional<time_point> keep_until(std::span<const exchange> all, time_point now) const;

private:
    struct response {
        time_point since;
        std::size_t size;
    };
    [[nodiscard]] time_point due(const exchange&) const;
    [[nodiscard]] bool has_room() const;
    [[nodiscard]] http_response ask(const exchange&);
    void send(const exchange&, const http_response&, time_point);
    void log_fault(std::string_view);

    static constexpr std::size_t responses_max = 32;

    http3& http_;
    link::connection& quic_;
    std::shared_ptr<const server_options> options_;
    stats& counts_;
    std::map<stream_id, response> responses_; ///< Not acknowledged, or whose requests have not ended.
    std::optional<time_point> answered_;      ///< The last one.
    int faults_ = 0;
};

} // namespace moqlite::nghttp3::detail
