// Bytes that can be made again anywhere: in a browser, in Node, for a file.

/// `size` bytes of xorshift; every seed gives others.
export function noise(size, seed) {
    const words = new Uint32Array(Math.ceil(size / 4));
    let x = (Math.imul(seed, 0x9e3779b9) ^ 0x5bd1e995) | 1;
    for (let i = 0; i < words.length; ++i) {
        x ^= x << 13;
        x ^= x >>> 17;
        x ^= x << 5;
        words[i] = x;
    }
    return new Uint8Array(words.buffer, 0, size);
}
