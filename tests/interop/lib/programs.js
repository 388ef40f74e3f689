// Programs as processes, ours and other implementations' clients; they end with us.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { until, within } from "./time.js";

const bin = process.env.MOQLITE_BIN;
const running = new Set();

/// Nothing of the caller's may turn a program's flags around.
const environment = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MOQLITE_"))),
    NO_COLOR: "1", RUST_BACKTRACE: "0",
};

export class Program {
    out = "";
    err = "";

    /// `name` is one of our programs without its "moqlite-", or the path of another one, whose standard input stays open: as that of ours with
    /// `input`. `env` is added to its environment.
    constructor(what, ...flags) {
        const { name, env = {}, input = false } = typeof what === "string" ? { name: what } : what;
        const path = name.includes("/") ? name : join(bin, `moqlite-${name}`);
        this.name = basename(path);
        // Also where we are killed: nobody is left behind.
        const command = ["--pdeathsig", "KILL", "--", path, ...flags];
        const stdin = input || path === name ? "pipe" : "ignore";
        this.child = spawn("setpriv", command, { env: { ...environment, ...env }, stdio: [stdin, "pipe", "pipe"] });
        this.child.stdin?.on("error", () => {}); // One that has ended says so by `close`.
        this.child.stdout.on("data", (data) => (this.out += data));
        this.child.stderr.on("data", (data) => (this.err += data));
        this.ended = new Promise((resolve) => this.child.on("close", (code, signal) => resolve(code ?? signal)));
        running.add(this);
        void this.ended.then(() => running.delete(this));
    }

    signal(name) {
        this.child.kill(name);
    }

    /// Waits for its end, which must be this one.
    async finished(code = 0, seconds = 20) {
        const found = await within(seconds, `the end of ${this.name}`, this.ended);
        if (found !== code) throw new Error(`${this.name} ended with ${found}: ${this.lastWords()}`);
    }

    async said(pattern, seconds = 10) {
        await until(seconds, `${this.name} says ${pattern}`, () => pattern.test(this.err));
    }

    /// Waits for a line of its standard output that matches, and returns the match; fails at once when the program ends without one.
    async printed(pattern, seconds = 20) {
        let ended = false;
        void this.ended.then(() => (ended = true));
        return until(seconds, `${this.name} prints ${pattern}`, () => {
            const found = pattern.exec(this.out);
            if (!found && ended) throw new Error(`${this.name} has ended without ${pattern}: ${this.lastWords()}`);
            return found;
        });
    }

    lastWords() {
        const lines = this.err.trimEnd().split("\n").filter((line) => !line.includes("buffer is smaller than requested"));
        return lines.slice(-12).join("\n      ");
    }

    /// KiB of memory that it has.
    resident() {
        return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, "utf8"))[1]);
    }

    static killAll() {
        for (const program of running) program.child.kill("SIGKILL");
    }
    /// What each that still runs has said, for a case that failed.
    static lastWords() {
        return [...running].map((program) => `${program.name}: ${program.lastWords()}`).join("\n      ");
    }
}

/// Sanitizers keep memory of their own.
export function isSanitized() {
    return /lib[at]san/.test(spawnSync("ldd", [join(bin, "moqlite-relay")], { encoding: "utf8" }).stdout);
}

/// --cert and --key for a certificate that several relays may have one after the other, in this directory.
export function certificate(directory) {
    const [chain, key] = [join(directory, "relay.pem"), join(directory, "relay.key")];
    const made = spawnSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", chain]);
    if (made.status !== 0) throw new Error("openssl makes no certificate");
    return ["--cert", chain, "--key", key];
}

/// A relay on free ports of 127.0.0.1, with a certificate of its own unless `flags` have one, and --web.
export async function startRelay(...flags) {
    const defaults = { "--listen": "127.0.0.1:0", "--web": "127.0.0.1:0" };
    if (!flags.includes("--cert")) defaults["--tls-generate"] = "localhost,127.0.0.1";
    const unsaid = Object.entries(defaults).filter(([flag]) => !flags.includes(flag));
    const relay = new Program("relay", ...unsaid.flat(), ...flags);
    const over = relay.ended.then(() => { throw new Error(`the relay ended: ${relay.lastWords()}`); });
    await Promise.race([over, until(10, "the relay's ready lines", () => /^web .*\n/m.test(relay.out))]);
    over.catch(() => {});
    [, relay.at, relay.protocols, relay.hash] = /^listening (\S+) protocols (\S+) sha256 (\S+)$/m.exec(relay.out);
    relay.web = `http://${/^web (\S+)$/m.exec(relay.out)[1]}`;
    relay.url = `https://${relay.at}`;
    return relay;
}

/// moqlite-publish or moqlite-watch at that relay, over native QUIC unless `url` says otherwise.
export function client(name, relay, { broadcast, track = "data", root = "", url = `moqt://${relay.at}` }, ...flags) {
    return new Program(name, "--quiet", "--fingerprint", relay.hash, ...flags, `${url}${root}`, broadcast, track);
}
