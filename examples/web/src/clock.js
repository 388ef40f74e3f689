// Publishes the time, ten times a second; every second is a group.
import { Broadcast, Time } from "@moq/net";
import { wallClock } from "./meter.js";

const INTERVAL = 100; // Milliseconds.

/// Returns the function that ends it.
export function publishClock(connection, path, trackName) {
    const broadcast = new Broadcast.Producer();
    const track = broadcast.createTrack(trackName, { timescale: Time.Timescale.MILLI });
    connection.publish(path, broadcast);

    const encoder = new TextEncoder();
    let group;
    let second;
    const tick = () => {
        const now = new Date();
        if (now.getSeconds() !== second) {
            group?.close();
            group = track.appendGroup();
            second = now.getSeconds();
        }
        const payload = encoder.encode(now.toISOString());
        group.writeFrame({ payload, timestamp: Time.Timestamp.fromMillis(Math.floor(wallClock())) });
    };
    tick();
    const timer = setInterval(tick, INTERVAL);

    return () => {
        clearInterval(timer);
        group?.close();
        track.close();
        broadcast.close();
    };
}
