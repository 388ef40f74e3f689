// moq-dev's client by its Python binding, moq-rs, through the relay: over native QUIC and over WebTransport, in each version that both speak.
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { peerToPeer, peerToWatch, publishToPeer, track } from "../lib/media.js";
import { Peer } from "../lib/peer.js";
import { same } from "../lib/same.js";
import { until } from "../lib/time.js";

/// Set by `run`: a Python that has the binding, or the reason why there is none.
const python = process.env.MOQLITE_PYTHON;
const script = fileURLToPath(new URL("../python/peer.py", import.meta.url));

/// Undefined: Python peers can be had.
export const problem = () => (python ? undefined : process.env.MOQLITE_NO_PYTHON ?? "MOQLITE_PYTHON names no Python that has moq-rs");

/// The relay decides the version: this peer offers all that it has.
const relayOf = (stage, version, ...flags) => stage.relay("--protocols", `${version},h3`, ...flags);

async function peers(relay, scheme, count, options = {}) {
    const made = Array.from({ length: count }, () => new Peer(python, script));
    await Promise.all(made.map((peer) => peer.moq("connect", { url: `${scheme}://${relay.at}`, hash: relay.hash, ...options })));
    return made;
}

async function toAnother(stage, version, scheme) {
    const [from, to] = await peers(await relayOf(stage, version), scheme, 2);
    await peerToPeer(stage, from, to, "room/film");
}

async function toWatch(stage, version, scheme) {
    const relay = await relayOf(stage, version);
    const [from] = await peers(relay, scheme, 1);
    await peerToWatch(stage, relay, from, "room/film", 0);
}

async function fromPublish(stage, version, scheme) {
    const relay = await relayOf(stage, version);
    const [to] = await peers(relay, scheme, 1);
    await publishToPeer(stage, relay, to, "room/film");
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
    const [from, to] = await peers(await relayOf(stage, version), scheme, 2);
    await from.moq("hold", { broadcast: "held", track, groups: ["zero", "one", "two"] });
    for (const [sequence, text] of [[1, "one"], [0, "zero"], [1, "one"]]) {
        const group = await to.moq("fetch", { broadcast: "held", track, sequence });
        same(group.sha256, createHash("sha256").update(text).digest("hex"), `group ${sequence}`);
    }
}

/// Waits until the last text that this viewer has seen begins so, `seconds` at most.
const follows = (viewer, text, seconds) =>
    until(seconds, `a viewer sees ${text}`, async () => (await viewer.moq("watched", { broadcast: "room/x" })).at(-1)?.startsWith(text));

/// A publisher is killed and another one begins with the same name at once: long before the dead session times out.
async function replaced(stage, version, scheme) {
    const relay = await relayOf(stage, version);
    const [first, second, viewer] = await peers(relay, scheme, 3);
    const tick = (text) => ({ broadcast: "room/x", track, text, interval: 0.1 });
    await first.moq("tick", tick("first"));
    await viewer.moq("watch", { broadcast: "room/x", track });
    await follows(viewer, "first", 10);
    first.end();
    await second.moq("tick", tick("second"));
    await follows(viewer, "second", 3);
    same((await viewer.moq("status")).epoch, 1, "sessions of the viewer");
}

/// A relay is told to drain, and a successor takes its address when it has ended: clients reconnect by themselves, soon. They try
/// again every quarter of a second, which shows that a draining relay answers them: one that is silent has each wait in QUIC's
/// handshake, whose next packet after 3 s comes at 7.
async function drains(stage, version, scheme) {
    const files = stage.certificate();
    const relay = await relayOf(stage, version, "--drain", "4", ...files);
    const [from, viewer] = await peers(relay, scheme, 2, { retry_every: 0.25 });
    await from.moq("tick", { broadcast: "room/x", track, text: "tick", interval: 0.1 });
    await viewer.moq("watch", { broadcast: "room/x", track });
    await follows(viewer, "tick", 10);
    relay.signal("SIGTERM");
    await relay.finished(0, 10);
    stage.relays.pop();
    const seen = (await viewer.moq("watched", { broadcast: "room/x" })).length;
    await relayOf(stage, version, "--listen", relay.at, ...files);
    await until(2, "media passes again", async () => (await viewer.moq("watched", { broadcast: "room/x" })).slice(seen).filter((text) => text.startsWith("tick")).length > 2);
}

/// One case for each version and transport; --quick has the newest version's unless it is `slow`, and of the others those of `always`.
const each = (versions, what, body, { always = false, slow = false } = {}) =>
    versions.flatMap((version) => ["moqt", "https"].map((scheme) => ({
        name: `${version}, moq-rs by ${scheme}:// ${what}`,
        quick: always || (version === versions[0] && !slow),
        body: (stage) => body(stage, version, scheme),
    })));

const versions = ["moq-lite-06", "moq-lite-05", "moq-lite-04", "moq-lite-03"];
export const pythonCases = [
    ...each(versions, "publishes, another one receives", toAnother, { always: true }),
    ...each(versions, "publishes, moqlite-watch receives", toWatch),
    ...each(versions, "receives what moqlite-publish publishes", fromPublish),
    ...each(["moq-lite-06", "moq-lite-05", "moq-lite-04"], "announces and un-announces", comesAndGoes),
    ...each(["moq-lite-06", "moq-lite-05"], "fetches groups that another one holds", fetches),
    ...each(["moq-lite-06", "moq-lite-05", "moq-lite-04"], "goes on where a publisher is killed and replaced", replaced),
    ...each(["moq-lite-06", "moq-lite-05"], "is back within 2 s of the start of a drained relay's successor", drains, { slow: true }),
];
