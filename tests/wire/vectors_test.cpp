// Recorded messages of other implementations, and messages that they refuse.
//
// Reads *.json in $MOQLITE_VECTORS: {version, message, fields, hex, source, kind, [decoded], ...}.
#include "vector_codecs.hpp"
#include "vector_sessions.hpp"
#include "vector_streams.hpp"
#include "vectors_moqt.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <hex.hpp>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#ifndef MOQLITE_VECTORS_DIR
#define MOQLITE_VECTORS_DIR MOQLITE_TESTS_DIR "/wire/vectors"
#endif

namespace moqlite::test::vectors {
namespace {

/// The parameters of a SETUP as a sorted list: their order has no meaning.
std::vector<std::string> setup_parameters(version v, const std::string& message) {
    const auto bytes = hex(message);
    std::vector<std::string> out;
    reader in{bytes, integers_of(v)};
    static_cast<void>(in.varint()); // Message Length.
    for (auto left = in.varint(); left > 0 && in.error() == errc::ok; --left) {
        std::string parameter;
        put_integer(v, in.varint(), parameter);
        out.push_back(parameter + ":" + to_hex(in.bytes(in.varint())));
    }
    if (in.finish() != errc::ok) out.push_back(std::string{to_string(in.finish())});
    std::sort(out.begin(), out.end());
    return out;
}

/// Two equivalent encodings of an entry's message, of the same length.
bool same(const entry& e, const std::string& a, const std::string& b) {
    if (a == b) return true;
    if (e.data.at("message") != "SETUP" || a.size() != b.size()) return false;
    return setup_parameters(e.v, a) == setup_parameters(e.v, b);
}

/// The codec's error on this entry; empty if none.
std::string verdict(const entry& e, const outcome& o) {
    const auto text = to_hex(e.bytes);
    const auto why = std::string{to_string(o.error)};
    if (e.is_told()) {
        if (o.error != errc::ok) return "refused with " + why;
        if (!o.as_told) return "other fields; encodes as " + o.reencoded;
        if (!e.is_positive()) return {};
        if (!same(e, o.encoded, text)) return "the fields encode as " + o.encoded;
        // An entry that decodes to different fields must still yield the same bytes.
        if (!same(e, o.reencoded, text)) return "encodes again as " + o.reencoded;
        return {};
    }
    if (o.error != errc::ok || e.data.value("disputed", false)) return {};
    return "accepted";
}

std::optional<version> version_of(const std::string& name) {
    if (name == "all") return version::lite_05;
    return version_from_alpn(name);
}

/// The error of one entry; empty if none. Throws on an unknown form.
std::string verdict(const json& data, version v) {
    const std::string message = data.at("message");
    const std::string kind = data.at("kind");
    const std::string digits = data.at("hex");
    if (digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos || digits.size() % 2 != 0)
        throw std::invalid_argument{"the hex is none"};
    if (kind != "positive" && kind != "decode-only" && kind != "negative" && kind != "draft-only")
        throw std::invalid_argument{"no check is known for the kind " + kind};
    if (message.starts_with("STREAM ")) {
        const recorded_stream stream{data, v};
        auto problem = inspector_verdict(stream);
        return problem.empty() ? session_verdict(stream) : problem;
    }
    const auto found = runners().find(message);
    if (found == runners().end()) throw std::invalid_argument{"no check is known for " + message};
    const entry e{data, v, hex(data.at("hex").get<std::string>())};
    return verdict(e, found->second(e));
}

struct tally {
    std::size_t passed = 0;
    std::size_t failed = 0;
    std::size_t skipped = 0;
};

/// By kind, then version; and the reasons for skipping.
struct report {
    std::map<std::string, std::map<std::string, tally>> counts;
    std::map<std::string, std::size_t> skips;

    tally& of(const std::string& kind, const std::string& version) { return counts[kind][version]; }

    void print() const {
        for (const auto& [kind, versions] : counts)
            for (const auto& [version, t] : versions)
                std::cout << "vectors: " << kind << ", " << version << ": " << t.passed << " passed, " << t.failed
                          << " failed, " << t.skipped << " skipped\n";
        for (const auto& [why, count] : skips) std::cout << "vectors: " << count << " skipped: " << why << '\n';
    }
};

void run_entry(const json& data, report& to) {
    std::string name = data.value("version", "no version");
    const std::string kind = data.value("kind", "no kind");
    std::string problem = "unknown version";
    std::string skipped;
    try {
        if (data.contains("draft")) {
            name = "moq-transport-" + data.at("draft").dump();
            problem = moqt_vectors::verdict(data, skipped);
        } else if (const auto v = version_of(name)) {
            problem = verdict(data, *v);
        }
    } catch (const std::exception& e) {
        problem = e.what();
    }
    auto& tally = to.of(kind, name);
    if (!skipped.empty()) {
        ++tally.skipped;
        ++to.skips[skipped];
        return;
    }
    ++(problem.empty() ? tally.passed : tally.failed);
    if (!problem.empty())
        FAIL_CHECK(
            name << ' ' << data.value("message", "") << ' ' << kind << ' ' << data.value("hex", "") << ": " << problem);
}

/// Every entry of one file; an empty file is an error.
void run_file(const std::filesystem::path& file, report& to) {
    CAPTURE(file);
    std::ifstream in(file);
    const auto all = json::parse(in, nullptr, false);
    if (!all.is_array() || all.empty()) {
        FAIL_CHECK("not a list of vectors");
        return;
    }
    for (const auto& data : all) {
        if (data.is_object())
            run_entry(data, to);
        else
            FAIL_CHECK("not a vector: " << data.dump());
    }
}

} // namespace

TEST_CASE("every recorded message is encoded, decoded or refused as in the reference", "[vectors]") {
    const auto* given = std::getenv("MOQLITE_VECTORS");
    const std::filesystem::path folder = given != nullptr && *given != '\0' ? given : MOQLITE_VECTORS_DIR;
    CAPTURE(folder);
    REQUIRE(std::filesystem::is_directory(folder));
    report out;
    for (const auto& file : std::filesystem::directory_iterator(folder))
        if (file.path().extension() == ".json") run_file(file.path(), out);
    CHECK_FALSE(out.counts.empty());
    out.print();
}

} // namespace moqlite::test::vectors
