#include "report.hpp"

#include "text.hpp"

#include <algorithm>
#include <cctype>
#include <moqlite/wire/lite/inspect_fields.hpp>
#include <moqlite/wire/moqt/inspect_fields.hpp>
#include <moqlite/wire/utf8.hpp>
#include <spdlog/fmt/fmt.h>
#include <string_view>
#include <type_traits>
#include <utility>

namespace moqlite::programs {

namespace {

using json = nlohmann::ordered_json;

/// Bytes of payload that are shown.
constexpr std::size_t payload_shown = 32;

const char* name_of(lite::carrier kind) {
    switch (kind) {
    case lite::carrier::bidi: return "bidi";
    case lite::carrier::uni: return "uni";
    case lite::carrier::datagram: return "datagram";
    }
    return "";
}

const char* name_of(lite::sender from) { return from == lite::sender::publisher ? "publisher" : "subscriber"; }

const char* name_of(lite::ending how) {
    switch (how) {
    case lite::ending::whole: return "whole";
    case lite::ending::incomplete: return "incomplete";
    case lite::ending::malformed: return "malformed";
    }
    return "";
}

std::string hex_of(byte_view bytes) {
    std::string out;
    for (auto b : bytes) out += fmt::format("{:02x}", std::to_integer<unsigned>(b));
    return out;
}

/// The text column of a hex dump.
std::string ascii_of(byte_view bytes) {
    std::string out;
    for (char c : as_text(bytes)) out += c >= 0x20 && c < 0x7f ? c : '.';
    return out;
}

/// Names of moq-transport may be any bytes.
json json_of_text(std::string_view text) {
    if (wire::is_utf8(text)) return text;
    return {{"hex", hex_of(as_bytes(text))}};
}

std::string text_of_text(std::string_view text) { return '"' + printable(text) + '"'; }

using names = std::span<const std::string_view>;
using versions = std::span<const std::uint64_t>;

template <class T>
json json_of(const T& value) {
    if constexpr (std::is_same_v<T, std::nullopt_t>) {
        return nullptr;
    } else if constexpr (std::is_same_v<T, std::string_view>) {
        return json_of_text(value);
    } else if constexpr (std::is_same_v<T, names>) {
        auto out = json::array();
        for (auto field : value) out.push_back(json_of_text(field));
        return out;
    } else if constexpr (std::is_same_v<T, versions>) {
        auto out = json::array();
        for (auto version : value) out.push_back(fmt::format("{:#x}", version));
        return out;
    } else if constexpr (std::is_same_v<T, moqt::location>) {
        return {{"group", number(value.group)}, {"object", number(value.object)}};
    } else if constexpr (std::is_same_v<T, moqt::pair_list>) {
        auto out = json::array();
        moqt::for_each_pair(value, [&](std::uint64_t type, const auto& what) {
            json one{{"type", type}};
            if constexpr (std::is_same_v<std::decay_t<decltype(what)>, byte_view>)
                one["bytes_hex"] = hex_of(what);
            else
                one["value"] = what;
            out.push_back(std::move(one));
        });
        return out;
    } else if constexpr (std::is_same_v<T, lite::hop_list>) {
        auto out = json::array();
        for (auto hop : value) out.push_back(number(hop));
        return out;
    } else {
        return value;
    }
}

template <class T>
std::string text_of(const T& value) {
    if constexpr (std::is_same_v<T, std::nullopt_t>) {
        return "none";
    } else if constexpr (std::is_same_v<T, lite::hop_list>) {
        std::string out;
        for (auto hop : value) out += fmt::format("{}{}", out.empty() ? "" : " ", number(hop));
        return "[" + out + "]";
    } else if constexpr (std::is_same_v<T, std::string_view>) {
        return text_of_text(value);
    } else if constexpr (std::is_same_v<T, names>) {
        std::string out;
        for (auto field : value) out += (out.empty() ? "" : " ") + text_of_text(field);
        return "(" + out + ")";
    } else if constexpr (std::is_same_v<T, versions>) {
        return fmt::format("[{:#x}]", fmt::join(value, " "));
    } else if constexpr (std::is_same_v<T, moqt::location>) {
        return fmt::format("{}:{}", number(value.group), number(value.object));
    } else if constexpr (std::is_same_v<T, moqt::pair_list>) {
        std::string out;
        moqt::for_each_pair(value, [&](std::uint64_t type, const auto& what) {
            out += fmt::format("{}{:#x}=", out.empty() ? "" : " ", type);
            if constexpr (std::is_same_v<std::decay_t<decltype(what)>, byte_view>)
                out += hex_of(what);
            else
                out += std::to_string(what);
        });
        return "[" + out + "]";
    } else {
        return fmt::format("{}", value);
    }
}

std::string join(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
    return out;
}

} // namespace

std::string type_name(std::optional<lite::bidi_type> answers) {
    std::string out{lite::to_string(answers.value_or(lite::bidi_type::goaway))};
    out[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(out[0])));
    return out;
}

void report::begin(const report_head& head) {
    if (!json_) {
        out_ << head.protocol << ' ' << name_of(head.kind);
        if (head.from) out_ << ", from the " << name_of(*head.from);
        out_ << '\n';
        if (!head.assumed) return;
        const auto& a = *head.assumed;
        out_ << (a.fits ? "assumed: a stream of type " : "no type fits; longest match: a stream of type ") << a.type;
        if (!a.others.empty()) out_ << "; " << join(a.others) << " would also fit";
        out_ << " (see --type)\n";
        return;
    }
    json fields{{"protocol", head.protocol}, {"stream", name_of(head.kind)}};
    if (head.from) fields["sender"] = name_of(*head.from);
    if (head.assumed) {
        fields["assumed"] = head.assumed->type;
        fields["would_fit"] = head.assumed->others;
    }
    auto text = fields.dump();
    text.pop_back(); // The object continues.
    out_ << text << ",\"messages\":[";
}

void report::add(version dialect, const lite::inspected& message) {
    add(message.offset, message.size, lite::name_of(dialect, message),
        [&](auto f) { lite::for_each_field(dialect, message, f); });
}

void report::add(const moqt::draft& rules, const moqt::inspected& message) {
    add(message.offset, message.size, moqt::name_of(rules, message),
        [&](auto f) { moqt::for_each_field(rules, message, f); });
}

template <class Fields>
void report::add(std::uint64_t offset, std::size_t size, std::string_view type, Fields fields) {
    json_ ? add_json(offset, size, type, fields) : add_text(offset, size, type, fields);
    any_ = true;
}

template <class Fields>
void report::add_json(std::uint64_t offset, std::size_t size, std::string_view type, Fields fields) {
    auto all = json::object();
    fields([&](std::string_view field, const auto& value) {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, byte_view>) {
            const auto shown = value.first(std::min(value.size(), payload_shown));
            all["payload_hex"] = hex_of(shown);
            all["payload_text"] = ascii_of(shown);
        } else {
            all[std::string{field}] = json_of(value);
        }
    });
    const json line{{"offset", offset}, {"length", size}, {"type", type}, {"fields", all}};
    out_ << (any_ ? ",\n" : "\n") << line.dump();
}

template <class Fields>
void report::add_text(std::uint64_t offset, std::size_t size, std::string_view type, Fields fields) {
    out_ << fmt::format("{:>8} {:>6}  {}", offset, size, type);
    fields([&](std::string_view field, const auto& value) {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, byte_view>) {
            if (value.empty()) return;
            const auto shown = value.first(std::min(value.size(), payload_shown));
            const auto* more = shown.size() < value.size() ? "..." : "";
            out_ << fmt::format(" payload={}{} \"{}\"{}", hex_of(shown), more, ascii_of(shown), more);
        } else {
            out_ << ' ' << field << '=' << text_of(value);
        }
    });
    out_ << '\n';
}

void report::end(const lite::inspection_end& how, std::uint64_t bytes) {
    if (json_) {
        json tail{{"end", name_of(how.how)}};
        if (how.how == lite::ending::malformed) tail["error"] = to_string(how.error);
        if (how.how != lite::ending::whole) tail["error_offset"] = how.offset;
        out_ << (any_ ? "\n" : "") << "]," << tail.dump().substr(1) << '\n';
        return;
    }
    if (how.how == lite::ending::whole)
        out_ << fmt::format("whole: {} bytes\n", bytes);
    else if (how.how == lite::ending::malformed)
        out_ << fmt::format("malformed at {}: {}\n", how.offset, to_string(how.error));
    else if (how.offset == bytes)
        out_ << fmt::format("incomplete at {}: a message must follow\n", bytes);
    else
        out_ << fmt::format("incomplete at {}: the message continues beyond the end, at {}\n", how.offset, bytes);
}

} // namespace moqlite::programs
