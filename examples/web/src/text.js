// Numbers and bytes for people.
export function bytes(n) {
    for (const unit of ["B", "kB", "MB", "GB"]) {
        if (n < 999.5 || unit === "GB") return `${n < 9.95 && unit !== "B" ? n.toFixed(1) : Math.round(n)} ${unit}`;
        n /= 1000;
    }
}

export const milliseconds = (n) => (n < 9.95 ? `${n.toFixed(1)} ms` : `${Math.round(n)} ms`);

const LONGEST = 200; // Of one frame, what is shown.

/// A frame in a line: its text if it is one, else what it begins with.
export function line(frame) {
    const head = frame.subarray(0, LONGEST);
    try {
        // Where the rest is left out, half a character may be at the end.
        const text = new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: frame.length > LONGEST });
        if (!/[\x00-\x08\x0e-\x1f]/.test(text)) return frame.length > LONGEST ? `${text}…` : text;
    } catch {
        // Not text.
    }
    const hex = Array.from(head.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    return `${bytes(frame.length)}: ${hex}${frame.length > 16 ? " …" : ""}`;
}
