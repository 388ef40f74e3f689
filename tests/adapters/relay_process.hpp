// The real moqlite-relay in a process of its own, with time limits.
#pragma once

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

extern "C" char** environ;

namespace moqlite::test {

class relay_process {
public:
    /// The program; empty: `why_not`.
    [[nodiscard]] static std::string program(std::string& why_not) {
        const char* folder = std::getenv("MOQLITE_BIN");
        if (folder == nullptr) return why_not = "MOQLITE_BIN does not say where the programs are", std::string{};
        auto file = std::string{folder} + "/moqlite-relay";
        if (::access(file.c_str(), X_OK) != 0) return why_not = file + " is not there", std::string{};
        return file;
    }

    /// Throws if it cannot be started.
    relay_process(boost::asio::io_context& context, std::vector<std::string> command)
        : out_{context, lines_out_}, err_{context, lines_err_} {
        posix_spawn_file_actions_t actions;
        check(::posix_spawn_file_actions_init(&actions));
        check(::posix_spawn_file_actions_adddup2(&actions, out_.writing, STDOUT_FILENO));
        check(::posix_spawn_file_actions_adddup2(&actions, err_.writing, STDERR_FILENO));
        std::vector<char*> arguments;
        for (auto& a : command) arguments.push_back(a.data());
        arguments.push_back(nullptr);
        auto variables = environment();
        check(::posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), variables.data()));
        ::posix_spawn_file_actions_destroy(&actions);
        out_.listen();
        err_.listen();
    }
    ~relay_process() {
        if (exit_code()) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    relay_process(const relay_process&) = delete;
    relay_process& operator=(const relay_process&) = delete;

    [[nodiscard]] const std::vector<std::string>& said_on_stdout() const noexcept { return lines_out_; }
    /// The lines of stderr that contain each of `words`.
    [[nodiscard]] std::vector<std::string> said(std::string_view word, std::string_view other = {}) const {
        std::vector<std::string> found;
        for (const auto& line : lines_err_)
            if (line.find(word) != std::string::npos && line.find(other) != std::string::npos) found.push_back(line);
        return found;
    }
    /// The last lines, for a test that failed.
    [[nodiscard]] std::string last_words() const {
        std::string text;
        for (auto i = lines_err_.size() - std::min<std::size_t>(lines_err_.size(), 25); i < lines_err_.size(); ++i)
            text += lines_err_[i].substr(0, 160) + '\n';
        return text;
    }

    void signal(int number) const {
        if (!code_) ::kill(pid_, number);
    }
    /// nullopt: it still runs. A signal's number is below 0.
    std::optional<int> exit_code() {
        int status = 0;
        if (!code_ && ::waitpid(pid_, &status, WNOHANG) == pid_)
            code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        return code_;
    }
    /// Bytes of memory that it has; 0: it has ended.
    [[nodiscard]] std::size_t resident() const { return memory("VmRSS:"); }
    /// The most that it ever had.
    [[nodiscard]] std::size_t most_resident() const { return memory("VmHWM:"); }

private:
    [[nodiscard]] std::size_t memory(std::string_view what) const {
        std::ifstream status{"/proc/" + std::to_string(pid_) + "/status"};
        for (std::string line; std::getline(status, line);)
            if (line.starts_with(what)) return std::stoul(line.substr(what.size())) * 1024;
        return 0;
    }
    static void check(int error) {
        if (error != 0) throw std::system_error{error, std::generic_category(), "moqlite-relay"};
    }
    /// Our environment, without the variables that are flags.
    static std::vector<char*> environment() {
        std::vector<char*> out;
        for (char** v = environ; *v != nullptr; ++v)
            if (!std::string_view{*v}.starts_with("MOQLITE_")) out.push_back(*v);
        out.push_back(nullptr);
        return out;
    }

    /// A pipe from it to us.
    struct ear {
        ear(boost::asio::io_context& context, std::vector<std::string>& into) : reading{context}, lines{into} {
            std::array<int, 2> ends{};
            check(::pipe2(ends.data(), O_CLOEXEC) == 0 ? 0 : errno);
            reading.assign(ends[0]);
            writing = ends[1];
        }
        ~ear() { close(); }
        void listen() {
            close(); // The child has its own.
            hear();
        }
        void hear() {
            boost::asio::async_read_until(reading, boost::asio::dynamic_buffer(text), '\n',
                [this](const boost::system::error_code& error, std::size_t size) {
                    if (error) return;
                    lines.push_back(text.substr(0, size - 1));
                    text.erase(0, size);
                    hear();
                });
        }
        void close() {
            if (writing >= 0) ::close(std::exchange(writing, -1));
        }
        boost::asio::posix::stream_descriptor reading;
        std::vector<std::string>& lines;
        std::string text;
        int writing = -1;
    };

    std::vector<std::string> lines_out_, lines_err_;
    ear out_, err_;
    pid_t pid_ = -1;
    std::optional<int> code_;
};

} // namespace moqlite::test
