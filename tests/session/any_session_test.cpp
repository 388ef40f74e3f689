// One object for every protocol: forwards all members to the session inside.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <moqlite/session/any_session.hpp>
#include <optional>

namespace moqlite::test::any_session_test {

namespace {

/// A fake session that records its calls.
class dummy {
public:
    explicit dummy(list& notes) : notes_(&notes) {}

    void stream_received(stream_id, byte_view, bool, time_point) { note("received"); }
    void stream_reset(stream_id, app_error, time_point) { note("reset"); }
    void stream_stopped(stream_id, app_error, time_point) { note("stopped"); }
    void stream_writable(stream_id, time_point) { note("writable"); }
    void stream_acked(stream_id, std::uint64_t, time_point) { note("acked"); }
    void stream_closed(stream_id, std::optional<app_error>, time_point) { note("closed"); }
    void streams_available(direction, time_point) { note("available"); }
    void datagram_received(byte_view, time_point) { note("datagram"); }
    void path_measured(const path_facts&, time_point) { note("measured"); }
    void connection_closed(const closed_by&, time_point) { note("connection_closed"); }
    void tick(time_point) { note("tick"); }
    std::optional<event> poll_event() { return note("poll_event"), std::nullopt; }
    std::optional<output> poll_output() { return note("poll_output"), std::nullopt; }
    void stream_opened(direction, std::optional<stream_id>) { note("opened"); }
    void stream_written(stream_id, std::size_t) { note("written"); }
    void flushed() noexcept { note("flushed"); }
    [[nodiscard]] std::optional<time_point> deadline() const noexcept { return t0; }
    result<void> admit(scope) { return done("admit"); }
    result<void> refuse(app_error, std::string_view reason) { return done("refuse", reason); }
    result<watch_id> watch(std::string_view) { return note("watch"), watch_id{1}; }
    result<watch_id> watch_hidden(std::string_view) { return note("watch_hidden"), watch_id{2}; }
    result<void> unwatch(watch_id) { return done("unwatch"); }
    result<subscribe_id> subscribe(const track_ref&, const subscribe_options&) {
        return note("subscribe"), subscribe_id{2};
    }
    result<void> update(subscribe_id, const subscribe_changes&) { return done("update"); }
    result<void> unsubscribe(subscribe_id, app_error) { return done("unsubscribe"); }
    result<query_id> request_track(const track_ref&) { return note("request_track"), query_id{3}; }
    result<void> cancel(query_id) { return done("cancel"); }
    result<group_id> fetch(const track_ref&, group_sequence, priority, const frame_range&) {
        return note("fetch"), group_id{4};
    }
    result<void> collect(group_id, group_ref) { return done("collect"); }
    result<void> release(group_id, std::uint64_t) { return done("release"); }
    result<void> stop(group_id, app_error) { return done("stop"); }
    result<void> probe(std::optional<std::uint64_t>) { return done("probe"); }
    void stop_probe() { note("stop_probe"); }
    result<void> announce(std::string_view, std::vector<hop_id>) { return done("announce"); }
    result<void> unannounce(std::string_view) { return done("unannounce"); }
    result<void> answer_track(request_id, const track_info&) { return done("answer_track"); }
    result<void> set_timescale(request_id, std::uint64_t) { return done("set_timescale"); }
    result<void> accept(request_id, std::optional<group_sequence>, priority) { return done("accept"); }
    result<void> reject(request_id, app_error, std::string_view reason) { return done("reject", reason); }
    result<void> serve(request_id, group_ref) { return done("serve"); }
    result<group_ref> open_group(request_id, group_sequence) { return note("open_group"), group_ref{}; }
    result<void> serve_datagram(request_id, group_sequence, timestamp, byte_view) { return done("serve_datagram"); }
    result<void> drop(request_id, group_sequence, group_sequence, app_error) { return done("drop"); }
    result<void> end_track(request_id, group_sequence) { return done("end_track"); }
    result<void> finish(request_id) { return done("finish"); }
    result<void> goaway(std::string_view) { return done("goaway"); }
    void close(app_error, std::string_view reason) { static_cast<void>(done("close", reason)); }
    [[nodiscard]] std::uint64_t unsent(request_id) { return note("unsent"), 5; }
    [[nodiscard]] slab_pool& pool() noexcept { return pool_; }
    [[nodiscard]] bool is_closed() const noexcept { return true; }
    [[nodiscard]] protocol negotiated() const noexcept { return protocol::moqt(14); }
    [[nodiscard]] protocol_features features() const noexcept { return {.subscribe_end = true}; }
    [[nodiscard]] const scope& allowed() const noexcept { return allowed_; }

private:
    void note(const char* what) const { notes_->push_back(what); }
    result<void> done(const char* what, std::string_view reason = {}) const {
        notes_->push_back(what + std::string(reason));
        return {};
    }
    list* notes_;
    scope allowed_;
    slab_pool pool_;
};

using either = basic_any_session<session, dummy>;

} // namespace

TEST_CASE("every input, command and output of an any_session is the inner session's", "[any_session]") {
    list notes;
    either any{std::in_place_type<dummy>, notes};
    REQUIRE(any.as<dummy>() != nullptr);
    CHECK(any.as<session>() == nullptr);
    any.stream_received({}, {}, false, t0);
    any.stream_reset({}, {}, t0);
    any.stream_stopped({}, {}, t0);
    any.stream_writable({}, t0);
    any.stream_acked({}, 1, t0);
    any.stream_closed({}, {}, t0);
    any.streams_available(direction::uni, t0);
    any.datagram_received({}, t0);
    any.path_measured({}, t0);
    any.connection_closed({}, t0);
    any.tick(t0);
    any.stream_opened(direction::uni, {});
    any.stream_written({}, 0);
    recorder link{role::client};
    CHECK(pump(any, link));
    CHECK_FALSE(any.poll_event());
    CHECK(notes == list{"received", "reset", "stopped", "writable", "acked", "closed", "available", "datagram",
                       "measured", "connection_closed", "tick", "opened", "written", "poll_output", "flushed",
                       "poll_event"});
    notes.clear();
    CHECK(any.admit({}));
    CHECK(any.refuse(app_error::unauthorized, " a stranger"));
    CHECK(any.watch("").value() == watch_id{1});
    CHECK(any.watch_hidden("").value() == watch_id{2});
    CHECK(any.unwatch({}));
    CHECK(any.subscribe({}).value() == subscribe_id{2});
    CHECK(any.update({}, {}));
    CHECK(any.unsubscribe({}));
    CHECK(any.request_track({}).value() == query_id{3});
    CHECK(any.cancel({}));
    CHECK(any.fetch({}, {}).value() == group_id{4});
    CHECK(any.collect({}, {}));
    CHECK(any.release({}, 1));
    CHECK(any.stop({}, {}));
    CHECK(any.probe());
    any.stop_probe();
    CHECK(any.announce(""));
    CHECK(any.unannounce(""));
    CHECK(any.answer_track({}, {}));
    CHECK(any.set_timescale({}, {}));
    CHECK(any.accept({}));
    CHECK(any.reject({}, {}, " of no use"));
    CHECK(any.serve({}, {}));
    CHECK(any.open_group({}, {}));
    CHECK(any.serve_datagram({}, {}, {}, {}));
    CHECK(any.drop({}, {}, {}, {}));
    CHECK(any.end_track({}, {}));
    CHECK(any.finish({}));
    CHECK(any.goaway());
    any.close({}, " at last");
    CHECK(any.unsent({}) == 5);
    CHECK(notes == list{"admit", "refuse a stranger", "watch", "watch_hidden", "unwatch", "subscribe", "update",
                       "unsubscribe", "request_track", "cancel", "fetch", "collect", "release", "stop", "probe",
                       "stop_probe", "announce", "unannounce", "answer_track", "set_timescale", "accept",
                       "reject of no use", "serve", "open_group", "serve_datagram", "drop", "end_track", "finish",
                       "goaway", "close at last", "unsent"});
    CHECK(&any.pool() == &any.as<dummy>()->pool());
    CHECK(any.is_closed());
    CHECK(any.negotiated().draft() == 14);
    CHECK_FALSE(any.negotiated().lite());
    CHECK(any.features().subscribe_end);
    CHECK(any.deadline() == t0);
    CHECK(any.allowed().publish.size() == 1);
}

TEST_CASE("an any_session that holds a session behaves as the session does", "[any_session]") {
    std::optional<any_session> any;
    any.emplace(std::in_place_type<session>, role::client, version::lite_05, session_options{.path = "/x"}, t0);
    CHECK(any->negotiated().lite() == version::lite_05);
    CHECK_FALSE(any->negotiated().draft());
    CHECK(any->features() == features_of(version::lite_05));
    recorder link{role::client};
    CHECK(pump(*any, link));
    CHECK(link.said == list{"open uni", "write 2 01050102022f78 fin"});
    const auto bytes = hex("01 01 00");
    any->stream_received(stream_id{3}, bytes, true, t0);
    CHECK(text(any->poll_event().value()) == "setup_received");
    CHECK_FALSE(any->poll_event());
}

} // namespace moqlite::test::any_session_test
