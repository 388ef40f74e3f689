// Infers which request a publisher's bytes answer, where no record says it: the answer itself does not.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/wire/lite/inspect.hpp>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace moqlite::wire::lite {

/// Bytes read as the answer to one kind of request.
struct answer_reading {
    std::optional<bidi_type> answers = {}; ///< nullopt: no answer, but a GOAWAY stream that the publisher opened.
    inspection_end end = {};
    /// ANNOUNCE_OK promises more announcements than follow, or a message has an unusual encoding.
    bool doubtful = false;
};

/// The readings of a publisher's bytes on a bidirectional stream, best first.
class answer_readings {
public:
    [[nodiscard]] const answer_reading* begin() const noexcept { return readings_.data(); }
    [[nodiscard]] const answer_reading* end() const noexcept { return readings_.data() + size_; }
    [[nodiscard]] const answer_reading& best() const noexcept { return readings_[0]; }

private:
    friend answer_readings read_answers(version v, byte_view in, const limits& bounds);

    void add(version v, byte_view in, std::optional<bidi_type> answers, const limits& bounds) {
        std::uint64_t promised = 0;
        std::uint64_t came = 0;
        bool usual = true;
        const auto note = [&](const inspected& m) {
            if (const auto* ok = std::get_if<announce_ok>(&m.message)) promised = ok->active_count;
            came += std::holds_alternative<announce>(m.message) || std::holds_alternative<announce_start>(m.message);
            usual = usual && is_usual(v, m, in.subspan(static_cast<std::size_t>(m.offset), m.size));
        };
        const auto end = inspect({v, carrier::bidi, sender::publisher, answers}, in, note, bounds);
        readings_[size_++] = {answers, end, came < promised || !usual};
    }

    /// False: we would encode the message differently, such as a flag of 15 as 1.
    static bool is_usual(version v, const inspected& m, byte_view bytes) {
        std::vector<std::byte> again;
        const auto encoded = [&](const auto& message) {
            if constexpr (requires { write(std::declval<writer&>(), v, message); })
                return encode(v, message, again) == errc::ok && std::ranges::equal(again, bytes);
            else
                return true;
        };
        return std::visit(encoded, m.message);
    }

    std::array<answer_reading, 6> readings_{};
    std::size_t size_ = 0;
};

/// Reads `in` as each answer that the version defines. Whole readings are best, then incomplete ones, then the one that
/// is well-formed for longest. Several can be whole: an ANNOUNCE_OK without announcements has the bytes of a PROBE.
[[nodiscard]] inline answer_readings read_answers(version v, byte_view in, const limits& bounds = default_limits) {
    answer_readings out;
    out.add(v, in, bidi_type::announce, bounds);
    out.add(v, in, bidi_type::subscribe, bounds);
    if (has_track_info(v)) out.add(v, in, bidi_type::track, bounds);
    out.add(v, in, bidi_type::probe, bounds);
    if (has_goaway(v)) out.add(v, in, std::nullopt, bounds);
    // Nearly any bytes can be read as frames, so these are last.
    out.add(v, in, bidi_type::fetch, bounds);

    const auto better = [](const answer_reading& a, const answer_reading& b) {
        if (a.end.how != b.end.how) return a.end.how < b.end.how;
        if (a.end.how == ending::whole) return a.doubtful < b.doubtful;
        return a.end.how == ending::malformed && a.end.offset > b.end.offset;
    };
    // Insertion sort, because it is stable and allocates nothing.
    const auto readings = std::span{out.readings_}.first(out.size_);
    for (std::size_t i = 1; i < readings.size(); ++i)
        for (auto j = i; j > 0 && better(readings[j], readings[j - 1]); --j) std::swap(readings[j], readings[j - 1]);
    return out;
}

} // namespace moqlite::wire::lite
