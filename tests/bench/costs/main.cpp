// moqlite-costs: runs each scene at N, 2N and 4N in a process of its own under callgrind, and fails if the cost
// grows faster than the scene allows. `./dev bench --costs [--only TEXT] [--list]`.
#include "cost.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#endif

namespace moqlite::bench::costs {

measured::measured() noexcept { CALLGRIND_START_INSTRUMENTATION; }
measured::~measured() { CALLGRIND_STOP_INSTRUMENTATION; }

scenes::scenes(std::initializer_list<scene> added) { all().insert(all().end(), added.begin(), added.end()); }
std::vector<scene>& scenes::all() {
    static std::vector<scene> known;
    return known;
}

namespace {

std::uint64_t total_of(const std::filesystem::path& profile) {
    std::ifstream in{profile};
    constexpr std::string_view key = "totals: ";
    for (std::string line; std::getline(in, line);) {
        if (!line.starts_with(key)) continue;
        if (const auto total = std::strtoull(line.c_str() + key.size(), nullptr, 10)) return total;
    }
    throw std::runtime_error("callgrind counted nothing: are valgrind and its headers installed?");
}

/// Instructions of one scene at one size.
std::uint64_t cost_of(const scene& s, std::size_t n) {
    const auto profile = std::filesystem::temp_directory_path() / ("moqlite-costs-" + std::to_string(::getpid()));
    const auto out = "--callgrind-out-file=" + profile.string();
    const auto self = std::filesystem::read_symlink("/proc/self/exe").string();
    const auto size = std::to_string(n);
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child == 0) {
        ::execlp("valgrind", "valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", out.c_str(), self.c_str(),
            "--scene", s.name.c_str(), size.c_str(), nullptr);
        std::_Exit(127);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error("the scene failed: " + s.name);
    const auto total = total_of(profile);
    std::filesystem::remove(profile);
    return total;
}

/// False: it grows too fast.
bool measure(const scene& s) {
    std::array<std::uint64_t, 3> cost{};
    for (std::size_t i = 0; i < cost.size(); ++i) cost[i] = cost_of(s, s.n << i);
    const auto ratio = [&](std::size_t i) { return static_cast<double>(cost[i + 1]) / static_cast<double>(cost[i]); };
    const double worst = std::max(ratio(0), ratio(1));
    const bool good = worst <= s.growth;
    std::printf("%-66s N %6zu %14llu %14llu %14llu  x%.2f x%.2f  at most x%.2f  %s\n", s.name.c_str(), s.n,
        static_cast<unsigned long long>(cost[0]), static_cast<unsigned long long>(cost[1]),
        static_cast<unsigned long long>(cost[2]), ratio(0), ratio(1), s.growth, good ? "pass" : "FAIL");
    std::fflush(stdout);
    return good;
}

int run(int argc, char** argv) {
    auto& all = scenes::all();
    std::sort(all.begin(), all.end(), [](const scene& a, const scene& b) { return a.name < b.name; });
    const std::string_view how = argc > 1 ? argv[1] : "";
    if (how == "--scene" && argc == 4) {
        const auto found = std::find_if(all.begin(), all.end(), [&](const scene& s) { return s.name == argv[2]; });
        if (found == all.end()) return 2;
        found->run(std::strtoull(argv[3], nullptr, 10));
        return 0;
    }
    if (how == "--list") {
        for (const auto& s : all) std::printf("%s\n", s.name.c_str());
        return 0;
    }
    if (argc > 1 && (how != "--only" || argc != 3)) {
        std::fputs("usage: moqlite-costs [--list] [--only TEXT]\n"
                   "Instructions of each scene (those whose name contains TEXT) at N, 2N and 4N.\n",
            stderr);
        return 2;
    }
    std::size_t failed = 0, ran = 0;
    std::puts("instructions at N, 2N and 4N, and how they grow");
    std::fflush(stdout);
    for (const auto& s : all) {
        if (how == "--only" && s.name.find(argv[2]) == std::string::npos) continue;
        ++ran;
        failed += measure(s) ? 0 : 1;
    }
    if (ran == 0) std::fputs("no such scene\n", stderr);
    return failed == 0 && ran != 0 ? 0 : 1;
}

} // namespace

} // namespace moqlite::bench::costs

int main(int argc, char** argv) {
    try {
        return moqlite::bench::costs::run(argc, argv);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "moqlite-costs: %s\n", e.what());
        return 1;
    }
}
