#include "every_history.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <moqlite/session/detail/send_buffer.hpp>
#include <string>
#include <utility>
#include <vector>

namespace moqlite::test::send_buffer_test {

using namespace moqlite::detail;

TEST_CASE("a send_buffer lends every byte once, in order, and none moves before it is acknowledged", "[session]") {
    bool right = true;
    // Steps: append 1, 60 or 300 bytes; write some; acknowledge some.
    every_history(5, 7, [&](const std::vector<unsigned>& steps) {
        send_buffer buffer;
        std::string sent;
        std::string written;
        std::vector<std::pair<const std::byte*, char>> lent;
        std::size_t acked = 0;
        for (auto step : steps) {
            if (step < 3) {
                std::string bytes(step == 0 ? 1 : step == 1 ? 60 : 300, '\0');
                for (auto& c : bytes) c = static_cast<char>('a' + sent.size() % 26), sent.push_back(c);
                buffer.append(as_bytes(bytes));
            } else if (step == 3) {
                std::vector<byte_view> ranges(2);
                std::size_t total = 0;
                const auto count = buffer.lend(ranges, total);
                std::size_t sum = 0;
                std::size_t take = (total + 1) / 2;
                buffer.wrote(take);
                for (std::size_t r = 0; r < count; ++r) {
                    sum += ranges[r].size();
                    for (auto& b : ranges[r].first(std::min(take, ranges[r].size()))) {
                        written.push_back(static_cast<char>(b));
                        lent.emplace_back(&b, static_cast<char>(b));
                    }
                    take -= std::min(take, ranges[r].size());
                }
                right = right && sum == total;
            } else {
                const auto n = (written.size() - acked + 1) / 2;
                if (n != 0) buffer.acked(n);
                acked += n;
            }
            for (auto i = acked; i < lent.size(); ++i)
                right = right && static_cast<char>(*lent[i].first) == lent[i].second;
            right = right && buffer.unsent() == sent.size() - written.size() && buffer.unacked() == sent.size() - acked;
        }
        right = right && sent.starts_with(written);
    });
    CHECK(right);
}

} // namespace moqlite::test::send_buffer_test
