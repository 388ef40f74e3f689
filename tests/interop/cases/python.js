// moq-dev's client by its Python binding, moq-rs, through the relay: over native QUIC and over WebTransport, in each version that both speak.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { noise } from "../lib/noise.js";
import { Peer } from "../lib/peer.js";
import { until } from "../lib/time.js";

/// Set by `run`: a Python that has the binding, or the reason why there is none.
const python = process.env.MOQLITE_PYTHON;
const script = fileURLToPath(new URL("../python/peer.py", import.meta.url));
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const same = (found, expected, what) => {
    if (found !== expected) throw new Error(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
};
const track = "data";

/// Undefined: Python peers can be had.
export const problem = () => (python ? undefined : process.env.MOQLITE_NO_PYTHON ?? "MOQLITE_PYTHON names no Python that has moq-rs");

/// The relay decides the version: this peer offers all that it has.
const relayOf = (stage, version, ...flags) => stage.relay("--protocols", `${version},h3`, ...flags);

async function peers(relay, scheme, count, options = {}) {
    const made = Array.from({ length: count }, () => new Peer(python, script));
    await Promise.all(made.map((peer) => peer.moq("connect", { url: `${scheme}://${relay.at}`, hash: relay.hash, ...options })));
    return made;
}

const media = (stage, seed) => ({ broadcast: "room/film", track, size: stage.size / 8, seed, rate: stage.rate });

async function peerToPeer(stage, version, scheme) {
    const relay = await relayOf(stage, version);
    const [from, to] = await peers(relay, scheme, 2);
    const what = media(stage, 21);
    const published = from.moq("publish", what);
    const found = await to.moq("receive", { broadcast: what.broadcast, track, size: what.size });
    same(found.sha256, sha256(noise(what.size, what.seed)), `what arrived, ${found.bytes} bytes`);
    await published;
}

async function peerToWatch(stage, version, scheme) {
    const relay = await relayOf(stage, version);
    const [from] = await peers(relay, scheme, 1);
    const output = join(stage.work, "watched");
    const watch = stage.client("watch", relay, { broadcast: "room/film" }, "--from", "0", "--output", output);
    const what = media(stage, 22);
    await from.moq("publish", what);
    await watch.finished(0);
    same(sha256(readFileSync(output)), sha256(noise(what.size, what.seed)), "what was watched");
}

async function publishToPeer(stage, version, scheme) {
    const relay = await relayOf(stage, version);
    const [to] = await peers(relay, scheme, 1);
    const what = media(stage, 23);
    const content = noise(what.size, what.seed);
    const input = join(stage.work, "film");
    writeFileSync(input, content);
    const publish = stage.client("publish", relay, { broadcast: what.broadcast }, "--wait-subscriber", "--input", input,
        "--frame-size", "16K", "--group-frames", "32", "--rate", String(Math.round(stage.rate / 16384)));
    const found = await to.moq("receive", { broadcast: what.broadcast, track, size: what.size });
    same(found.sha256, sha256(content), `what arrived, ${found.bytes} bytes`);
    await publish.finished(0);
}

async function comesAndGoes(stage, version, scheme) {
    const relay = await relayOf(stage, version);
    const [from, to] = await peers(relay, scheme, 2);
    await to.moq("listen", { prefix: "room" });
    const heard = async (active) => {
        await until(10, `room/x is ${active ? "" : "no longer "}announced`, async () => (await to.moq("heard")).at(-1)?.active === active);
    };
    for (const n of [1, 2]) {
        await from.moq("tick", { broadcast: "room/x", track, text: `life ${n}`, interval: 0.1 });
        await heard(true);
        await from.moq("unpublish", { broadcast: "room/x" });
        await heard(false);
    }
    await from.moq("tick", { broadcast: "room/x", track, text: "once more", interval: 0.1 });
    await heard(true);
    await from.moq("disconnect");
    await heard(false);
    same((await to.moq("heard")).length, 6, "announcements");
}

/// FETCH of a group from the relay's log, and from the publisher.
async function fetches(stage, version, scheme) {
    const relay = await relayOf(stage, version);
    const [from, to] = await peers(relay, scheme, 2);
    await from.moq("hold", { broadcast: "held", track, groups: ["zero", "one", "two"] });
    for (const [sequence, text] of [[1, "one"], [0, "zero"], [1, "one"]]) {
        const group = await to.moq("fetch", { broadcast: "held", track, sequence });
        same(group.sha256, sha256(text), `group ${sequence}`);
    }
}

/// One case for each version and transport; --quick has the newest version's, and of the others those of `always`.
const each = (versions, what, body, { always = false } = {}) =>
    versions.flatMap((version) => ["moqt", "https"].map((scheme) => ({
        name: `${version}, moq-rs by ${scheme}:// ${what}`,
        quick: always || version === versions[0],
        body: (stage) => body(stage, version, scheme),
    })));

const versions = ["moq-lite-05", "moq-lite-04", "moq-lite-03"];
export const pythonCases = [
    ...each(versions.slice(1), "publishes, another one receives", peerToPeer, { always: true }),
    ...each(versions, "publishes, moqlite-watch receives", peerToWatch),
    ...each(versions, "receives what moqlite-publish publishes", publishToPeer),
    ...each(["moq-lite-05", "moq-lite-04"], "announces and un-announces", comesAndGoes),
];
