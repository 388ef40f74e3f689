// The programs on the application API (examples/api) against other implementations, without a relay between them unless a case says so.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { apiClient, apiServer, ends, lines, peerClient } from "../lib/api.js";
import { file, leave, nativePeer, runServer } from "../lib/native.js";
import { noise } from "../lib/noise.js";
import { same } from "../lib/same.js";
import { until } from "../lib/time.js";

const missing = !existsSync(join(process.env.MOQLITE_BIN ?? ".", "moqlite-clock"));
const problem = missing ? "the examples are not in this tree" : undefined;
const time = "[0-9]{2}:[0-9]{2}:[0-9]{2}";
const says = 300_000; // Bytes that are echoed.

/// `refusal`: of a track that is not there. Before moq-lite-06 moq-net knows its own code of it, 13, by no name.
const peers = [
    { name: "moq-net 0.3", group: "rust", firstGroup: 0, ...nativePeer("rust-current"), refusal: /^refused (NotFound|Stream\(Unknown\(13\)\)|.*NotFound.*)/m,
        versions: ["moq-lite-06", "moq-lite-05", "moq-lite-04", "moq-lite-03"], fetches: ["moq-lite-06", "moq-lite-05"] },
    { name: "gomoqt", group: "go", firstGroup: 1, ...nativePeer("go"), refusal: /^refused 3$/m,
        versions: ["moq-lite-04"], fetches: ["moq-lite-04"] },
];

const enough = (size) => ["--enough", size, "--size", size];
const saved = (stage) => readFileSync(file(stage, "watched"), "utf8");

function matches(text, pattern, what) {
    if (!pattern.test(text)) throw new Error(`${what}: ${JSON.stringify(text)} does not match ${pattern}`);
}

/// Our server, which is its own publisher: watched, asked for a group, for the group that will never be, and for the track that is not there.
async function clockIsWatched(stage, { peer, ...how }) {
    const clock = await apiServer("clock", "serve");
    const client = (...words) => peerClient(peer, clock, how, ...words);
    const watch = client("watch", "clock", "seconds", file(stage, "watched"), ...enough(16));
    await watch.finished(0);
    matches(saved(stage), new RegExp(`^(${time}){2,3}$`), "what the clock said");
    if (peer.fetches.includes(how.version)) {
        const fetched = client("fetch", "clock", "seconds", 1, file(stage, "watched"));
        await fetched.finished(0);
        matches(saved(stage), new RegExp(`^${time}$`), "the group");
        await client("fetch", "clock", "seconds", 1_000_000, file(stage, "watched")).finished(1);
    }
    const asked = client("refused", "clock", "minutes");
    matches((await asked.printed(/^refused .*$/m))[0], peer.refusal, "the refusal");
    await asked.finished(0);
    await ends(clock);
}

/// Their server: our programs list it, watch it, fetch from it, and notice that it leaves.
async function clockOfTheirs(stage, { peer, scheme, version }) {
    writeFileSync(file(stage, "film"), Array.from({ length: 80 }, (_, n) => `tick ${String(n).padStart(3, "0")}`).join(""));
    const there = await runServer(stage, peer.program, "serve", "clock", "seconds", file(stage, "film"),
        "--frame-size", 8, "--group-frames", 1, "--rate", 80, "--hold", ...(version ? ["--version", version] : []));
    const url = `${scheme}://${there.at}`;
    const list = apiClient(there, "announcements", url);
    const watch = apiClient(there, "clock", "watch", url);
    const ticks = (await lines(watch, 12)).map((line) => /^tick (\d{3})$/.exec(line)?.[1]);
    const first = Number(ticks[0]);
    same(ticks.join(), ticks.map((_, n) => String(first + n).padStart(3, "0")).join(), "every tick, in order");
    same((await lines(list, 1))[0].split(" ")[0], "+clock", "the announcement");
    if (peer.fetches.includes(version)) {
        const fetched = apiClient(there, "fetch", url, "clock", "seconds", 3 + peer.firstGroup);
        await fetched.finished(0);
        same(fetched.out, "tick 003\n", "the group");
        const none = apiClient(there, "fetch", url, "clock", "seconds", 4000);
        await none.finished(1, 30);
        same(none.out, "", "the group that is not there");
    }
    const stranger = apiClient(there, "fetch", url, "clock", "minutes", 1);
    await stranger.finished(1, 30);
    await leave(there.program);
    await watch.finished(1, 45); // It had no GOAWAY: the session is cut off, and says so.
    await list.finished(1, 45);
}

/// Our client publishes at their server, which reads two ticks.
async function clockAtTheirs(stage, { peer, scheme, version }) {
    const there = await runServer(stage, peer.program, "collect", "clock", "seconds", file(stage, "watched"), ...enough(16),
        ...(version ? ["--version", version] : []));
    const clock = apiClient(there, "clock", "publish", `${scheme}://${there.at}`);
    await there.program.finished(0);
    matches(saved(stage), new RegExp(`^(${time}){2,3}$`), "what the clock said");
    clock.signal("SIGTERM");
}

/// Our server reads what they publish, and publishes it again; with one bit changed on the way in, they notice.
async function echo(stage, { peer, damaged = false, ...how }) {
    const content = noise(says, 41);
    const spoilt = Uint8Array.from(content);
    if (damaged) spoilt[says / 2] ^= 1;
    writeFileSync(file(stage, "film"), spoilt);
    const server = await apiServer("echo");
    const client = (...words) => peerClient(peer, server, how, ...words);
    const speak = client("publish", "me", "says", file(stage, "film"), "--frame-size", 5000, "--group-frames", 4, "--rate", 300_000);
    const hear = client("watch", "echo/me", "says", file(stage, "watched"), "--size", says);
    await hear.finished(0);
    const heard = readFileSync(file(stage, "watched"));
    same(heard.length, says, "bytes that came back");
    const differs = heard.findIndex((byte, at) => byte !== content[at]);
    same(differs, damaged ? says / 2 : -1, "the first byte that differs");
    await leave(speak);
    await ends(server);
}

/// Broadcasts of our clients come and go at our server, and those of theirs.
async function comesAndGoes(stage, { peer, ...how }) {
    writeFileSync(file(stage, "film"), "hello, world");
    const server = await apiServer("clock", "serve");
    const url = `${how.scheme}://${server.at}`;
    const list = peerClient(peer, server, how, "announcements", "room");
    await list.printed(/^version/m);
    const ann = apiClient(server, "chat", url, "ann");
    await list.printed(/^announced room\/ann$/m);
    const theirs = peerClient(peer, server, how, "publish", "room/them", "says", file(stage, "film"), "--frame-size", 12);
    await list.printed(/^announced room\/them$/m);
    await ann.printed(/^them: hello, world$/m); // In chat everybody reads everybody.
    await leave(theirs);
    await ann.printed(/^room\/them has left$/m);
    await ends(ann);
    await list.printed(/^unannounced room\/ann$/m);
    await leave(list);
    await ends(server);
}

/// Their relay between two programs of ours.
async function chatByTheirs(stage, { peer, scheme, version }) {
    const there = await runServer(stage, peer.program, "relay", ...(version ? ["--version", version] : []));
    const url = `${scheme}://${there.at}`;
    const [ann, bob] = ["ann", "bob"].map((name) => apiClient(there, "chat", url, name));
    for (const one of [ann, bob]) one.child.stdin.write("\n");
    const tell = async (from, to, name) => {
        from.child.stdin.write(`this is ${name}\n`);
        await to.printed(new RegExp(`^${name}: this is ${name}$`, "m"));
    };
    await until(10, "each knows of the other", () => /^(ann|bob): $/m.test(ann.out) && /^(ann|bob): $/m.test(bob.out));
    await tell(ann, bob, "ann");
    await tell(bob, ann, "bob");
    const clock = apiClient(there, "clock", "publish", url);
    const watch = apiClient(there, "clock", "watch", url);
    matches((await lines(watch, 2)).join(), new RegExp(`^${time},${time}$`), "what the clock said");
    await ends(clock);
    await ends(bob);
    await ann.printed(/^room\/bob has left$/m);
    await ends(ann);
    await leave(there.program);
}

/// Our server makes tracks for them while they watch, and leaves with a GOAWAY.
async function onDemand(stage, { peer, ...how }) {
    const cameras = await apiServer("on_demand");
    const query = { at: `${cameras.at}/?token=s3cret&end=`, hash: cameras.hash }; // runClient() puts a "/" behind it.
    const client = (there, ...words) => peerClient(peer, there, how, ...words);
    const watch = client(query, "watch", "camera/3", "video", file(stage, "watched"), ...enough(100));
    await watch.finished(0);
    matches(saved(stage), new RegExp(`^(camera/3/video at ${time}){3,}$`), "what the camera has seen");
    await cameras.printed(/^camera\/3\/video is wanted no more$/m);
    const stranger = client(cameras, "announcements", "");
    await until(10, "it is refused", () => /^closed /m.test(stranger.out) || stranger.child.exitCode !== null);
    const other = client(query, "announcements", "");
    await other.printed(/^version/m);
    cameras.signal("SIGUSR1");
    await cameras.finished(0, 8);
}

/// What cannot carry a token is refused.
async function noToken(stage, { peer, ...how }) {
    const cameras = await apiServer("on_demand");
    const stranger = peerClient(peer, cameras, how, "announcements", "");
    await until(10, "it is refused", () => /^closed /m.test(stranger.out) || stranger.child.exitCode !== null);
    await ends(cameras);
}

/// Their server leaves with a GOAWAY that names another one: our client goes there, and its reader goes on.
async function redirected(stage, { peer, scheme }) {
    const films = ["one", "two"].map((name) => {
        writeFileSync(file(stage, name), Array.from({ length: 200 }, (_, n) => `${name} ${String(n).padStart(4, "0")}`).join(""));
        return file(stage, name);
    });
    const serve = (film, ...flags) => runServer(stage, peer.program, "serve", "clock", "seconds", film,
        "--frame-size", 8, "--group-frames", 1, "--rate", 80, "--hold", ...flags);
    const second = await serve(films[1]);
    const first = await serve(films[0], "--next", `${scheme}://${second.at}/`);
    const follow = apiClient(first, "redirect", `${scheme}://${first.at}`);
    await lines(follow, 3);
    const left = leave(first.program);
    await follow.printed(new RegExp(`^going to ${scheme}://${second.at}/$`, "m"));
    await follow.printed(/^two \d{4}\n(.*\n)*two \d{4}$/m);
    await left;
    await ends(follow);
    await leave(second.program);
}

/// Both ways with the page: it watches our server's clock, and our server echoes what it publishes; our client watches what it publishes, too.
async function inBrowser(stage, version) {
    const clock = await apiServer("clock", "serve");
    const tab = await stage.tab();
    const connect = (there) => tab.moq("connect", { url: `https://${there.at}`, hash: there.hash, version });
    same(await connect(clock), version, "the version");
    await tab.moq("listen");
    await until(10, "the clock is announced", async () => (await tab.moq("heard")).some(({ path, active }) => path === "clock" && active));
    matches((await tab.moq("read", { broadcast: "clock", track: "seconds", count: 2 })).join(), new RegExp(`^${time},${time}$`), "the clock");
    const none = await tab.moq("read", { broadcast: "clock", track: "minutes", count: 1 }).then((found) => found.length, () => "refused");
    if (none !== 0 && none !== "refused") throw new Error(`a track that is not there: ${none}`);
    await ends(clock);
}

async function browserIsHeard(stage, version) {
    const echo = await apiServer("echo");
    const tab = await stage.tab();
    same(await tab.moq("connect", { url: `https://${echo.at}`, hash: echo.hash, version }), version, "the version");
    await tab.moq("listen");
    await tab.moq("offer", { broadcast: "clock", track: "seconds", groups: ["half past two"] });
    const watch = apiClient(echo, "clock", "watch", `https://${echo.at}`);
    await watch.printed(/^half past two$/m);
    const published = tab.moq("publish", { broadcast: "me", track: "says", size: says, seed: 42, rate: 300_000, frame: 5000, groupFrames: 4 });
    await until(10, "the echo is announced",
        async () => (await tab.moq("heard")).some(({ path, active }) => path === "echo/me" && active));
    const back = await tab.moq("receive", { broadcast: "echo/me", track: "says", size: says });
    await published;
    same(back.sha256, createHash("sha256").update(noise(says, 42)).digest("hex"), `the echo of ${back.bytes} bytes`);
    await tab.moq("unpublish", "clock");
    watch.signal("SIGTERM");
    await ends(echo);
}

const inPage = (what, body) => ["moq-lite-03", "moq-lite-04", "moq-lite-05"].map((version) => ({
    name: `API, ${version}, @moq/net in a browser ${what}`, quick: false, seconds: 60, body: (stage) => body(stage, version),
}));

/// Without the examples, nativeCases' peers say so.
export const apiPageCases = missing ? [] : [
    ...inPage("watches our server's clock", inBrowser),
    ...inPage("is echoed by our server, and watched by our client", browserIsHeard),
];

/// Their server measures the path for our client.
async function probed(stage, { peer, scheme, version }) {
    writeFileSync(file(stage, "film"), noise(1000, 1));
    const there = await runServer(stage, peer.program, "serve", "clock", "seconds", file(stage, "film"), "--hold", "--version", version);
    const probe = apiClient(there, "probe", `${scheme}://${there.at}`);
    await probe.printed(/^it sends \d+ bit\/s, round trip \d+ ms, ours [\d.]+ ms$/m);
    await ends(probe);
    await leave(there.program);
}

const by = (body) => ["moqt", "https"].flatMap(body);
const all = (peer) => peer.versions;

/// Each needs the peer of native-peer, and is for ./dev interop alone.
const each = (what, body, versionsOf = all, only = () => true) =>
    peers.filter(only).flatMap((peer) => versionsOf(peer).flatMap((version) => by((scheme) => ({
        name: `API, ${version}, ${peer.name} by ${scheme}:// ${what}`, quick: false, version, seconds: 90,
        peer: problem ? { ...peer, group: "api", program: undefined, problem } : peer,
        body: (stage) => body(stage, { peer, version, scheme }),
    }))));
const newest = (peer) => peer.versions.slice(0, 1);
const isGo = (peer) => peer.group === "go";

export const apiCases = [
    ...each("watches our server's clock, and asks it for what is not there", clockIsWatched),
    ...each("as server is watched, fetched from and left by our clients", clockOfTheirs),
    ...each("as server watches a clock that our client publishes", clockAtTheirs),
    ...each("is echoed by our server, byte for byte", echo),
    ...each("hears from our server one bit that has changed", (stage, how) => echo(stage, { ...how, damaged: true }), newest),
    ...each("and our chat come and go at our server", comesAndGoes),
    ...each("as relay joins a chat and a clock of ours", chatByTheirs),
    ...each("gets a camera of our server made for it, with the right token", onDemand, (peer) => peer.versions.slice(0, 2), (peer) => !isGo(peer)),
    ...each("has no token for our server", noToken, newest, isGo),
    ...each("as server tells our client what it measures", probed, newest, isGo),
    ...each("as server sends our client to another one", redirected, newest, isGo),
];
