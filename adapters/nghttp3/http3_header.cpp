// nghttp3's receive callbacks, and the headers assembled from them.
#include "detail/compat.hpp"
#include "detail/http3.hpp"

#include <algorithm>
#include <exception>
#include <memory>
#include <random>
#include <span>

namespace moqlite::nghttp3::detail {

namespace {

void random_bytes(std::uint8_t* out, std::size_t size) {
    std::random_device source;
    std::generate_n(out, size, [&] { return static_cast<std::uint8_t>(source()); });
}

} // namespace

void http3::scan(stream_id id, byte_view bytes) {
    if (quic_.side() == role::client || direction_of(id) == direction::uni) return;
    const auto [at, is_new] = scans_.try_emplace(number(id));
    if (is_new) at->second = std::make_unique<field_scan>(memory_.functions());
    if (at->second) at->second->receive(bytes);
}

void http3::begin_header(stream_id id) {
    if (headers_.size() < headers_max)
        headers_.insert_or_assign(number(id), arriving{{}, now_});
    else
        refuse(id);
}

void http3::end_header(stream_id id, bool fin) {
    const auto found = headers_.find(number(id));
    if (found == headers_.end()) return; // Refused.
    auto header = std::move(found->second.header);
    headers_.erase(found);
    if (const auto s = scans_.find(number(id)); s != scans_.end() && s->second) {
        header.bad_origin = !s->second->is_done() || s->second->has_bad_origin();
        s->second.reset();
    }
    listener_.message_received(id, std::move(header), fin, now_);
}

void http3::refuse(stream_id id) {
    headers_.erase(number(id));
    quic_.reset(id, to_code(http3_code::request_rejected));
    quic_.stop(id, to_code(http3_code::request_rejected));
    listener_.message_refused(id);
}

namespace {

std::string_view text_of(nghttp3_rcbuf* b) noexcept {
    const auto v = nghttp3_rcbuf_get_buf(b);
    return {reinterpret_cast<const char*>(v.base), v.len};
}

} // namespace

/// No exception may pass through nghttp3: check() rethrows what `action` throws.
template <class Action>
int http3::contain(Action action) noexcept {
    try {
        action();
        return 0;
    } catch (...) {
        dead_ = true;
        thrown_ = std::current_exception();
        return NGHTTP3_ERR_CALLBACK_FAILURE;
    }
}

void http3::add_field(stream_id id, std::string_view name, std::string_view value) {
    const auto found = headers_.find(number(id));
    if (found != headers_.end()) found->second.header.add(name, value);
}

nghttp3_callbacks http3::callbacks() {
    nghttp3_callbacks cb{};
    cb.begin_headers = [](nghttp3_conn*, std::int64_t id, void* self, void*) {
        auto& h = *static_cast<http3*>(self);
        return h.contain([&] { h.begin_header(id_of(id)); });
    };
    cb.recv_header = [](nghttp3_conn*, std::int64_t id, std::int32_t, nghttp3_rcbuf* name, nghttp3_rcbuf* value,
                         std::uint8_t, void* self, void*) {
        auto& h = *static_cast<http3*>(self);
        return h.contain([&] { h.add_field(id_of(id), text_of(name), text_of(value)); });
    };
    cb.end_headers = [](nghttp3_conn*, std::int64_t id, int fin, void* self, void*) {
        auto& h = *static_cast<http3*>(self);
        return h.contain([&] { h.end_header(id_of(id), fin != 0); });
    };
    cb.recv_data = [](nghttp3_conn*, std::int64_t id, const std::uint8_t* data, std::size_t size, void* self, void*) {
        auto& h = *static_cast<http3*>(self);
        const auto bytes = std::as_bytes(std::span{data, size});
        return h.contain([&] { h.listener_.body_received(id_of(id), bytes, h.now_); });
    };
    cb.end_stream = [](nghttp3_conn*, std::int64_t id, void* self, void*) {
        auto& h = *static_cast<http3*>(self);
        return h.contain([&] { h.listener_.message_ended(id_of(id), h.now_); });
    };
    // Called within reading, which ngtcp2 allows.
    cb.stop_sending = [](nghttp3_conn*, std::int64_t id, std::uint64_t code, void* self, void*) {
        auto& h = *static_cast<http3*>(self);
        return h.contain([&] { h.quic_.stop(id_of(id), app_error{code}); });
    };
    cb.reset_stream = [](nghttp3_conn*, std::int64_t id, std::uint64_t code, void* self, void*) {
        auto& h = *static_cast<http3*>(self);
        return h.contain([&] { h.quic_.reset(id_of(id), app_error{code}); });
    };
    set_rand(cb, random_bytes);
    return cb;
}

} // namespace moqlite::nghttp3::detail
