// A session's connection that tracks lent bytes and checks the contract.
#pragma once

#include "fault.hpp"
#include "lent.hpp"

#include <moqlite/link/connection.hpp>

namespace moqlite::packets {

/// Forwards everything to `to`, for one pump.
class lending final : public link::connection {
public:
    lending(link::connection& to, test::lent_memory& books, contract_checker<sim::fault_is_failure>& contract)
        : to_(to), books_(books), contract_(contract) {}

    [[nodiscard]] std::optional<stream_id> open(direction kind) override {
        contract_.asked_open();
        const auto id = to_.open(kind);
        if (id) contract_.opened(kind, *id);
        return id;
    }
    [[nodiscard]] std::optional<std::size_t> write(const write_stream& w) override {
        contract_.asked_write(w);
        const auto taken = to_.write(w);
        contract_.answered(w, taken);
        if (taken) books_.lend(w.stream, w.data, *taken);
        return taken;
    }
    void reset(stream_id id, app_error code) override {
        contract_.asked_reset(id);
        to_.reset(id, code);
        books_.reset(id);
    }
    void stop(stream_id id, app_error code) override {
        contract_.asked_stop(id);
        to_.stop(id, code);
    }
    void credit(stream_id id, std::uint64_t bytes) override {
        contract_.asked_credit(id, bytes);
        to_.credit(id, bytes);
    }
    void close(app_error code, std::string_view reason) override {
        contract_.asked_close();
        to_.close(code, reason);
        books_.close();
    }
    void flush() override {
        to_.flush();
        contract_.flushed();
        books_.executed();
    }
    bool send(byte_view datagram) override {
        contract_.asked_datagram();
        return to_.send(datagram);
    }
    void application_codes(link::code_form implied) override { to_.application_codes(implied); }
    void wake() override { to_.wake(); }
    [[nodiscard]] role side() const noexcept override { return to_.side(); }
    [[nodiscard]] std::string_view alpn() const noexcept override { return to_.alpn(); }
    [[nodiscard]] const link::address& remote() const noexcept override { return to_.remote(); }
    [[nodiscard]] const link::address& local() const noexcept override { return to_.local(); }
    [[nodiscard]] const link::tls_facts& tls() const noexcept override { return to_.tls(); }
    [[nodiscard]] link::connection_stats stats() const override { return to_.stats(); }
    [[nodiscard]] std::size_t datagram_size() const override { return to_.datagram_size(); }

private:
    link::connection& to_;
    test::lent_memory& books_;
    contract_checker<sim::fault_is_failure>& contract_;
};

} // namespace moqlite::packets
