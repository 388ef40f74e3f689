// One log under random use, against a model: readers of every format, written and acknowledged to random positions,
// pins, and a pool that runs out.
#include "hex.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <cstring>
#include <memory>
#include <moqlite/session/group.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::test::group_model_test {

namespace {

constexpr std::array formats{frame_format::lite_size, frame_format::lite_time, frame_format::lite_leading_ones};

std::string_view text(byte_view bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// A reader, and what it has done.
struct subscriber {
    struct loan {
        std::size_t at;
        byte_view bytes;
    };
    group_reader reader;
    frame_range wanted;
    bool started = true;  ///< The first frame wanted has arrived.
    std::size_t base = 0; ///< The offset in the image at which it reads.
    std::size_t format = 0;
    std::size_t written = 0;
    std::size_t acked = 0;
    bool starved = false; ///< There was no memory for a header.
    std::vector<loan> loans;
};

class model {
public:
    explicit model(unsigned seed)
        : dice_(seed),
          scarce_(seed % 3 == 0),
          small_frames_(seed % 2 == 0),
          pool_(scarce_ ? 6000 + below(60'000) : SIZE_MAX),
          log_(group::make(pool_, group_sequence{1}, formats[1 + below(2)])) {
        if (below(2) != 0) pins_.emplace_back(log_);
    }
    [[nodiscard]] bool holds() const { return holds_; }
    [[nodiscard]] bool all_freed() const { return pool_.in_use() == 0 && pool_.charged() == 0; }

    void step() {
        switch (below(12)) {
        case 0:
        case 1:
        case 2:
        case 3:
            // Headers of several slabs.
            for (auto n = small_frames_ ? below(40) : 0; n != 0; --n) begin(), append();
            begin();
            [[fallthrough]];
        case 4:
        case 5: append(); break;
        case 6: attach(); break;
        case 7: leave(); break;
        case 8: pin(); break;
        case 9:
        case 10:
            for (auto& s : subscribers_) write(*s, below(4) == 0 ? SIZE_MAX : below(3000));
            break;
        case 11:
            for (auto& s : subscribers_)
                acknowledge(*s, below(2) == 0 ? s->written - s->acked : below(s->written - s->acked + 1));
        }
        for (auto& s : subscribers_) check_loans(*s);
    }
    void end() {
        for (auto& s : subscribers_) {
            while (!aborted() && s->written != image(*s).size() && holds_ && !s->starved) write(*s, 5000);
            acknowledge(*s, s->written - s->acked);
            expect(!s->reader.acked(1));
        }
        pins_.clear();
        if (below(2) != 0) log_->abort(app_error::cancel);
        if (below(2) != 0) log_ = {};
        subscribers_.clear();
        log_ = {};
    }

private:
    void expect(bool what) { holds_ = holds_ && what; }
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(dice_() % n); }
    [[nodiscard]] bool aborted() const { return log_->ended() == group::state::aborted; }
    [[nodiscard]] std::string_view image(const subscriber& s) const {
        if (!s.started) return {};
        const std::string_view all = images_[s.format];
        const auto behind = s.wanted.last ? number(*s.wanted.last) + 1 : frames_.size();
        const auto end = behind < frames_.size() ? frames_[behind].at[s.format] : all.size();
        return all.substr(s.base, end - s.base);
    }

    void begin() {
        if (missing_ != 0 || aborted()) return;
        const auto time = below(3) != 0 ? last_ + below(100) : below(5'000'000);
        const auto size = below(4) == 0 ? 0 : small_frames_ ? below(12) : below(5) == 0 ? below(40'000) : below(1500);
        if (!log_->begin_frame(timestamp{time}, size, below(2) != 0 ? below(2000) : SIZE_MAX)) return expect(scarce_);
        const auto delta = wire::lite::delta(timestamp{last_}, timestamp{time}).value();
        frames_.push_back({time, size, {images_[0].size(), images_[1].size(), images_[2].size()}});
        for (std::size_t i = 0; i != formats.size(); ++i) {
            std::array<std::byte, wire::lite::frame_header_size_max> header;
            const auto used = wire::lite::write_frame_header(formats[i], delta, size, header);
            images_[i] += text(byte_view{header}.first(used));
        }
        last_ = time;
        missing_ = size;
    }
    void append() {
        if (aborted()) return;
        std::string part(below(9) == 0 ? below(missing_ + 1) : missing_, '\0');
        for (auto& c : part) c = static_cast<char>(dice_());
        if (!log_->append_payload(as_bytes(part))) return expect(scarce_);
        for (auto& i : images_) i += part;
        missing_ -= part.size();
    }
    void attach() {
        if (subscribers_.size() == 8) return;
        auto s = std::make_unique<subscriber>();
        s->format = below(3);
        if (below(2) != 0 && s->format != 0) {
            const auto first = below(frames_.size() + 3);
            s->wanted.first = object_id{first};
            if (below(2) != 0) s->wanted.last = object_id{first + below(6)};
        }
        if (log_->lost_head() == 0) expect(group_reader::can_read(*log_, formats[s->format], s->wanted));
        if (!group_reader::can_read(*log_, formats[s->format], s->wanted)) return;
        s->started = s->wanted.first == object_id{};
        s->reader.attach(log_, wake_, formats[s->format], s->wanted);
        subscribers_.push_back(std::move(s));
    }
    /// Goes to the first frame wanted, if it has arrived.
    void start(subscriber& s) {
        if (s.started || aborted()) return;
        std::array<std::byte, wire::lite::frame_header_size_max> header;
        const auto used = s.reader.start(header);
        const auto first = number(s.wanted.first);
        if (first >= frames_.size()) return expect(used.error() == errc::frame_incomplete);
        if (!used) return s.starved = true, expect(scarce_ && used.error() == errc::out_of_memory_limit);
        const auto& its_frame = frames_[first];
        std::array<std::byte, wire::lite::frame_header_size_max> its;
        const auto before = first == 0 ? 0 : frames_[first - 1].time;
        const auto delta = wire::lite::delta(timestamp{before}, timestamp{its_frame.time}).value();
        const auto replaced = wire::lite::write_frame_header(formats[s.format], delta, its_frame.size, its);
        const auto absolute = wire::lite::delta(timestamp{}, timestamp{its_frame.time}).value();
        const auto size = wire::lite::write_frame_header(formats[s.format], absolute, its_frame.size, its);
        expect(text(byte_view{header}.first(*used)) == text(byte_view{its}.first(size)));
        s.base = its_frame.at[s.format] + replaced;
        s.started = true;
    }
    void leave() {
        if (subscribers_.empty() || below(4) != 0) return;
        const auto which = below(subscribers_.size());
        if (below(2) != 0) subscribers_[which]->reader.retire();
        subscribers_.erase(subscribers_.begin() + static_cast<std::ptrdiff_t>(which));
    }
    void pin() {
        if (below(3) != 0) return;
        if (pins_.size() < 4 && below(2) != 0) return static_cast<void>(pins_.emplace_back(log_));
        if (pins_.empty()) return;
        if (below(2) != 0) const group_pin moved{std::move(pins_.back())};
        pins_.pop_back();
    }
    void write(subscriber& s, std::size_t most) {
        start(s);
        std::array<byte_view, 5> ranges;
        const auto lent = s.reader.lend(std::span{ranges}.first(1 + below(5)), most);
        s.starved = s.started && most != 0 && lent.bytes == 0 && s.written != image(s).size() && !aborted();
        if (s.starved) expect(scarce_);
        const auto n = below(3) == 0 ? below(lent.bytes + 1) : lent.bytes;
        std::size_t sum = 0;
        for (const auto range : std::span{ranges}.first(lent.ranges)) {
            expect(!range.empty());
            if (sum < n) s.loans.push_back({s.written + sum, range.first(std::min(range.size(), n - sum))});
            sum += range.size();
        }
        expect(sum == lent.bytes && lent.bytes <= most);
        // What failed may be in the log in part.
        if (!aborted()) expect(lent.all == (s.written + lent.bytes == image(s).size()));
        s.reader.wrote(n);
        s.written += n;
        if (!aborted()) expect((s.reader.unsent() == 0) == (s.written == image(s).size()));
    }
    void acknowledge(subscriber& s, std::size_t n) {
        expect(!s.reader.acked(s.written - s.acked + 1 + below(10)));
        expect(s.reader.acked(n));
        s.acked += n;
        expect((s.reader.unacked() == 0) == (s.written == s.acked));
    }
    void check_loans(subscriber& s) {
        std::erase_if(s.loans, [&](const auto& l) { return l.at + l.bytes.size() <= s.acked; });
        for (const auto& l : s.loans) {
            const auto from = std::max(l.at, s.acked);
            const auto whole = image(s);
            const auto wanted = from < whole.size() ? whole.substr(from, l.bytes.size() - (from - l.at)) : "";
            expect(text(l.bytes).substr(from - l.at).starts_with(wanted));
            expect(aborted() || wanted.size() == l.bytes.size() - (from - l.at));
        }
    }

    std::mt19937 dice_;
    bool scarce_;
    bool small_frames_;
    bool holds_ = true;
    slab_pool pool_;
    wake_queue wake_;
    group_ref log_;
    std::array<std::string, 3> images_; ///< Of the log, in each format.
    struct frame {
        std::uint64_t time;
        std::uint64_t size;
        std::array<std::size_t, 3> at; ///< In each image.
    };
    std::vector<frame> frames_;
    std::uint64_t last_ = 0;
    std::size_t missing_ = 0;
    std::vector<std::unique_ptr<subscriber>> subscribers_;
    std::vector<group_pin> pins_;
};

} // namespace

TEST_CASE("readers of all formats get their own images, and what they were lent stays until they acknowledge it",
    "[group][formats]") {
    const auto seed = GENERATE(range(0u, 200u));
    CAPTURE(seed);
    model m{seed};
    for (int i = 0; i != 400 && m.holds(); ++i) m.step();
    REQUIRE(m.holds());
    m.end();
    CHECK(m.holds());
    CHECK(m.all_freed());
}

} // namespace moqlite::test::group_model_test
