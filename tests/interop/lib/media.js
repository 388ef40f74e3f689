// What every peer in a process of its own is asked to do: to send bytes through the relay, and to receive them.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { noise } from "./noise.js";
import { same } from "./same.js";

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
export const track = "data";

const noiseOf = (stage, broadcast, seed) => ({ broadcast, track, size: stage.size / 8, seed, rate: stage.rate });

async function arrives(to, what) {
    const found = await to.moq("receive", { broadcast: what.broadcast, track, size: what.size });
    same(found.sha256, sha256(noise(what.size, what.seed)), `what arrived, ${found.bytes} bytes`);
}

export async function peerToPeer(stage, from, to, broadcast) {
    const what = noiseOf(stage, broadcast, 21);
    const published = from.moq("publish", what);
    await to.moq("hear", { broadcast });
    await arrives(to, what);
    await published;
}

export async function peerToWatch(stage, relay, from, broadcast, firstGroup) {
    const output = join(stage.work, "watched");
    const watch = stage.client("watch", relay, { broadcast: "room/film" }, "--from", String(firstGroup), "--output", output);
    const what = noiseOf(stage, broadcast, 22);
    await from.moq("publish", what);
    await watch.finished(0);
    same(sha256(readFileSync(output)), sha256(noise(what.size, what.seed)), "what was watched");
}

export async function publishToPeer(stage, relay, to, broadcast) {
    const what = noiseOf(stage, broadcast, 23);
    const input = join(stage.work, "film");
    writeFileSync(input, noise(what.size, what.seed));
    const publish = stage.client("publish", relay, { broadcast: "room/film" }, "--wait-subscriber", "--input", input,
        "--frame-size", "16K", "--group-frames", "32", "--rate", String(Math.round(stage.rate / 16384)));
    await to.moq("hear", { broadcast });
    await arrives(to, what);
    await publish.finished(0);
}
