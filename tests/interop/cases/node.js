// @moq/web-transport, which is quinn, under Node: as a client of the relay, and as a server for our programs.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { noise } from "../lib/noise.js";
import { Peer } from "../lib/peer.js";
import { until, within } from "../lib/time.js";

/// The Node that the addon runs in; where its prebuilt binary wants a newer libc, a command line that brings one.
const node = (process.env.MOQLITE_NODE ?? process.execPath).split(" ");
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const addon = fileURLToPath(new URL("../node_modules/@moq/web-transport/napi.cjs", import.meta.url));

/// Undefined: the addon loads.
export async function problem() {
    const found = spawnSync(node[0], [...node.slice(1), "-e", `require(${JSON.stringify(addon)})`], { encoding: "utf8", timeout: 20_000 });
    if (found.status === 0) return undefined;
    const missing = /version `(GLIBC_[\d.]+)' not found/.exec(found.stderr)?.[1];
    return `@moq/web-transport's prebuilt binary does not load${missing ? `, it wants ${missing}` : ""}`;
}

let bundled;
async function peer(stage) {
    if (!bundled) {
        const { build } = await import("esbuild");
        bundled = join(fileURLToPath(new URL("../node_modules/", import.meta.url)), ".moqlite-peer.mjs");
        await build({
            entryPoints: [fileURLToPath(new URL("../page/node_peer.js", import.meta.url))],
            bundle: true, platform: "node", format: "esm", target: "node20", outfile: bundled, logLevel: "error",
            external: ["*.node"],
            banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
            plugins: [{ name: "addon", setup(b) {
                b.onResolve({ filter: /napi\.cjs$/ }, () => ({ path: addon, external: true }));
            } }],
        });
    }
    return new Peer(...node, bundled);
}

async function using(stage, count, body) {
    const made = [];
    try {
        for (let n = 0; n < count; ++n) made.push(await peer(stage));
        await body(...made);
    } catch (error) {
        throw new Error(`${error.message} ${made.map((one) => one.err.trim().split("\n").slice(-3).join(" | ")).join(" ")}`);
    } finally {
        for (const one of made) one.end();
    }
}

const asClient = (version) => (stage) => using(stage, 2, async (from, to) => {
    const relay = await stage.relay();
    for (const one of [from, to]) {
        const found = await one.moq("connect", { url: `${relay.url}/room`, hash: relay.hash, version });
        if (found !== version) throw new Error(`the version is ${found}`);
    }
    const output = join(stage.work, "watched");
    const watch = stage.client("watch", relay, { broadcast: "room/film" }, "--from", "0", "--output", output);
    await to.moq("listen");
    // Held: what this addon has acknowledged it may not have read yet, and @moq/net drops that when the track ends.
    const published = from.moq("publish",
        { broadcast: "film", track: "data", size: stage.size / 4, seed: 3, rate: stage.rate, hold: true });
    await until(10, "it is announced", async () => (await to.moq("heard")).length === 1);
    const found = await to.moq("receive", { broadcast: "film", track: "data", size: stage.size / 4 });
    await published;
    await from.moq("unpublish", "film");
    await watch.finished(0);
    const expected = sha256(noise(stage.size / 4, 3));
    if (found.sha256 !== expected) throw new Error(`what the other received differs: ${found.bytes} bytes in ${found.groups} groups`);
    if (sha256(readFileSync(output)) !== expected) throw new Error("what was watched differs");
});

const asServer = (version) => (stage) => using(stage, 1, async (server) => {
    const key = join(stage.work, "server.key");
    const chain = join(stage.work, "server.pem");
    const made = spawnSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", chain]);
    if (made.status !== 0) throw new Error("openssl makes no certificate");
    const der = Buffer.from(readFileSync(chain, "utf8").replace(/-----[^-]*-----|\s/g, ""), "base64");
    const port = await server.moq("serve", { chain, key, version });
    const what = { broadcast: "film", track: "data", size: 500_000, seed: 4, rate: stage.rate };
    const served = server.moq("publishToFirst", what);
    const there = { hash: sha256(der), at: `127.0.0.1:${port}` };
    const output = join(stage.work, "from-server");
    const watch = stage.client("watch", there, { broadcast: "film", url: `https://${there.at}` }, "--protocol", version,
        "--from", "0", "--output", output);
    await within(15, "the server has a session, and has published", served);
    await watch.finished(0);
    if (sha256(readFileSync(output)) !== sha256(noise(500_000, 4))) throw new Error("what was watched differs");
});

const versions = ["moq-lite-03", "moq-lite-04", "moq-lite-05"];
export const nodeCases = [
    ...versions.map((version) => ({ name: `${version}: @moq/web-transport under Node publishes and receives through the relay`, body: asClient(version) })),
    ...versions.map((version) => ({ name: `${version}: moqlite-watch over https:// at a server that is @moq/web-transport under Node`, body: asServer(version) })),
];
