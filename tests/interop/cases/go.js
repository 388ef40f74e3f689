// gomoqt, through the relay: moq-lite-04 with names that begin with a slash, and stream codes that QUIC carries as they are.
import { peerToPeer, peerToWatch, publishToPeer } from "../lib/media.js";
import { Peer } from "../lib/peer.js";
import { same } from "../lib/same.js";

/// Set by `run`: the peer as a program, or the reason why there is none.
const program = process.env.MOQLITE_GO_PEER;

/// Undefined: Go peers can be had.
export const problem = () => (program ? undefined : process.env.MOQLITE_NO_GO ?? "MOQLITE_GO_PEER names no program");

async function peers(relay, scheme, count) {
    const made = Array.from({ length: count }, () => new Peer(program));
    await Promise.all(made.map((peer) => peer.moq("connect", { url: `${scheme}://${relay.at}/`, hash: relay.hash })));
    return made;
}

async function toAnother(stage, scheme) {
    const [from, to] = await peers(await stage.relay(), scheme, 2);
    await peerToPeer(stage, from, to, "/room/film");
}

async function toWatch(stage, scheme) {
    const relay = await stage.relay();
    const [from] = await peers(relay, scheme, 1);
    await peerToWatch(stage, relay, from, "/room/film", 1); // Its groups begin with 1.
}

async function fromPublish(stage, scheme) {
    const relay = await stage.relay();
    const [to] = await peers(relay, scheme, 1);
    await publishToPeer(stage, relay, to, "/room/film");
}

/// The relay's own code, and that of a publisher of the same kind behind it.
async function refusals(stage, scheme) {
    const [from, to] = await peers(await stage.relay(), scheme, 2);
    const code = (broadcast) => to.moq("refused", { broadcast, track: "none" });
    same(await code("/nowhere"), 13, "the code of what nobody announces");
    void from.moq("publish", { broadcast: "/room", track: "data", size: 1, seed: 1, rate: 1 });
    await to.moq("hear", { broadcast: "/room" });
    same(await code("/room"), 3, "the code with which the publisher refuses a track");
}

async function closes(stage, scheme) {
    const relay = await stage.relay();
    const [one, other] = await peers(relay, scheme, 2);
    await one.moq("disconnect", { code: 77, reason: "bye" });
    // By WebTransport this peer may close its connection before its capsule has left.
    await relay.said(scheme === "moqt" ? /closed by the peer with code 77: bye/ : /closed by the peer with (code 77: bye|cancel \(0\))/);
    const closed = other.moq("closed");
    stage.relays.pop();
    relay.signal("SIGTERM");
    await closed;
    await relay.finished(0, 8);
}

const each = (what, body) =>
    ["moqt", "https"].map((scheme) => ({ name: `moq-lite-04, gomoqt by ${scheme}:// ${what}`, body: (stage) => body(stage, scheme) }));

export const goCases = [
    ...each("publishes, another one receives", toAnother),
    ...each("publishes, moqlite-watch receives", toWatch),
    ...each("receives what moqlite-publish publishes", fromPublish),
    ...each("reads with which code it is refused", refusals),
    ...each("closes with a code, and sees that the relay closes", closes),
];
