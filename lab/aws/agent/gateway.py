"""The program by which tasks reach the metadata endpoint: it passes on what they ask.

It runs in a container of its own, in the network of the tasks, because they can't reach this
machine's loopback. It knows nothing by itself: each request goes out as one line of JSON on its
standard output, and the answer comes back on its standard input. When that ends, so does it.
Only the standard library is there.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

__all__ = ["main"]

# Statistics take the engine a second or two.
PATIENCE_SECONDS = 10
IDLE_SECONDS = 10


class Desk:
    """Hands questions out, and the answers back to who asked."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._waiting: dict[int, SimpleQueue[dict[str, Any]]] = {}
        self._writing = threading.Lock()

    def say(self, line: dict[str, Any]) -> None:
        """Write one line."""
        with self._writing:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()

    def ask(self, path: str) -> dict[str, Any]:
        """Ask for a document, and wait for it."""
        number = next(self._numbers)
        answer: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._waiting[number] = answer
        try:
            self.say({"number": number, "path": path})
            return answer.get(timeout=PATIENCE_SECONDS)
        except Empty:
            return {"status": 500, "body": json.dumps("the agent does not answer")}
        finally:
            del self._waiting[number]

    def answer(self, line: str) -> None:
        """Give an answer to who waits for it; a late one is dropped."""
        said = json.loads(line)
        if waiting := self._waiting.get(said["number"]):
            waiting.put(said)


def main() -> None:
    """Serve on the address and the port of the command line until standard input ends."""
    desk = Desk()

    class Handler(BaseHTTPRequestHandler):
        timeout = IDLE_SECONDS

        def do_GET(self) -> None:
            answer = desk.ask(self.path)
            body = answer["body"].encode()
            self.send_response(answer["status"])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the output is for questions."""

    address, port = sys.argv[1:]
    server = ThreadingHTTPServer((address, int(port)), Handler)
    server.daemon_threads = True
    threading.Thread(target=serve, args=(server,), daemon=True).start()
    desk.say({"port": server.server_port})
    for line in sys.stdin:
        desk.answer(line)


def serve(server: ThreadingHTTPServer) -> None:
    """Serve for ever; the server's own way looks up twice a second whether it shall end."""
    while True:
        server.handle_request()


if __name__ == "__main__":
    main()
