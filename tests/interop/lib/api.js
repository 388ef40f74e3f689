// The programs of examples/api, which say in MOQLITE_TRUST whom to trust.
import { runClient } from "./native.js";
import { Program } from "./programs.js";

/// A server among them, on a free port.
export async function apiServer(name, ...words) {
    const server = new Program(name, ...words, "127.0.0.1:0");
    [, server.hash] = await server.printed(/^MOQLITE_TRUST=(\S+)$/m);
    [, server.at] = /^listening on (\S+)$/m.exec(server.out);
    return server;
}

/// A client among them, whose standard input stays open; `words` behind its name, URL(there) among them.
export function apiClient(there, name, ...words) {
    return new Program({ name, env: { MOQLITE_TRUST: there.hash }, input: true }, ...words.map(String));
}

/// A client of another implementation at a server of ours.
export const peerClient = (peer, there, { scheme, version }, command, ...words) =>
    runClient(peer.program, there, { scheme, version }, command, ...words);

/// Waits until it has printed so many lines, and returns them.
export async function lines(program, count, seconds = 20) {
    await program.printed(new RegExp(`^([^\\n]*\\n){${count}}`), seconds);
    return program.out.trimEnd().split("\n");
}

export async function ends(program, signal = "SIGTERM", code = 0) {
    program.signal(signal);
    await program.finished(code);
}
