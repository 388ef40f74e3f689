// The page: what is pressed, and what is shown.
import { Path } from "@moq/net";
import { publishClock } from "./clock.js";
import { Meter } from "./meter.js";
import { draw } from "./plot.js";
import { connect, homeHash, homeRelay, whyNoWebTransport } from "./relay.js";
import { bytes, line, milliseconds } from "./text.js";
import { watch } from "./watch.js";

const LINES = 100; // Of what arrives, so many are shown.
const SHOWN_BROADCASTS = 500;

const $ = (id) => document.getElementById(id);
const home = { url: undefined, hash: undefined };

let connection;
let stopWatching;
let stopPublishing;
let watched;
let meter = new Meter();
let lines = [];
const broadcasts = new Map(); // Path to its list item.

// Connection.

function show(state, text) {
    document.body.dataset.state = state;
    $("status").textContent = text;
    const open = state === "open";
    $("connect-button").textContent = open ? "Disconnect" : "Connect";
    $("connect-button").disabled = state === "connecting";
    $("publish-button").disabled = !open;
}

async function open() {
    const problem = whyNoWebTransport();
    if (problem) return show("failed", problem);
    show("connecting", "Connecting …");
    try {
        if ($("hash").value && $("hash").value === home.hash) home.hash = $("hash").value = await homeHash();
        const made = await connect($("url").value, { hash: $("hash").value, version: $("version").value });
        connection = made;
        show("open", `Connected, ${made.version}`);
        void made.closed.then(
            () => lost(made, "The connection was closed"),
            (error) => lost(made, `The connection was closed: ${error.message}`),
        );
        void list(made);
    } catch (error) {
        show("failed", `No connection: ${(error.errors?.[0] ?? error).message}`);
    }
}

function lost(which, text) {
    if (connection !== which) return;
    connection = undefined;
    endPublishing();
    endWatching();
    for (const path of broadcasts.keys()) unlist(path);
    show("closed", text);
}

// What is live.

async function list(from) {
    $("nothing").textContent = "Nothing is live yet.";
    try {
        const announced = from.announced();
        for (let event; (event = await announced.next()) && connection === from; )
            if (event.active) enlist(event.path);
            else unlist(event.path);
    } catch (error) {
        if (connection === from) $("nothing").textContent = `Announcements ended: ${error.message}`;
    }
}

function enlist(path) {
    if (broadcasts.has(path) || broadcasts.size >= SHOWN_BROADCASTS) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = path || "(no name)";
    button.setAttribute("aria-pressed", String(path === watched));
    button.addEventListener("click", () => begin(path));
    const item = document.createElement("li");
    item.append(button);
    const next = [...broadcasts.keys()].filter((other) => other > path).sort()[0];
    $("broadcasts").insertBefore(item, next === undefined ? null : broadcasts.get(next));
    broadcasts.set(path, item);
    counted();
}

function unlist(path) {
    broadcasts.get(path)?.remove();
    broadcasts.delete(path);
    counted();
}

function counted() {
    $("count").textContent = broadcasts.size;
    $("nothing").hidden = broadcasts.size > 0;
}

function mark() {
    for (const [path, item] of broadcasts) item.firstChild.setAttribute("aria-pressed", String(path === watched));
    $("watched").textContent = watched === undefined ? "nothing" : `${watched} ${$("track").value}`;
    $("stop").disabled = watched === undefined;
}

// Watching.

function begin(path) {
    endWatching();
    if (!connection || !$("track").reportValidity()) return;
    meter = new Meter();
    lines = [];
    watched = path;
    mark();
    const mine = meter;
    const seen = {
        group: () => ++mine.groups,
        frame: (payload, stamp) => {
            mine.frame(payload.length, stamp);
            if (mine !== meter) return;
            lines.push(line(payload));
            if (lines.length > LINES) lines.shift();
        },
    };
    stopWatching = watch(connection, path, $("track").value, seen, (error) => {
        if (mine !== meter || watched === undefined) return;
        lines.push(error ? `— ended: ${error.message}` : "— ended");
        endWatching();
    });
}

function endWatching() {
    stopWatching?.();
    stopWatching = undefined;
    watched = undefined;
    mark();
}

// Publishing.

function beginPublishing() {
    const path = Path.from($("name").value);
    stopPublishing = publishClock(connection, path, $("track").value);
    $("publish-button").textContent = "Stop publishing";
    $("published").textContent = `Publishing ${path}, track ${$("track").value}.`;
}

function endPublishing() {
    stopPublishing?.();
    stopPublishing = undefined;
    $("publish-button").textContent = "Publish";
    $("published").textContent = "A line with the time ten times a second, on the track named above.";
}

// Showing, four times a second whatever arrives.

function refresh() {
    if (document.hidden) return;
    const rate = meter.window().at(-1).rate;
    const latency = meter.latency();
    $("rate").textContent = meter.frames ? `${bytes(rate)}/s` : "–";
    $("latency").textContent = latency === undefined ? "–" : milliseconds(latency);
    $("groups").textContent = meter.groups;
    $("frames").textContent = meter.frames;
    $("bytes").textContent = bytes(meter.bytes);
    const text = lines.join("\n");
    const pre = $("text");
    if (pre.textContent !== text) {
        const atEnd = pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 8;
        pre.textContent = text;
        if (atEnd) pre.scrollTop = pre.scrollHeight; // Do not scroll while the user reads.
    }
    draw($("plot"), meter);
    $("plot").setAttribute("aria-label", meter.frames
        ? `The last 30 seconds: now ${$("rate").textContent}, latency ${$("latency").textContent}`
        : "Nothing to plot yet");
}

$("connect").addEventListener("submit", (event) => {
    event.preventDefault();
    if (connection) connection.close();
    else void open();
});
$("publish").addEventListener("submit", (event) => {
    event.preventDefault();
    if (stopPublishing) endPublishing();
    else if (connection) beginPublishing();
});
$("stop").addEventListener("click", endWatching);
$("track").addEventListener("change", () => watched !== undefined && begin(watched));
setInterval(refresh, 250);
refresh();

const relay = await homeRelay();
if (relay) {
    Object.assign(home, relay);
    $("url").value = relay.url;
    $("hash").value = relay.hash;
}
show("closed", whyNoWebTransport() ?? "Not connected");
