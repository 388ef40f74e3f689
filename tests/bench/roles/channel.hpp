// A role's channel to its parent process: receives words, sends JSON lines.
#pragma once

#include "../measure.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <functional>
#include <istream>
#include <nlohmann/json.hpp>
#include <string>
#include <unistd.h>
#include <utility>

namespace moqlite::bench {

/// Answers each word with `answer` and usage(). At end of input `leave` is called, which should stop
/// `io`.
class channel {
public:
    using answer_function = std::function<nlohmann::json(const std::string& word)>;
    channel(boost::asio::io_context& io, answer_function answer, std::function<void()> leave)
        : in_{io, ::dup(STDIN_FILENO)}, answer_{std::move(answer)}, leave_{std::move(leave)} {
        listen();
    }

    static void say(nlohmann::json what) {
        what.update(usage());
        const std::string line = what.dump() + '\n';
        if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) _exit(1);
    }

private:
    void listen() {
        boost::asio::async_read_until(in_, buffer_, '\n', [this](const auto& error, std::size_t) {
            if (error) return leave_();
            std::string word;
            std::istream stream{&buffer_};
            std::getline(stream, word);
            say(answer_(word));
            listen();
        });
    }

    boost::asio::posix::stream_descriptor in_;
    boost::asio::streambuf buffer_;
    answer_function answer_;
    std::function<void()> leave_;
};

} // namespace moqlite::bench
