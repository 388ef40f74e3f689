// What a relay says of itself over HTTP, and a connection to it.
import { Connection } from "@moq/net";

/// The relay that serves this page: its URL, and the hash of its certificate if that has to be pinned.
/// Undefined if the page is served from elsewhere.
export async function homeRelay() {
    try {
        const health = await (await fetch("/health", { cache: "no-store" })).json();
        const [, host, port] = /^(.*):(\d+)$/.exec(health.listening[0]);
        return { url: `https://${reachable(host)}:${port}/`, hash: health.pin_certificate ? await homeHash() : "" };
    } catch {
        return undefined;
    }
}

/// The name that this page was opened by, which is the certificate's. But browsers take localhost for ::1 alone.
function reachable(listening) {
    if (location.hostname !== "localhost") return location.hostname;
    return listening === "0.0.0.0" ? "127.0.0.1" : /^(127\.|\[::1\])/.test(listening) ? listening : "localhost";
}

/// Asked for anew before each connection: a relay changes its certificate while the page stays open.
export async function homeHash() {
    return (await (await fetch("/certificate.sha256", { cache: "no-store" })).text()).trim();
}

/// Undefined: this browser, or this page, has WebTransport.
export function whyNoWebTransport() {
    if (!globalThis.isSecureContext)
        return "Browsers have WebTransport only on https:// pages and on http://localhost: open the page there.";
    if (typeof WebTransport === "undefined") return "This browser has no WebTransport.";
    return undefined;
}

export function connect(url, { hash, version }) {
    const webtransport = {};
    if (hash) webtransport.serverCertificateHashes = [{ value: hash }];
    if (version) webtransport.protocols = [version];
    return Connection.connect(new URL(url), {
        webtransport,
        websocket: { enabled: false },
        signal: AbortSignal.timeout(10_000),
    });
}
