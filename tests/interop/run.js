// moqlite against peers that others wrote: each case starts a relay of its own, on loopback, and has a limit of time.
//   node run.js [--quick] [--only REGEX] [--list]
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { apiCases, apiPageCases } from "./cases/api.js";
import { browserCases } from "./cases/browser.js";
import { demoCases } from "./cases/demo.js";
import { goCases } from "./cases/go.js";
import { lifeCases } from "./cases/life.js";
import { nativeCases } from "./cases/native.js";
import { nodeCases, problem as nodeProblem } from "./cases/node.js";
import { problem as pythonProblem, pythonCases } from "./cases/python.js";
import { executable, launch } from "./lib/chromium.js";
import { unoffered } from "./lib/native.js";
import { Peer } from "./lib/peer.js";
import { servePage } from "./lib/page_server.js";
import { certificate, client, Program, startRelay } from "./lib/programs.js";
import { within } from "./lib/time.js";

const { values: options } = parseArgs({
    options: { quick: { type: "boolean" }, only: { type: "string", default: "" }, list: { type: "boolean" } },
});
const required = (process.env.MOQLITE_REQUIRE ?? "").split(",");
const work = mkdtempSync(join(tmpdir(), "moqlite-interop."));
const artefacts = join(process.env.MOQLITE_BUILD ?? work, "interop");
mkdirSync(artefacts, { recursive: true });

let browser, pages;

/// What a case has: everything that it starts ends with it.
class Stage {
    size = options.quick ? 2_000_000 : 8_000_000;
    rate = 2_000_000; // Bytes a second.
    work = work;
    artefacts = artefacts;
    pageUrl = pages?.url;
    relays = [];
    tabs = [];

    async relay(...flags) {
        const relay = await startRelay(...flags);
        this.relays.push(relay);
        return relay;
    }
    client = client;
    certificate = () => (this.made ??= certificate(work));

    async tab(url = pages.url, { mayComplain = false } = {}) {
        const tab = await browser.newPage();
        tab.said = [];
        tab.complaints = [];
        tab.on("console", (message) => tab.said.push(message.text()));
        tab.on("pageerror", (error) => mayComplain || tab.complaints.push(error.message));
        this.tabs.push(tab);
        await tab.goto(url, { timeout: 10_000 });
        if (url === pages.url) await tab.waitForFunction("globalThis.moqReady", undefined, { timeout: 10_000 });
        /// moq.<name>(argument) in that page.
        tab.moq = (name, argument) => tab.evaluate(([n, a]) => globalThis.moq[n](a), [name, argument]);
        return tab;
    }

    async end() {
        for (const tab of this.tabs) await tab.close();
        for (const relay of this.relays) {
            relay.signal("SIGTERM");
            await relay.finished(0, 8);
        }
        const complaints = this.tabs.flatMap((tab) => tab.complaints);
        if (complaints.length > 0) throw new Error(`the page threw: ${complaints.join("; ")}`);
    }
    lastWords() {
        const said = this.tabs.flatMap((tab) => tab.said.slice(-6)).map((line) => `page: ${line}`);
        return [Program.lastWords(), Peer.lastWords(), ...said].filter(Boolean).join("\n      ");
    }
}

const outcomes = { passed: 0, failed: 0, skipped: 0 };

/// A tab of Chromium itself may crash, whatever was loaded there: that case runs once more, and says so.
async function run(one, again = false) {
    const { name, seconds = 30, body } = one;
    const stage = new Stage();
    const start = performance.now();
    try {
        await within(seconds, name, body(stage));
        await within(20, "the end of the case", stage.end());
        ++outcomes.passed;
        console.log(`ok       ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    } catch (error) {
        const crashed = !again && /Target crashed/.test(error.message);
        if (!crashed) ++outcomes.failed;
        console.log(`${crashed ? "again   " : "FAILED  "} ${name}: ${error.message}\n      ${stage.lastWords()}`);
        for (const tab of stage.tabs) await tab.close().catch(() => {});
        if (crashed) {
            killAll();
            return run(one, true);
        }
    }
    killAll();
}

function killAll() {
    Program.killAll();
    Peer.killAll();
}

function skip(group, why) {
    if (required.includes(group)) {
        ++outcomes.failed;
        console.log(`FAILED   ${group}: ${why}, and MOQLITE_REQUIRE has it`);
    } else {
        ++outcomes.skipped;
        console.log(`skipped  ${group}: ${why}`);
    }
}

async function runBrowser(cases) {
    if (cases.length === 0) return;
    if (!executable) return skip("browser", "there is no Chromium (apt install chromium)");
    browser = await launch(join(work, "profile"));
    pages = await servePage();
    for (const one of cases) await run(one);
    await within(20, "the end of the browser", browser.close());
    pages.close();
}

async function runPeers(group, problem, cases) {
    if (cases.length === 0) return;
    const why = await problem();
    if (why) return skip(group, why);
    for (const one of cases) await run(one);
}

/// Peers in other languages: a program that is not there, or a version that our relay does not know, is one skip for all of its cases.
async function runNative(cases) {
    const skipped = new Set();
    const without = (group, what, why) => {
        if (!skipped.has(what)) skip(group, `${what}: ${why}`);
        skipped.add(what);
    };
    for (const one of cases) {
        const absent = [one.peer, one.toPeer].find((peer) => peer && !peer.program);
        let unknown;
        for (const version of [one.version, one.to]) if (version && (await unoffered(version))) unknown ??= version;
        if (absent) without(absent.group, absent.name, absent.problem);
        else if (unknown) without("versions", unknown, await unoffered(unknown));
        else await run(one);
    }
    killAll();
}

function end(code) {
    killAll();
    rmSync(work, { recursive: true, force: true });
    process.exit(code);
}
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => end(1));

const wanted = (cases) => cases.filter(({ name, quick = true }) => (quick || !options.quick) && new RegExp(options.only).test(name));
const inBrowser = wanted([...browserCases, ...lifeCases, ...demoCases, ...apiPageCases]);
const inNode = wanted(nodeCases);
const inPython = wanted(pythonCases);
const inNative = wanted([...nativeCases, ...goCases, ...apiCases]);
if (options.list) {
    for (const { name } of [...inBrowser, ...inNode, ...inPython, ...inNative]) console.log(name);
    end(0);
}
try {
    await runBrowser(inBrowser);
    await runPeers("node", nodeProblem, inNode);
    await runPeers("python", pythonProblem, inPython);
    await runNative(inNative);
} catch (error) {
    ++outcomes.failed;
    console.log(`FAILED   ${error.stack}`);
}
console.log(`${outcomes.passed} passed, ${outcomes.failed} failed, ${outcomes.skipped} skipped`);
end(outcomes.failed > 0 ? 1 : outcomes.passed === 0 ? 77 : 0);
