// Exit codes of the programs.
#pragma once

namespace moqlite::programs {

enum exit_code : int {
    exit_ok = 0,
    exit_failure = 1,     ///< One line on stderr says why.
    exit_usage = 2,       ///< A wrong flag, variable or configuration file.
    exit_groups_lost = 3, ///< moqlite-watch: groups were lost.
    exit_no_answer = 4,   ///< A request was not answered in time.
};

/// Ended by a signal, after a clean close: 128 + its number, as in a shell.
[[nodiscard]] constexpr int exit_by_signal(int signal) noexcept { return 128 + signal; }

} // namespace moqlite::programs
