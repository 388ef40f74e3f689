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
std::vector<std::byte> encoded(const M& message, const moqt::draft& d = draft) {
    std::vector<std::byte> out;
    REQUIRE(moqt::encode(d, message, out) == errc::ok);
    return out;
}
template <class M>
errc refusal(const M& message) {
    std::vector<std::byte> out(3);
    const auto error = moqt::encode(draft, message, out);
    CHECK(out.size() == 3); // Nothing of it is left.
    return error;
}
result<moqt::any_message> decoded(byte_view bytes, const moqt::quirks& reads = {}, const moqt::draft& d = draft) {
    const auto message = moqt::take_message(d, bytes);
    REQUIRE(message);
    REQUIRE(message->size == bytes.size());
    return moqt::decode_message({d, reads}, *message);
}
/// It decodes as itself, and is incomplete without its last bytes.
template <class M>
void survives(const M& message, const moqt::draft& d = draft) {
    const auto bytes = encoded(message, d);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
        CHECK(moqt::take_message(d, byte_view{bytes}.first(cut)).status == progress::need_more);
    const auto back = decoded(bytes, {.moqtail_switch = true}, d);
    REQUIRE(back);
    REQUIRE(std::holds_alternative<M>(*back));
    CHECK(std::get<M>(*back) == message);
}
/// A message of this type and body, in hex.
std::string framed(const std::string& type, std::string_view body) {
    const auto bytes = hex(body);
    const std::array length{static_cast<std::byte>(bytes.size() >> 8), static_cast<std::byte>(bytes.size() & 0xff)};
    return type + to_hex(length) + to_hex(bytes);
}
/// The bytes of draft-18 decode to M and are written again as they were.
template <class M>
M survives_18(const std::string& digits) {
    const auto bytes = hex(digits);
    const auto back = decoded(bytes, {}, moqt::draft_18);
    REQUIRE(back);
    REQUIRE(std::holds_alternative<M>(*back));
    CHECK(to_hex(encoded(std::get<M>(*back), moqt::draft_18)) == to_hex(bytes));
    return std::get<M>(*back);
}
errc refusal_18(std::string_view bytes) { return decoded(hex(bytes), {}, moqt::draft_18).error(); }

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
    moqt::write(to, draft, {}, std::nullopt, {.size = 1, .status = moqt::object_status::end_of_group});
    CHECK(to.error() == errc::bad_object_status);
    CHECK(moqt::encode(draft, moqt::object_datagram{.ends_group = true, .has_status = true}, out) == errc::unsupported);
}

TEST_CASE("draft-18 says by the type of a parameter what it is", "[wire]") {
    // Forward 0, priority 128, absolute range 5:1 to group 7, descending.
    const auto asked =
        survives_18<moqt::subscribe>(framed("03", "04 01 01 61 01 62 04 10 00 10 80 01 04 04 05 01 02 01 02"));
    CHECK_FALSE(asked.forward);
    CHECK(asked.filter ==
          moqt::location_filter{moqt::filter_start::absolute, {group_sequence{5}, object_id{1}}, group_sequence{7}});
    CHECK(asked.order == moqt::group_order::descending);
    // Without a filter it is of everything.
    const auto all = decoded(hex(framed("03", "04 01 01 61 01 62 00")), {}, moqt::draft_18);
    REQUIRE(all);
    CHECK(std::get<moqt::subscribe>(*all).filter.from == moqt::filter_start::absolute);
    CHECK(std::get<moqt::subscribe>(*all).forward);
    // TRACK_STATUS has none of them.
    survives_18<moqt::subscribe>(framed("0d", "04 01 01 61 01 62 00"));
    CHECK(refusal_18(framed("0d", "04 01 01 61 01 62 01 10 01")) == errc::unexpected_parameter);
    // Expires 1000, largest 7:3, and the track's order.
    const auto ok = survives_18<moqt::subscribe_ok>(framed("04", "05 02 08 83e8 01 07 03 22 02"));
    CHECK(ok.expires == 1000);
    CHECK(ok.largest == moqt::location{group_sequence{7}, object_id{3}});
    CHECK(ok.order == moqt::group_order::descending);
    // A parameter without a field stays: RENDEZVOUS_TIMEOUT.
    survives_18<moqt::subscribe>(framed("03", "04 01 01 61 01 62 04 04 07 0c 01 10 80 01 01 02"));
    survives_18<moqt::request_update>(framed("02", "06 01 34 02 01 61 00"));
    survives_18<moqt::namespace_change>(framed("0e", "01 01 61"));
    survives_18<moqt::publish_blocked>(framed("0f", "01 01 61 01 62"));
    survives_18<moqt::request_error>(framed("05", "34 00 00 03 6d 3a 2f 01 01 61 06 766964656f73"));
    survives_18<moqt::goaway>(framed("10", "00 05 07"));
    survives_18<moqt::setup>(framed("af00", "01 02 2f61 06 01 78"));

    CHECK(refusal_18(framed("03", "04 01 01 61 01 62 01 11 00")) == errc::unexpected_parameter); // Unknown.
    CHECK(refusal_18(framed("03", "04 01 01 61 01 62 01 08 00")) ==
          errc::unexpected_parameter); // EXPIRES is an answer's.
    CHECK(refusal_18(framed("03", "04 01 01 61 01 62 02 10 01 00 01")) == errc::duplicate_parameter);
    CHECK(refusal_18(framed("03", "04 01 01 61 01 62 01 10 02")) == errc::bad_flag);
    CHECK(refusal_18(framed("03", "04 01 01 61 01 62 01 22 03")) == errc::bad_choice);
    CHECK(refusal_18(framed("03", "04 01 01 61 01 62 01 21 01 05")) == errc::bad_choice);
    CHECK(
        refusal_18(framed("03", "04 01 01 61 01 62 01 21 01 03")) == errc::bad_parameter); // A filter that is cut off.
    CHECK(refusal_18(framed("04", "05 00 22 03")) == errc::bad_choice);                    // Of an order.
    CHECK(refusal_18(framed("af00", "01 05 61")) == errc::message_too_short);
    CHECK(refusal_18(framed("20", "")) == errc::unknown_message_type);
}

TEST_CASE("draft-18 leaves out what is as before", "[wire]") {
    const auto d = moqt::draft_18;
    std::vector<moqt::fetched_object> objects(6);
    objects[0] = {.where = {group_sequence{9}, object_id{2}}, .subgroup = subgroup_id{3}, .priority = 7};
    objects[1] = {.where = {group_sequence{9}, object_id{3}}, .subgroup = subgroup_id{3}, .priority = 7, .size = 1};
    objects[2] = {.where = {group_sequence{9}, object_id{8}}, .is_datagram = true, .priority = 8};
    objects[3] = {.where = {group_sequence{9}, object_id{20}}, .missing = moqt::fetched_object::gap::unknown};
    objects[4] = {.where = {group_sequence{9}, object_id{21}}, .subgroup = subgroup_id{3}, .priority = 8};
    objects[5] = {.where = {group_sequence{4}, object_id{0}}, .priority = 8};
    moqt::fetch_cursor writing{.descends = true};
    moqt::fetch_cursor reading{.descends = true};
    std::vector<std::byte> out;
    for (const auto& object : objects) {
        const auto begin = out.size();
        writer to{out, d.form};
        moqt::write(to, d, writing, object);
        CHECK(to.error() == errc::ok);
        writing.note(object);
        const auto back = moqt::take_fetched_object(d, reading, byte_view{out}.subspan(begin));
        REQUIRE(back);
        reading.note(*back);
        CHECK(back->consumed == out.size() - begin);
        CHECK(back->where == object.where);
        CHECK(back->missing == object.missing);
        CHECK(back->is_datagram == object.is_datagram);
        CHECK(back->size == object.size);
        if (object.missing != moqt::fetched_object::gap::none) continue;
        CHECK(back->priority == object.priority);
        CHECK(back->subgroup == object.subgroup);
    }
    CHECK(to_hex(out) == to_hex(hex("1f 09 03 02 07 00  01 01  54 05 08 00  810c 09 14  01 00  0c 04 00 00")));
    // Nothing is before the first object.
    for (const auto* first : {"00 00", "1c 00 00 07", "0c 00 00 00", "1d 00 00 07 00"})
        CHECK(moqt::take_fetched_object(d, {}, hex(first)).status != progress::ok);
    CHECK(moqt::take_fetched_object(d, {}, hex("80 00 00 00")).status != progress::ok);
}

TEST_CASE("draft-18 may leave out a priority", "[wire]") {
    const auto header = moqt::take_subgroup_header(moqt::draft_18, hex("7d 01 02 03"));
    REQUIRE(header);
    CHECK_FALSE(header->has_priority);
    CHECK(header->is_first);
    CHECK(header->ends_group);
    CHECK(header->subgroup == subgroup_id{3});
    std::vector<std::byte> out;
    writer to{out, moqt::draft_18.form};
    moqt::write(to, moqt::draft_18, *header);
    CHECK(to_hex(out) == "7d010203");
    moqt::write(to, draft, *header);
    CHECK(to.error() == errc::unsupported);
    for (const auto* type : {"16", "3e", "57", "7f", "20", "8090"})
        CHECK(moqt::take_subgroup_header(moqt::draft_18, hex(std::string{type} + "01020304")).error ==
              errc::unknown_stream_type);
    CHECK(moqt::decode_datagram(moqt::draft_18, hex("0c 01 02 61")));
    CHECK(moqt::decode_datagram(moqt::draft_18, hex("2c 01 02 03")));
    for (const auto* bytes : {"22 01 02 00 80 03", "10 01 02 00 80", "2e 01 02 03"})
        CHECK(moqt::decode_datagram(moqt::draft_18, hex(bytes)).error() == errc::unknown_stream_type);
    CHECK(moqt::decode_datagram(moqt::draft_18, hex("2d 01 02 02 04 05 03")).error() == errc::bad_object_status);
    // An object that does not exist is of earlier drafts.
    CHECK(moqt::inspect({{moqt::draft_18}, moqt::carrier::uni}, hex("10 01 00 80 00 00 01"), [](const auto&) {
    }).error == errc::bad_object_status);
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
    CHECK(moqt::done_status_name(0x5) == "EXPIRED");
    CHECK(moqt::done_status_name_18(0x5) == "TOO_FAR_BEHIND");
    CHECK(moqt::request_error_name(0x30) == "PREFIX_OVERLAP");
    CHECK(to_string(moqt::session_code_of(errc::bad_parameter)) == "KEY_VALUE_FORMATTING_ERROR");
    CHECK(to_string(moqt::session_code_of(errc::bad_flag)) == "PROTOCOL_VIOLATION");
}

} // namespace moqlite::test::moqt_test
