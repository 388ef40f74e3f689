// Other implementations as programs: `native-peer` builds them, ../rust/shared/arguments.rs has their command line.
import { createHash, X509Certificate } from "node:crypto";
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Program, startRelay } from "./programs.js";
import { until } from "./time.js";

/// As `run` has set it, for native-peer's `name`: the program, or the reason why there is none.
export function nativePeer(name) {
    const key = name.toUpperCase().replace("-", "_");
    return { program: process.env[`MOQLITE_PEER_${key}`], problem: process.env[`MOQLITE_NO_${key}`] ?? `MOQLITE_PEER_${key} names no program` };
}

/// Undefined: our relay can be asked for that version. Otherwise the reason why not.
const offered = new Map();
export async function unoffered(version) {
    if (!offered.has(version)) {
        const relay = await startRelay("--protocols", `${version},h3`).catch((error) => error);
        offered.set(version, relay instanceof Program ? undefined : "this moqlite-relay does not know it");
        if (relay instanceof Program) relay.signal("SIGKILL");
    }
    return offered.get(version);
}

/// A client at that relay; `words` come behind the URL.
export function runClient(program, relay, { scheme, version }, command, ...words) {
    const flags = ["--fingerprint", relay.hash, ...(version ? ["--version", version] : [])];
    return new Program(program, command, `${scheme}://${relay.at}/`, ...words.map(String), ...flags);
}

/// A server on a free port, with the hash by which our clients trust it.
export async function runServer(stage, program, command, ...words) {
    const socket = createSocket("udp4");
    const port = await new Promise((resolve) => socket.bind(0, "127.0.0.1", () => resolve(socket.address().port)));
    await new Promise((resolve) => socket.close(resolve));
    const [, chain, , key] = stage.certificate();
    const at = `127.0.0.1:${port}`;
    const server = new Program(program, command, at, ...words.map(String), "--certificate", chain, "--key", key);
    const bound = new RegExp(`0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`);
    await until(10, "the server has its port", () => bound.test(readFileSync("/proc/net/udp", "utf8")));
    return { at, program: server, hash: createHash("sha256").update(new X509Certificate(readFileSync(chain)).raw).digest("hex") };
}

export const file = (stage, name) => join(stage.work, name);

/// Tells a program that stays until then to leave.
export async function leave(program) {
    program.child.stdin.end();
    await program.finished(0);
}
