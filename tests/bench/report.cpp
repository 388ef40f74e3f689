#include "report.hpp"

#include <algorithm>
#include <cstdarg>
#include <fstream>

namespace moqlite::bench {

void report::line(const char* format, ...) const {
    std::va_list arguments;
    va_start(arguments, format);
    std::vprintf(format, arguments);
    va_end(arguments);
    std::putchar('\n');
    std::fflush(stdout);
}

const char* report::goal(std::string what, double value, bound kind, double limit) {
    const bool met = kind == bound::at_most ? value <= limit : value >= limit;
    goals_.push_back({std::move(what), value, kind, limit, met});
    return met ? "pass" : "FAIL";
}

int report::finish(const std::string& file) {
    title("goals");
    auto& list = data_["goals"] = nlohmann::json::array();
    for (const auto& g : goals_) {
        const char* sign = g.kind == bound::at_most ? "<=" : ">=";
        line("%-4s  %-64s %10.3f %s %.3f", g.met ? "pass" : "FAIL", g.what.c_str(), g.value, sign, g.limit);
        list.push_back({{"what", g.what}, {"value", g.value}, {"bound", sign}, {"limit", g.limit}, {"met", g.met}});
    }
    std::ofstream out{file};
    out << data_.dump(1) << '\n';
    if (out.flush())
        line("\nwritten to %s", file.c_str());
    else
        line("\ncannot write %s", file.c_str());
    return std::all_of(goals_.begin(), goals_.end(), [](const wanted& g) { return g.met; }) ? 0 : 1;
}

} // namespace moqlite::bench
