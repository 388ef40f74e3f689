// What is gomoqt's own, beside the cases of native.js: its codes, how it closes, and its server.
import { readFileSync, writeFileSync } from "node:fs";
import { file, leave, nativePeer, runClient, runServer } from "../lib/native.js";
import { noise } from "../lib/noise.js";
import { Program } from "../lib/programs.js";
import { same } from "../lib/same.js";

const peer = nativePeer("go");
const size = 500_000;

function makeFilm(stage) {
    writeFileSync(file(stage, "film"), noise(size, 32));
    return file(stage, "film");
}

function compare(stage) {
    same(readFileSync(file(stage, "watched")).equals(noise(size, 32)), true, "what arrived is what was sent");
}

/// The relay's own code, and that of a publisher of the same kind behind it.
async function refusals(stage, scheme) {
    const relay = await stage.relay();
    const client = (...words) => runClient(peer.program, relay, { scheme }, ...words);
    const code = async (broadcast) => {
        const asked = client("refused", broadcast, "none");
        const found = (await asked.printed(/^refused (.*)$/m))[1];
        await asked.finished(0);
        return found;
    };
    same(await code("nowhere"), "3", "the code of what nobody announces");
    const publish = client("publish", "room", "data", makeFilm(stage), "--hold");
    await relay.said(/announces room/);
    same(await code("room"), "3", "the code with which the publisher refuses a track");
    await leave(publish);
}

async function closes(stage, scheme) {
    const relay = await stage.relay();
    const client = (...words) => runClient(peer.program, relay, { scheme }, ...words);
    await client("close", 77, "bye").finished(0);
    // By WebTransport this peer may close its connection before its capsule has left: 0, named by what it has shown of itself.
    await relay.said(scheme === "moqt" ? /closed by the peer with code 77: bye/ : /closed by the peer with (code 77: bye|(no_error|cancel) \()/);
    const other = client("announcements", "");
    await other.printed(/^version/m);
    stage.relays.pop();
    relay.signal("SIGTERM");
    await other.printed(/^closed /m);
    await relay.finished(0, 8);
}

const server = (stage, ...words) => runServer(stage, peer.program, ...words);

const ours = (stage, name, there, scheme, broadcast, ...flags) =>
    stage.client(name, there, { broadcast, url: `${scheme}://${there.at}` }, "--protocol", "moq-lite-04", ...flags);

/// Its publisher has no Group End: it sends every group at once, from its first on, which has number 1. The prefix that is asked for is the
/// one above the broadcast: with a broadcast of one segment it is the root.
async function serverToWatch(stage, scheme) {
    for (const broadcast of ["room/film", "film"]) {
        const there = await server(stage, "serve", broadcast, "data", makeFilm(stage), "--frame-size", 1000, "--group-frames", 20);
        const watch = ours(stage, "watch", there, scheme, broadcast, "--from", "1", "--output", file(stage, "watched"));
        await watch.finished(0);
        compare(stage);
        await leave(there.program);
    }
}

/// Groups of its server, one after the other; then one that does not exist.
async function serverIsFetchedFrom(stage, scheme) {
    const there = await server(stage, "serve", "room/film", "data", makeFilm(stage), "--frame-size", 1000, "--group-frames", 20);
    const fetch = (group) => new Program("asker", "moq-lite-04", `${scheme}://${there.at}`, "room/film", "data", "fetch", String(group),
        file(stage, "fetched"));
    for (const group of [1, 25, 7, 1]) {
        const one = fetch(group);
        await one.printed(/^fetched 20 frames$/m);
        await one.finished(0);
        const expected = noise(size, 32).subarray((group - 1) * 20_000, group * 20_000);
        same(readFileSync(file(stage, "fetched")).equals(expected), true, "what was fetched");
    }
    await fetch(26).finished(1);
    await leave(there.program);
}

async function publishToServer(stage, scheme) {
    const input = makeFilm(stage);
    const there = await server(stage, "collect", "room/film", "data", file(stage, "watched"), "--size", size);
    const publish = ours(stage, "publish", there, scheme, "room/film", "--wait-subscriber", "--input", input);
    await there.program.finished(0);
    await publish.finished(0);
    compare(stage);
}

const each = (what, body) =>
    ["moqt", "https"].map((scheme) => ({
        name: `moq-lite-04, gomoqt by ${scheme}:// ${what}`, peer: { name: "gomoqt", group: "go", ...peer }, quick: false,
        body: (stage) => body(stage, scheme),
    }));

export const goCases = [
    ...each("reads with which code it is refused", refusals),
    ...each("closes with a code, and sees that the relay closes", closes),
    ...each("as server is watched by moqlite-watch", serverToWatch),
    ...each("as server watches moqlite-publish", publishToServer),
    ...each("as server is asked for groups", serverIsFetchedFrom),
];
