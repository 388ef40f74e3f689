// @moq/net in a browser against the relay, in each version that it speaks: what goes in comes out.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { noise } from "../lib/noise.js";
import { until } from "../lib/time.js";

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const same = (found, expected, what) => {
    if (found !== expected) throw new Error(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
};
const track = "data";
const frame = 16384;

async function connected(stage, relay, version, path = "") {
    const tab = await stage.tab();
    same(await tab.moq("connect", { url: relay.url + path, hash: relay.hash, version }), version, "the version");
    return tab;
}

async function announced(tab, path, active, seconds = 10) {
    const want = (events) => events.findLast((event) => event.path === path)?.active === active;
    await until(seconds, `${path} is ${active ? "" : "no longer "}announced`, async () => want(await tab.moq("heard")));
}

async function browserPublishes(stage, version) {
    const relay = await stage.relay();
    const output = join(stage.work, "watched");
    // Native 03 and 04 know no path: the watcher says all of it as the name.
    const watch = stage.client("watch", relay, { broadcast: "room/film" }, "--from", "0", "--output", output);
    const tab = await connected(stage, relay, version, "/room");
    await tab.moq("publish", { broadcast: "film", track, size: stage.size, seed: 7, rate: stage.rate });
    await watch.finished(0);
    same(sha256(readFileSync(output)), sha256(noise(stage.size, 7)), "what was watched");
}

/// Its last group may be the one at which we have it pause: before moq-lite-05 nothing but time tells the two apart.
async function shortTracksEnd(stage, version) {
    const relay = await stage.relay();
    const tab = await connected(stage, relay, version);
    for (const n of [1, 2, 3]) {
        const watch = stage.client("watch", relay, { broadcast: `film${n}` }, "--from", "0", "--output", join(stage.work, "watched"));
        await tab.moq("publish", { broadcast: `film${n}`, track, size: n * frame, seed: 7, rate: 10_000_000, groupFrames: 1 });
        await watch.finished(0, 4);
    }
}

async function browserReceives(stage, version) {
    const relay = await stage.relay();
    const content = noise(stage.size, 8);
    const input = join(stage.work, "film");
    writeFileSync(input, content);
    const tab = await connected(stage, relay, version, "/room");
    await tab.moq("listen");
    const publish = stage.client("publish", relay, { broadcast: "room/film" }, "--wait-subscriber", "--input", input,
        "--frame-size", "16K", "--group-frames", "32", "--rate", String(Math.round(stage.rate / frame)));
    await announced(tab, "film", true);
    const found = await tab.moq("receive", { broadcast: "film", track, size: stage.size });
    same(found.bytes, stage.size, "bytes");
    same(found.sha256, sha256(content), "what arrived");
    await publish.finished(0);
    await announced(tab, "film", false);
}

/// Many streams, each for one small frame; no faster than a busy browser takes streams, which is some hundred a second.
async function smallGroups(stage, version) {
    const relay = await stage.relay();
    const output = join(stage.work, "watched");
    const [from, to] = [await connected(stage, relay, version), await connected(stage, relay, version)];
    const size = 300_000;
    await to.moq("listen");
    const published = from.moq("publish", { broadcast: "film", track, size, seed: 11, rate: 50_000, frame: 500, groupFrames: 1 });
    await announced(to, "film", true);
    // The tab subscribes first, for it gets the newest group: the publisher begins with its first subscriber. The program
    // gets what it has missed from the relay.
    const received = to.moq("receive", { broadcast: "film", track, size });
    const watch = stage.client("watch", relay, { broadcast: "film" }, "--from", "0", "--output", output);
    const found = await received;
    await published;
    await watch.finished(0);
    same(sha256(readFileSync(output)), sha256(noise(size, 11)), "what was watched");
    same(found.groups, 600, "groups");
    same(found.sha256, sha256(noise(size, 11)), "what arrived");
}

async function twoTabs(stage, version) {
    const relay = await stage.relay();
    const [from, to] = [await connected(stage, relay, version), await connected(stage, relay, version)];
    const size = stage.size / 4;
    await to.moq("listen");
    const published = from.moq("publish", { broadcast: "a/b", track, size, seed: 9, rate: stage.rate });
    await announced(to, "a/b", true);
    const found = await to.moq("receive", { broadcast: "a/b", track, size });
    same(found.sha256, sha256(noise(size, 9)), "what arrived");
    await published;
}

async function comesAndGoes(stage, version) {
    const relay = await stage.relay();
    const [from, to] = [await connected(stage, relay, version), await connected(stage, relay, version)];
    await to.moq("listen", "room");
    for (const n of [1, 2]) {
        await from.moq("offer", { broadcast: "room/x", track, groups: [`life ${n}`] });
        await announced(to, "x", true);
        await relay.said(/announces room\/x/);
        await from.moq("unpublish", "room/x");
        await announced(to, "x", false);
    }
    await from.moq("offer", { broadcast: "room/x", track, groups: ["once more"] });
    await announced(to, "x", true);
    await from.moq("disconnect");
    await announced(to, "x", false); // A publisher that leaves takes its broadcasts with it.
    same((await to.moq("heard")).length, 6, "announcements");
}

async function fetches(stage, version) {
    const relay = await stage.relay();
    const content = noise(64 * 1024, 10);
    const input = join(stage.work, "film");
    writeFileSync(input, content);
    const tab = await connected(stage, relay, version);
    await tab.moq("listen");
    const publish = stage.client("publish", relay, { broadcast: "film" }, "--wait-subscriber", "--input", input,
        "--frame-size", "4K", "--group-frames", "4");
    await announced(tab, "film", true);
    await tab.moq("receive", { broadcast: "film", track, size: content.length });
    await publish.finished(0);
    await announced(tab, "film", false);
    for (const sequence of [0, 2, 3]) {
        const group = await tab.moq("fetchGroup", { broadcast: "film", track, sequence }); // Out of the relay's log.
        same(group.frames, 4, "frames");
        same(group.sha256, sha256(content.subarray(sequence * 16384, (sequence + 1) * 16384)), `group ${sequence}`);
    }
    const other = await connected(stage, relay, version);
    await other.moq("offer", { broadcast: "held", track, groups: ["zero", "one", "two"] });
    await announced(tab, "held", true);
    const group = await tab.moq("fetchGroup", { broadcast: "held", track, sequence: 1 }); // The other browser's.
    same(group.sha256, sha256("one"), "a group that the other browser holds");
}

const each = (what, body) =>
    ["moq-lite-03", "moq-lite-04", "moq-lite-05"].map((version) => ({
        name: `${version}: ${what}`,
        seconds: 40,
        body: (stage) => body(stage, version),
    }));

export const browserCases = [
    ...each("what a browser publishes, moqlite-watch receives over native QUIC, byte for byte", browserPublishes),
    ...each("a track of a few groups that a browser publishes ends for moqlite-watch soon after its FIN", shortTracksEnd),
    ...each("what moqlite-publish publishes over native QUIC, a browser receives, byte for byte", browserReceives),
    ...each("what one tab publishes, another receives", twoTabs),
    ...each("600 groups of one frame go from tab to tab", smallGroups).map((one) => ({ ...one, quick: one.name.startsWith("moq-lite-05") })),
    ...each("a broadcast that comes and goes is announced and un-announced", comesAndGoes),
    { name: "moq-lite-05: a browser fetches groups, from the relay and from another browser",
        body: (stage) => fetches(stage, "moq-lite-05") },
];
