#include "child.hpp"

#include "measure.hpp"

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace moqlite::bench {

child::child(std::vector<std::string> arguments, int core) : name_{arguments.front()} {
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    std::vector<char*> raw{name_.data()};
    for (auto& a : arguments) raw.push_back(a.data());
    raw.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("no process");
    if (pid_ == 0) {
        if (!pin_to(core)) _exit(3);
        ::dup2(in[0], STDIN_FILENO);
        ::dup2(out[1], STDOUT_FILENO);
        ::execv("/proc/self/exe", raw.data());
        _exit(4);
    }
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = out[0];
}

child::~child() {
    if (to_ >= 0) ::close(to_);
    ::close(from_);
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

void child::leave() {
    ::close(std::exchange(to_, -1)); // It ends on end of input.
    for (int i = 0; i < 200 && pid_ > 0; ++i) {
        if (::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
        sleep_for(0.01);
    }
}

bool child::read_more(double seconds) {
    pollfd p{from_, POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(seconds * 1000)) <= 0) return false;
    char piece[4096];
    const auto n = ::read(from_, piece, sizeof piece);
    if (n <= 0) throw std::runtime_error(name_ + " has ended");
    said_.append(piece, static_cast<std::size_t>(n));
    return true;
}

nlohmann::json child::wait(double seconds) {
    const double until = seconds_now() + seconds;
    for (;;) {
        if (const auto end = said_.find('\n'); end != std::string::npos) {
            auto line = nlohmann::json::parse(said_.substr(0, end));
            said_.erase(0, end + 1);
            if (line.contains("error")) throw std::runtime_error(name_ + ": " + line["error"].get<std::string>());
            return line;
        }
        const double left = until - seconds_now();
        if (left <= 0 || !read_more(left)) throw std::runtime_error(name_ + " says nothing");
    }
}

nlohmann::json child::ask(std::string_view word, double seconds) {
    const std::string line = std::string{word} + '\n';
    if (::write(to_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        throw std::runtime_error(name_ + " does not listen");
    return wait(seconds);
}

double cpu_between(const nlohmann::json& from, const nlohmann::json& to) { return rate_between(from, to, "cpu"); }

double rate_between(const nlohmann::json& from, const nlohmann::json& to, const char* field) {
    const double time = to.at("at").get<double>() - from.at("at").get<double>();
    return (to.at(field).get<double>() - from.at(field).get<double>()) / time;
}

void sleep_for(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>{seconds}); }

} // namespace moqlite::bench
