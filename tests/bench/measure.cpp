#include "measure.hpp"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

namespace moqlite::bench {

namespace {

double seconds_of(clockid_t clock) noexcept {
    timespec t{};
    ::clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

} // namespace

double seconds_now() noexcept { return seconds_of(CLOCK_MONOTONIC); }
double cpu_now() noexcept { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }

std::uint64_t resident() noexcept {
    std::ifstream in{"/proc/self/statm"};
    std::uint64_t total = 0, here = 0;
    in >> total >> here;
    return here * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t resident_peak() noexcept {
    rusage r{};
    ::getrusage(RUSAGE_SELF, &r);
    return static_cast<std::uint64_t>(r.ru_maxrss) * 1024;
}

nlohmann::json usage() {
    return {{"at", seconds_now()}, {"cpu", cpu_now()}, {"rss", resident()}, {"peak", resident_peak()}};
}

bool pin_to(int core) noexcept {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(core), &set);
    return ::sched_setaffinity(0, sizeof set, &set) == 0;
}

bool go_first() {
    // Linux (autogroup) first balances login sessions, then the processes of each.
    ::setsid();
    std::ofstream{"/proc/self/autogroup"} << -15;
    return ::setpriority(PRIO_PROCESS, 0, -15) == 0;
}

int cores() noexcept { return static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)); }

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const auto half = values.size() / 2;
    return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double percentile(std::vector<float>& values, double part) {
    if (values.empty()) return 0;
    const auto at = std::min(values.size() - 1, static_cast<std::size_t>(part * static_cast<double>(values.size())));
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
    return values[at];
}

} // namespace moqlite::bench
