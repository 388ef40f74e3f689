#include "../messages.hpp"

namespace moqlite::test::print_test {

using namespace moqlite::wire::lite;

TEST_CASE("a message prints as its name and its fields", "[print]") {
    const subscribe_options options{.ordered = true, .end = group_sequence{7}};
    CHECK(to_string(subscribe{.id = 1, .broadcast = "room", .track = "v\n", .options = options}) ==
          R"(SUBSCRIBE{id=1, broadcast="room", track="v?", )"
          "priority=0, ordered=true, max_age=0ms, start=none, end=7, frame_start=0, frame_end=none}");
    CHECK(to_string(announce_start{"cam", {hop_id{1}, hop_id{2}}, {3, 4}, {2, 1}, {}}) ==
          R"(ANNOUNCE_START{suffix="cam", hops=[1 2], path_base=2:1, hop_base=0:0, warm_cost=3, cold_cost=4})");
    CHECK(to_string(setup{.path = "/"}) == R"(SETUP{probe=0, path="/", role=0, cost=none, origin=0})");
    CHECK(to_string(frame_header{.delta = -3, .size = 4}) == "FRAME{delta=-3, size=4}");
}

} // namespace moqlite::test::print_test
