// An application in the relay's own process.
#pragma once

#include "scene.hpp"

#include <deque>
#include <initializer_list>
#include <moqlite/session/local_session.hpp>
#include <moqlite/session/track_reader.hpp>
#include <moqlite/session/track_writer.hpp>

namespace moqlite::test {

/// An application at a local end: writes tracks, and reads one.
class local_guest {
public:
    explicit local_guest(scene& s) : scene_(s), end({.pool = &s.r.memory()}) { key = s.r.add_local(end); }

    track_writer<local_session>& write(const track_ref& track, const track_writer_options& o = {}) {
        return writers_.emplace_back(end, track, scene_.r.memory(), o);
    }
    track_reader<local_session>& read(const track_ref& track, const track_reader_options& o = {}) {
        auto& reader = readers_.emplace_back(end, o);
        REQUIRE(reader.start(track));
        return reader;
    }
    void drain() {
        while (const auto e = end.poll_event()) {
            bool is_taken = false;
            for (auto& w : writers_) is_taken = w.handle(*e) || is_taken;
            for (auto& r : readers_) r.handle(*e, scene_.now);
            heard.push_back(text(*e));
            if (is_taken) continue;
            if (const auto* s = std::get_if<subscribe_requested>(&*e))
                REQUIRE(end.reject(s->request, app_error::not_found));
        }
    }

    scene& scene_;
    local_session end;
    std::uint64_t key = 0;
    list heard;

private:
    std::deque<track_writer<local_session>> writers_;
    std::deque<track_reader<local_session>> readers_;
};

/// Until nothing happens any more.
inline void settle(scene& s, std::initializer_list<local_guest*> all) {
    for (int quiet = 0; quiet != 3; ++quiet) {
        s.r.tick(s.now);
        s.settle();
        for (auto* g : all) {
            const auto before = g->heard.size();
            g->drain();
            if (g->heard.size() != before) quiet = 0;
        }
    }
}

inline void put(track_writer<local_session>& to, std::string_view payload) {
    const auto g = to.open_group();
    REQUIRE(g);
    REQUIRE(g->write_frame(timestamp{1}, as_bytes(payload)));
    REQUIRE(g->finish());
}

inline list take(track_reader<local_session>& from) {
    list out;
    while (const auto p = from.next()) {
        out.push_back(std::to_string(number(p->sequence)) + ": " +
                      std::string(reinterpret_cast<const char*>(p->data.data()), p->data.size()));
        from.consume(p->data.size());
    }
    return out;
}

} // namespace moqlite::test
