// Reads one track, group by group, as they arrive.

/// Calls `seen.group()` and `seen.frame(payload, milliseconds)` until the track ends; the returned function ends it
/// before. `ended(error)` is called once.
export function watch(connection, path, track, seen, ended) {
    const broadcast = connection.consume(path);
    const subscriber = broadcast.track(track).subscribe({ latencyMax: 1000 });
    const stamped = connection.version >= "moq-lite-05"; // Before that a frame has no time.

    async function readGroup(group) {
        try {
            for (let frame; (frame = await group.readFrame()); )
                seen.frame(frame.payload, stamped ? frame.timestamp.asMillis() : undefined);
        } catch {
            // A group that was cut short: the next one is on its way.
        }
    }

    async function run() {
        for (let group; (group = await subscriber.recvGroup()); ) {
            seen.group();
            void readGroup(group);
        }
    }

    run().then(() => ended(undefined), ended);
    return () => {
        subscriber.close();
        broadcast.close();
    };
}
