// The codec of moq-transport beyond the recorded messages (vectors_moqt.hpp): bounds, quirks, and what is not written.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <hex.hpp>
#include <moqlite/wire/moqt/inspect_fields.hpp>
#include <string>
#include <variant>
#include <vector>

namespace moqlite::test::moqt_test {

namespace {

using namespace wire;
namespace moqt = wire::moqt;

constexpr auto draft = moqt::draft_14;

template <class M>
std::vector<std::byte> encoded(const M& message) {
    std::vector<std::byte> out;
    REQUIRE(moqt::encode(draft, message, out) == errc::ok);
    return out;
}
template <class M>
errc refusal(const M& message) {
    std::vector<std::byte> out(3);
    const auto error = moqt::encode(draft, message, out);
    CHECK(out.size() == 3); // Nothing of it is left.
    return error;
}
result<moqt::any_message> decoded(byte_view bytes, const moqt::quirks& reads = {}) {
    const auto message = moqt::take_message(draft, bytes);
    REQUIRE(message);
    REQUIRE(message->size == bytes.size());
    return moqt::decode_message({draft, reads}, *message);
}
/// It decodes as itself, and is incomplete without its last bytes.
template <class M>
void survives(const M& message) {
    const auto bytes = encoded(message);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
        CHECK(moqt::take_message(draft, byte_view{bytes}.first(cut)).status == progress::need_more);
    const auto back = decoded(bytes, {.moqtail_switch = true});
    REQUIRE(back);
    REQUIRE(std::holds_alternative<M>(*back));
    CHECK(std::get<M>(*back) == message);
}

const moqt::full_track_name track{moqt::track_namespace{std::array{"live", "", "a/b"}}, "video"};

errc object_error(std::string_view stream) {
    return moqt::inspect({.kind = moqt::carrier::uni}, hex(stream), [](const auto&) {}).error;
}

} // namespace

TEST_CASE("each message of moq-transport decodes to what was encoded", "[wire]") {
    moqt::key_value_writer pairs{draft};
    pairs.add(moqt::message_parameter::delivery_timeout, 500).add(0x3fff, as_bytes("unknown"));
    const moqt::parameter_list parameters{pairs.count(), pairs.bytes()};
    const moqt::location there{group_sequence{70000}, object_id{3}};
    using kind = moqt::request_kind;

    survives(moqt::client_setup{.offered = {0xff00000e, 0xff0dad02}, .versions = 2, .parameters = parameters});
    survives(moqt::server_setup{0xff00000e, parameters});
    survives(moqt::goaway{"moqt://elsewhere.example"});
    survives(moqt::max_request_id{1 << 20});
    survives(moqt::requests_blocked{100});
    for (auto of : {kind::subscribe, kind::track_status}) {
        survives(moqt::subscribe{of, 4, track, 7, moqt::group_order::descending, false,
            {moqt::filter_start::absolute, there, group_sequence{70001}}, parameters});
        survives(moqt::subscribe_ok{of, 4, 9, 1000, moqt::group_order::descending, there, parameters});
        survives(moqt::subscribe{.of = of, .track = track, .filter = {.from = moqt::filter_start::next_group}});
        survives(moqt::subscribe_ok{.of = of});
    }
    survives(moqt::subscribe_update{6, 4, there, group_sequence{70002}, 1, false, parameters});
    survives(moqt::subscribe_update{});
    for (auto of : {kind::publish_namespace, kind::subscribe_namespace}) survives(moqt::request_ok{of, 8});
    for (auto of : {kind::subscribe, kind::track_status, kind::publish, kind::fetch, kind::publish_namespace,
             kind::subscribe_namespace})
        survives(moqt::request_error{of, 8, 0x10, "why"});
    for (auto of : {kind::subscribe, kind::fetch}) survives(moqt::request_cancel{of, 8});
    survives(moqt::publish{2, track, varint_max, moqt::group_order::descending, there, false, parameters});
    survives(moqt::publish_ok{
        2, false, 1, moqt::group_order::descending, {moqt::filter_start::absolute, there, {}}, parameters});
    survives(moqt::publish_done{2, 3, 17, "the end"});
    survives(moqt::fetch{.request = 2, .track = track, .start = there, .end = {next(there.group), {}}});
    survives(moqt::fetch{.request = 2, .type = moqt::fetch_type::relative_joining, .joined = 4, .joining_start = 1});
    survives(moqt::fetch_ok{2, moqt::group_order::descending, true, there, parameters});
    survives(moqt::publish_namespace{2, track.space, parameters});
    survives(moqt::publish_namespace_done{track.space});
    survives(moqt::publish_namespace_cancel{track.space, 4, "why"});
    survives(moqt::subscribe_namespace{2, {}, parameters});
    survives(moqt::unsubscribe_namespace{track.space, {}});
    survives(moqt::switch_track{2, track, 4, parameters});
}

TEST_CASE("a namespace begins with another field by field", "[wire]") {
    const moqt::track_namespace foobar{std::array{"foobar", "x"}};
    CHECK(foobar.begins_with(moqt::track_namespace{std::array{"foobar"}}));
    CHECK(foobar.begins_with(foobar));
    CHECK(foobar.begins_with({}));
    CHECK_FALSE(foobar.begins_with(moqt::track_namespace{std::array{"foo"}}));
    CHECK_FALSE(foobar.begins_with(moqt::track_namespace{std::array{"foobar", "x", "y"}}));
}

TEST_CASE("what moq-transport cannot say is refused, and nothing is written", "[wire]") {
    CHECK(refusal(moqt::subscribe{}) == errc::bad_namespace);
    CHECK(refusal(moqt::subscribe_ok{.order = moqt::group_order::publishers}) == errc::bad_choice);
    CHECK(refusal(moqt::subscribe_ok{.alias = varint_max + 1}) == errc::value_too_large);
    CHECK(refusal(moqt::subscribe_update{.end_group = group_sequence{varint_max}}) == errc::value_too_large);
    CHECK(refusal(moqt::subscribe{.track = track, .filter = {.end_group = group_sequence{1}}}) == errc::unsupported);
    const std::string long_text(moqt::max_body, 'x');
    CHECK(refusal(moqt::goaway{long_text}) == errc::message_too_large);
    // A reason is cut instead.
    const auto bytes = encoded(moqt::request_error{.reason = long_text});
    CHECK(std::get<moqt::request_error>(*decoded(bytes)).reason.size() == 1024);
}

TEST_CASE("names are at most 4096 bytes, and 32 fields", "[wire]") {
    const std::string name(4090, 'n');
    const moqt::track_namespace space{std::array{"sixby"}};
    CHECK(decoded(encoded(moqt::subscribe{.track = {space, name}})));
    const std::string longer = name + "nn";
    CHECK(decoded(encoded(moqt::subscribe{.track = {space, longer}})).error() == errc::name_too_long);
    moqt::track_namespace full;
    for (std::size_t i = 0; i < moqt::track_namespace::max_fields; ++i) CHECK(full.push_back("x"));
    CHECK_FALSE(full.push_back("x"));
    CHECK(decoded(encoded(moqt::publish_namespace{.space = full})));
}

TEST_CASE("a client may offer any number of versions, of which the first 32 count", "[wire]") {
    std::string offer = "4064"; // 100.
    for (int i = 0; i < 100; ++i) offer += "01";
    const auto setup = decoded(hex("20 0067" + offer + "00"));
    REQUIRE(setup);
    CHECK(std::get<moqt::client_setup>(*setup).versions == moqt::client_setup::max_versions);
    CHECK(decoded(hex("20 0002 4064")).error() == errc::message_too_short);
}

TEST_CASE("quirks of peers are read only where they are allowed", "[wire]") {
    const auto by_request = hex("14 0001 05");
    CHECK_FALSE(decoded(by_request));
    const auto ended = decoded(by_request, {.namespace_by_request = true});
    REQUIRE(ended);
    CHECK(std::get<moqt::unsubscribe_namespace>(*ended).request == 5);
    CHECK(decoded(hex("22 0005 00 01 00 00 00")).error() == errc::unknown_message_type);
    const auto everything = hex("11 0003 02 00 00");
    CHECK(decoded(everything));
    CHECK(decoded(everything, {.empty_prefix = false}).error() == errc::bad_namespace);
    // A TRACK_STATUS that is wrong in both layouts is refused for what the draft's has wrong.
    CHECK(decoded(hex("0d 0004 00 01 01 61"), {.moqtail_track_status = true}).error() == errc::message_too_short);
}

TEST_CASE("the header and the status of an object are checked", "[wire]") {
    CHECK(object_error("10 01 00 80 00 00 02") == errc::bad_object_status);
    CHECK(object_error("11 01 00 80 00 02 04 01 00 01") == errc::bad_object_status);
    CHECK(object_error("10 01 00 80 ffffffffffffffff 00 00 00 00 00") == errc::value_too_large);
    CHECK(object_error("10 01 00 80 00 82000001") == errc::frame_too_large);
    CHECK(object_error("11 01 00 80 00 80010001") == errc::message_too_large); // Of extensions, before they arrive.
    CHECK(object_error("11 01 00 80 00 01 40 00 00") == errc::message_too_short);
    CHECK(object_error("05 00 01 00 02 00 00 00 00 01 00 02 00 00 00 00") == errc::object_order);
    std::vector<std::byte> out;
    writer to{out};
    moqt::write(to, {}, std::nullopt, {.size = 1, .status = moqt::object_status::end_of_group});
    CHECK(to.error() == errc::bad_object_status);
    CHECK(moqt::encode(draft, moqt::object_datagram{.ends_group = true, .has_status = true}, out) ==
          errc::invalid_argument);
}

TEST_CASE("codes of moq-transport have the names of their lists", "[wire]") {
    using kind = moqt::request_kind;
    CHECK(moqt::error_name(kind::subscribe, 0x4) == "TRACK_DOES_NOT_EXIST");
    CHECK(moqt::error_name(kind::publish, 0x4) == "UNINTERESTED");
    CHECK(moqt::error_name(kind::subscribe_namespace, 0x5) == "NAMESPACE_PREFIX_OVERLAP");
    CHECK(moqt::error_name(kind::fetch, 0x6) == "NO_OBJECTS");
    CHECK(moqt::error_name(kind::track_status, 0x3) == "NOT_SUPPORTED");
    CHECK(moqt::error_name(kind::subscribe, 404).empty());
    CHECK(moqt::done_status_name(0x2) == "TRACK_ENDED");
    CHECK(to_string(moqt::session_code_of(errc::bad_parameter)) == "KEY_VALUE_FORMATTING_ERROR");
    CHECK(to_string(moqt::session_code_of(errc::bad_flag)) == "PROTOCOL_VIOLATION");
}

} // namespace moqlite::test::moqt_test
