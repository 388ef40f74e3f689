// Counts what arrives, in quarters of a second.
const WIDTH = 250; // Milliseconds of a slot.
export const SLOTS = 120; // What is shown: 30 s.
const SECOND = 4;

const DAY = 86_400_000;
export const wallClock = () => performance.timeOrigin + performance.now();

export class Meter {
    groups = 0;
    frames = 0;
    bytes = 0;
    slots = []; // {at, bytes, latency}, oldest first; at counts quarters of a second.
    #fastest = Infinity;

    /// `stamp`: the frame's time in milliseconds; undefined: it has none.
    frame(size, stamp) {
        ++this.frames;
        this.bytes += size;
        const slot = this.#current();
        slot.bytes += size;
        if (stamp !== undefined) slot.latency = this.#latency(stamp);
    }

    latency() {
        return this.slots.findLast((slot) => slot.latency !== undefined)?.latency;
    }

    /// Of each quarter of the last 30 s, {rate, latency}; the rate is that of the second which it ends, in bytes.
    window() {
        const first = this.#now() - SLOTS; // The present one is not over.
        const all = Array.from({ length: SLOTS }, () => ({ rate: 0, latency: undefined }));
        for (const { at, bytes, latency } of this.slots) {
            const i = at - first;
            if (i >= 0 && i < SLOTS) all[i].latency = latency;
            for (let j = Math.max(i, 0); j < Math.min(i + SECOND, SLOTS); ++j) all[j].rate += bytes;
        }
        return all;
    }

    #now() {
        return Math.floor(performance.now() / WIDTH);
    }

    #current() {
        const at = this.#now();
        if (this.slots.at(-1)?.at !== at) {
            this.slots.push({ at, bytes: 0, latency: undefined });
            if (this.slots.length > SLOTS + SECOND) this.slots.shift();
        }
        return this.slots.at(-1);
    }

    /// Against the clock on the wall where the publisher stamps with that, else against the fastest frame so far.
    #latency(stamp) {
        const late = wallClock() - stamp;
        if (Math.abs(late) < DAY) return Math.max(late, 0);
        this.#fastest = Math.min(this.#fastest, late);
        return late - this.#fastest;
    }
}
