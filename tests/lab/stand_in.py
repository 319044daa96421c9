"""Servers that stand in for engines which can't be had here: too new, hanging, or none at all."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import socket
import socketserver
import ssl
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = [
    "DOCKER_20_10",
    "PODMAN_4_3",
    "ROOTLESS",
    "TOO_NEW",
    "TOO_OLD",
    "USUAL",
    "answering",
    "answering_tls",
    "dribbling",
    "silent",
]

TOO_NEW = {
    "ApiVersion": "1.99",
    "MinAPIVersion": "1.90",
    "Version": "99.0.0",
    "Components": [{"Name": "Engine", "Version": "99.0.0"}],
}
TOO_OLD = {"ApiVersion": "1.18", "MinAPIVersion": "1.12", "Version": "1.6.0"}
# What each engine reports of itself, cut to what is read. Docker's and Podman's were recorded;
# the rootless one has what Docker's documentation says of a host without delegated control groups.
DOCKER_20_10 = {
    "CgroupVersion": "1",
    "Driver": "overlay2",
    "MemTotal": 8 * 2**30,
    "MemoryLimit": True,
    "SwapLimit": True,
    "CpuCfsQuota": True,
    "PidsLimit": True,
    "SecurityOptions": ["name=seccomp,profile=default"],
}
PODMAN_4_3 = {
    **DOCKER_20_10,
    "Driver": "vfs",
    "BuildahVersion": "1.28.2",
    "Rootless": False,
}
ROOTLESS = {
    **DOCKER_20_10,
    "CgroupVersion": "2",
    "CgroupDriver": "none",
    "MemoryLimit": False,
    "SwapLimit": False,
    "CpuCfsQuota": False,
    "PidsLimit": False,
    "SecurityOptions": ["name=rootless", "name=cgroupns"],
}
USUAL = {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10.24+dfsg1"}


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def _handler(
    version: dict[str, object] | None,
    answers: Mapping[str, object],
    *,
    version_seconds: float = 0,
) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            route = re.sub(r"^/v[\d.]+|\?.*", "", self.path)
            if version is None:
                self._answer(200, b"<h1>Welcome</h1>", "text/html")
            elif self.path == "/version":
                time.sleep(version_seconds)
                # Somebody may have given up waiting.
                with contextlib.suppress(ConnectionError):
                    self._answer(200, json.dumps(version).encode(), "application/json")
            elif route in answers:
                self._answer(200, json.dumps(answers[route]).encode(), "application/json")
            else:
                said = self.path.split("/")[1].removeprefix("v")
                message = (
                    f"client version {said} is too old. "
                    f"Minimum supported API version is {version['MinAPIVersion']}"
                )
                self._answer(400, json.dumps({"message": message}).encode(), "application/json")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    return Handler


@contextlib.contextmanager
def answering(
    path: Path,
    version: dict[str, object] | None,
    answers: Mapping[str, object] | None = None,
    *,
    version_seconds: float = 0,
) -> Iterator[str]:
    """Answer on a unix socket as an engine of this version, or with ``None`` as a web site.

    Args:
        path: The socket.
        version: What it says of its version.
        answers: What else it can be asked, such as ``/info``, and what it says then.
        version_seconds: How long it takes to say its version.
    """
    handler = _handler(version, answers or {}, version_seconds=version_seconds)
    with _UnixServer(str(path), handler) as server, _serving(server):
        yield f"unix://{path}"


@contextlib.contextmanager
def answering_tls(certificate: Path, key: Path, ca: Path) -> Iterator[str]:
    """Answer on a port as a usual engine that wants to see a client's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(USUAL, {})) as server:
        # The handshake in the request's own thread: a bare knock must not end the server.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        server.handle_error = lambda *_: None
        with _serving(server):
            yield f"tcp://127.0.0.1:{server.server_port}"


@contextlib.contextmanager
def silent(family: socket.AddressFamily, address: object) -> Iterator[socket.socket]:
    """Accept connections and never say a word."""
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen()
        yield listener


@contextlib.contextmanager
def dribbling() -> Iterator[str]:
    """Send one byte of an answer now and then, so that no single read takes long."""
    stop = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                while not stop.wait(0.3):
                    self.request.sendall(b"H")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        with _serving(server):
            yield f"tcp://127.0.0.1:{server.server_address[1]}"
            stop.set()


@contextlib.contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
