// Clients of other implementations in their own languages, through the relay: each version, both transports, all ways round.
import { readFileSync, writeFileSync } from "node:fs";
import { file, leave, nativePeer, runClient } from "../lib/native.js";
import { noise } from "../lib/noise.js";
import { same } from "../lib/same.js";

const track = "data";
const frame = 16384;
const groupFrames = 32;
// Bytes a second: an unpaced publisher overruns a subscriber without Group End, which loses the oldest groups.
const rateOf = ({ peer, toPeer = peer }) => Math.min(peer.rate ?? 4_000_000, toPeer.rate ?? 4_000_000);
const seconds = 60; // Of patience with one transfer: the clients are built for debugging.

/// `ourRate`: of moqlite-publish to it. The older generation gives a track up when its broadcast is un-announced, and moqlite-publish leaves
/// once the relay has all: what the viewer has not read by then is lost to it. `fetches`: the versions on which it can ask for a group and serve one.
const peers = [
    { name: "moq-net 0.3", group: "rust", firstGroup: 0, ...nativePeer("rust-current"),
        versions: ["moq-lite-06", "moq-lite-05", "moq-lite-04", "moq-lite-03", "moq-lite-07-wip"],
        fetches: ["moq-lite-07-wip", "moq-lite-06", "moq-lite-05"] },
    { name: "moq-net 0.2", group: "rust", firstGroup: 0, rate: 2_000_000, ourRate: 1_000_000, ...nativePeer("rust-older"),
        versions: ["moq-lite-05", "moq-lite-04", "moq-lite-03"], fetches: ["moq-lite-05"] },
    { name: "gomoqt", group: "go", firstGroup: 1, ...nativePeer("go"), versions: ["moq-lite-04"], fetches: ["moq-lite-04"] },
];

/// The publisher is `peer` or moqlite-publish, on `version`; the subscriber `toPeer` or moqlite-watch, on `to`.
async function meet(stage, { peer, version, scheme, to = version, toPeer = peer }) {
    const relay = await stage.relay("--protocols", `${[...new Set([version, to])]},h3`);
    const url = `${scheme}://${relay.at}`;
    const ours = (name, protocol) => (...flags) =>
        stage.client(name, relay, { broadcast: "room/film", track, url }, "--protocol", protocol, ...flags);
    return {
        relay,
        publisher: (command, ...words) => runClient(peer.program, relay, { scheme, version }, command, ...words),
        subscriber: (command, ...words) => runClient(toPeer.program, relay, { scheme, version: to }, command, ...words),
        ourPublish: ours("publish", version),
        ourWatch: ours("watch", to),
    };
}

function makeFilm(stage, size = stage.size) {
    const content = noise(size, 31);
    writeFileSync(file(stage, "film"), content);
    return content;
}

/// Compares every byte; with what a case sent, or with what it should not have.
function compare(stage, content) {
    const watched = readFileSync(file(stage, "watched"));
    same(watched.length, content.length, "bytes that arrived");
    if (!watched.equals(content)) throw new Error(`what arrived differs from byte ${watched.findIndex((byte, at) => byte !== content[at])} on`);
}

const cut = ["--frame-size", String(frame), "--group-frames", String(groupFrames)];
const theirFilm = (stage, one) => ["room/film", track, file(stage, "film"), ...cut, "--rate", rateOf(one)];
const theirWatch = (stage) => ["room/film", track, file(stage, "watched"), "--size", stage.size];

async function themToThem(stage, one) {
    const content = makeFilm(stage);
    const { publisher, subscriber } = await meet(stage, one);
    const watch = subscriber("watch", ...theirWatch(stage));
    const publish = publisher("publish", ...theirFilm(stage, one));
    same((await watch.printed(/^version (.*)$/m))[1], one.to ?? one.version, "the version of the subscriber");
    same((await publish.printed(/^version (.*)$/m))[1], one.version, "the version of the publisher");
    await watch.finished(0, seconds);
    await leave(publish);
    compare(stage, content);
}

async function themToUs(stage, one) {
    const content = makeFilm(stage);
    const { publisher, ourWatch } = await meet(stage, one);
    const watch = ourWatch("--from", String(one.peer.firstGroup), "--output", file(stage, "watched"));
    const publish = publisher("publish", ...theirFilm(stage, one));
    await watch.finished(0, seconds);
    await leave(publish);
    compare(stage, content);
}

async function usToThem(stage, one) {
    const content = makeFilm(stage);
    const { subscriber, ourPublish } = await meet(stage, one);
    const watch = subscriber("watch", ...theirWatch(stage));
    const frames = String(Math.round((one.peer.ourRate ?? rateOf(one)) / frame)); // A second.
    const publish = ourPublish("--wait-subscriber", "--input", file(stage, "film"), ...cut, "--rate", frames);
    await watch.finished(0, seconds);
    await publish.finished(0);
    compare(stage, content);
}

/// A broadcast of theirs comes and goes twice, then one of ours.
async function comesAndGoes(stage, one) {
    makeFilm(stage, frame);
    const { relay, publisher, subscriber, ourPublish } = await meet(stage, one);
    const list = subscriber("announcements", "room");
    const heard = (word, times) => list.printed(new RegExp(`(^${word} room/film\\n[^]*){${times}}`, "m"));
    await list.printed(/^version/m);
    for (const times of [1, 2]) {
        const publish = publisher("publish", ...theirFilm(stage, one), "--hold");
        await heard("announced", times);
        await relay.said(/announces room\/film/);
        await leave(publish);
        await heard("unannounced", times);
    }
    const publish = ourPublish("--wait-subscriber", "--input", file(stage, "film"));
    await heard("announced", 3);
    publish.signal("SIGTERM");
    await heard("unannounced", 3);
    await leave(list);
}

/// Groups that one client holds, asked for by another: the relay has them from nowhere else.
async function fetches(stage, one) {
    const content = makeFilm(stage, frame * 10);
    const { publisher, subscriber } = await meet(stage, one);
    const publish = publisher("publish", "room/film", track, file(stage, "film"), "--frame-size", frame, "--group-frames", 2, "--hold");
    await publish.printed(/^written$/m);
    for (const index of [1, 0, 4, 1]) {
        const fetch = subscriber("fetch", "room/film", track, index + one.peer.firstGroup, file(stage, "watched"));
        await fetch.finished(0);
        same(/^fetched (.*)$/m.exec(fetch.out)?.[1], "2 frames", "what was fetched");
        compare(stage, content.subarray(2 * index * frame, 2 * (index + 1) * frame));
    }
    await leave(publish);
}

async function isRefused(stage, one) {
    makeFilm(stage, frame);
    const { publisher, subscriber } = await meet(stage, one);
    const publish = publisher("publish", ...theirFilm(stage, one), "--hold");
    await publish.printed(/^version/m);
    const asked = subscriber("refused", "room/film", "none");
    await asked.printed(/^refused /m);
    await asked.finished(0);
    await leave(publish);
}

/// One bit of one frame is another one on the way: the comparison must fail, for nothing else would show that it can.
async function isNoticed(stage, one) {
    const content = makeFilm(stage);
    const damaged = Uint8Array.from(content);
    damaged[Math.floor(content.length / 2)] ^= 1;
    writeFileSync(file(stage, "film"), damaged);
    const { publisher, subscriber } = await meet(stage, one);
    const watch = subscriber("watch", ...theirWatch(stage));
    const publish = publisher("publish", ...theirFilm(stage, one));
    await watch.finished(0, seconds);
    await leave(publish);
    const found = (() => { try { compare(stage, content); } catch (error) { return error.message; } })();
    same(found, `what arrived differs from byte ${Math.floor(content.length / 2)} on`, "the result of the comparison");
}

/// Neither client names a version or an age: the newest version that both have, and a Max Age of 0, which drops a frame that is not read
/// before the next group begins. What arrives is whole frames in their order, most of them.
async function byDefault(stage, { peer, scheme }) {
    const [size, count] = [4000, 100];
    const content = makeFilm(stage, size * count);
    const relay = await stage.relay();
    const theirs = (command, ...words) => runClient(peer.program, relay, { scheme }, command, "room/film", track, ...words);
    const watch = theirs("watch", file(stage, "watched"), "--defaults");
    const publish = theirs("publish", file(stage, "film"), "--frame-size", size, "--group-frames", 10, "--rate", 200_000);
    const newest = relay.protocols.split(",").find((version) => peer.versions.includes(version));
    for (const one of [watch, publish]) same((await one.printed(/^version (.*)$/m))[1], newest, "the version");
    await watch.finished(0, seconds);
    await leave(publish);
    const frames = Array.from({ length: count }, (_, at) => content.subarray(at * size, (at + 1) * size));
    const watched = readFileSync(file(stage, "watched"));
    let next = 0;
    let found = 0;
    for (let at = 0; at < watched.length; at += size, ++found, ++next) {
        while (next < count && !watched.subarray(at, at + size).equals(frames[next])) ++next;
        if (next === count) throw new Error(`frame ${found} of what arrived is none that was sent, or not in its order`);
    }
    if (found < count * 0.8) throw new Error(`${found} of ${count} frames have arrived`);
}

const by = (body) => ["moqt", "https"].flatMap(body);

/// --quick has of all cases those for which `quick(peer, version, scheme)`.
function each(what, body, quick, versionsOf = (peer) => peer.versions) {
    return peers.flatMap((peer) => versionsOf(peer).flatMap((version) => by((scheme) => ({
        name: `${version}, ${peer.name} by ${scheme}:// ${what}`, peer, version, seconds: seconds + 30,
        quick: peer.name !== "moq-net 0.2" && quick(peer, version, scheme),
        body: (stage) => body(stage, { peer, version, scheme }),
    }))));
}

/// All pairs of two versions of the newest library; with `toPeers`, all pairs of two libraries, each by the newest version that it has.
function bridged(what, body, toPeers = false) {
    const ends = peers.flatMap((peer) => peer.versions.slice(0, 4).map((version) => ({ peer, version })));
    const isNewest = ({ peer, version }) => version === peer.versions[0];
    const isPair = (from, to) => toPeers ? from.peer !== to.peer && isNewest(from) && isNewest(to)
        : from.peer === peers[0] && to.peer === peers[0] && from.version !== to.version;
    return ends.flatMap((from) => ends.filter((to) => isPair(from, to)).flatMap((to) => by((scheme) => ({
        name: `${from.version} to ${to.version} by ${scheme}://, ${what.replace("FROM", from.peer.name).replace("TO", to.peer.name)}`,
        peer: from.peer, toPeer: to.peer, version: from.version, to: to.version, seconds: seconds + 30,
        quick: !toPeers && body === themToThem && scheme === "https" && from.version === "moq-lite-06" && to.version === "moq-lite-04",
        body: (stage) => body(stage, { ...from, scheme, to: to.version, toPeer: to.peer }),
    }))));
}

export const nativeCases = [
    ...each("to another one of its kind, byte for byte", themToThem,
        (peer, version, scheme) => version === peer.versions[0] && scheme === "moqt"),
    ...each("to moqlite-watch, byte for byte", themToUs, (_, version, scheme) => version === "moq-lite-05" && scheme === "https"),
    ...each("from moqlite-publish, byte for byte", usToThem, (_, version, scheme) => version === "moq-lite-04" && scheme === "https"),
    ...bridged("FROM to another one of its kind, byte for byte", themToThem),
    ...bridged("FROM to moqlite-watch, byte for byte", themToUs),
    ...bridged("moqlite-publish to TO, byte for byte", usToThem),
    ...bridged("FROM to TO, byte for byte", themToThem, true),
    ...each("announces, un-announces and hears of it", comesAndGoes,
        (_, version, scheme) => version === "moq-lite-04" && scheme === "https"),
    ...each("fetches groups that another one of its kind holds", fetches,
        (_, version, scheme) => version === "moq-lite-05" && scheme === "moqt", (peer) => peer.fetches),
    ...each("is refused a track that the publisher does not have", isRefused,
        (_, version, scheme) => version === "moq-lite-05" && scheme === "moqt"),
    ...each("notices one bit that has changed on the way", isNoticed,
        (peer, _, scheme) => peer.group === "go" && scheme === "moqt", () => ["moq-lite-04"]),
    ...by((scheme) => ({
        name: `moq-net 0.3 by ${scheme}://, with default settings, to another one through a relay with default settings`, peer: peers[0],
        quick: scheme === "https", body: (stage) => byDefault(stage, { peer: peers[0], scheme }),
    })),
];
