// The cost of encoding and decoding a message, beside a memcpy of the same bytes.
#include "stages.hpp"

#include "../measure.hpp"

#include <algorithm>
#include <array>
#include <benchmark/benchmark.h>
#include <cstring>
#include <moqlite/wire/lite/frame.hpp>
#include <moqlite/wire/lite/group.hpp>
#include <moqlite/wire/lite/subscribe.hpp>
#include <string>
#include <vector>

namespace moqlite::bench {

namespace {

constexpr limits bounds{};

/// Nanoseconds a call: the median of nine batches, each long enough for the clock.
template <class F>
double nanoseconds(F&& call) {
    std::size_t batch = 1000;
    const auto run = [&] {
        const double begin = seconds_now();
        for (std::size_t i = 0; i < batch; ++i) call();
        return seconds_now() - begin;
    };
    while (run() < 0.002) batch *= 2;
    std::vector<double> each;
    for (int i = 0; i < 9; ++i) each.push_back(run() / static_cast<double>(batch) * 1e9);
    return median(each);
}

double copy_of(std::size_t size) {
    std::vector<std::byte> from(size), to(size);
    return nanoseconds([&] {
        benchmark::DoNotOptimize(from.data());
        std::memcpy(to.data(), from.data(), size);
        benchmark::DoNotOptimize(to.data());
        benchmark::ClobberMemory();
    });
}

/// `most`: the goal, ns.
void row(report& out, version v, const std::string& name, std::size_t size, double write, double read, double most) {
    const double copy = copy_of(size);
    const std::string dialect{alpn(v)};
    const auto* wrote = out.goal(name + " of " + dialect + ", to write, ns", write, bound::at_most, most);
    const auto* took = out.goal(name + " of " + dialect + ", to read, ns", read, bound::at_most, most);
    out.line("%-11s  %-9s %5zu B  write %6.1f ns %s  read %6.1f ns %s  memcpy %6.1f ns", dialect.c_str(), name.c_str(),
        size, write, wrote, read, took, copy);
    out.data()["codec"][dialect][name] = {{"bytes", size}, {"write_ns", write}, {"read_ns", read}, {"memcpy_ns", copy}};
}

void control_message(report& out, version dialect) {
    using namespace wire::lite;
    const subscribe m{7, "room/alice/camera", "video/1080p", {128, true, milliseconds{500}, group_sequence{12345}, {}}};
    std::vector<std::byte> bytes;
    benchmark::DoNotOptimize(dialect);
    const double write = nanoseconds([&] {
        bytes.clear();
        benchmark::DoNotOptimize(wire::lite::encode(dialect, m, bytes));
        benchmark::ClobberMemory();
    });
    const double read = nanoseconds([&] {
        benchmark::DoNotOptimize(bytes.data());
        const auto message = take_message(dialect, bytes);
        benchmark::DoNotOptimize(decode<subscribe>(dialect, message->body, bounds));
    });
    row(out, dialect, "SUBSCRIBE", bytes.size(), write, read, 60);
}

void group_message(report& out, version dialect) {
    using namespace wire::lite;
    group_header m{7, group_sequence{12345}, {}};
    std::array<std::byte, group_prefix_size_max> prefix;
    std::size_t size = 0;
    const double write = nanoseconds([&] {
        benchmark::DoNotOptimize(m);
        size = write_group_prefix(dialect, m, prefix);
        benchmark::DoNotOptimize(prefix);
    });
    const double read = nanoseconds([&] {
        benchmark::DoNotOptimize(prefix);
        const byte_view in = byte_view{prefix}.first(size);
        const auto type = take_uni_type(dialect, in);
        const auto message = take_message(dialect, in.subspan(type->size), group_size_max(dialect));
        benchmark::DoNotOptimize(decode<group_header>(dialect, message->body, bounds));
    });
    row(out, dialect, "GROUP", size, write, read, 15);
}

void frame_message(report& out, version dialect) {
    using namespace wire::lite;
    std::array<std::byte, frame_header_size_max> header;
    std::int64_t delta = 16'667;
    std::uint64_t payload = 8192;
    std::size_t size = 0;
    const double write = nanoseconds([&] {
        benchmark::DoNotOptimize(delta);
        benchmark::DoNotOptimize(payload);
        size = write_frame_header(dialect, delta, payload, header);
        benchmark::DoNotOptimize(header);
    });
    const double read = nanoseconds([&] {
        benchmark::DoNotOptimize(header);
        benchmark::DoNotOptimize(take_frame_header(dialect, byte_view{header}.first(size), bounds.frame));
    });
    row(out, dialect, "FRAME", size, write, read, 15);
}

} // namespace

void bench_codec(report& out, const run_plan&) {
    out.title("codec: one message");
    for (const auto v : all_versions) {
        control_message(out, v);
        group_message(out, v);
        frame_message(out, v);
    }
}

} // namespace moqlite::bench
