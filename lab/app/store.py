"""The course's store: keys and values over HTTP, kept in one file of a volume.

It runs alone, with the standard library only: ``python3 store.py``.

=======================  =====================================================
GET /health              200
GET /keys                the keys, sorted
GET /keys/NAME           the value
PUT /keys/NAME           sets the value to the body
DELETE /keys/NAME        removes the key
POST /take/PREFIX        removes the first key that starts so, and answers with it; 204 if none
=======================  =====================================================
"""

from __future__ import annotations

import json
import os
import signal
import socketserver
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote

LONGEST_VALUE = 1 << 20  # bytes


def log(line: str) -> None:
    """Write one line for one event."""
    print(line, flush=True)  # noqa: T201 - standard output is a container's log


class Store:
    """Keys and values that survive the process.

    Args:
        file: Where they are kept.

    Raises:
        OSError: The file can't be read, or its folder can't be written to.
        ValueError: The file holds something else.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lock = threading.Lock()
        self.values: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        self.save()

    def save(self) -> None:
        """Replace the file in one step, so that no stop, not even SIGKILL, leaves half of it."""
        new = self.file.with_suffix(".new")
        with new.open("w") as stream:
            json.dump(self.values, stream, indent=2, sort_keys=True)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self.file)

    def put(self, key: str, value: str) -> None:
        """Set a value; it is on the disk when this returns."""
        with self.lock:
            self.values[key] = value
            self.save()

    def delete(self, key: str) -> str | None:
        """Remove a key.

        Returns:
            Its value, or nothing where there was none.
        """
        with self.lock:
            value = self.values.pop(key, None)
            if value is not None:
                self.save()
            return value

    def take(self, prefix: str) -> tuple[str, str] | None:
        """Remove the first key with this prefix: of two who ask, only one gets it."""
        with self.lock:
            key = min((key for key in self.values if key.startswith(prefix)), default=None)
            if key is None:
                return None
            value = self.values.pop(key)
            self.save()
            return key, value


class Handler(BaseHTTPRequestHandler):
    """Carries one request to the store and its answer back."""

    server: Server
    server_version, sys_version = "course-store", ""
    timeout = 2  # seconds that a client may take to say what it wants

    def do_GET(self) -> None:
        """Read."""
        values = self.server.store.values
        if self.path == "/health":
            self.send(200, "ok")
        elif self.path == "/keys":
            self.send(200, sorted(values))
        else:
            self.found(values.get(self.named("/keys/")))

    def do_PUT(self) -> None:
        """Set a value."""
        length = int(self.headers.get("Content-Length") or 0)
        key = self.named("/keys/")
        if not key:
            self.found(None)
        elif length > LONGEST_VALUE:
            self.send(413, f"a value has at most {LONGEST_VALUE} bytes")
        else:
            self.server.store.put(key, self.rfile.read(length).decode(errors="replace"))
            log(f"PUT {key}")
            self.send(200, "kept")

    def do_DELETE(self) -> None:
        """Remove a key."""
        key = self.named("/keys/")
        value = self.server.store.delete(key)
        if value is not None:
            log(f"DELETE {key}")
        self.found(value)

    def do_POST(self) -> None:
        """Hand out a key to one client only."""
        prefix = self.named("/take/")
        if not prefix:
            self.found(None)
        elif taken := self.server.store.take(prefix):
            log(f"TAKE {taken[0]}")
            self.send(200, {"key": taken[0], "value": taken[1]})
        else:
            self.send(204, "")

    def named(self, prefix: str) -> str:
        """Read what follows in the path, or nothing where the path is another one."""
        return unquote(self.path.removeprefix(prefix)) if self.path.startswith(prefix) else ""

    def found(self, value: str | None) -> None:
        """Send a value, or say what can be asked."""
        if value is None:
            error = f"there is no {self.command} {self.path}"
            self.send(404, {"error": error, "keys": "GET /keys"})
        else:
            self.send(200, value)

    def send(self, status: int, body: object) -> None:
        """Send text as text, and everything else as JSON."""
        is_text = isinstance(body, str)
        content = (f"{body}" if is_text else json.dumps(body)).encode()
        self.send_response(status)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", "text/plain" if is_text else "application/json")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Write nothing here: changes are logged where they are made."""


class Server(socketserver.ThreadingTCPServer):
    """Takes requests, each answered in a thread of its own."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, store: Store, address: tuple[str, int]) -> None:
        self.store = store
        super().__init__(address, Handler)

    def handle_error(self, *_: object) -> None:
        """Log a request that fails as one line, not as a traceback."""
        log(f"request failed: {sys.exc_info()[1]}")


def main() -> None:
    """Load the file, serve until told to stop."""

    def stop(*_: object) -> NoReturn:
        log("stopping")
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    file = Path(os.environ.get("DATA_DIR", "/data")) / "store.json"
    try:
        store = Store(file)
    except (OSError, ValueError) as why:
        # A folder of the host that belongs to root: this program runs as user 1000.
        log(f"can't use {file}: {why}")
        sys.exit(1)
    address = os.environ.get("ADDRESS", "0.0.0.0")  # noqa: S104 - a container's own interfaces
    with Server(store, (address, int(os.environ.get("PORT", "8080")))) as server:
        log(f"listens on port {server.server_address[1]}, keys kept: {len(store.values)}")
        server.serve_forever()


if __name__ == "__main__":
    main()
