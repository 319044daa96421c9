"""Both ways between this process and one in a container, over a connection of the engine's API.

docker-py gives out the bare connection of an attached container or of an ``exec``, and leaves the
rest to the caller. https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EngineStream"]

CHUNK: Final = 65536
HEADER: Final = 8


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
            while chunk := self._reader.read1(CHUNK):
                yield chunk
        self._response.close()

    def lines(self) -> Iterator[bytes]:
        """Give the lines that a process without a terminal writes, until it ends."""
        rest = b""
        for frame in self._frames():
            *lines, rest = (rest + frame).split(b"\n")
            yield from lines

    def _frames(self) -> Iterator[bytes]:
        """Take off the headers by which the engine tells output from errors."""
        with contextlib.suppress(OSError, ValueError):
            while len(header := self._reader.read(HEADER)) == HEADER:
                yield self._reader.read(int.from_bytes(header[4:]))
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
