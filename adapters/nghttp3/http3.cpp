#include "detail/http3.hpp"

#include "detail/compat.hpp"

#include <array>
#include <span>
#include <string>
#include <utility>

namespace moqlite::nghttp3::detail {

namespace {

const std::uint8_t* octets(byte_view b) noexcept { return reinterpret_cast<const std::uint8_t*>(b.data()); }

/// nghttp3 copies fields and does not write to ours.
nghttp3_nv to_nghttp3(const field& f) noexcept {
    const auto octets_of = [](std::string_view text) {
        return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
    };
    return {octets_of(f.name), octets_of(f.value), f.name.size(), f.value.size(), NGHTTP3_NV_FLAG_NONE};
}

} // namespace

http3::http3(link::connection& quic, listener& l) : quic_{quic}, listener_{l} {
    nghttp3_settings s;
    nghttp3_settings_default(&s);
    // A connection has one or two requests: a dynamic table would only cost memory, blocked streams and attack surface.
    s.qpack_max_dtable_capacity = 0;
    s.qpack_encoder_max_dtable_capacity = 0;
    s.qpack_blocked_streams = 0;
    s.max_field_section_size = message::size_max;
    s.h3_datagram = 1;
    set_no_glitch_limit(s);
    s.enable_connect_protocol = quic.side() == role::server ? 1 : 0;
    const auto cb = callbacks();
    const int rv = quic.side() == role::server ? nghttp3_conn_server_new(&conn_, &cb, &s, memory_.functions(), this)
                                               : nghttp3_conn_client_new(&conn_, &cb, &s, memory_.functions(), this);
    if (rv != 0) fail(http3_code::internal_error, nghttp3_strerror(rv));
    // nghttp3 checks the ids in PRIORITY_UPDATE against this. What such frames can occupy is bounded in bytes.
    if (rv == 0 && quic.side() == role::server) nghttp3_conn_set_max_client_streams_bidi(conn_, 1ull << 60);
}

http3::~http3() { nghttp3_conn_del(conn_); }

void http3::fail(http3_code code, std::string_view reason) {
    dead_ = true;
    quic_.close(to_code(code), reason);
}

void http3::check(int result) {
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    if (result == 0 || dead_) return;
    fail(http3_code{nghttp3_err_infer_quic_app_error_code(result)}, std::string{"HTTP/3: "} + nghttp3_strerror(result));
}

// Inputs.

void http3::receive(stream_id id, byte_view bytes, bool fin, time_point now) {
    idle_ = false;
    if (dead_ || (bytes.empty() && !fin)) return;
    now_ = now;
    scan(id, bytes);
    const auto time = static_cast<std::uint64_t>(now.time_since_epoch().count());
    const auto passed = priority_guard::needed && remote_control_ == id ? guard_.pass(bytes) : bytes;
    const auto n = read_stream(conn_, raw(id), octets(passed), passed.size(), fin, time);
    if (n < 0) return check(static_cast<int>(n));
    // What nghttp3 buffers is bounded by its memory limit, not by the stream's window.
    quic_.credit(id, bytes.size());
    if (remote_control_ != id || settings_.received() != nullptr) return;
    if (const auto wrong = settings_.receive(bytes); wrong != webtransport::violation::none)
        fail(webtransport::wire_code(wrong), "SETTINGS: " + std::string{webtransport::to_string(wrong)});
}

void http3::reset(stream_id id) {
    idle_ = false;
    headers_.erase(number(id));
    scans_.erase(number(id));
    if (!dead_) check(nghttp3_conn_shutdown_stream_read(conn_, raw(id)));
}

void http3::stopped(stream_id id) {
    idle_ = false;
    if (!dead_) nghttp3_conn_shutdown_stream_write(conn_, raw(id));
}

void http3::writable(stream_id id) {
    idle_ = false;
    if (dead_) return;
    if (open_ && id == control_.id())
        control_.writable();
    else
        check(nghttp3_conn_unblock_stream(conn_, raw(id)));
}

void http3::acked(stream_id id, std::uint64_t n) {
    idle_ = false;
    if (dead_) return;
    if (id == control_.id())
        control_.acked(n);
    else
        check(nghttp3_conn_add_ack_offset(conn_, raw(id), n));
}

void http3::closed(stream_id id, http3_code code) {
    idle_ = false;
    headers_.erase(number(id));
    scans_.erase(number(id));
    bodies_.erase(number(id));
    if (dead_) return;
    const int rv = nghttp3_conn_close_stream(conn_, raw(id), static_cast<std::uint64_t>(code));
    if (rv != NGHTTP3_ERR_STREAM_NOT_FOUND) check(rv);
}

std::optional<time_point> http3::deadline() const noexcept {
    std::optional<time_point> first;
    for (const auto& [id, a] : headers_)
        if (!first || a.since + header_timeout < *first) first = a.since + header_timeout;
    return first;
}

void http3::tick(time_point now) {
    std::vector<stream_id> late;
    for (const auto& [id, a] : headers_)
        if (a.since + header_timeout <= now) late.push_back(stream_id{id});
    if (!late.empty()) idle_ = false;
    for (const auto id : late) refuse(id);
}

// Commands.

bool http3::open_streams() {
    idle_ = false;
    if (dead_) return false;
    // The control stream first: some peers expect it first.
    std::array<std::int64_t, 3> ids{};
    for (auto& id : ids) {
        const auto opened = quic_.open(direction::uni);
        if (!opened) {
            fail(http3_code::stream_creation_error, "the peer does not allow the three streams of HTTP/3");
            return false;
        }
        id = raw(*opened);
    }
    control_.bind(id_of(ids[0]));
    check(nghttp3_conn_bind_control_stream(conn_, ids[0]));
    check(nghttp3_conn_bind_qpack_streams(conn_, ids[1], ids[2]));
    open_ = true;
    return !dead_;
}

namespace {

std::vector<nghttp3_nv> to_nghttp3(std::span<const field> fields) {
    std::vector<nghttp3_nv> out;
    for (const auto& f : fields) out.push_back(to_nghttp3(f));
    return out;
}

} // namespace

nghttp3_data_reader http3::body_reader() {
    return {[](nghttp3_conn*, std::int64_t id, nghttp3_vec* out, std::size_t, std::uint32_t* flags, void* self, void*) {
        return static_cast<http3*>(self)->read_body(id_of(id), *out, *flags);
    }};
}

void http3::request(stream_id id, std::span<const field> fields) {
    idle_ = false;
    const auto body = body_reader();
    const auto nv = to_nghttp3(fields);
    if (!dead_) check(nghttp3_conn_submit_request(conn_, raw(id), nv.data(), nv.size(), &body, nullptr));
}

void http3::respond(stream_id id, std::span<const field> fields, bool open) {
    idle_ = false;
    const auto body = body_reader();
    const auto nv = to_nghttp3(fields);
    if (!dead_) check(nghttp3_conn_submit_response(conn_, raw(id), nv.data(), nv.size(), open ? &body : nullptr));
}

void http3::send_body(stream_id id, std::vector<std::byte> bytes, bool fin) {
    idle_ = false;
    auto& to = bodies_[number(id)];
    if (!bytes.empty()) to.pieces.push_back(std::move(bytes));
    to.ends = to.ends || fin;
    if (!dead_) check(nghttp3_conn_resume_stream(conn_, raw(id)));
}

/// Each call makes one DATA frame, so that a capsule and a frame begin together.
nghttp3_ssize http3::read_body(stream_id id, nghttp3_vec& out, std::uint32_t& flags) {
    const auto found = bodies_.find(number(id));
    if (found == bodies_.end()) return NGHTTP3_ERR_WOULDBLOCK; // Nothing was sent yet.
    auto& from = found->second;
    const bool some = from.read < from.pieces.size();
    if (some) {
        auto& piece = from.pieces[from.read++];
        out = {reinterpret_cast<std::uint8_t*>(piece.data()), piece.size()};
    }
    const bool ends = from.ends && from.read == from.pieces.size();
    if (ends) flags |= NGHTTP3_DATA_FLAG_EOF;
    if (!some && !ends) return NGHTTP3_ERR_WOULDBLOCK;
    return some ? 1 : 0;
}

void http3::abort(stream_id id, http3_code code) {
    quic_.reset(id, to_code(code));
    quic_.stop(id, to_code(code));
    release_body(id);
}

void http3::release_body(stream_id id) {
    stopped(id); // nghttp3 has views of it.
    const auto found = bodies_.find(number(id));
    if (found == bodies_.end()) return;
    released_.push_back(std::move(found->second));
    bodies_.erase(found);
}

void http3::flushed() noexcept { released_.clear(); }

bool http3::copy_control(std::span<const nghttp3_vec> pieces) {
    std::vector<std::byte> bytes;
    for (const auto& p : pieces) {
        const auto* begin = reinterpret_cast<const std::byte*>(p.base);
        bytes.insert(bytes.end(), begin, begin + p.len);
    }
    const auto size = bytes.size();
    if (!control_.take(std::move(bytes))) {
        fail(http3_code::internal_error, "unknown start of nghttp3's control stream");
        return false;
    }
    check(nghttp3_conn_add_write_offset(conn_, raw(control_.id()), size));
    check(nghttp3_conn_add_ack_offset(conn_, raw(control_.id()), size));
    return !dead_;
}

void http3::write() {
    if (idle_) return;
    // nghttp3 may return nothing after a stream without data although another has some; twice in a row is final.
    for (int nothing = 0; nothing < 2 && !dead_;) {
        if (!control_.write(quic_)) return;
        std::array<nghttp3_vec, 8> pieces;
        std::int64_t id = -1;
        int fin = 0;
        const auto n = nghttp3_conn_writev_stream(conn_, &id, &fin, pieces.data(), pieces.size());
        if (n < 0) return check(static_cast<int>(n));
        if (id < 0) {
            ++nothing;
            continue;
        }
        const std::span<const nghttp3_vec> some{pieces.data(), static_cast<std::size_t>(n)};
        if (id_of(id) == control_.id()) {
            if (!copy_control(some)) return;
            continue;
        }
        std::array<byte_view, 8> data;
        std::size_t size = 0;
        for (std::size_t i = 0; i < some.size(); ++i) {
            data[i] = std::as_bytes(std::span{some[i].base, some[i].len});
            size += some[i].len;
        }
        const auto taken = quic_.write({id_of(id), {data.data(), some.size()}, size, fin != 0});
        if (!taken) return;
        if (*taken > 0 || size == 0) check(nghttp3_conn_add_write_offset(conn_, id, *taken));
        if (*taken < size) nghttp3_conn_block_stream(conn_, id);
    }
    idle_ = true;
}

} // namespace moqlite::nghttp3::detail
