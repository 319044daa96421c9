"""A steady stream of requests to one of your containers, of which the lost ones are counted.

The requests are made by Locust, in a process of its own (``lab/stream.py``).
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lab.display import Varies
from lab.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MOST_PER_SECOND", "MOST_SECONDS", "Load", "Request"]

STREAM = Path(__file__).with_name("stream.py")
MOST_PER_SECOND, MOST_SECONDS = 50, 120
FIRST_SECONDS = 30


@dataclass(frozen=True)
class Request:
    """One request of a load, and what became of it.

    Attributes:
        at: Seconds from the load's beginning until it was sent.
        ms: Milliseconds until it was answered or given up.
        version: The version of the application that answered; empty if it is lost.
        lost: Why it is lost; empty if it was answered.
    """

    at: float
    ms: float
    version: str
    lost: str


class Load:
    """Requests at a steady pace, from the making of this object until ``stop``.

    Args:
        url: What to ask; on this machine only.
        per_second: Requests a second, at most 50.
        seconds: After how many seconds it ends by itself, at most 120.

    Attributes:
        url: What it asks.

    Raises:
        LoadError: The address is not on this machine, a figure is out of its bounds, or the
            first request was not sent within half a minute.

    Example:
        >>> load = Load(url, per_second=20, seconds=30)  # doctest: +SKIP
        >>> load.stop()  # doctest: +SKIP
        sent      84 (varies)
        answered  84 (varies), by version 1
        lost      0
    """

    def __init__(self, url: str, *, per_second: int = 20, seconds: int = 60) -> None:
        _refuse_what_is_out_of_bounds(url, per_second, seconds)
        self.url = url
        self._requests: list[Request] = []
        self._begun = threading.Event()
        self._complaint = ""
        # -P: the folder of that program holds modules with the names of others.
        command = [sys.executable, "-P", str(STREAM), url, str(per_second), str(seconds)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._begun.wait(FIRST_SECONDS) or not self._requests:
            self.stop()
            raise LoadError(
                f"The stream of requests did not begin. {self._complaint}".rstrip(),
                next_step="run the cell once more; if it fails again, run `lab doctor`.",
            )

    @property
    def requests(self) -> Sequence[Request]:
        """Every request that has had its answer or was given up, in the order of sending."""
        return sorted(self._requests, key=lambda request: request.at)

    @property
    def sent(self) -> int:
        """How many requests have had their answer or were given up."""
        return len(self._requests)

    @property
    def lost(self) -> int:
        """How many requests got no answer of the application's."""
        return sum(bool(request.lost) for request in self.requests)

    @property
    def answered(self) -> int:
        """How many requests were answered."""
        return self.sent - self.lost

    @property
    def reasons(self) -> dict[str, int]:
        """Why requests were lost, and how many for each reason."""
        return dict(Counter(request.lost for request in self.requests if request.lost))

    @property
    def versions(self) -> list[str]:
        """Which versions of the application have answered, in the order of their first answers."""
        return list(dict.fromkeys(request.version for request in self.requests if request.version))

    def stop(self) -> Load:
        """Send no more requests; what was sent stays here. Stopping twice is no error."""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        return self

    def __repr__(self) -> str:
        versions = " and ".join(self.versions)
        by = f", by version {versions}" if versions else ""
        why = ", ".join(sorted(self.reasons))
        return "\n".join(
            (
                f"sent      {_count(self.sent)}",
                f"answered  {_count(self.answered)}{by}",
                f"lost      {_count(self.lost)}" + (f": {why}" if why else ""),
            )
        )

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  # it was asked for
        for line in self._process.stdout:
            self._requests.append(Request(**json.loads(line)))
            self._begun.set()
        assert self._process.stderr is not None  # noqa: S101  # it was asked for
        self._complaint = "".join(self._process.stderr.read().splitlines()[-1:])
        self._begun.set()


def _count(number: int) -> str:
    # None is a result; how many others there were depends on the moment.
    return str(Varies(number)) if number else "0"


def _refuse_what_is_out_of_bounds(url: str, per_second: int, seconds: int) -> None:
    host = urlsplit(url).hostname
    if host != "127.0.0.1":
        raise LoadError(
            f"A load goes to your own machine only, and {url!r} does not lead to 127.0.0.1.",
            next_step="take the address that lab.wait_ready(container) returns.",
        )
    for name, value, most in (
        ("per_second", per_second, MOST_PER_SECOND),
        ("seconds", seconds, MOST_SECONDS),
    ):
        if not 1 <= value <= most:
            raise LoadError(
                f"{name} is {value}, and can be 1 to {most}.", next_step="choose less or more."
            )
