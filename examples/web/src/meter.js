// Counts what arrives, in quarters of a second.
export const WIDTH = 250; // Milliseconds of a slot.
export const SLOTS = 120; // What is kept: 30 s.

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

    /// Bytes a second over the last whole second.
    rate() {
        const now = this.#now();
        const recent = this.slots.filter((slot) => slot.at < now && slot.at >= now - 4);
        return recent.reduce((sum, slot) => sum + slot.bytes, 0);
    }

    latency() {
        return this.slots.findLast((slot) => slot.latency !== undefined)?.latency;
    }

    /// The last 30 s, a slot each quarter of a second.
    window() {
        const first = this.#now() - SLOTS;
        const all = Array.from({ length: SLOTS }, () => ({ bytes: 0, latency: undefined }));
        for (const slot of this.slots) if (slot.at >= first && slot.at < first + SLOTS) all[slot.at - first] = slot;
        return all;
    }

    #now() {
        return Math.floor(performance.now() / WIDTH);
    }

    #current() {
        const at = this.#now();
        if (this.slots.at(-1)?.at !== at) {
            this.slots.push({ at, bytes: 0, latency: undefined });
            if (this.slots.length > SLOTS + 1) this.slots.shift();
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
