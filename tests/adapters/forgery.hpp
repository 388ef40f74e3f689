// Packets of a real connection with replaced frames, as from a peer that writes its own. The program is linked
// with --wrap=ngtcp2_crypto_encrypt_cb; everything but the frames stays QUIC's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace moqlite::test {

/// While it lives, called for the frames of each packet before encryption, with the length of the original
/// ones; nullopt: unchanged. Shorter ones are padded, longer ones not used.
class forgery {
public:
    using function = std::function<std::optional<std::string>(std::size_t length)>;
    explicit forgery(function f);
    ~forgery();
    forgery(const forgery&) = delete;
    forgery& operator=(const forgery&) = delete;
};

/// A variable-length integer of four bytes.
inline std::string varint4(std::uint32_t n) {
    std::string out;
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(n >> shift);
    out[0] = static_cast<char>(out[0] | 0x80);
    return out;
}

/// STREAM with offset and length, both in their long form.
inline std::string stream_frame(std::uint32_t stream, std::uint32_t offset, const std::string& bytes) {
    return '\x0e' + varint4(stream) + varint4(offset) + varint4(static_cast<std::uint32_t>(bytes.size())) + bytes;
}

} // namespace moqlite::test
