// A process of the bench's own, in one of its roles: started, asked, ended.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace moqlite::bench {

/// Runs this program again with `arguments`, pinned to `core`. What it says are JSON objects, one a
/// line; what it is told are words. Throws std::runtime_error where it says nothing in time, or
/// {"error": ...}.
class child {
public:
    child(std::vector<std::string> arguments, int core);
    /// Kills it.
    ~child();
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    /// The next thing that it says.
    [[nodiscard]] nlohmann::json wait(double seconds = 20);
    /// Its answer to a word.
    nlohmann::json ask(std::string_view word, double seconds = 20);
    /// Lets it close its connections and end.
    void leave();
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

private:
    [[nodiscard]] bool read_more(double seconds);

    std::string name_;
    std::string said_;
    pid_t pid_ = -1;
    int to_ = -1;
    int from_ = -1;
};

/// What a process used between two of its answers, as parts of one core.
[[nodiscard]] double cpu_between(const nlohmann::json& from, const nlohmann::json& to);
/// How fast a field of its answers grew, a second.
[[nodiscard]] double rate_between(const nlohmann::json& from, const nlohmann::json& to, const char* field);

void sleep_for(double seconds);

} // namespace moqlite::bench
