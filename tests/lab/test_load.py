"""A steady stream of requests: counted against a server that counts, too."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from lab.errors import LoadError
from lab.load import Load

if TYPE_CHECKING:
    from collections.abc import Iterator


class Server(ThreadingHTTPServer):
    """Answers as it is told to, and notes when it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.version, self.status, self.slow = "1", 200, 0.0
        self.asked: list[float] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(time.monotonic())
        time.sleep(self.server.slow)
        body = json.dumps({"version": self.server.version}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def until(load: Load, sent: int) -> None:
    """Wait until so many more requests have had their answers."""
    wanted, deadline = load.sent + sent, time.monotonic() + 60
    while load.sent < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_every_request_is_counted_once_and_none_is_lost(server: Server) -> None:
    load = Load(server.url, per_second=20, seconds=60)
    until(load, 30)
    load.stop()
    # The last one may have been asked and not be answered yet.
    assert load.sent <= len(server.asked) <= load.sent + 1
    assert (load.lost, load.answered) == (0, load.sent)
    assert load.versions == ["1"]
    assert repr(load).splitlines()[2] == "lost      0"


def test_the_pace_is_steady(server: Server) -> None:
    load = Load(server.url, per_second=20, seconds=3)
    until(load, 55)
    load.stop()
    gaps = [after.at - before.at for before, after in zip(load.requests, load.requests[1:])]  # noqa: B905  # the last has none after it
    # A machine that is busy delays one, not the one after it.
    assert sorted(gaps)[len(gaps) // 2] == pytest.approx(0.05, abs=0.02)
    assert load.requests[-1].at == pytest.approx(0.05 * (load.sent - 1), abs=0.5)


def test_it_ends_by_itself(server: Server) -> None:
    load = Load(server.url, per_second=10, seconds=1)
    load._process.wait(timeout=30)
    assert 5 <= load.stop().sent <= 12


@pytest.mark.parametrize(
    ("status", "slow", "reason"), [(503, 0.0, "status 503"), (200, 6.0, "no answer in time")]
)
def test_what_is_no_answer_is_lost(server: Server, status: int, slow: float, reason: str) -> None:
    server.status, server.slow = status, slow
    load = Load(server.url, per_second=10, seconds=60)
    until(load, 5)
    assert load.stop().reasons == {reason: load.sent}
    assert load.versions == []
    assert reason in repr(load)


def test_nobody_there_is_no_connection_and_the_next_version_is_seen(server: Server) -> None:
    load = Load(server.url, per_second=20, seconds=60)
    until(load, 5)
    server.shutdown()
    server.socket.close()
    until(load, 10)
    assert set(load.reasons) == {"no connection"}
    lost = load.lost
    assert 0 < lost < load.sent
    load.stop()
    assert repr(load).endswith("(varies): no connection")


def test_two_versions_are_named_in_the_order_of_their_first_answers(server: Server) -> None:
    load = Load(server.url, per_second=20, seconds=60)
    until(load, 3)
    server.version = "2"
    until(load, 5)
    assert load.stop().versions == ["1", "2"]
    assert "by version 1 and 2" in repr(load)


def test_stopping_twice_is_no_error(server: Server) -> None:
    load = Load(server.url, per_second=10, seconds=60)
    assert load.stop().sent == load.stop().sent > 0


@pytest.mark.parametrize(
    ("url", "asked", "said"),
    [
        ("http://example.com/", {}, "does not lead to 127.0.0.1"),
        ("http://127.0.0.1.example.com/", {}, "does not lead to 127.0.0.1"),
        ("", {}, "does not lead to 127.0.0.1"),
        ("http://127.0.0.1:1/", {"per_second": 51}, "per_second is 51, and can be 1 to 50"),
        ("http://127.0.0.1:1/", {"seconds": 0}, "seconds is 0, and can be 1 to 120"),
    ],
)
def test_what_is_out_of_bounds_is_refused(url: str, asked: dict[str, int], said: str) -> None:
    with pytest.raises(LoadError, match=said):
        Load(url, **asked)
