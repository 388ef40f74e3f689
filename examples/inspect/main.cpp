// moqlite-inspect: decodes the bytes of one direction of a stream, and finds where they are malformed.
#include "command_line.hpp"
#include "exit_code.hpp"
#include "report.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <iostream>
#include <moqlite/wire/lite/inspect_answer.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::programs {

namespace {

constexpr const char* name = "moqlite-inspect";
constexpr const char* purpose =
    "Decodes the bytes of one direction of a moq-lite or moq-transport stream, or of a datagram.";
constexpr const char* examples =
    "  moqlite-inspect --protocol moq-lite-05 --stream uni --sender publisher '01 08 02 01 01 01 05 02 51 11'\n"
    "  moqlite-inspect --protocol moq-lite-04 --stream bidi --sender subscriber 01 07 04 726f6f6d 5111\n"
    "  moqlite-inspect --protocol moqt-14 --stream bidi 20000a01c0000000ff00000e00\n"
    "  xxd -p stream.bin | moqlite-inspect --protocol moq-lite-05 --stream bidi --sender publisher --type fetch --json "
    "-\n"
    "\n"
    "A stream is shown message by message: offset and length in bytes, name, fields. A publisher's answers on a\n"
    "bidirectional stream do not name the request: without --type the type that fits best is assumed, and printed.\n"
    "Of moq-transport, bidi is the control stream (in draft-18 a request), and uni has objects (in draft-18 control\n"
    "messages, too; groups of a FETCH are taken to ascend); --sender and --type are not needed.\n"
    "Rules that need more than the bytes of one direction, such as that of duplicate announcements, are not checked.\n"
    "\n"
    "Exit codes: 0 the bytes are whole; 1 they are malformed, or the report cannot be written; 2 usage; 3 they end\n"
    "within a message, or before one that must follow.\n"
    "--json prints one object: {protocol, stream, sender, messages: [{offset, length, type, fields}],\n"
    "end: whole|malformed|incomplete}; also error (its name) and error_offset, where the malformed or incomplete part\n"
    "begins, and, without --type, assumed and would_fit.";

enum inspect_exit_code : int { exit_whole = 0, exit_malformed = 1, exit_incomplete = 3 };

constexpr std::array bidi_types{lite::bidi_type::announce, lite::bidi_type::subscribe, lite::bidi_type::track,
    lite::bidi_type::fetch, lite::bidi_type::probe, lite::bidi_type::goaway};

struct inspect_options {
    std::string protocol;
    std::string stream;
    std::string sender;
    std::string type;
    bool json = false;
    std::vector<std::string> hex;
};

void add_options(command_line& line, inspect_options& o) {
    line.option("HEX,--hex", o.hex, "The bytes, two digits each; white space is ignored. - reads them from stdin")
        ->required()
        ->type_name("");
    line.option("--protocol", o.protocol, "moq-lite-03 to moq-lite-06, moq-lite-07-wip, moqt-14 or moqt-18")
        ->required()
        ->type_name("PROTOCOL");
    line.option("--stream", o.stream, "What carried the bytes")
        ->required()
        ->check(CLI::IsMember({"bidi", "uni", "datagram"}))
        ->type_name("KIND");
    line.option("--sender", o.sender, "Who sent the bytes; of moq-lite")
        ->check(CLI::IsMember({"publisher", "subscriber"}))
        ->type_name("SENDER");
    line.option("--type", o.type,
            "Type of the bidirectional stream on which the publisher answers: announce, subscribe, track, fetch or\n"
            "probe; or goaway, which it opens itself")
        ->check(CLI::IsMember({"announce", "subscribe", "track", "fetch", "probe", "goaway"}))
        ->type_name("TYPE");
    line.flag("--json", o.json, "Print one JSON document");
}

/// Decodes hexadecimal piece by piece; a byte's digits may be in two pieces.
class hex_reader {
public:
    /// False: why().
    [[nodiscard]] bool add(std::string_view text) {
        for (char c : text) {
            const auto u = static_cast<unsigned char>(c);
            if (std::isspace(u) != 0) continue;
            if (std::isxdigit(u) == 0) return fail("is not hexadecimal");
            const auto digit = static_cast<std::byte>(std::isdigit(u) != 0 ? u - '0' : std::tolower(u) - 'a' + 10);
            if (half_)
                bytes_.back() = bytes_.back() << 4 | digit;
            else
                bytes_.push_back(digit);
            half_ = !half_;
            if (bytes_.size() > longest) return fail("has more than 64 MiB");
        }
        return true;
    }
    [[nodiscard]] bool done() { return !half_ || fail("ends with half a byte"); }
    [[nodiscard]] const std::string& why() const noexcept { return why_; }
    [[nodiscard]] byte_view bytes() const noexcept { return bytes_; }

private:
    static constexpr std::size_t longest = std::size_t{64} << 20;

    bool fail(const char* what) {
        why_ = std::string{"HEX "} + what;
        return false;
    }

    std::vector<std::byte> bytes_;
    std::string why_;
    bool half_ = false;
};

bool read_hex(const std::vector<std::string>& arguments, hex_reader& to) {
    if (arguments.size() != 1 || arguments[0] != "-") {
        const auto add = [&](const std::string& text) { return to.add(text); };
        return std::all_of(arguments.begin(), arguments.end(), add) && to.done();
    }
    std::array<char, 65536> block;
    while (std::cin.read(block.data(), block.size()) || std::cin.gcount() > 0)
        if (!to.add({block.data(), static_cast<std::size_t>(std::cin.gcount())})) return false;
    return to.done();
}

lite::carrier carrier_of(const inspect_options& o) {
    return o.stream == "uni"        ? lite::carrier::uni
           : o.stream == "datagram" ? lite::carrier::datagram
                                    : lite::carrier::bidi;
}

/// The draft that --protocol names.
const moqt::draft* draft_of(const std::string& protocol) {
    for (const auto& draft : moqt::drafts)
        if (protocol == "moqt-" + std::to_string(draft.number)) return &draft;
    return nullptr;
}

/// Interprets the flags; nullopt: `why`.
std::optional<lite::inspection> what_is_meant(const inspect_options& o, std::string& why) {
    const auto dialect = version_from_alpn(o.protocol);
    if (!dialect) {
        why = "protocol '" + o.protocol +
              "' is not supported; supported are moq-lite-03 to moq-lite-06, moq-lite-07-wip, moqt-14 and moqt-18";
        return std::nullopt;
    }
    if (o.sender.empty()) {
        why = "--sender is required: subscribers and publishers send different messages";
        return std::nullopt;
    }
    lite::inspection out{.dialect = *dialect, .kind = carrier_of(o)};
    out.from = o.sender == "publisher" ? lite::sender::publisher : lite::sender::subscriber;
    if (o.type.empty()) return out;
    if (out.kind != lite::carrier::bidi || out.from != lite::sender::publisher) {
        why = "--type is for --stream bidi --sender publisher; other bytes contain their type";
        return std::nullopt;
    }
    for (auto type : bidi_types)
        if (type_name(type) == o.type && lite::bidi_type_from(*dialect, static_cast<std::uint64_t>(type))) {
            // A publisher never answers a GOAWAY; its bytes are those of a stream of its own.
            if (type != lite::bidi_type::goaway) out.answers = type;
            return out;
        }
    why = o.protocol + " has no streams of type " + o.type;
    return std::nullopt;
}

/// Guesses which request a publisher's bytes answer.
assumption assume(lite::inspection& what, byte_view bytes) {
    const auto readings = lite::read_answers(what.dialect, bytes);
    const auto& best = readings.best();
    what.answers = best.answers;
    assumption assumed{type_name(best.answers), best.end.how != lite::ending::malformed, {}};
    for (const auto& other : readings)
        if (&other != &best && other.end.how == best.end.how && assumed.fits)
            assumed.others.push_back(type_name(other.answers));
    return assumed;
}

lite::inspection_end inspect_lite(lite::inspection what, const inspect_options& o, byte_view bytes, report& out) {
    report_head head{o.protocol, what.kind, what.from};
    const bool answer = what.kind == lite::carrier::bidi && what.from == lite::sender::publisher;
    if (answer && o.type.empty() && !bytes.empty()) head.assumed = assume(what, bytes);
    out.begin(head);
    return lite::inspect(what, bytes, [&](const lite::inspected& m) { out.add(what.dialect, m); });
}

/// With all quirks of peers, since a trace may be of any.
lite::inspection_end inspect_moqt(const moqt::draft& draft, const inspect_options& o, byte_view bytes, report& out) {
    const moqt::quirks quirks{.namespace_by_request = true, .moqtail_track_status = true, .moqtail_switch = true};
    const moqt::inspection what{{draft, quirks}, carrier_of(o)};
    out.begin({o.protocol, what.kind, std::nullopt});
    return moqt::inspect(what, bytes, [&](const moqt::inspected& m) { out.add(draft, m); });
}

int inspect(int argc, char** argv) {
    command_line line{name, purpose, examples};
    inspect_options o;
    add_options(line, o);
    if (const auto code = line.parse(argc, argv)) return *code;
    const auto* draft = draft_of(o.protocol);
    std::string why;
    std::optional<lite::inspection> what;
    if (draft != nullptr && !o.type.empty()) return line.refuse("--type is for moq-lite");
    if (draft == nullptr && !(what = what_is_meant(o, why))) return line.refuse(why);
    hex_reader hex;
    if (!read_hex(o.hex, hex)) return line.refuse(hex.why());

    report out{std::cout, o.json};
    const auto end =
        draft != nullptr ? inspect_moqt(*draft, o, hex.bytes(), out) : inspect_lite(*what, o, hex.bytes(), out);
    out.end(end, hex.bytes().size());
    if (!std::cout.flush()) throw std::runtime_error("cannot write to stdout");
    switch (end.how) {
    case lite::ending::whole: return exit_whole;
    case lite::ending::incomplete: return exit_incomplete;
    case lite::ending::malformed: return exit_malformed;
    }
    return exit_failure;
}

} // namespace

} // namespace moqlite::programs

int main(int argc, char** argv) {
    return moqlite::programs::run_program("moqlite-inspect", moqlite::programs::inspect, argc, argv);
}
