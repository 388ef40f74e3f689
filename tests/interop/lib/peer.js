// A peer that others wrote, in a process of its own: a line of JSON in, a line of JSON out.
import { spawn } from "node:child_process";

const running = new Set();

export class Peer {
    #answers = [];
    err = "";

    constructor(...command) {
        this.name = command.at(-1).split("/").at(-1);
        this.child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...command],
            { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, NO_COLOR: "1" } });
        running.add(this);
        this.child.stdin.on("error", () => {}); // A peer that has ended says so by `close`.
        this.child.stderr.on("data", (data) => (this.err += data));
        let text = "";
        this.child.stdout.on("data", (data) => {
            text += data;
            for (let end; (end = text.indexOf("\n")) >= 0; text = text.slice(end + 1)) {
                const { id, answer, error } = JSON.parse(text.slice(0, end));
                if (error !== undefined) this.#answers[id].reject(new Error(error));
                else this.#answers[id].resolve(answer);
            }
        });
        this.child.on("close", (code, signal) => {
            running.delete(this);
            for (const { reject } of this.#answers) reject(new Error(`${this.name} ended with ${code ?? signal}: ${this.lastWords()}`));
        });
    }

    /// Calls its function `name`; rejected with what that failed with, or when the peer ends.
    moq(name, argument) {
        const answer = new Promise((resolve, reject) => this.#answers.push({ resolve, reject }));
        answer.catch(() => {}); // Also where the case has failed before it looked at this answer.
        this.child.stdin.write(`${JSON.stringify({ id: this.#answers.length - 1, name, argument })}\n`);
        return answer;
    }

    end() {
        this.child.kill("SIGKILL"); // @moq/web-transport's server blocks for good where it is asked to close.
    }

    lastWords() {
        const lines = this.err.trimEnd().split("\n").filter((line) => !line.includes("buffer is smaller than requested"));
        return lines.slice(-3).join(" | ");
    }

    static killAll() {
        for (const peer of running) peer.end();
    }
    static lastWords() {
        return [...running].filter((peer) => peer.lastWords()).map((peer) => `${peer.name}: ${peer.lastWords()}`).join("\n      ");
    }
}
