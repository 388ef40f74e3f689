// Clients of other implementations as programs: `native-peer` builds them, ../rust/shared/arguments.rs has their command line.
import { join } from "node:path";
import { Program, startRelay } from "./programs.js";

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

export const file = (stage, name) => join(stage.work, name);

/// Tells a program that stays until then to leave.
export async function leave(program) {
    program.child.stdin.end();
    await program.finished(0);
}
