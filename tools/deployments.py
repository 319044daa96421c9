"""Deploys the application in each way of chapter 09, under load, and keeps what it cost.

``tools/deployments.py`` runs each way several times and writes ``facts/deployments.yaml``, which
the chart of lost requests and the pages read. It wants a quiet machine and takes some minutes.
The tests run the same ways.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
import yaml
from docker.types import EndpointSpec, NetworkAttachmentConfig, ServiceMode, UpdateConfig
from notebooks_form import ROOT, write_atomically
from rich.console import Console

from facts.deployments import FEWEST_RUNS, Deployments, Run, Sent, Way
from lab import LabError, open_lab
from lab.checks.deployments_and_scheduling import (
    APP,
    BOTH,
    CHAPTER,
    PORT,
    RULES,
    start_copy,
    start_proxy,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker.models.containers import Container
    from docker.models.services import Service

    from lab import Lab
    from lab.load import Load

__all__ = ["PER_SECOND", "WAYS", "Deployment"]

Order = Literal["start-first", "stop-first"]

PER_SECOND = 10
BEFORE_SECONDS, AFTER_SECONDS = 0.5, 0.7
LONGEST_SECONDS = 100
START_SECONDS = 2
SLOW = {"VERSION": "2", "START_SECONDS": str(START_SECONDS)}
TARGET = ROOT / "facts" / "deployments.yaml"
HEADER = "# Written by `tools/deployments.py` from real runs. Do not edit.\n"
# Nanoseconds.
MONITOR, START_PERIOD = 1_000_000_000, 30_000_000_000

console = Console(soft_wrap=True, highlight=False)


@dataclass(frozen=True)
class Deployment:
    """One way of deploying.

    Attributes:
        name: What it is called, in a few words.
        does: How it goes, in a sentence.
        run: Sets the scene, begins a load, deploys, ends the load.
    """

    name: str
    does: str
    run: Callable[[Lab], Load]


def by_hand(lab: Lab) -> Load:
    """Stop version 1, start version 2 at the same port."""
    web = lab.docker.containers.run(APP, name=lab.name("web"), ports=PORT, detach=True)
    number = lab.wait_ready(web).rpartition(":")[2]
    fixed: dict[str, Any] = {"8080/tcp": ("127.0.0.1", number)}
    web = lab.docker.containers.run(APP, name=lab.name("web"), ports=fixed, detach=True)
    load = _begin(lab, lab.wait_ready(web))
    web.stop()
    web = lab.docker.containers.run(
        APP, name=lab.name("web"), ports=fixed, environment=SLOW, detach=True
    )
    lab.wait_ready(web)
    return _end(load)


def without_a_gate(lab: Lab) -> Load:
    """Replace one copy after the other, and take each new one for ready."""
    copies, url = _two_copies(lab)
    load = _begin(lab, url)
    for number, old in enumerate(copies, start=1):
        start_copy(lab, f"next-{number}", alias="web", environment=SLOW)
        old.stop()
    for number in range(1, len(copies) + 1):
        new = lab.docker.containers.get(lab.name(f"next-{number}"))
        lab.wait_for(new, "State.Health.Status", "healthy")
    return _end(load)


def stop_first(lab: Lab) -> Load:
    """Let Swarm stop each old task, and wait until the new one in its place is healthy."""
    return _by_swarm(lab, "stop-first", SLOW, "completed")


def start_first(lab: Lab) -> Load:
    """Let Swarm start each new task, and stop the old one when the new one is healthy."""
    return _by_swarm(lab, "start-first", SLOW, "completed")


def bad_version(lab: Lab) -> Load:
    """Let Swarm deploy a version that ends right after its start, and roll it back."""
    bad = {"VERSION": "2", "START_EXIT": "1"}
    return _by_swarm(lab, "start-first", bad, "rollback_completed")


def blue_green(lab: Lab) -> Load:
    """Start all copies of version 2 beside version 1, then lead the requests over, and back."""
    _two_copies(lab)
    proxy = start_proxy(lab, BOTH)
    load = _begin(lab, lab.wait_ready(proxy))
    green = [
        start_copy(lab, f"green-{number}", alias="green", environment=SLOW) for number in (1, 2)
    ]
    for copy in green:
        lab.wait_for(copy, "State.Health.Status", "healthy")
    for rules in (BOTH.replace("default_backend web", "default_backend green"), BOTH):
        _reload(proxy, rules)
        time.sleep(1)
    return _end(load)


WAYS = {
    "by-hand": Deployment(
        "by hand", "One copy: stop version 1, then start version 2 at its port.", by_hand
    ),
    "no-gate": Deployment(
        "rolling without a gate",
        "Two copies behind a proxy, one after the other; each new one is taken for ready at once.",
        without_a_gate,
    ),
    "stop-first": Deployment(
        "rolling (stop first)",
        "Swarm, one task after the other: stop an old one, then wait for the new one's health.",
        stop_first,
    ),
    "start-first": Deployment(
        "rolling (start first)",
        "Swarm, one task after the other: wait for a new one's health, then stop an old one.",
        start_first,
    ),
    "bad-version": Deployment(
        "a bad version",
        "Swarm, start first: version 2 ends right after its start, and is rolled back.",
        bad_version,
    ),
    "blue-green": Deployment(
        "blue/green",
        "All of version 2 starts beside version 1; the proxy leads to it, and back after a second.",
        blue_green,
    ),
}


def _begin(lab: Lab, url: str) -> Load:
    load = lab.load(url, per_second=PER_SECOND, seconds=LONGEST_SECONDS)
    time.sleep(BEFORE_SECONDS)
    return load


def _end(load: Load) -> Load:
    time.sleep(AFTER_SECONDS)
    return load.stop()


def _reload(proxy: Container, rules: str) -> None:
    done = proxy.exec_run("proxy reload", environment={"RULES": rules})
    if done.exit_code:
        raise LabError(f"The proxy refuses: {done.output!r}", next_step="mend its rules.")


def _two_copies(lab: Lab) -> tuple[list[Container], str]:
    lab.docker.networks.create(lab.name("front"))
    copies = [start_copy(lab, f"web-{number}", alias="web") for number in (1, 2)]
    for copy in copies:
        lab.wait_for(copy, "State.Health.Status", "healthy")
    return copies, lab.wait_ready(start_proxy(lab, RULES))


def _service(lab: Lab, order: Order) -> tuple[Service, str]:
    lab.swarm()
    mesh = lab.docker.networks.create(lab.name("mesh"), driver="overlay", attachable=True)
    # docker-py has no types for services.
    web: Service = lab.docker.services.create(  # type: ignore[no-untyped-call]
        APP,
        name=lab.name("web"),
        env=["VERSION=1"],
        mode=ServiceMode("replicated", replicas=2),
        networks=[NetworkAttachmentConfig(str(mesh.name), aliases=["web"])],
        endpoint_spec=EndpointSpec(mode="dnsrr"),
        # A slow start is no failed check, and a busy machine no bad version.
        healthcheck={"start_period": START_PERIOD, "retries": 10},
        update_config=UpdateConfig(
            parallelism=1, order=order, failure_action="rollback", monitor=MONITOR
        ),
    )
    url = lab.wait_ready(start_proxy(lab, RULES, network="mesh"))
    lab.wait_tasks(web, 2)
    return web, url


def _by_swarm(lab: Lab, order: Order, environment: dict[str, str], end: str) -> Load:
    web, url = _service(lab, order)
    load = _begin(lab, url)
    web.reload()
    changed = [f"{name}={value}" for name, value in environment.items()]
    web.update(env=changed)  # type: ignore[no-untyped-call]
    ended = lab.wait_update(web)
    load = _end(load)
    if ended != end:
        raise LabError(f"The update ended as {ended}, not {end}.", next_step="run it again.")
    return load


def _sent(load: Load) -> list[Sent]:
    return [
        Sent.model_validate({"at": request.at, "ms": request.ms, "version": request.version})
        for request in load.requests
    ]


def record(way: Deployment, runs: int) -> Way:
    """Deploy in one way several times; the run with the median of lost requests is drawn."""
    seen: list[tuple[Run, list[Sent]]] = []
    for number in range(1, runs + 1):
        lab = open_lab(CHAPTER)
        try:
            sent = _sent(way.run(lab))
        finally:
            lab.close()
        run = Run.of(sent)
        console.print(f"{way.name}, run {number}: {run}", markup=False)
        seen.append((run, sent))
    drawn = sorted(seen, key=lambda pair: (pair[0].lost, pair[0].sent))[len(seen) // 2][1]
    return Way(name=way.name, does=way.does, runs=tuple(run for run, _ in seen), drawn=tuple(drawn))


def main(
    runs: Annotated[int, typer.Option(min=FEWEST_RUNS, help="Deployments of each way.")] = 5,
) -> None:
    """Record what each way of deploying costs, on this machine and engine."""
    lab = open_lab(CHAPTER)
    engine = lab.engine
    lab.close()
    assert engine is not None  # noqa: S101  # open_lab has said so otherwise
    table = Deployments(
        date=dt.datetime.now().astimezone().date(),
        engine=f"{engine.product} {engine.version}",
        cores=os.cpu_count() or 1,
        per_second=PER_SECOND,
        start_seconds=START_SECONDS,
        ways={short: record(way, runs) for short, way in WAYS.items()},
    )
    write_atomically(TARGET, (HEADER + _as_yaml(table)).encode())
    console.print(
        f"{TARGET.relative_to(ROOT)} is written: draw the charts, tools/notebooks.py draw"
    )


class _Flow(dict[str, Any]):
    """What is written in one line."""


yaml.SafeDumper.add_representer(
    _Flow,
    lambda dumper, row: dumper.represent_mapping(
        "tag:yaml.org,2002:map", row.items(), flow_style=True
    ),
)


def _as_yaml(table: Deployments) -> str:
    rows = table.model_dump()
    for way in rows["ways"].values():
        for name in ("runs", "drawn"):
            way[name] = [_Flow(row) for row in way[name]]
    return yaml.safe_dump(rows, sort_keys=False, allow_unicode=True, width=100)


if __name__ == "__main__":
    typer.run(main)
