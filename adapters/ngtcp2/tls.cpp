// The parts of tls.hpp that are the same for every TLS library: trust, names, files.
#include "detail/tls_library.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace moqlite::ngtcp2 {

namespace {

std::optional<std::string> read_file(const std::string& name, std::string& why) {
    std::ifstream in{name, std::ios::binary};
    std::ostringstream text;
    if (!in || !(text << in.rdbuf())) {
        why = "cannot read " + name;
        return std::nullopt;
    }
    return std::move(text).str();
}

bool is_dns_name(std::string_view name) {
    if (name.empty() || name.size() > 253) return false;
    for (const char c : name) {
        const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                          c == '.' || c == '_' || c == '*';
        if (!fine) return false;
    }
    return true;
}

} // namespace

bool detail::usable_alpn(const std::vector<std::string>& alpn, std::string_view who, std::string& why) {
    const auto fits = [](const std::string& name) { return !name.empty() && name.size() <= 255; };
    if (!alpn.empty() && std::ranges::all_of(alpn, fits)) return true;
    why = std::string{who} + " needs at least one ALPN, each of 1 to 255 bytes";
    return false;
}

bool detail::are_usable(const tls_server_options& o, std::string& why) {
    if (!usable_alpn(o.alpn, "a server", why)) return false;
    why.clear();
    if (!o.who && !o.by_name) why = "a server needs a certificate, or a function that chooses one";
    if (o.tickets && o.clients) why = "a server that asks for its clients' certificates issues no tickets";
    if (o.early_data && !o.tickets) why = "early data needs session tickets";
    return why.empty();
}

/// PKCS #8 (RFC 7468 §11) and the older form of OpenSSL (RFC 1421).
bool detail::is_encrypted(std::string_view pem) {
    return pem.find("-----BEGIN ENCRYPTED PRIVATE KEY-----") != pem.npos ||
           pem.find("\nProc-Type: 4,ENCRYPTED") != pem.npos;
}

std::string detail::hex_of(std::span<const unsigned char> bytes) {
    std::string text;
    for (const unsigned char b : bytes) {
        text += "0123456789abcdef"[b >> 4];
        text += "0123456789abcdef"[b & 15];
    }
    return text;
}

std::string detail::ip_text(std::span<const unsigned char> bytes) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = bytes.size() == 4 ? AF_INET : bytes.size() == 16 ? AF_INET6 : AF_UNSPEC;
    const bool known = family != AF_UNSPEC && ::inet_ntop(family, bytes.data(), text.data(), text.size()) != nullptr;
    return known ? std::string{text.data()} : std::string{};
}

std::optional<std::string> detail::normal_fingerprint(const std::string& text, std::string& why) {
    std::string out;
    bool fine = true;
    for (const char c : text) {
        if (c == ':') continue;
        const bool upper = c >= 'A' && c <= 'F';
        fine = fine && (upper || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
        out += upper ? static_cast<char>(c - 'A' + 'a') : c;
    }
    if (fine && out.size() == 64) return out;
    why = "a fingerprint is 64 hex digits, not \"" + text + '"';
    return std::nullopt;
}

std::string detail::wrong_fingerprint(const std::string& found, const std::string& pinned) {
    return "certificate verify failed: its SHA-256 is " + found + ", not " + pinned;
}

trust trust::system_roots() { return {kind::system_roots, {}}; }
trust trust::ca_file(std::string path) { return {kind::ca_file, std::move(path)}; }
trust trust::fingerprint(std::string hex) { return {kind::fingerprint, std::move(hex)}; }
trust trust::any_certificate() { return {kind::any_certificate, {}}; }
trust trust::insecure() { return {kind::insecure, {}}; }

std::string detail::text_of(const tls_client_options& o) {
    std::string text = std::to_string(static_cast<int>(o.whom.what())) + ' ' + o.whom.text();
    std::string why;
    if (o.who) text += '\n' + fingerprint(*o.who, why).value_or("");
    return text;
}

std::optional<tls> tls::server(const identity& who, std::vector<std::string> alpn, std::string& why) {
    return server(tls_server_options{.alpn = std::move(alpn), .who = who}, why);
}

std::optional<tls> tls::client(const trust& whom, std::string& why) { return client(tls_client_options{whom}, why); }

std::optional<identity> load_identity(const std::string& chain_file, const std::string& key_file, std::string& why) {
    auto chain = read_file(chain_file, why);
    if (!chain) return std::nullopt;
    auto key = read_file(key_file, why);
    if (!key) return std::nullopt;
    if (detail::is_encrypted(*key)) {
        why = key_file + " is encrypted, which is not supported";
        return std::nullopt;
    }
    return identity{std::move(*chain), std::move(*key)};
}

std::optional<identity> generate_identity(const certificate_request& request, std::string& why) {
    constexpr std::size_t most_names = 100;
    if (why = detail::library_problem(); !why.empty()) return std::nullopt;
    std::vector<detail::certified_name> names;
    for (const auto& name : request.names) {
        const auto ip = link::address::parse(name, 0);
        if (ip || is_dns_name(name)) {
            names.push_back({name, ip});
            continue;
        }
        why = "no certificate can be made for \"" + name + "\": it is neither an IP address nor a DNS name";
        return std::nullopt;
    }
    if (!names.empty() && names.size() <= most_names) return detail::make_identity(names, request, why);
    why = "a certificate is made for 1 to 100 names, not " + std::to_string(names.size());
    return std::nullopt;
}

std::string machine_secret() {
    std::string text;
    for (const char* name : {"/proc/sys/kernel/random/boot_id", "/etc/machine-id"}) {
        std::ifstream in{name};
        std::string line;
        if (std::getline(in, line)) text += line + '\n';
    }
    char host[256] = {}; // Containers on one machine share its boot id.
    if (text.empty() || gethostname(host, sizeof host - 1) != 0) return text;
    return text + host;
}

std::optional<secret> reset_key(const identity& of, std::string_view where, std::string& why) {
    const auto machine = machine_secret();
    if (!machine.empty()) return reset_key(of, where, machine, why);
    why = "no key for stateless resets: this machine has no machine id";
    return std::nullopt;
}

std::optional<secret> reset_key(
    const identity& of, std::string_view where, std::string_view machine, std::string& why) {
    // The key is secret, the text need not be; the length delimits its two parts.
    auto key = detail::hmac_sha256(of.key, "moqlite stateless reset " + std::to_string(where.size()) + ' ' +
                                               std::string{where} + ' ' + std::string{machine});
    if (!key) why = "cannot derive a key for stateless resets";
    return key;
}

} // namespace moqlite::ngtcp2
