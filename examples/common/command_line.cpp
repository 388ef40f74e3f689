#include "command_line.hpp"

#include "exit_code.hpp"
#include "text.hpp"

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <iostream>
#include <memory>
#include <moqlite/asio/tls.hpp>
#include <unistd.h>

namespace moqlite::programs {

namespace {

std::string one_line(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

std::string variable_of(std::string flag) {
    std::transform(flag.begin(), flag.end(), flag.begin(),
        [](unsigned char c) { return c == '-' ? '_' : static_cast<char>(std::toupper(c)); });
    return "MOQLITE_" + flag;
}

std::string value_of(const std::string& variable) {
    const char* value = std::getenv(variable.c_str());
    return value != nullptr ? value : "";
}

/// The file of --config. By itself CLI11 would let it override variables, and accept unknown sections.
class settings final : public CLI::ConfigBase {
public:
    std::vector<CLI::ConfigItem> from_config(std::istream& in) const override {
        auto read = ConfigBase::from_config(in);
        for (const auto& item : read)
            if (!item.parents.empty())
                throw CLI::ConfigError("the configuration file has an unknown section: " + item.parents.front());
        std::erase_if(read, [](const auto& item) { return !value_of(variable_of(item.name)).empty(); });
        return read;
    }
};

} // namespace

command_line::command_line(const std::string& name, const std::string& purpose, const std::string& examples)
    : app_{purpose, name}, name_{name} {
    app_.set_version_flag(
        "--version", [name] { return name + " " MOQLITE_VERSION " (" + asio::library_versions() + ")"; },
        "Print the version and exit");
    const auto file = value_of("MOQLITE_CONFIG");
    app_.set_config(
            "--config", file, "TOML file; its keys are flag names without dashes, such as rate = 30", !file.empty())
        ->envname("MOQLITE_CONFIG")
        ->type_name("FILE");
    app_.config_formatter(std::make_shared<settings>());
    app_.allow_config_extras(CLI::config_extras_mode::error);
    app_.footer(
        "\nEach flag can also be set by an environment variable (--some-flag: MOQLITE_SOME_FLAG) or in the --config\n"
        "file. A flag overrides its variable, a variable overrides the file.\n\nExamples:\n" +
        examples);
    app_.get_formatter()->column_width(34);
}

CLI::Option* command_line::with_variable(CLI::Option* option) {
    return option->envname(variable_of(option->get_lnames().front()));
}

CLI::Option* command_line::flag(const std::string& name, bool& value, const std::string& help) {
    return with_variable(app_.add_flag(name, value, help));
}

CLI::Option* command_line::size(const std::string& name, std::uint64_t& value, const std::string& shown,
    const std::string& help, std::uint64_t least, std::uint64_t most) {
    const auto check = [least, most](std::string& text) -> std::string {
        const auto bytes = parse_size(text);
        if (!bytes) return "'" + text + "' is not a size: bytes, with K, M or G for powers of 1024";
        if (*bytes < least || *bytes > most)
            return "'" + text + "' is not between " + std::to_string(least) + " and " + std::to_string(most) + " bytes";
        text = std::to_string(*bytes);
        return {};
    };
    return option(name, value, help)->transform(CLI::Validator{check, ""})->type_name("SIZE")->default_str(shown);
}

CLI::Option* command_line::seconds(
    const std::string& name, double& value, const std::string& help, double least, double most) {
    const auto read = [least, most](std::string& text) -> std::string {
        const auto unit = std::string_view{text}.find_last_of("0123456789.") + 1;
        const bool thousandth = std::string_view{text}.substr(unit) == "ms";
        double number = 0;
        const bool known = thousandth || unit == text.size() || std::string_view{text}.substr(unit) == "s";
        const bool good = known && CLI::detail::lexical_cast(text.substr(0, unit), number);
        if (thousandth) number /= 1000;
        if (!good || !(number >= least && number <= most))
            return fmt::format("'{}' is not a number from {} to {}", text, least, most);
        text = fmt::format("{}", number);
        return {};
    };
    return option(name, value, help)->transform(CLI::Validator{read, ""})->type_name("SECONDS");
}

std::optional<int> command_line::parse(int argc, char** argv) {
    try {
        app_.parse(argc, argv);
    } catch (const CLI::Success& e) {
        return app_.exit(e);
    } catch (const CLI::ParseError& e) {
        return refuse(explain(e));
    }
    return std::nullopt;
}

/// Replaces CLI11's terms: it calls every configuration file an INI, and names positionals with dashes.
std::string command_line::explain(const CLI::ParseError& e) const {
    constexpr std::string_view extras = "INI was not able to parse ";
    constexpr std::string_view required = " is required";
    const std::string text = e.what();
    if (text.starts_with(extras)) return "the configuration file has an unknown key: " + text.substr(extras.size());
    if (dynamic_cast<const CLI::FileError*>(&e) != nullptr) return "--config: " + text;
    if (!text.ends_with(required)) return text;
    const auto* option = app_.get_option_no_throw(text.substr(0, text.size() - required.size()));
    return option != nullptr && option->get_positional() ? option->get_name(true) + text.substr(text.find(required))
                                                         : text;
}

int command_line::refuse(const std::string& what) const {
    std::cerr << name_ << ": " << one_line(what) << " (" << name_ << " --help lists the flags)\n";
    return exit_usage;
}

namespace {

/// A closed standard descriptor would be reused for the first file that we open.
void open_standard_descriptors() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(fd, F_GETFD) < 0) static_cast<void>(::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY));
}

} // namespace

int run_program(const char* name, int (*body)(int argc, char** argv), int argc, char** argv) {
    open_standard_descriptors();
    std::signal(SIGPIPE, SIG_IGN); // write() reports a closed pipe.
    try {
        return body(argc, argv);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s: %s\n", name, one_line(e.what()).c_str());
    } catch (...) {
        std::fprintf(stderr, "%s: failed for an unknown reason\n", name);
    }
    return exit_failure;
}

} // namespace moqlite::programs
