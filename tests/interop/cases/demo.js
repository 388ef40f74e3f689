// The page of examples/web, as the relay serves it: pressed and looked at as a person would.
import { join } from "node:path";
import { until } from "../lib/time.js";

const text = (tab, id) => tab.locator(`#${id}`).textContent();
const state = (tab) => tab.locator("body").getAttribute("data-state");

async function opened(stage, relay) {
    const tab = await stage.tab(`${relay.web}/`);
    await until(5, "the page knows its relay", async () => (await tab.locator("#url").inputValue()).startsWith("https://"));
    return tab;
}

async function connected(tab) {
    await tab.locator("#connect-button").click();
    await until(10, "the page is connected", async () => {
        if ((await state(tab)) === "failed") throw new Error(await text(tab, "status"));
        return (await state(tab)) === "open";
    });
}

/// How many points of the plot have a colour of `name`, a CSS variable.
const points = (tab, name) =>
    tab.evaluate((variable) => {
        const canvas = document.getElementById("plot");
        const context = canvas.getContext("2d");
        const probe = document.createElement("canvas").getContext("2d");
        probe.fillStyle = getComputedStyle(canvas).getPropertyValue(variable);
        probe.fillRect(0, 0, 1, 1);
        const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
        const { data } = context.getImageData(0, 16, canvas.width, canvas.height - 32);
        let n = 0;
        for (let i = 0; i < data.length; i += 4)
            if (data[i + 3] > 200 && Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 24) ++n;
        return n;
    }, name);

async function watches(stage) {
    const relay = await stage.relay();
    const [clock, tab] = [await opened(stage, relay), await opened(stage, relay)];
    if ((await points(tab, "--latency")) !== 0) throw new Error("something is plotted before anything arrives");
    await connected(clock);
    await connected(tab);
    await clock.locator("#name").fill("room/clock");
    await clock.locator("#publish-button").click();
    await tab.getByRole("button", { name: "room/clock" }).click();
    await until(10, "frames arrive", async () => Number(await text(tab, "frames")) > 40);
    const now = new Date().toISOString().slice(0, 16);
    if (!(await text(tab, "text")).includes(now)) throw new Error(`the time is not shown: ${await text(tab, "text")}`);
    if (!/^\d+(\.\d)? ms$/.test(await text(tab, "latency"))) throw new Error(`latency: ${await text(tab, "latency")}`);
    for (const line of ["--rate", "--latency"])
        if ((await points(tab, line)) < 20) throw new Error(`${line} is not plotted`);
    await tab.screenshot({ path: join(stage.artefacts, "demo.png"), fullPage: true });
    await tab.emulateMedia({ colorScheme: "dark" });
    await tab.setViewportSize({ width: 390, height: 844 });
    await tab.waitForTimeout(400);
    const overflow = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (overflow > 0) throw new Error(`on a phone the page is ${overflow} pixels too wide`);
    await tab.screenshot({ path: join(stage.artefacts, "demo-phone-dark.png"), fullPage: true });

    await clock.locator("#publish-button").click();
    await until(10, "the broadcast leaves the list", async () => (await tab.locator("#broadcasts li").count()) === 0);
}

async function byKeyboard(stage) {
    const relay = await stage.relay();
    const tab = await opened(stage, relay);
    const publish = stage.client("publish", relay, { broadcast: "bytes" }, "--input", "/dev/zero", "--frame-size", "1K",
        "--rate", "100");
    await tab.locator("#url").focus();
    await tab.keyboard.press("Enter");
    await until(10, "the page is connected", async () => (await state(tab)) === "open");
    await tab.getByRole("button", { name: "bytes" }).waitFor({ timeout: 5000 });
    await tab.locator("#track").focus();
    await tab.keyboard.press("Tab");
    await tab.keyboard.press("Space");
    await until(10, "frames arrive", async () => Number(await text(tab, "frames")) > 100);
    if (!(await text(tab, "text")).includes("1.0 kB: 00 00")) throw new Error("the bytes are not shown");
    publish.signal("SIGTERM");
    await publish.finished(143);
    stage.relays.pop();
    relay.signal("SIGTERM");
    await until(5, "the page says that its connection is closed", async () => (await state(tab)) === "closed");
    await relay.finished(0, 8);
}

export const demoCases = [
    { name: "the demo page lists, watches, plots, and publishes a clock", body: watches },
    { name: "the demo page works by keyboard alone, shows bytes, and says when the relay has gone", body: byKeyboard },
];
