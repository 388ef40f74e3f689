// A track_reader on a session that only records commands.
#pragma once

#include "session/subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <moqlite/session/track_reader.hpp>
#include <utility>

namespace moqlite::test {

/// A session that records commands.
struct notebook {
    result<subscribe_id> subscribe(const track_ref& track, const subscribe_options& o) {
        max_age = o.max_age;
        said.push_back("subscribe " + text(track) + (o.ordered ? " ordered " : " ") + range(o));
        return subscribe_id{next++};
    }
    result<void> update(subscribe_id id, const subscribe_changes& o) {
        max_age = o.max_age.value_or(max_age);
        said.push_back("update " + std::to_string(number(id)) + " " + range(o));
        return {};
    }
    result<void> stop(group_id g, app_error code) {
        said.push_back("stop " + std::to_string(number(g)) + " " + std::string(to_string(code)));
        return {};
    }
    result<void> release(group_id g, std::uint64_t n) {
        said.push_back("release " + std::to_string(number(g)) + " " + std::to_string(n));
        return {};
    }
    result<void> unsubscribe(subscribe_id id) {
        said.push_back("unsubscribe " + std::to_string(number(id)));
        return {};
    }
    [[nodiscard]] protocol_features features() const { return features_of(dialect); }
    template <class Options>
    static std::string range(const Options& o) {
        const auto one = [](auto s) { return s ? std::to_string(number(*s)) : std::string(); };
        return one(o.start) + ".." + one(o.end);
    }
    version dialect = version::lite_05;
    milliseconds max_age{0}; ///< As last asked for.
    std::uint64_t next = 0;
    list said;
};

/// A reader of room/video, and the events of its session. Group n has the id 100 + n.
struct desk {
    explicit desk(track_reader_options o = {}) : reader(session, std::move(o)) {
        REQUIRE(reader.start({"room", "video"}));
    }

    void tell(const event& e) { reader.handle(e, now); }
    void accepted(std::uint64_t start) { tell(subscription_accepted{id, at(start)}); }
    void end_known(std::uint64_t end) { tell(subscription_end_known{id, at(end)}); }
    void ended(bool lacks_groups = false) { tell(subscription_ended{id, true, app_error::cancel, lacks_groups}); }
    void dropped(std::uint64_t first, std::uint64_t last) {
        tell(groups_dropped{id, at(first), at(last), app_error::evicted});
    }
    void opened(std::uint64_t n) { tell(group_opened{group_id{100 + n}, id, at(n), {}}); }
    void data(
        std::uint64_t n, std::string_view payload, std::uint64_t frame = 0, std::optional<std::uint64_t> size = {}) {
        const auto bytes = as_bytes(payload);
        tell(frame_data{group_id{100 + n}, id, at(n), {}, object_id{frame}, size.value_or(bytes.size()), 0,
            timestamp{frame}, bytes});
    }
    void closed(std::uint64_t n, bool complete = true) {
        tell(group_closed{group_id{100 + n}, id, at(n), complete, complete ? app_error::cancel : app_error::old});
    }
    void partial(std::uint64_t n, std::string_view payload = "x") { opened(n), data(n, payload); }
    void whole(std::uint64_t n, std::string_view payload = "x") { partial(n, payload), closed(n); }
    void pass(duration d) {
        now += d;
        reader.tick(now);
    }
    /// Reads everything available.
    list read() {
        list out;
        while (const auto p = reader.next()) {
            std::string bytes;
            for (auto b : p->data) bytes.push_back(static_cast<char>(b));
            out.push_back(std::to_string(number(p->sequence)) + "." + std::to_string(number(p->object)) + " " + bytes);
            reader.consume(p->data.size());
        }
        return out;
    }
    list lost() {
        list out;
        while (const auto l = reader.poll_lost())
            out.push_back(std::to_string(number(l->first)) + " to " + std::to_string(number(l->last)) + " " +
                          std::string(to_string(l->code)));
        return out;
    }
    list said() { return std::exchange(session.said, {}); }
    static group_sequence at(std::uint64_t n) { return group_sequence{n}; }

    notebook session;
    track_reader<notebook> reader;
    subscribe_id id{};
    time_point now = t0;
};

[[nodiscard]] inline track_reader_options from(std::uint64_t n) { return {.start = group_sequence{n}}; }
inline const track_reader_options live{.mode = reading::live};

} // namespace moqlite::test
