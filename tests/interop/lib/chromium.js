// Debian's Chromium, which talks to nobody but loopback.
import { existsSync } from "node:fs";

// Not the distribution's wrapper, which adds flags of its own.
const candidates = ["/usr/lib/chromium/chromium", "/usr/lib64/chromium-browser/chromium-browser", "/usr/bin/chromium"];

export const executable = process.env.CHROMIUM ?? candidates.find((file) => existsSync(file));

const flags = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe",
    "--disable-background-networking", "--disable-component-update", "--disable-domain-reliability", "--disable-sync",
    "--disable-extensions", "--disable-default-apps", "--no-pings", "--no-first-run", "--no-default-browser-check",
    "--disable-client-side-phishing-detection", "--disable-search-engine-choice-screen", "--metrics-recording-only",
    "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
    "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1 , EXCLUDE ::1 , EXCLUDE [::1]",
    "about:blank",
];

export async function launch(profile) {
    const { chromium } = await import("playwright-core");
    return chromium.launchPersistentContext(profile, {
        executablePath: executable,
        headless: false, // The new headless mode is a flag of its own.
        ignoreDefaultArgs: true,
        args: [...flags.slice(0, -1), `--user-data-dir=${profile}`, flags.at(-1)],
        timeout: 30_000,
        viewport: { width: 1100, height: 820 },
    });
}
