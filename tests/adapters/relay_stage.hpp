// Shared by hostile tests: a relay with one transfer that must lose nothing, checks for the end of
// an intruder, and an intruder that publishes.
#pragma once

#include "relay_scene.hpp"

#include <moqlite/wire/lite/announce.hpp>
#include <utility>

namespace moqlite::test {

inline constexpr std::size_t a_mebibyte = 1024 * 1024;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true; // The relay is sanitised, too, which takes memory.
#else
inline constexpr bool sanitized = false;
#endif

inline std::string raw(std::string_view text) { return std::string{as_text(hex(text))}; }
template <class M>
std::string bytes_of(const M& message) {
    std::vector<std::byte> out;
    REQUIRE(wire::lite::encode(version::lite_05, message, out) == errc::ok);
    return std::string{as_text(out)};
}

struct stage : relay_scene {
    explicit stage(const std::string& program) : relay_scene{program} {
        see_a_new_client();
        memory_before = relay.resident();
    }

    /// The transfer continues without loss, and a new peer is served.
    void must_be_undisturbed() {
        const auto before = media.received();
        CHECK(run([&] { return media.received() > before + 2 * transfer::most_in_flight; }, 5s));
        CHECK(media.damage() == std::vector<std::string>{});
        CHECK(std::exchange(publisher.complaints, {}) == std::vector<std::string>{});
        CHECK(std::exchange(watcher.complaints, {}) == std::vector<std::string>{});
        CHECK_FALSE(relay.exit_code());
        see_a_new_client();
    }
    void see_a_new_client() {
        auto& visitor = guests.emplace_back();
        welcome(visitor);
        static_cast<void>(visitor.session->watch(""));
        visitor.connection->wake();
        CHECK(run([&] { return visitor.there.contains("well"); }));
        CHECK(visitor.complaints == std::vector<std::string>{});
        visitor.session->close(app_error::cancel, "thank you");
        visitor.connection->wake();
        REQUIRE(run([&] { return visitor.connection == nullptr; }));
    }
    /// The log of its session has one line with `rule`, and none with another rule.
    void must_be_named(intruder& who, std::string_view rule) {
        dismiss(who);
        CHECK(relay.said(who.tag, rule).size() == 1);
        CHECK(relay.said(who.tag, "violated the protocol").size() <= 1);
    }
    void must_not_be_named(intruder& who) {
        dismiss(who);
        CHECK(relay.said(who.tag, "violated the protocol").empty());
        CHECK(relay.said(who.tag, "ended: closed by the peer with cancel (0): bye").size() == 1);
    }
    /// The session was closed with `code`, and the reason names the rule.
    void must_be_closed(intruder& who, std::string_view rule, app_error code) {
        REQUIRE(run([&] { return who.ended(); }));
        const auto& how = **who.end;
        CHECK(how.by_peer);
        CHECK(how.application);
        CHECK(how.code == static_cast<std::uint64_t>(code));
        CHECK(how.reason == rule);
        must_be_named(who, rule);
    }

    std::size_t memory_before = 0;
};

/// The stream of the relay's ANNOUNCE_REQUEST to this intruder.
inline stream_id asked_for_announcements(stage& s, intruder& who) {
    constexpr stream_id first_of_the_server{1};
    REQUIRE(s.run([&] { return !who.peer->received[first_of_the_server].bytes.empty(); }));
    return first_of_the_server;
}

/// An intruder that announces `broadcast`, and to which the relay has subscribed on behalf of the watcher.
struct false_publisher {
    false_publisher(stage& s, std::string broadcast) : who{s.intrude()} {
        const auto asked = asked_for_announcements(s, who);
        stage::add(who, asked, raw("02 07 01") + bytes_of(wire::lite::announce{.suffix = broadcast}));
        REQUIRE(s.run([&] { return s.watcher.there.contains(broadcast); }));
        subscription = s.watcher.session->subscribe({broadcast, "video"}).value();
        s.watcher.connection->wake();
        // Without a TRACK from the watcher the relay sends none; the next stream is SUBSCRIBE.
        REQUIRE(s.run([&] { return who.peer->received[subscribe].bytes.starts_with('\x02'); }));
    }
    static constexpr stream_id subscribe{5};
    intruder who;
    subscribe_id subscription{};
};

} // namespace moqlite::test
