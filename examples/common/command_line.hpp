// A program's flags; each is also an environment variable and a key of a TOML file.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <spdlog/fmt/fmt.h>
#include <string>

namespace moqlite::programs {

/// A number from `least` to `most`. The error message names the range, --help does not.
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

    /// `names` as in CLI11: "--rate", or "URL,--url" for one that may be positional.
    template <class T>
    CLI::Option* option(const std::string& names, T& value, const std::string& help) {
        return with_variable(app_.add_option(names, value, help));
    }
    CLI::Option* flag(const std::string& name, bool& value, const std::string& help);
    /// Bytes, with K, M or G; `value` is the default, shown as `shown`.
    CLI::Option* size(const std::string& name, std::uint64_t& value, const std::string& shown, const std::string& help,
        std::uint64_t least, std::uint64_t most);
    /// Seconds, with a fraction; "50ms" too.
    CLI::Option* seconds(const std::string& name, double& value, const std::string& help, double least, double most);

    /// nullopt: continue. Otherwise the exit code, after the output.
    [[nodiscard]] std::optional<int> parse(int argc, char** argv);
    /// Reports an error in the flags, in one line.
    [[nodiscard]] int refuse(const std::string& what) const;

private:
    static CLI::Option* with_variable(CLI::Option*);
    [[nodiscard]] std::string explain(const CLI::ParseError&) const;

    CLI::App app_;
    std::string name_;
};

/// Runs `body`; an exception becomes one line and an exit code.
int run_program(const char* name, int (*body)(int argc, char** argv), int argc, char** argv);

} // namespace moqlite::programs
