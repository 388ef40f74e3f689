// The test's page on http://127.0.0.1, a secure context.
import { build } from "esbuild";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

export async function servePage() {
    const entry = fileURLToPath(new URL("../page/page.js", import.meta.url));
    const bundle = await build({ entryPoints: [entry], bundle: true, format: "esm", target: "es2022", write: false });
    const script = bundle.outputFiles[0].text;
    const server = createServer((request, response) => {
        const isScript = request.url === "/page.js";
        response.setHeader("content-type", isScript ? "text/javascript" : "text/html; charset=utf-8");
        response.end(isScript ? script : '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>');
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}
