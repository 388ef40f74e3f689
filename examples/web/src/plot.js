// Throughput as an area, latency as a line; each against its own scale.
import { SLOTS } from "./meter.js";
import { bytes, milliseconds } from "./text.js";

const PAD = 18; // Above and below, for what the scales say.

export function draw(canvas, meter) {
    const scale = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
    if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);

    const slots = meter.window();
    const most = round(Math.max(...slots.map((slot) => slot.rate), 1));
    const latest = round(Math.max(...slots.map((slot) => slot.latency ?? 0), 1));
    const x = (i) => (i * width) / (SLOTS - 1);
    const y = (part) => height - PAD - part * (height - 2 * PAD);

    grid(context, width, y, colour("--line"));
    area(context, slots.map((slot) => y(slot.rate / most)), x, y(0), colour("--rate"), colour("--rate-area"));
    line(context, slots.map((slot) => slot.latency === undefined ? undefined : y(slot.latency / latest)), x, colour("--latency"));

    context.font = "12px system-ui, sans-serif";
    context.fillStyle = colour("--rate");
    context.fillText(`${bytes(most)}/s`, 2, 12);
    context.fillStyle = colour("--latency");
    context.textAlign = "right";
    context.fillText(milliseconds(latest), width - 2, 12);
    context.textAlign = "left";
}

/// The next of 1, 2, 5, 10, 20 ...: scales that do not jump at every frame.
function round(value) {
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 5, 10].find((step) => step * power >= value) * power;
}

function grid(context, width, y, colour) {
    context.strokeStyle = colour;
    context.lineWidth = 1;
    for (const part of [0, 0.5, 1]) {
        context.beginPath();
        context.moveTo(0, Math.round(y(part)) + 0.5);
        context.lineTo(width, Math.round(y(part)) + 0.5);
        context.stroke();
    }
}

function area(context, heights, x, floor, stroke, fill) {
    context.beginPath();
    heights.forEach((height, i) => (i === 0 ? context.moveTo(x(i), height) : context.lineTo(x(i), height)));
    context.strokeStyle = stroke;
    context.lineWidth = 1.5;
    context.stroke();
    context.lineTo(x(heights.length - 1), floor);
    context.lineTo(x(0), floor);
    context.fillStyle = fill;
    context.fill();
}

function line(context, heights, x, stroke) {
    context.beginPath();
    let drawing = false;
    heights.forEach((height, i) => {
        if (height === undefined) return;
        if (drawing) context.lineTo(x(i), height);
        else context.moveTo(x(i), height);
        drawing = true;
    });
    context.strokeStyle = stroke;
    context.lineWidth = 2;
    context.stroke();
}
