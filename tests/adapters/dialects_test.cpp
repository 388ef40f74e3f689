// Where implementations disagree about the use of QUIC, a row of moq-lite-wire.md §12 each.
#include "memory_pair.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <limits>
#include <moqlite/asio/random_hop.hpp>
#include <moqlite/link/error_code.hpp>
#include <set>

namespace moqlite::test::dialects_test {

TEST_CASE(
    "a stream's code is understood raw and as HTTP/3 maps it", "[dialects §12.29][ngtcp2-1.24][dialects §16.2.19]") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    const auto cancel = number(webtransport::to_http3_code(app_error::cancel));
    const auto said = GENERATE_COPY(std::uint64_t{13}, number(webtransport::to_http3_code(app_error{13})), cancel);
    const auto meant = said == cancel ? app_error::cancel : app_error::not_found;
    std::optional<stream_id> id;
    client->in_pump([&, c = client](link::connection& to) {
        id = to.open(direction::bidi);
        REQUIRE(id);
        const byte_view one = as_bytes("x");
        REQUIRE(to.write({*id, {&one, 1}, 1, false}) == 1);
        c->sent[*id].written = 1;
        c->sent[*id].done = true;
    });
    REQUIRE(pair.run([&, s = server] { return id && s->received.contains(*id); }));
    client->in_pump([&](link::connection& to) {
        to.reset(*id, app_error{said});
        to.stop(*id, app_error{said});
    });
    REQUIRE(pair.run([&, s = server] { return s->received[*id].reset && s->sent[*id].stopped; }));
    CHECK(server->received[*id].reset == meant);
    CHECK(server->sent[*id].stopped == meant);
}

TEST_CASE("a code is written raw or mapped, and read either way", "[dialects §12.29]") {
    using link::code_form;
    for (const std::uint64_t n : {0ul, 1ul, 13ul, 29ul, 30ul, 31ul, 4294967295ul}) {
        CHECK(link::to_wire_code(app_error{n}, code_form::raw) == n);
        CHECK(link::to_wire_code(app_error{n}, code_form::mapped) == number(webtransport::to_http3_code(app_error{n})));
        for (const auto form : {code_form::raw, code_form::mapped}) {
            const auto wire = link::to_wire_code(app_error{n}, form);
            CHECK(link::from_wire_code(wire) == app_error{n});
            if (wire != 0) CHECK(link::form_of(wire) == form);
        }
    }
    CHECK(link::to_wire_code(app_error::not_found, code_form::mapped) == 0x52e4a40fa8e8);
}

TEST_CASE("codes that an application does not choose show no form", "[dialects §12.29]") {
    // quinn's own 0, HTTP/3's numbers reserved for greasing, and more than 32 bits.
    for (const std::uint64_t wire : {0ul, 0x52e4a40fa8f9ul, 0x100000000ul}) CHECK_FALSE(link::form_of(wire));
}

TEST_CASE("our hop id is never 0, and fits a JavaScript number", "[dialects §12.24][dialects §12.31][moq-net]") {
    std::set<hop_id> seen;
    std::uint64_t all = 0;
    for (int i = 0; i < 1000; ++i) {
        const auto hop = asio::random_hop();
        CHECK(hop != hop_id{});
        CHECK(number(hop) < std::uint64_t{1} << std::numeric_limits<double>::digits);
        seen.insert(hop);
        all |= number(hop);
    }
    CHECK(seen.size() > 990);
    CHECK(all >> 52 == 1); // The whole range is used.
}

} // namespace moqlite::test::dialects_test
