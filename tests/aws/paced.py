"""Sends requests at a steady pace, each by a connection of its own; tells of each in one line.

``python paced.py URL PER_SECOND SECONDS``. It is a process of its own, so that it takes no time of
the load balancer that it asks, and lighter than ``lab/stream.py``: it goes to 200 a second.
"""

from __future__ import annotations

import asyncio
import json
import sys

import aiohttp

# As long as it needs on a busy machine: what is counted is lost answers, not slow ones.
PATIENCE_SECONDS = 20


async def ask(session: aiohttp.ClientSession, url: str) -> None:
    version, lost = "", ""
    try:
        async with session.get(url) as answer:
            if answer.status == 200:
                version = (await answer.json(content_type=None))["version"]
            else:
                lost = f"status {answer.status}"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        lost = type(error).__name__
    print(json.dumps({"version": version, "lost": lost}), flush=True)  # noqa: T201


async def send(url: str, per_second: int, seconds: int) -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=PATIENCE_SECONDS),
        ) as session,
        asyncio.TaskGroup() as requests,
    ):
        for number in range(per_second * seconds):
            await asyncio.sleep(max(0, begin + number / per_second - loop.time()))
            requests.create_task(ask(session, url))


if __name__ == "__main__":
    asyncio.run(send(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
