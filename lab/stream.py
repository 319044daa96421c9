"""The program behind ``lab.load``: sends requests at a steady pace, tells of each in one line.

It is a process of its own because Locust's event loop, gevent, patches the sockets of the whole
process that it runs in. It ends when its time is over, or nobody reads what it tells.

Example:
    ``python -m lab.stream http://127.0.0.1:8080/ 20 5`` sends 20 requests a second for 5 seconds.
"""

from __future__ import annotations

# ruff: noqa: E402  # gevent has to patch before anything else is imported
from gevent import monkey

monkey.patch_all()

import json
import os
import sys
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import gevent
from locust import HttpUser, task
from locust.env import Environment

if TYPE_CHECKING:
    from locust.clients import ResponseContextManager as Answer

PATIENCE_SECONDS = 4
"""A request without an answer for so long is lost.

It is less than the proxy's own patience. With 2 seconds, eight learners who deployed at once on two
cores lost requests that nobody had turned away; with 4 they lost none.
"""


def outcome(response: Answer) -> tuple[str, str]:
    """Tell which version has answered, and why a request is lost; one of the two is empty."""
    if response.status_code == 0:
        error = type(response.error).__name__ if response.error else ""
        return "", "no answer in time" if "Timeout" in error else "no connection"
    if not response.ok:
        return "", f"status {response.status_code}"
    try:
        said = response.json()
    except ValueError:
        return "", "no answer that can be read"
    return str(said.get("version", "")), ""


def stream(url: str, per_second: int, seconds: int) -> None:
    """Send requests, each by a connection of its own as if each came from somebody else."""
    numbers = count()
    begin = time.monotonic()

    class Somebody(HttpUser):
        host = url

        def on_start(self) -> None:
            # One after the other, not all at the same instant of each second.
            self.due = next(numbers) / per_second
            gevent.sleep(self.wait_time())

        def wait_time(self) -> float:
            return max(0.0, begin + self.due - time.monotonic())

        @task
        def ask(self) -> None:
            self.due += 1
            self.client.get(url, headers={"Connection": "close"}, timeout=PATIENCE_SECONDS)

    def tell(*, response: Answer, response_time: float, **_: Any) -> None:  # noqa: ANN401
        version, lost = outcome(response)
        at = time.monotonic() - begin - response_time / 1000
        row = {"at": round(at, 3), "ms": round(response_time, 1), "version": version, "lost": lost}
        try:
            print(json.dumps(row), flush=True)  # noqa: T201  # what whoever has started it reads
        except BrokenPipeError:
            os._exit(0)

    environment = Environment(user_classes=[Somebody], catch_exceptions=False)
    environment.events.request.add_listener(tell)  # type: ignore[no-untyped-call]
    runner = environment.create_local_runner()
    runner.start(per_second, spawn_rate=per_second)
    gevent.sleep(seconds)
    runner.quit()


if __name__ == "__main__":
    stream(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
