"""Measures how long the reader's own loop and Swarm take to heal and to scale.

The loop is the one of chapter 08, read out of its cells. Both keep the course's application, and
both are timed in the same way, from outside: until the right number of replicas answers.
What it finds goes to facts/times.yaml, which the chapter shows.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import statistics
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import docker.errors
import requests
import typer
import yaml
from docker.types import RestartPolicy, ServiceMode
from notebooks_form import ROOT, code_cells, read_notebook, write_atomically
from rich.console import Console

from facts.times import BUSY, FEWEST, TIMES, Timed, Times
from lab import Lab, LabError, open_lab
from lab.engine import find_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker.models.services import Service

CHAPTER = "08-desired-state"
CELLS = ("desired", "observe", "start", "reconcile")
FEW, MANY = 2, 4
PATIENCE_SECONDS = 120
POLL_SECONDS = 0.02
# A pass of the loop, and Swarm's own, begin at some moment of it.
PHASE_SECONDS = 1.0
COLUMNS = {
    "loop": "your loop, a pass each half second",
    "swarm": "Swarm, as it comes",
    "swarm-at-once": "Swarm, without its delay of 5 seconds",
}
ASKS = {
    "heal": "One of two replicas is killed. How long until two answer?",
    "scale": "Two replicas become four. How long until four answer?",
}
HEADER = "# Written by `tools/measure_times.py`, on a quiet machine. Do not edit.\n"
# Asks every replica that Swarm's names lead to; published, because a task publishes nothing.
DOOR = """
import json, socket, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.request import urlopen

def answering():
    try:
        told = socket.getaddrinfo("tasks." + sys.argv[1], 8080, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return
    for *_, (address, port) in told:
        try:
            yield json.load(urlopen(f"http://{address}:{port}/", timeout=1))["host"]
        except OSError:
            pass

class Door(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(sorted(set(answering()))).encode())

HTTPServer(("", 8080), Door).serve_forever()
"""

console = Console(soft_wrap=True, highlight=False)


def measure(
    runs: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = FEWEST,
    *,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="On a busy machine, too; the page then says so.")
    ] = False,
) -> None:
    """Measure, and write facts/times.yaml; on a quiet machine."""
    cores, load = os.cpu_count() or 1, os.getloadavg()[0]
    if load > cores * BUSY and not anyway:
        console.print(f"The load is {load:.2f} on {cores} cores: wait until the machine is quiet.")
        raise typer.Exit(1)
    try:
        engine = find_engine()
        with _lab() as lab:
            found = {
                "loop": _loop(lab, runs),
                "swarm": _swarm(lab, runs, None),
                "swarm-at-once": _swarm(lab, runs, RestartPolicy("any", delay=0)),
            }
    except LabError as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    console.print(f"load before {load:.2f}, after {os.getloadavg()[0]:.2f}")
    if runs < FEWEST:
        console.print(f"{TIMES.name} is as it was.")
        return
    times = Times(
        date=dt.datetime.now().astimezone().date(),
        engine=f"{engine.product} {engine.version}",
        cores=cores,
        load=round(load, 2),
        columns=COLUMNS,
        asks=ASKS,
        rows={
            row: {column: _timed(seconds[row]) for column, seconds in found.items()} for row in ASKS
        },
    )
    text = yaml.safe_dump(times.model_dump(), sort_keys=False, allow_unicode=True, width=100)
    write_atomically(TIMES, (HEADER + text).encode())
    console.print(f"{TIMES.name}: written. Then: make notebooks ONLY=08")


@contextmanager
def _lab() -> Iterator[Lab]:
    with tempfile.TemporaryDirectory(prefix="course-state-") as state:
        os.environ |= {"COURSE_LEARNER": "measure-times", "COURSE_STATE_DIR": state}
        lab = open_lab(CHAPTER)
        try:
            yield lab
        finally:
            lab.close()


def _loop(lab: Lab, runs: int) -> dict[str, list[float]]:
    cells = {cell.id: cell.source for cell in _chapter()}
    names: dict[str, Any] = {"lab": lab}
    for cell in CELLS:
        exec(cells[cell], names)  # noqa: S102  # the course's own cells
    desired, observe = names["desired"], names["observe"]
    desired["replicas"] = FEW
    loop = lab.loop(names["reconcile"], desired)

    def answering() -> set[str]:
        return {host for each in observe(desired)[0] if (host := _host(each))}

    def kill() -> str:
        victim = observe(desired)[0][0]
        victim.kill()
        return str(victim.id)[:12]

    def scale(number: int) -> str:
        desired["replicas"] = number
        return ""

    seconds = _time("loop", answering, kill, scale, runs)
    loop.stop()
    return seconds


def _swarm(lab: Lab, runs: int, policy: RestartPolicy | None) -> dict[str, list[float]]:
    lab.swarm()
    front = lab.docker.networks.create(lab.name("front"), driver="overlay", attachable=True)
    service: Service = lab.docker.services.create(  # type: ignore[no-untyped-call]
        "course/app:1",
        name=lab.name("web"),
        networks=[front.name],
        mode=ServiceMode("replicated", FEW),
        endpoint_spec={"Mode": "dnsrr"},
        restart_policy=policy,
    )
    at_any: dict[str, Any] = {"8080/tcp": ("127.0.0.1", None)}
    door = lab.docker.containers.run(
        "course/base:1",
        ["python3", "-c", DOOR, str(service.name)],
        name=lab.name("door"),
        network=front.name,
        ports=at_any,
        init=True,
        detach=True,
    )
    url = lab.wait_ready(door)

    def answering() -> set[str]:
        return set(requests.get(url, timeout=30).json())

    def kill() -> str:
        # Not one that Swarm is about to stop, because there were four.
        tasks = service.tasks({"desired-state": "running"})  # type: ignore[no-untyped-call]
        victim = lab.docker.containers.get(tasks[0]["Status"]["ContainerStatus"]["ContainerID"])
        victim.kill()
        return str(victim.id)[:12]

    def scale(number: int) -> str:
        service.reload()
        service.scale(number)
        return ""

    return _time("swarm" if policy is None else "swarm at once", answering, kill, scale, runs)


def _time(
    name: str,
    answering: Callable[[], set[str]],
    kill: Callable[[], str],
    scale: Callable[[int], str],
    runs: int,
) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {row: [] for row in ASKS}
    steps: dict[str, tuple[Callable[[], str], int]] = {
        "heal": (kill, FEW),
        "scale": (partial(scale, MANY), MANY),
    }
    for _ in range(runs):
        for row, (act, wanted) in steps.items():
            _until(answering, FEW, "")
            time.sleep(random.uniform(0, PHASE_SECONDS))  # noqa: S311  # no secret
            begin = time.monotonic()
            _until(answering, wanted, act())
            seconds[row].append(time.monotonic() - begin)
        scale(FEW)
    for row, found in seconds.items():
        console.print(f"{name}, {row}: {' '.join(f'{each:.2f}' for each in found)}")
    return seconds


def _until(answering: Callable[[], set[str]], wanted: int, victim: str) -> None:
    """Wait until so many answer, and none of them is the one that was killed."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(found := answering()) != wanted or victim in found:
        if time.monotonic() > deadline:
            raise LabError(
                f"{len(found)} replicas answer, not {wanted}, after {PATIENCE_SECONDS} s.",
                next_step="look at the machine's load, then measure again.",
            )
        time.sleep(POLL_SECONDS)


def _host(container: Any) -> str:  # noqa: ANN401  # docker-py's container has no types here
    """Tell which host answers at a container's published port; nothing if none does."""
    try:
        container.reload()
        (binding,) = container.ports["8080/tcp"]
        answer = requests.get(f"http://127.0.0.1:{binding['HostPort']}/", timeout=1)
        return str(answer.json()["host"])
    except (docker.errors.APIError, requests.RequestException, KeyError, TypeError, ValueError):
        return ""


def _chapter() -> list[Any]:
    return list(code_cells(read_notebook(ROOT / "chapters" / f"{CHAPTER}.ipynb")))


def _timed(seconds: list[float]) -> Timed:
    return Timed(
        median=round(statistics.median(seconds), 2),
        least=round(min(seconds), 2),
        most=round(max(seconds), 2),
        n=len(seconds),
    )


if __name__ == "__main__":
    typer.run(measure)
