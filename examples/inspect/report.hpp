// The report of moqlite-inspect, as lines of text or as one JSON document.
#pragma once

#include <cstdint>
#include <moqlite/wire/lite/inspect.hpp>
#include <moqlite/wire/lite/inspect_answer.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace moqlite::programs {

namespace lite = wire::lite;

/// The assumed type of the stream, if it was not given.
struct assumption {
    std::string type;                ///< In lower case.
    bool fits = true;                ///< The bytes are valid to their end.
    std::vector<std::string> others; ///< Other types that fit.
};

/// Known before the first message.
struct report_head {
    lite::inspection what;
    std::optional<assumption> assumed;
};

/// Writes the report incrementally, in constant memory.
class report {
public:
    report(std::ostream& out, bool json) : out_(out), json_(json) {}

    void begin(const report_head& head);
    void add(const lite::inspected& message);
    void end(const lite::inspection_end& how, std::uint64_t bytes);

private:
    void add_json(const lite::inspected& message);
    void add_text(const lite::inspected& message);

    std::ostream& out_;
    bool json_;
    report_head head_;
    bool any_ = false;
};

/// "announce"; "goaway" for the value none, a stream that the publisher opened.
[[nodiscard]] std::string type_name(std::optional<lite::bidi_type> answers);

} // namespace moqlite::programs
