// packets_tests --seeds 300: the number of runs per scenario. All other options are Catch2's.
#include <catch2/catch_session.hpp>
#include <cstdlib>
#include <string>

int main(int argc, char** argv) {
    Catch::Session session;
    std::string seeds;
    session.cli(session.cli() | Catch::Clara::Opt(seeds, "number")["--seeds"]("runs of each scenario"));
    if (const int wrong = session.applyCommandLine(argc, argv); wrong != 0) return wrong;
    if (!seeds.empty()) ::setenv("MOQLITE_SEEDS", seeds.c_str(), 1);
    return session.run();
}
