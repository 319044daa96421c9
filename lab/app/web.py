"""The course's web service: it says who it is, and it misbehaves when it is told to.

It runs alone, with the standard library only: ``python3 web.py``.

Signals: on SIGTERM it takes no more requests, finishes those it has begun, logs ``stopping`` and
exits with 0. It does so while it hangs, too: here the hang is in the loop that takes requests, and
a signal still gets through. A program that is stuck for good would be killed after the grace
period, with exit code 137.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import socketserver
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

# What can be asked: the method of App that answers, what may follow after "?", what it is for.
ROUTES = {
    "GET /": ("hello", "", "says which version answers, on which host"),
    "GET /health": ("health", "", "200 while healthy, 503 while not"),
    "GET /log": ("show_log", "", "what this process has logged"),
    "GET /env": ("env", "", "the application's own variables"),
    "POST /hang": ("hang", "", "answers nothing any more"),
    "POST /leak": ("leak", "mb", "?mb=16 takes that much memory and keeps it"),
    "POST /crash": ("crash", "code", "?code=1 exits with that code"),
    "POST /unhealthy": ("unhealthy", "", "fails the health check, goes on serving"),
    "POST /healthy": ("healthy", "", "passes the health check again"),
    "POST /next-start": ("next_start", "seconds code", "?seconds=5 or ?code=1: slow or bad"),
}

# What can be set from outside, with its default.
VARIABLES = {"VERSION": "1", "GREETING": "hello", "START_SECONDS": "0", "START_EXIT": ""}

LEAK_AT_MOST = 512  # MB: enough for any memory limit in the course, too little to hurt a laptop
START_AT_MOST = 600  # seconds


class RefusedError(Exception):
    """Says why a value can't be used: an answer 400, or a start that fails."""


@dataclass(frozen=True)
class Answer:
    """What goes back to the client, and what happens once it is sent."""

    status: int
    body: object
    then: Callable[[], object] | None = None


class App:
    """The application's state, and one method for each route.

    Args:
        settings: The variables of ``VARIABLES``.
        next_start_file: Where the orders for the next start are kept. It lies in the container's
            own file system, so it survives a restart and is gone with the container.
    """

    def __init__(self, settings: dict[str, str], next_start_file: Path) -> None:
        self.settings = settings
        self.next_start_file = next_start_file
        self.is_healthy = True
        self.hangs = False
        self.leaked: list[bytes] = []
        self.lines: deque[str] = deque(maxlen=1000)
        self.one_at_a_time = threading.Lock()

    def log(self, line: str) -> None:
        """Write one line for one event, without a time: the engine knows the time."""
        self.lines.append(line)
        print(line, flush=True)  # noqa: T201 - standard output is a container's log

    def start(self) -> None:
        """Obey the orders for this start: wait, fail, or go on.

        Raises:
            RefusedError: A variable holds no number that can be used.
        """
        orders = {"seconds": self.settings["START_SECONDS"], "code": self.settings["START_EXIT"]}
        if self.next_start_file.exists():
            orders |= json.loads(self.next_start_file.read_text())
            self.next_start_file.unlink()
        self.log(f"version {self.settings['VERSION']} starts")
        seconds = number("START_SECONDS", orders["seconds"] or "0", at_most=START_AT_MOST)
        if seconds:
            self.log(f"this start takes {seconds} s")
            time.sleep(seconds)
        if orders["code"]:
            code = number("START_EXIT", orders["code"], at_most=255)
            self.log(f"this start fails with exit code {code}")
            sys.exit(code)

    def hello(self, _query: dict[str, str]) -> Answer:
        """Say which version answers, on which host."""
        version, message = self.settings["VERSION"], self.settings["GREETING"]
        return Answer(200, {"version": version, "host": socket.gethostname(), "message": message})

    def health(self, _query: dict[str, str]) -> Answer:
        """Say whether the application would rather be replaced."""
        return Answer(200, "ok") if self.is_healthy else Answer(503, "unhealthy")

    def show_log(self, _query: dict[str, str]) -> Answer:
        """Show what was logged since this process started."""
        return Answer(200, "\n".join(self.lines))

    def env(self, _query: dict[str, str]) -> Answer:
        """Show the variables of the application, and no others: others may be secret."""
        return Answer(200, self.settings)

    def hang(self, _query: dict[str, str]) -> Answer:
        """Answer this request and none after it."""
        self.hangs = True
        return Answer(200, "no more answers from now on")

    def leak(self, query: dict[str, str]) -> Answer:
        """Take memory and never give it back."""
        megabytes = number("mb", query.get("mb", "16"), at_most=LEAK_AT_MOST, at_least=1)
        with self.one_at_a_time:
            held = sum(map(len, self.leaked)) >> 20
            if held + megabytes > LEAK_AT_MOST:
                raise RefusedError(
                    f"{held} MB are taken; {LEAK_AT_MOST} MB is the most that this service takes"
                )
            # Each byte is written: memory that is only asked for costs nothing.
            self.leaked.append(b"x" * (megabytes << 20))
        return Answer(200, f"{held + megabytes} MB taken")

    def crash(self, query: dict[str, str]) -> Answer:
        """Answer, then end at once, with nothing tidied up."""
        code = number("code", query.get("code", "1"), at_most=255)
        return Answer(200, f"exits with code {code}", then=lambda: os._exit(code))

    def unhealthy(self, _query: dict[str, str]) -> Answer:
        """Fail the health check from now on."""
        self.is_healthy = False
        return Answer(200, "the health check fails from now on")

    def healthy(self, _query: dict[str, str]) -> Answer:
        """Pass the health check from now on."""
        self.is_healthy = True
        return Answer(200, "the health check passes from now on")

    def next_start(self, query: dict[str, str]) -> Answer:
        """Leave orders for the next start of this container, and only for that one."""
        orders = {}
        if "seconds" in query:
            orders["seconds"] = str(number("seconds", query["seconds"], at_most=START_AT_MOST))
        if "code" in query:
            orders["code"] = str(number("code", query["code"], at_most=255))
        if not orders:
            raise RefusedError("say what the next start should do: ?seconds=5 or ?code=1")
        self.next_start_file.write_text(json.dumps(orders))
        return Answer(200, {"next start": orders})


def number(name: str, text: str, *, at_most: int, at_least: int = 0) -> int:
    """Read a whole number within its limits.

    Raises:
        RefusedError: The text is something else.
    """
    if text.isascii() and text.isdigit() and at_least <= int(text) <= at_most:
        return int(text)
    raise RefusedError(
        f"{name} must be a whole number from {at_least} to {at_most}, not {text[:40]!r}"
    )


class Handler(BaseHTTPRequestHandler):
    """Carries one request to the application and its answer back."""

    server: Server
    server_version, sys_version = "course-app", ""
    timeout = 2  # seconds that a client may take to say what it wants

    def do_GET(self) -> None:
        """Answer a request that only reads."""
        self.respond()

    def do_POST(self) -> None:
        """Answer a request that changes something."""
        # A body that nobody reads would reset the connection and could take the answer with it.
        self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 1 << 20))
        self.respond()

    def respond(self) -> None:
        """Get the answer, log it, send it."""
        app, url = self.server.app, urlsplit(self.path)
        route = f"{self.command} {url.path}"
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        try:
            answer = self.ask(app, route, query)
        except RefusedError as why:
            answer = Answer(400, {"error": str(why)})
        except OSError as why:  # the orders for the next start, where nothing can be written
            answer = Answer(500, {"error": str(why)})
        if url.path != "/health":  # asked for each second: it would drown the rest
            app.log(f"{self.command} {self.path} {answer.status}")
        self.send(answer)
        if answer.then:
            answer.then()

    def ask(self, app: App, route: str, query: dict[str, str]) -> Answer:
        """Let the application answer, if it knows the route."""
        if route not in ROUTES:
            table = {known: what_for for known, (_name, _query, what_for) in ROUTES.items()}
            return Answer(404, {"error": f"there is no {route}", "routes": table})
        name, known, what_for = ROUTES[route]
        if unknown := sorted(set(query) - set(known.split())):
            raise RefusedError(f"{route} knows no {unknown[0][:40]!r}: {what_for}")
        answer: Answer = getattr(app, name)(query)
        return answer

    def send(self, answer: Answer) -> None:
        """Send text as text, and everything else as JSON."""
        is_text = isinstance(answer.body, str)
        text = answer.body if is_text else json.dumps(answer.body, indent=2)
        content = f"{text}\n".encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/plain" if is_text else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Write nothing here: `respond` logs."""


class Server(socketserver.ThreadingTCPServer):
    """Takes requests, each answered in a thread of its own, until the application hangs.

    Not ``http.server.HTTPServer``: that one asks the network for its own name before it serves.
    """

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, app: App, address: tuple[str, int]) -> None:
        self.app = app
        super().__init__(address, Handler)

    def verify_request(self, *_: object) -> bool:
        """Let a request in, or hang here: the main loop calls this for each request."""
        while self.app.hangs:
            signal.pause()
        return True

    def handle_error(self, *_: object) -> None:
        """Log a client that goes away in the middle as one line, not as a traceback."""
        self.app.log(f"request failed: {sys.exc_info()[1]}")


def main() -> None:
    """Start, serve until told to stop."""
    settings = {name: os.environ.get(name, default) for name, default in VARIABLES.items()}
    app = App(settings, Path(os.environ.get("TMPDIR", "/tmp")) / "next-start.json")  # noqa: S108

    def stop(*_: object) -> NoReturn:
        app.log("stopping")
        sys.exit(0)

    # Process 1 gets no default for SIGTERM: without this line a stop takes ten seconds.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        app.start()
        port = number("PORT", os.environ.get("PORT", "8080"), at_most=65535)
    except RefusedError as why:
        app.log(f"can't start: {why}")
        sys.exit(2)
    address = os.environ.get("ADDRESS", "0.0.0.0")  # noqa: S104 - a container's own interfaces
    with Server(app, (address, port)) as server:
        app.log(f"listens on port {server.server_address[1]}")
        server.serve_forever()


if __name__ == "__main__":
    main()
