// A program's flags; each is also an environment variable and a key of a TOML file.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <spdlog/fmt/fmt.h>
#include <string>

namespace moqlite::programs {

/// A number from `least` to `most`. --help does not say so, the line that refuses another does.
template <class T>
CLI::Validator between(T least, T most) {
    return {[least, most](const std::string& text) {
                T value{};
                if (CLI::detail::lexical_cast(text, value) && value >= least && value <= most) return std::string{};
                return fmt::format("'{}' is not a number from {} to {}", text, least, most);
            },
        ""};
}

/// "--frame-size" is the variable MOQLITE_FRAME_SIZE and the key frame-size of --config FILE.
class command_line {
public:
    command_line(const std::string& name, const std::string& purpose, const std::string& examples);

    /// `names` as CLI11 has them: "--rate", or "URL,--url" for one that may stand without a name.
    template <class T>
    CLI::Option* option(const std::string& names, T& value, const std::string& help) {
        return with_variable(app_.add_option(names, value, help));
    }
    CLI::Option* flag(const std::string& name, bool& value, const std::string& help);
    /// Bytes, with K, M or G; `value` as it stands is the default, written `shown`.
    CLI::Option* size(const std::string& name, std::uint64_t& value, const std::string& shown, const std::string& help,
        std::uint64_t least, std::uint64_t most);
    /// Seconds, with a fraction; "50ms" too.
    CLI::Option* seconds(const std::string& name, double& value, const std::string& help, double least, double most);

    /// nullopt: go on. Otherwise everything was said, and this is the exit code.
    [[nodiscard]] std::optional<int> parse(int argc, char** argv);
    /// Says what is wrong with the flags, in one line.
    [[nodiscard]] int refuse(const std::string& what) const;

private:
    static CLI::Option* with_variable(CLI::Option*);
    [[nodiscard]] std::string explain(const CLI::ParseError&) const;

    CLI::App app_;
    std::string name_;
};

/// Runs `body`; an exception ends in one line and an exit code, never in a trace.
int run_program(const char* name, int (*body)(int argc, char** argv), int argc, char** argv);

} // namespace moqlite::programs
