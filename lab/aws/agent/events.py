"""Listens to what the engine says of the containers, so that nobody has to ask again and again."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, Final

import docker
import docker.errors
import requests
import tenacity
import urllib3.exceptions

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["LOST", "EngineEvents"]

HEARD: Final = ["die", "oom", "health_status"]
# What a stream of the engine raises when it ends before its time.
LOST: Final = (
    docker.errors.DockerException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
)
RETRY_SECONDS: Final = 0.5


class EngineEvents:
    """The stream of events of the containers with one label, for as long as it is wanted.

    Args:
        connect: Makes a client of the engine, of which the stream takes one connection.
        label: Whose events, such as ``aws=5f0c``.
        heard: Gets each event as the engine writes it.
        found_again: Is called at first, and whenever the engine is there again after it was lost:
            what happened meanwhile was not heard.
    """

    def __init__(
        self,
        connect: Callable[[], docker.DockerClient],
        label: str,
        heard: Callable[[dict[str, Any]], object],
        found_again: Callable[[], object],
    ) -> None:
        self._connect = connect
        self._filters = {"label": label, "type": "container", "event": HEARD}
        self._heard = heard
        self._found_again = found_again
        self._stream: Any = None
        self._is_over = threading.Event()
        self.listening = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="engine events", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._is_over.is_set():
            with contextlib.suppress(*LOST), contextlib.closing(self._connect()) as client:
                self._stream = _answered(client).events(decode=True, filters=self._filters)
                self.listening.set()
                self._found_again()
                for event in self._stream:
                    self._heard(event)
            self._is_over.wait(RETRY_SECONDS)

    def close(self) -> None:
        """Listen no more."""
        self._is_over.set()
        with contextlib.suppress(*LOST, AttributeError):
            self._stream.close()
        self._thread.join(timeout=2)


@tenacity.retry(
    wait=tenacity.wait_fixed(RETRY_SECONDS),
    stop=tenacity.stop_after_attempt(3),
    retry=tenacity.retry_if_exception_type(LOST),
    reraise=True,
)
def _answered(client: docker.DockerClient) -> docker.DockerClient:
    """Ask whether the engine is there: the stream alone would not tell before the first event."""
    client.ping()
    return client
