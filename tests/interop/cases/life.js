// How connections begin, and how they end.
import { createServer } from "node:net";
import { isSanitized } from "../lib/programs.js";
import { until, within } from "../lib/time.js";

const version = "moq-lite-05";
const sessions = async (relay) => (await (await fetch(`${relay.web}/health`)).json()).sessions;

async function refused(tab, how, what) {
    const answer = await tab.moq("connect", how).then((found) => `connected, ${found}`, () => "refused");
    if (answer !== "refused") throw new Error(`${what}: ${answer}`);
}

async function relayEnds(stage) {
    const relay = await stage.relay();
    const tab = await stage.tab();
    await tab.moq("connect", { url: relay.url, hash: relay.hash });
    const closed = tab.moq("closed");
    stage.relays.pop();
    relay.signal("SIGTERM");
    await within(5, "the page sees that its connection is closed", closed);
    await relay.finished(0, 8);
}

async function tabCloses(stage) {
    const relay = await stage.relay();
    const tab = await stage.tab();
    await tab.moq("connect", { url: relay.url, hash: relay.hash });
    await until(5, "the relay has a session", async () => (await sessions(relay)) === 1);
    await tab.close();
    await until(5, "the relay's session has ended", async () => (await sessions(relay)) === 0);
}

async function staysOpen(stage) {
    const relay = await stage.relay("--idle-timeout", "4");
    const tab = await stage.tab();
    await tab.moq("connect", { url: relay.url, hash: relay.hash });
    await tab.moq("listen");
    await new Promise((resolve) => setTimeout(resolve, 10_000)); // Longer than the idle timeout: that is the case.
    const other = await stage.tab();
    await other.moq("connect", { url: relay.url, hash: relay.hash });
    await other.moq("offer", { broadcast: "late", track: "data", groups: ["x"] });
    await until(5, "the quiet session hears of it", async () => (await tab.moq("heard")).length === 1);
}

/// @moq/net's own way with relays under development: an http:// URL, and the hash from there.
async function plainUrl(stage) {
    const server = createServer();
    const port = await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
    await new Promise((resolve) => server.close(resolve));
    const relay = await stage.relay("--listen", `127.0.0.1:${port}`, "--web", `127.0.0.1:${port}`);
    const tab = await stage.tab();
    await tab.moq("connect", { url: `http://127.0.0.1:${port}/` });
    await until(5, "the relay has a session", async () => (await sessions(relay)) === 1);
}

async function newCertificate(stage) {
    const relay = await stage.relay();
    const [before, after] = [await stage.tab(), await stage.tab()];
    await before.moq("connect", { url: relay.url, hash: relay.hash });
    relay.signal("SIGHUP");
    await relay.said(/certificate renewed/);
    await refused(after, { url: relay.url, hash: relay.hash }, "the old hash");
    const hash = await (await fetch(`${relay.web}/certificate.sha256`)).text();
    await after.moq("connect", { url: relay.url, hash });
    await before.moq("listen"); // Who was there before goes on.
    await after.moq("offer", { broadcast: "new", track: "data", groups: ["x"] });
    await until(5, "the old session hears of it", async () => (await before.moq("heard")).length === 1);
}

async function origins(stage) {
    const page = new URL(stage.pageUrl).origin;
    const connect = async (...flags) => {
        const relay = await stage.relay(...flags.flatMap((origin) => ["--allow-origin", origin]));
        const tab = await stage.tab();
        return { relay, tab, how: { url: relay.url, hash: relay.hash } };
    };
    const stranger = await connect("https://elsewhere.example", page.replace("http:", "https:"));
    await refused(stranger.tab, stranger.how, "a page that is not allowed");
    await stranger.relay.said(/are not allowed/);
    for (const allowed of [[], [page], ["https://elsewhere.example", page], ["*"]]) {
        const guest = await connect(...allowed);
        await guest.tab.moq("connect", guest.how);
    }
}

async function nothingInCommon(stage) {
    const relay = await stage.relay("--protocols", "moq-lite-05,h3");
    const tab = await stage.tab();
    await refused(tab, { url: relay.url, hash: relay.hash, version: "moq-lite-03" }, "a version that is not there");
    await tab.moq("connect", { url: relay.url, hash: relay.hash });
    const native = await stage.relay("--protocols", "moq-lite-05");
    await refused(await stage.tab(), { url: native.url, hash: native.hash }, "a relay without h3");
}

async function manyConnections(stage) {
    const relay = await stage.relay();
    const tab = await stage.tab();
    const open = { url: relay.url, hash: relay.hash, version, times: 200, abreast: 4 };
    const after = [];
    for (const n of [1, 2]) {
        await tab.moq("openAndDrop", open);
        await until(20, "all sessions have ended", async () => (await sessions(relay)) === 0);
        await new Promise((resolve) => setTimeout(resolve, 3000)); // Their closing periods.
        relay.err = "";
        relay.signal("SIGUSR1");
        await relay.said(/sessions, .* broadcasts/);
        after.push(relay.resident());
    }
    console.log(`         relay RSS after 200 connections ${after[0]} KiB, after 200 more ${after[1]} KiB`);
    if (after[1] > after[0] + 2048 && !isSanitized()) throw new Error(`the relay keeps ${after[1] - after[0]} KiB more`);
}

export const lifeCases = [
    { name: "a page sees that the relay has closed its connection", body: relayEnds },
    { name: "the relay sees that a tab was closed", body: tabCloses },
    { name: "a session that says nothing for longer than the idle timeout stays open", body: staysOpen },
    { name: "@moq/net's http:// URL finds the certificate's hash by itself", body: plainUrl },
    { name: "a new certificate is for those who come, and disturbs nobody who is there", body: newCertificate },
    { name: "a page of another origin than the relay's host is let in only by --allow-origin", body: origins },
    { name: "a page that has no version in common with the relay is refused", body: nothingInCommon },
    { name: "200 connections, opened and dropped twice, leave nothing behind", seconds: 120, body: manyConnections },
];
