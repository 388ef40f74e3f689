// The report of moqlite-inspect, as lines of text or as one JSON document.
#pragma once

#include <cstdint>
#include <moqlite/wire/lite/inspect.hpp>
#include <moqlite/wire/lite/inspect_answer.hpp>
#include <moqlite/wire/moqt/inspect.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::programs {

namespace lite = wire::lite;
namespace moqt = wire::moqt;

/// The assumed type of the stream, if it was not given.
struct assumption {
    std::string type;                ///< In lower case.
    bool fits = true;                ///< The bytes are valid to their end.
    std::vector<std::string> others; ///< Other types that fit.
};

/// Known before the first message.
struct report_head {
    std::string protocol;
    lite::carrier kind = lite::carrier::bidi;
    std::optional<lite::sender> from; ///< Of moq-lite, where it decides.
    std::optional<assumption> assumed{};
};

/// Writes the report incrementally, in constant memory.
class report {
public:
    report(std::ostream& out, bool json) : out_(out), json_(json) {}

    void begin(const report_head& head);
    void add(version, const lite::inspected& message);
    void add(const moqt::draft&, const moqt::inspected& message);
    void end(const lite::inspection_end& how, std::uint64_t bytes);

private:
    /// `fields(f)` passes each field to `f`, with its name.
    template <class Fields>
    void add(std::uint64_t offset, std::size_t size, std::string_view type, Fields fields);
    template <class Fields>
    void add_json(std::uint64_t offset, std::size_t size, std::string_view type, Fields fields);
    template <class Fields>
    void add_text(std::uint64_t offset, std::size_t size, std::string_view type, Fields fields);

    std::ostream& out_;
    bool json_;
    bool any_ = false;
};

/// "announce"; "goaway" for the value none, a stream that the publisher opened.
[[nodiscard]] std::string type_name(std::optional<lite::bidi_type> answers);

} // namespace moqlite::programs
