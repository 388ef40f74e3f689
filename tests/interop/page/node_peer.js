// page.js in Node, with @moq/web-transport for the browser's WebTransport; told what to do by lines of JSON.
import "./node_globals.js";
import { Server } from "@moq/web-transport";
import { Connection } from "@moq/net";
import { readFileSync } from "node:fs";
import { createSocket } from "node:dgram";
import { createInterface } from "node:readline";
import "./page.js";

let server;
let version;

/// Port 0 would be free as well, but the server does not tell which it took.
async function freePort() {
    const socket = createSocket("udp4");
    await new Promise((resolve) => socket.bind(0, "127.0.0.1", resolve));
    const { port } = socket.address();
    await new Promise((resolve) => socket.close(resolve));
    return port;
}

async function serve({ chain, key, version: wanted }) {
    version = wanted;
    const port = await freePort();
    server = Server.bind(`127.0.0.1:${port}`, readFileSync(chain), readFileSync(key));
    return port;
}

/// The first session that comes becomes the connection of page.js. It is published to at once: on 05 @moq/net misses what
/// is published while it begins to answer the peer's question for announcements.
async function publishToFirst(what) {
    const request = await server.accept();
    const url = new URL(await request.url);
    const session = await request.ok();
    // This server cannot answer with a protocol; both sides know which it is.
    Object.defineProperty(session, "protocol", { value: version });
    globalThis.moq.adopt(await Connection.accept(session, url));
    await globalThis.moq.publish(what);
}

Object.assign(globalThis.moq, { serve, publishToFirst });
for await (const text of createInterface({ input: process.stdin })) {
    const { id, name, argument } = JSON.parse(text);
    const say = (what) => process.stdout.write(`${JSON.stringify({ id, ...what })}\n`);
    Promise.resolve().then(() => globalThis.moq[name](argument)).then((answer) => say({ answer }), (error) => say({ error: error.message }));
}
