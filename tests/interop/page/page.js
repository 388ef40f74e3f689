// What a test may ask of @moq/net, in a browser or in Node. Each page has one connection.
import { Broadcast, Connection, Path, Time } from "@moq/net";
import { noise } from "../lib/noise.js";

let connection;
let announcements = [];
const publishing = new Map();

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
async function hashed(bytes) {
    const digest = await crypto.subtle.digest("SHA-256", bytes);
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function connect({ url, hash, version }) {
    const webtransport = {};
    if (hash) webtransport.serverCertificateHashes = [{ value: hash }];
    if (version) webtransport.protocols = [version];
    connection = await Connection.connect(new URL(url), { webtransport, websocket: { enabled: false } });
    return connection.version;
}

const disconnect = () => connection.close();

/// Milliseconds until it is closed, by whomever.
async function closed() {
    const start = performance.now();
    await connection.closed.catch(() => {});
    return performance.now() - start;
}

async function listen(prefix = "") {
    announcements = [];
    const all = connection.announced(Path.from(prefix));
    void (async () => {
        for (let event; (event = await all.next()); ) announcements.push({ path: event.path, active: event.active });
    })().catch((error) => announcements.push({ error: error.message }));
}
const heard = () => announcements;

/// Waits for a subscriber, then writes `size` bytes at `rate` bytes a second and ends the track, or holds it until
/// unpublish().
async function publish({ broadcast: path, track: name, size, seed, rate, hold = false, frame = 16384, groupFrames = 32 }) {
    const broadcast = new Broadcast.Producer();
    const track = broadcast.createTrack(name, { latencyMax: 60_000, ordered: true, timescale: Time.Timescale.MILLI });
    connection.publish(Path.from(path), broadcast);
    publishing.set(path, { broadcast, track });
    while (!track.used.peek()) await pause(5);

    const content = noise(size, seed);
    const start = performance.now();
    let group;
    for (let at = 0, n = 0; at < size; at += frame, ++n) {
        const due = start + (at / rate) * 1000;
        if (due > performance.now()) await pause(due - performance.now());
        if (n % groupFrames === 0) {
            group?.close();
            group = track.appendGroup();
        }
        group.writeFrame({ payload: content.subarray(at, at + frame), timestamp: Time.Timestamp.fromMillis(n) });
    }
    group?.close();
    if (!hold) track.close();
}

/// A broadcast with a track of a few groups that stay, for who fetches them.
function offer({ broadcast: path, track: name, groups }) {
    const broadcast = new Broadcast.Producer();
    const track = broadcast.createTrack(name, { latencyMax: 60_000, timescale: Time.Timescale.MILLI });
    for (const [n, text] of groups.entries()) {
        const group = track.appendGroup();
        group.writeFrame({ payload: new TextEncoder().encode(text), timestamp: Time.Timestamp.fromMillis(n) });
        group.close();
    }
    connection.publish(Path.from(path), broadcast);
    publishing.set(path, { broadcast, track });
}

function unpublish(path) {
    const { broadcast, track } = publishing.get(path);
    track.close();
    broadcast.close();
    publishing.delete(path);
}

/// Subscribes from group 0 and reads until `size` bytes are here or the track ends.
async function receive({ broadcast: path, track: name, size }) {
    const broadcast = connection.consume(Path.from(path));
    const subscriber = broadcast.track(name).subscribe({ startGroup: 0, ordered: true, latencyMax: 60_000 });
    const groups = new Map();
    let bytes = 0;
    let enough;
    const complete = new Promise((resolve) => (enough = resolve));
    const read = async (group) => {
        const frames = [];
        groups.set(group.sequence, frames);
        for (let frame; (frame = await group.readFrame()); ) {
            frames.push(frame.payload);
            if ((bytes += frame.payload.length) >= size) enough();
        }
    };
    const readers = [];
    const all = (async () => {
        for (let group; (group = await subscriber.recvGroup()); ) readers.push(read(group));
        await Promise.all(readers);
    })();
    await Promise.race([complete, all]);
    const whole = new Blob([...groups].sort(([a], [b]) => a - b).flatMap(([, frames]) => frames));
    subscriber.close();
    broadcast.close();
    return { bytes, groups: groups.size, sha256: await hashed(await whole.arrayBuffer()) };
}

/// Calls back nobody: a subscription that stays, and counts.
const counting = { frames: 0 };
function count({ broadcast: path, track: name }) {
    counting.frames = 0;
    const subscriber = connection.consume(Path.from(path)).track(name).subscribe();
    void (async () => {
        while (await subscriber.readFrame()) ++counting.frames;
    })().catch(() => {});
}
const counted = () => counting.frames;

async function fetchGroup({ broadcast: path, track: name, sequence }) {
    const group = await connection.consume(Path.from(path)).track(name).fetchGroup(sequence);
    const frames = [];
    for (let frame; (frame = await group.readFrame()); ) frames.push(frame.payload);
    const whole = new Blob(frames);
    return { frames: frames.length, bytes: whole.size, sha256: await hashed(await whole.arrayBuffer()) };
}

/// The text of each frame, until there are `count`.
async function read({ broadcast: path, track: name, count }) {
    const subscriber = connection.consume(Path.from(path)).track(name).subscribe();
    const texts = [];
    for (let frame; texts.length < count && (frame = await subscriber.readFrame()); ) texts.push(new TextDecoder().decode(frame.payload));
    subscriber.close();
    return texts;
}

/// Opens so many WebTransport sessions, `abreast` at a time, and drops each as soon as it is ready.
async function openAndDrop({ url, hash, version, times, abreast }) {
    const value = Uint8Array.from(hash.match(/../g), (digits) => parseInt(digits, 16));
    const one = async () => {
        const session = new WebTransport(url, {
            protocols: [version],
            serverCertificateHashes: [{ algorithm: "sha-256", value }],
        });
        await session.ready;
        session.close();
        await session.closed.catch(() => {});
    };
    let opened = 0;
    await Promise.all(Array.from({ length: abreast }, async () => {
        while (opened++ < times) await one();
    }));
}

/// A connection that was made elsewhere.
const adopt = (made) => void (connection = made);

globalThis.moq = {
    adopt, connect, disconnect, closed, listen, heard, publish, offer, unpublish, receive, count, counted, fetchGroup, read, openAndDrop,
};
globalThis.moqReady = true;
