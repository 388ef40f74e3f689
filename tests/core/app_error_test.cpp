// Codes: a number has its meaning in one registry, and crosses to another by its meaning.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <moqlite/core/error.hpp>
#include <string_view>
#include <utility>

namespace moqlite::test::app_error_test {

namespace {

constexpr std::uint64_t number(const app_error& code) { return static_cast<std::uint64_t>(code); }
constexpr std::uint64_t sent(const app_error& code, code_registry list) { return number(code.in(list)); }

using named = std::pair<std::uint64_t, std::string_view>;

void must_be_exactly(code_registry list, std::initializer_list<named> rows) {
    for (std::uint64_t n = 0; n != 64; ++n) {
        std::string_view expected;
        for (const auto& [code, name] : rows)
            if (code == n) expected = name;
        CAPTURE(n);
        CHECK(to_string(app_error{list, n}) == expected);
    }
}

} // namespace

TEST_CASE("up to moq-lite-05 streams and sessions share one list", "[error][dialects §8.1.1]") {
    for (const auto v : {version::lite_03, version::lite_04, version::lite_05}) {
        CHECK(session_codes(v) == code_registry::lite);
        CHECK(stream_codes(v) == code_registry::lite);
    }
    must_be_exactly(code_registry::lite,
        {{0, "cancel"}, {1, "required_extension"}, {2, "old"}, {3, "timeout"}, {4, "transport"}, {5, "decode"},
            {6, "unauthorized"}, {9, "version"}, {10, "unexpected_stream"}, {11, "bounds_exceeded"}, {12, "duplicate"},
            {13, "not_found"}, {14, "wrong_size"}, {15, "protocol_violation"}, {16, "unexpected_message"},
            {17, "unsupported"}, {18, "encode"}, {19, "too_many_parameters"}, {20, "invalid_role"},
            {21, "unknown_alpn"}, {24, "dropped"}, {25, "closed"}, {26, "lagged"}, {27, "frame_too_large"},
            {29, "timestamp_mismatch"}, {30, "unroutable"}, {31, "evicted"}});
}

TEST_CASE("from moq-lite-06 on streams have a registry of their own", "[error][dialects §8.1]") {
    CHECK(stream_codes(version::lite_06) == code_registry::stream);
    must_be_exactly(code_registry::stream,
        {{0, "internal"}, {1, "cancel"}, {2, "delivery_timeout"}, {3, "session_closed"}, {4, "going_away"},
            {5, "too_far_behind"}, {0x12, "malformed_track"}, {0x31, "control_timeout"}, {0x32, "group_too_large"},
            {0x33, "not_found"}, {0x34, "old"}, {0x35, "evicted"}, {0x36, "unroutable"}, {0x37, "wrong_size"},
            {0x38, "frame_too_large"}, {0x39, "timestamp_mismatch"}});
}

TEST_CASE("from moq-lite-06 on sessions have a registry of their own", "[error][dialects §8.1]") {
    CHECK(session_codes(version::lite_06) == code_registry::session);
    must_be_exactly(code_registry::session,
        {{0, "no_error"}, {1, "internal"}, {2, "unauthorized"}, {3, "protocol_violation"}, {6, "key_value_formatting"},
            {0x10, "goaway_timeout"}, {0x11, "timeout"}, {0x15, "version"}});
}

TEST_CASE("gomoqt has a list for each kind of stream", "[error][dialects §8.3]") {
    CHECK(session_codes(version::lite_04, true) == code_registry::gomoqt_session);
    CHECK(stream_codes(version::lite_04, code_registry::gomoqt_group) == code_registry::gomoqt_group);
    must_be_exactly(
        code_registry::gomoqt_announce, {{0, "internal"}, {1, "duplicated_broadcast"}, {2, "invalid_announce_status"},
                                            {3, "uninterested"}, {4, "banned_prefix"}, {5, "invalid_prefix"}});
    must_be_exactly(code_registry::gomoqt_subscribe, {{0, "internal"}, {1, "invalid_range"}, {2, "duplicate_id"},
                                                         {3, "not_found"}, {4, "unauthorized"}, {5, "timeout"}});
    must_be_exactly(code_registry::gomoqt_fetch, {{0, "internal"}, {1, "timeout"}});
    must_be_exactly(code_registry::gomoqt_probe, {{0, "internal"}, {1, "timeout"}, {2, "not_supported"}});
    must_be_exactly(
        code_registry::gomoqt_group, {{0, "internal"}, {2, "out_of_range"}, {3, "expired"}, {4, "subscribe_canceled"},
                                         {5, "publish_aborted"}, {6, "closed_session"}, {7, "invalid_subscribe_id"}});
    must_be_exactly(code_registry::gomoqt_session,
        {{0, "no_error"}, {1, "internal"}, {2, "unauthorized"}, {3, "protocol_violation"},
            {5, "parameter_length_mismatch"}, {6, "too_many_subscribe"}, {0x10, "goaway_timeout"},
            {0x12, "unsupported_version"}, {0x13, "setup_failed"}});
}

TEST_CASE("a number means cancel in its own registry only", "[error][dialects §8.3]") {
    CHECK(app_error{code_registry::lite, 0} == app_error::cancel);
    CHECK(app_error{code_registry::stream, 1} == app_error::cancel);
    CHECK(app_error{code_registry::session, 0} == app_error::cancel);
    CHECK(app_error{code_registry::lite, 1} != app_error::cancel);
    CHECK(app_error{code_registry::stream, 0} != app_error::cancel);
    CHECK(app_error{code_registry::session, 1} != app_error::cancel);
}

TEST_CASE("each error has a number in each registry, which is not that of success", "[error]") {
    for (unsigned i = 1; i <= static_cast<unsigned>(errc::transport_closed); ++i) {
        const auto code = wire_code(errc(i));
        CAPTURE(to_string(errc(i)));
        CHECK(sent(code, code_registry::lite) == number(code));
        CHECK_FALSE(to_string(code.in(code_registry::lite)).empty());
        for (const auto list : {code_registry::stream, code_registry::session, code_registry::gomoqt_session}) {
            CHECK_FALSE(to_string(code.in(list)).empty());
            CHECK(app_error{list, sent(code, list)} != app_error::cancel);
        }
        for (const auto list : {code_registry::gomoqt_announce, code_registry::gomoqt_subscribe,
                 code_registry::gomoqt_fetch, code_registry::gomoqt_probe, code_registry::gomoqt_group})
            CHECK_FALSE(to_string(code.in(list)).empty());
    }
}

TEST_CASE("our codes are sent with the numbers of the peer's registry", "[error][dialects §8.1]") {
    struct row {
        app_error code;
        std::uint64_t lite, stream, session;
    };
    for (const auto& [code, lite, stream, session] : {row{app_error::cancel, 0, 0x1, 0x0},
             {app_error::protocol_violation, 15, 0x3, 0x3}, {app_error::unauthorized, 6, 0x3, 0x2},
             {app_error::timeout, 3, 0x31, 0x11}, {app_error::version, 9, 0x3, 0x15}, {app_error::decode, 5, 0x12, 0x3},
             {app_error::not_found, 13, 0x33, 0x3}, {app_error::old, 2, 0x34, 0x1}, {app_error::evicted, 31, 0x35, 0x1},
             {app_error::unroutable, 30, 0x36, 0x1}, {app_error::wrong_size, 14, 0x37, 0x3},
             {app_error::frame_too_large, 27, 0x38, 0x3}, {app_error::lagged, 26, 0x5, 0x11},
             {app_error::going_away, 25, 0x4, 0x1}, {app_error::goaway_timeout, 0, 0x4, 0x10},
             {app_error::unsupported, 17, 0x0, 0x3}}) {
        CAPTURE(to_string(code));
        CHECK(sent(code, code_registry::lite) == lite);
        CHECK(sent(code, code_registry::stream) == stream);
        CHECK(sent(code, code_registry::session) == session);
    }
    CHECK(sent(app_error::not_found, code_registry::gomoqt_subscribe) == 3);
    CHECK(sent(app_error::unauthorized, code_registry::gomoqt_subscribe) == 4);
    CHECK(sent(app_error::decode, code_registry::gomoqt_subscribe) == 0);
    CHECK(sent(app_error::cancel, code_registry::gomoqt_group) == 4);
    CHECK(sent(app_error::old, code_registry::gomoqt_group) == 3);
    CHECK(sent(app_error::decode, code_registry::gomoqt_session) == 3);
    CHECK(sent(app_error::goaway_timeout, code_registry::gomoqt_session) == 0x10);
    CHECK(sent(app_error::version, code_registry::gomoqt_session) == 0x12);
}

TEST_CASE("a code keeps its meaning from one registry to another", "[error]") {
    const app_error in_05{code_registry::lite, 13};
    const app_error in_06{code_registry::stream, 0x33};
    const app_error in_go{code_registry::gomoqt_subscribe, 3};
    for (const auto& from : {in_05, in_06, in_go}) {
        CHECK(from == app_error::not_found);
        CHECK(sent(from, code_registry::lite) == 13);
        CHECK(sent(from, code_registry::stream) == 0x33);
        CHECK(sent(from, code_registry::gomoqt_subscribe) == 3);
    }
}

TEST_CASE("an unknown number stays as it is in its registry, and is a general error in another", "[error]") {
    const app_error in_05{code_registry::lite, 51};
    const app_error in_06{code_registry::stream, 0x2a};
    CHECK(to_string(in_05).empty());
    CHECK(to_string(in_06).empty());
    CHECK(in_05 != app_error(code_registry::stream, 51));
    CHECK(in_06 != app_error(code_registry::lite, 0x2a));
    CHECK(sent(in_05, code_registry::lite) == 51);
    CHECK(sent(in_05, code_registry::stream) == 0);
    CHECK(sent(in_05, code_registry::session) == 1);
    CHECK(sent(in_06, code_registry::stream) == 0x2a);
    CHECK(sent(in_06, code_registry::lite) == 24);
    CHECK(sent(in_06, code_registry::gomoqt_group) == 0);
}

TEST_CASE("codes of 64 and above are the application's in every registry", "[error][dialects §8.1]") {
    for (const std::uint64_t n : {std::uint64_t{64}, std::uint64_t{77}, (std::uint64_t{1} << 62) - 1})
        for (const auto list : {code_registry::lite, code_registry::stream, code_registry::session,
                 code_registry::gomoqt_group, code_registry::gomoqt_session}) {
            const app_error code{list, n};
            CHECK(to_string(code).empty());
            CHECK(code == app_error{n});
            for (const auto other :
                {code_registry::lite, code_registry::stream, code_registry::session, code_registry::gomoqt_subscribe})
                CHECK(sent(code, other) == n);
        }
}

TEST_CASE("an application's number has the meaning that it has before moq-lite-06", "[error]") {
    CHECK(app_error{13} == app_error::not_found);
    CHECK(sent(app_error{13}, code_registry::stream) == 0x33);
    CHECK(sent(app_error{51}, code_registry::lite) == 51);
}

TEST_CASE("what a transport reports by itself is no number of the peer", "[error]") {
    CHECK(app_error{app_error::transport}.received(code_registry::session) == app_error::transport);
    CHECK(app_error{4}.received(code_registry::session) != app_error::transport);
    CHECK(app_error{0x33}.received(code_registry::stream) == app_error::not_found);
    CHECK(app_error(code_registry::lite, 5).received(code_registry::stream) == app_error::lagged);
}

} // namespace moqlite::test::app_error_test
