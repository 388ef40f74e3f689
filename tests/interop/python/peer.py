"""moq-rs, the Python binding of moq-dev's client, as a peer: reads lines of JSON {id, name, argument}, answers {id, answer} or {id, error}."""

import asyncio
import hashlib
import json
import os
import sys
from array import array

import moq


def noise(size, seed):
    """The bytes of lib/noise.js."""
    words = array("I")
    x = ((seed * 0x9E3779B9) & 0xFFFFFFFF ^ 0x5BD1E995) | 1
    for _ in range((size + 3) // 4):
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        words.append(x)
    return words.tobytes()[:size]


def plain(error):
    """One line that names the error's type: the binding's own text may be empty."""
    return f"{type(error).__name__}: {error}".strip()


class Peer:
    def __init__(self):
        self.client = None
        self.broadcasts = {}
        self.announcements = []
        self.statuses = []
        self.seen = {}
        self.tasks = set()

    def start(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def connect(self, url, hash, retry_every=None):
        # Two origins: with one, what is announced here would be discovered here as well.
        self.published, self.subscribed = moq.OriginProducer(), moq.OriginProducer()
        backoff = retry_every and moq.Backoff(initial_us=int(retry_every * 1e6), multiplier=1)
        self.client = moq.Client(url, tls_fingerprints=[hash], websocket_enabled=False, backoff=backoff,
                                 publish=self.published, subscribe=self.subscribed)
        await self.client.__aenter__()
        self.start(self.follow_status(self.client.session))

    async def follow_status(self, session):
        try:
            while True:
                self.statuses.append((await session.status()).name)
        except Exception as error:
            self.statuses.append(plain(error))

    async def status(self):
        return {"epoch": self.client.session.epoch(), "statuses": self.statuses}

    async def disconnect(self):
        await self.client.__aexit__()

    async def listen(self, prefix=""):
        async def follow():
            async for update in self.client.announced(prefix):
                self.announcements.append({"path": update.prefix, "active": update.active})
        self.start(follow())

    async def hear(self, broadcast):
        """Waits until this broadcast is announced."""
        await self.client.announced_broadcast(broadcast)

    async def heard(self):
        return self.announcements

    def offer(self, broadcast, track):
        """Announces a broadcast with this one track."""
        made = self.client.create_broadcast(broadcast)
        self.broadcasts[broadcast] = made
        produced = made.publish_track(track)
        made.announce()
        return produced

    async def publish(self, broadcast, track, size, seed, rate, frame=16384, group_frames=32):
        """Writes noise once somebody has subscribed, ends the track and then the broadcast."""
        content, produced = noise(size, seed), self.offer(broadcast, track)
        await produced.used()
        begin, clock = asyncio.get_running_loop().time(), asyncio.get_running_loop().time
        for first in range(0, size, frame * group_frames):
            group = produced.append_group()
            for at in range(first, min(first + frame * group_frames, size), frame):
                await asyncio.sleep(begin + at / rate - clock())
                group.write_frame(content[at:at + frame], int((clock() - begin) * 1e6))
            group.finish()
        produced.finish()
        self.broadcasts[broadcast].close()

    async def tick(self, broadcast, track, text, interval):
        """One group with one frame, `text` and a number, every so many seconds, until this process ends."""
        produced = self.offer(broadcast, track)

        async def go_on():
            for number in range(10**9):
                produced.write_frame(f"{text} {number}".encode(), int(number * interval * 1e6))
                await asyncio.sleep(interval)
        self.start(go_on())

    async def hold(self, broadcast, track, groups):
        """A track of which every group has one of these texts, and which stays open."""
        self.held = self.offer(broadcast, track)
        for text in groups:
            self.held.write_frame(text.encode())

    async def unpublish(self, broadcast):
        self.broadcasts.pop(broadcast).close()

    async def subscribed_track(self, broadcast, track, start=None):
        found = await self.client.announced_broadcast(broadcast)
        return await found.subscribe_track(track, moq.Subscription(max_age_us=30_000_000, group_start=start))

    async def receive(self, broadcast, track, size, start=None):
        """Reads until `size` bytes have arrived or the track has ended."""
        consumer = await self.subscribed_track(broadcast, track, start)
        digest, count, groups = hashlib.sha256(), 0, 0
        while count < size and (group := await consumer.next_group()):
            groups += 1
            async for one in group:
                digest.update(one.payload)
                count += len(one.payload)
        return {"bytes": count, "groups": groups, "sha256": digest.hexdigest()}

    async def watch(self, broadcast, track):
        """Collects the texts of a track's frames in the background, and asks again when the track fails; see `watched`."""
        texts = self.seen.setdefault(broadcast, [])

        async def follow():
            while self.client.session:
                try:
                    consumer = await self.subscribed_track(broadcast, track)
                    while frame := await consumer.read_frame():
                        texts.append(frame.payload.decode())
                    texts.append("(end)")
                except moq.Error as error:
                    texts.append(f"({plain(error)})")
                await asyncio.sleep(0.1)
        self.start(follow())

    async def watched(self, broadcast):
        return self.seen.get(broadcast, [])

    async def fetch(self, broadcast, track, sequence):
        found = await self.client.announced_broadcast(broadcast)
        group = await found.fetch_group(track, sequence)
        frames = [frame.payload async for frame in group]
        return {"frames": len(frames), "sha256": hashlib.sha256(b"".join(frames)).hexdigest()}


async def main():
    moq.log_level(os.environ.get("PEER_LOG", "warn"))
    peer, loop = Peer(), asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def answer(id, name, argument):
        try:
            said = {"answer": await getattr(peer, name)(**argument)}
        except Exception as error:
            said = {"error": plain(error)}
        print(json.dumps({"id": id, **said}), flush=True)

    while line := await reader.readline():
        asked = json.loads(line)
        peer.start(answer(asked["id"], asked["name"], asked.get("argument") or {}))


asyncio.run(main())
