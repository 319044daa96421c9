"""Both ways between this process and one in a container, over a connection of the engine's API.

docker-py gives out the bare connection of an attached container or of an ``exec``, and leaves the
rest to the caller. https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

from lab.client import frames

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EngineStream"]


class EngineStream:
    """What a process in a container writes, and what it reads.

    One thread reads; any thread writes or closes.

    Args:
        connection: What docker-py's ``attach_socket`` or ``exec_start(socket=True)`` gave.
    """

    def __init__(self, connection: Any) -> None:  # noqa: ANN401  # one of several kinds of sockets
        # TLS connections come without the layer that the others have.
        self._socket = getattr(connection, "_sock", connection)
        self._socket.settimeout(None)
        self._response = connection._response  # noqa: SLF001  # docker-py keeps it there, for this
        # Not the socket itself: what came together with the engine's answer is in this buffer.
        self._reader = self._response.raw._fp.fp  # noqa: SLF001  # as docker-py reaches it
        self._writing = threading.Lock()

    def chunks(self) -> Iterator[bytes]:
        """Give what a process writes to its terminal, as it comes, until it ends."""
        with contextlib.suppress(OSError, ValueError):
            for _, chunk in frames(self._reader, tty=True):
                yield chunk
        self._response.close()

    def lines(self) -> Iterator[bytes]:
        """Give the lines that a process without a terminal writes, until it ends."""
        rest = b""
        with contextlib.suppress(OSError, ValueError):
            for _, chunk in frames(self._reader, tty=False):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
        self._response.close()

    def write(self, data: bytes) -> None:
        """Write to the process.

        Raises:
            OSError: It has ended.
        """
        with self._writing:
            self._socket.sendall(data)

    def close(self) -> None:
        """Let who reads come to an end."""
        with contextlib.suppress(OSError, ValueError):
            self._socket.shutdown(socket.SHUT_RDWR)
