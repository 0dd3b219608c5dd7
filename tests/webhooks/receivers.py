"""`python -m tests.webhooks.receivers HANGING`: receivers under every loopback address, on one port.

The first HANGING of them read and never answer. Prints the port; `GET /` tells of each message that was
answered when it came (seconds since the epoch) and how long after its event (seconds).
"""

from __future__ import annotations

import asyncio
import datetime
import json
import resource
import sys
import time

from tests.webhooks.consumers import address

SEEN: dict[bytes, tuple[float, float]] = {}
"""By `webhook-id`: a repeat is not late."""


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hanging: set[str]) -> None:
    """Answer what comes over one connection."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if head.startswith(b"GET"):
                body = json.dumps(list(SEEN.values())).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
                continue
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            if writer.get_extra_info("sockname")[0] in hanging:
                await asyncio.Event().wait()
            stamp = body.split(b'"timestamp":"')[1].split(b'"')[0].decode()
            event_at = datetime.datetime.fromisoformat(stamp)
            now = time.time()
            message_id = head.lower().split(b"webhook-id: ")[1].split(b"\r\n")[0]
            SEEN.setdefault(message_id, (now, now - event_at.timestamp()))
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(hanging: int) -> None:
    """Listen until killed."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 16_384), most))
    hosts = {address(number) for number in range(hanging)}
    server = await asyncio.start_server(lambda r, w: serve(r, w, hosts), "0.0.0.0", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
