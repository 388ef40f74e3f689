// A child process of the bench, in one of its roles.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace moqlite::bench {

/// Runs this program with `arguments`, pinned to `core`. It receives words, and writes JSON objects, one per
/// line. Throws std::runtime_error on a timeout or {"error": ...}.
class child {
public:
    child(std::vector<std::string> arguments, int core);
    /// Kills it.
    ~child();
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    /// Its next object.
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

/// A process's CPU time between two of its answers, as a fraction of one core.
[[nodiscard]] double cpu_between(const nlohmann::json& from, const nlohmann::json& to);
/// The growth of a field of its answers, per second.
[[nodiscard]] double rate_between(const nlohmann::json& from, const nlohmann::json& to, const char* field);

void sleep_for(double seconds);

} // namespace moqlite::bench
