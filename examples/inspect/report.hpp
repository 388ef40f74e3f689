// What moqlite-inspect finds, as lines of text or as one JSON document.
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

/// What the bytes answer, where they do not say it and nobody did.
struct assumption {
    std::string type;                ///< That of the stream, in lower case.
    bool fits = true;                ///< The bytes are right to their end.
    std::vector<std::string> others; ///< That fit as well.
};

/// What is known before the first message.
struct report_head {
    lite::inspection what;
    std::optional<assumption> assumed;
};

/// Writes a report as it is made, so that a stream of any length needs no memory.
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

/// "announce"; for the none of a stream that the publisher opened, "goaway".
[[nodiscard]] std::string type_name(std::optional<lite::bidi_type> answers);

} // namespace moqlite::programs
