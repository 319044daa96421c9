"""Times the local AWS beside what it stands on, and beside another emulator, in one run.

    .venv/bin/python tools/aws_benchmark.py [--times 5]

- Start-up: until the first request is answered, beside moto's server alone.
- 5 and 20 tasks: until all are RUNNING, beside docker-py that starts the same containers, the
  pauses too, as fast as it can: nothing that runs tasks on that engine can be faster.
- A service of 20 tasks, beside ministack.
- 20 tasks that nothing happens to: the share of one core, and the memory.

What is compared is measured by turns, so that a busier minute hits both. The table says medians,
and the least and the most; it is printed and written to _build/aws_benchmark.json.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import psutil
import typer
from aws_suite import ROOT, ministack, moto
from docker.types import Healthcheck
from rich.console import Console
from rich.table import Table

from lab.aws.clients import client_of
from lab.aws.process import AwsProcess
from lab.client import connect_labelled
from lab.engine import find_engine
from lab.images import ensure
from lab.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import docker

RESULT: Final = ROOT / "_build" / "aws_benchmark.json"
NAMING: Final = Naming(chapter="12-ecs", learner="benchmark")
IMAGE: Final = "course/base:1"
COMMAND: Final = ["sleep", "600"]
FEW: Final = 5
MANY: Final = 20
AT_ONCE: Final = 10
THREADS: Final = 16
POLL_SECONDS: Final = 0.05
PATIENCE_SECONDS: Final = 180
STEADY_SECONDS: Final = 30
MEBIBYTE: Final = 1 << 20


@dataclass
class Series:
    """What was measured of one thing, in seconds unless its name says otherwise."""

    name: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.values)


def main(
    times: Annotated[int, typer.Option(min=5, help="How often each is measured.")] = 5,
) -> None:
    """Measure all, print the table and keep it."""
    load = os.getloadavg()[0]
    with closing(find_engine().client) as client:
        ensure(client)
    measured = [*starts(times), *tasks(times), *services(times), *steady()]
    about = {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "load": round(load, 2),
        "times": times,
    }
    _print(measured)
    RESULT.parent.mkdir(exist_ok=True)
    series = {one.name: [round(value, 3) for value in one.values] for one in measured}
    RESULT.write_text(json.dumps({"about": about, "series": series}, indent=1))
    print(f"load before: {load:.2f}; {RESULT.relative_to(ROOT)}")


def starts(times: int) -> Iterator[Series]:
    """Time how long each takes from the start of its process to its first answer."""
    own, bare = Series("start: ours"), Series("start: moto alone")
    for _ in range(times):
        for series, opened in ((bare, moto), (own, ours)):
            begin = time.monotonic()
            with opened() as (endpoint, _):
                client_of("sts", endpoint).get_caller_identity()
                client_of("ecs", endpoint).list_clusters()
                series.values.append(time.monotonic() - begin)
    yield from (own, bare)


def tasks(times: int) -> Iterator[Series]:
    """Time how long tasks take until they are RUNNING, and bare containers until they run."""
    found = {
        (who, count): Series(f"{count} tasks: {who}")
        for count in (FEW, MANY)
        for who in ("ours", "docker-py alone")
    }
    with ours() as (endpoint, _), closing(connect_labelled(find_engine(), NAMING)) as client:
        account = Account(endpoint)
        account.run(1)
        account.stop_all()
        network = next(n for n in client.networks.list() if str(n.name).startswith(NAMING.prefix))
        for _ in range(times):
            for count in (FEW, MANY):
                begin = time.monotonic()
                account.run(count)
                found["ours", count].values.append(time.monotonic() - begin)
                account.stop_all()
                seconds = bare(client, str(network.name), count)
                found["docker-py alone", count].values.append(seconds)
    yield from found.values()


def bare(client: docker.DockerClient, network: str, count: int) -> float:
    """Start the containers of so many tasks as fast as docker-py can, and remove them."""

    def start(number: int) -> list[Any]:
        pause = client.containers.run(
            IMAGE, ["sleep", "infinity"], name=NAMING.full_name(f"pause-{number}"),
            network=network, detach=True,
        )  # fmt: skip
        main = client.containers.run(
            IMAGE, COMMAND, name=NAMING.full_name(f"main-{number}"), detach=True,
            network_mode=f"container:{pause.id}", mem_limit="256m", memswap_limit="256m",
            nano_cpus=250_000_000, healthcheck=Healthcheck(test=["NONE"]),
        )  # fmt: skip
        return [main, pause]

    begin = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        started = [*pool.map(start, range(count))]
        seconds = time.monotonic() - begin
        [*pool.map(lambda pair: [one.remove(force=True) for one in pair], started)]
    return seconds


def services(times: int) -> Iterator[Series]:
    """Time how long a service of 20 takes until it runs 20 tasks."""
    found = {who: Series(f"a service of {MANY}: {who}") for who in ("ours", "ministack")}
    with ours() as (own, _), ministack() as (other, _):
        accounts = {"ours": Account(own), "ministack": Account(other)}
        for _ in range(times):
            for who, account in accounts.items():
                begin = time.monotonic()
                account.serve(MANY)
                found[who].values.append(time.monotonic() - begin)
                account.end_service()
    yield from found.values()


def steady() -> Iterator[Series]:
    """Measure what 20 tasks cost to which nothing happens."""
    processor, memory = Series(f"{MANY} steady tasks: % of a core"), Series("memory: MiB")
    with ours() as (endpoint, pid):
        account = Account(endpoint)
        account.run(MANY)
        process = psutil.Process(pid)
        time.sleep(5)  # what the start has left to do
        for _ in range(FEW):
            before = process.cpu_times()
            time.sleep(STEADY_SECONDS / FEW)
            after = process.cpu_times()
            spent = after.user + after.system - before.user - before.system
            processor.values.append(100 * spent / (STEADY_SECONDS / FEW))
            memory.values.append(process.memory_info().rss / MEBIBYTE)
        account.stop_all()
    yield from (processor, memory)


@contextmanager
def ours() -> Iterator[tuple[str, int]]:
    """Serve the local AWS in a process of its own, and give its endpoint and its number."""
    served = AwsProcess(NAMING)
    try:
        yield served.endpoint, served.pid
    finally:
        served.close()


class Account:
    """A cluster at an endpoint, with a task definition.

    Args:
        endpoint: Where an AWS answers.
    """

    def __init__(self, endpoint: str) -> None:
        self._ecs = client_of("ecs", endpoint)
        only = [{"Name": "default-for-az", "Values": ["true"]}]
        ec2 = client_of("ec2", endpoint)
        subnets = [one["SubnetId"] for one in ec2.describe_subnets(Filters=only)["Subnets"]]
        network = {"awsvpcConfiguration": {"subnets": subnets[:2], "assignPublicIp": "ENABLED"}}
        self._fargate: dict[str, Any] = {
            "cluster": "bench",
            "taskDefinition": "bench",
            "launchType": "FARGATE",
            "networkConfiguration": network,
        }
        self._ecs.create_cluster(clusterName="bench")
        main = {"name": "main", "image": IMAGE, "command": COMMAND, "essential": True}
        self._ecs.register_task_definition(
            family="bench",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[main | {"memory": 256, "stopTimeout": 2}],
        )

    def run(self, count: int) -> None:
        """Run tasks, and wait until all are RUNNING."""
        left = count
        while left:
            self._ecs.run_task(**self._fargate, count=min(left, AT_ONCE))
            left -= min(left, AT_ONCE)
        _until(partial(self._are_running, count))

    def _are_running(self, count: int) -> bool:
        arns = self._ecs.list_tasks(cluster="bench")["taskArns"]
        if len(arns) != count:
            return False
        found = self._ecs.describe_tasks(cluster="bench", tasks=arns)["tasks"]
        return all(task["lastStatus"] == "RUNNING" for task in found)

    def stop_all(self) -> None:
        """Stop all tasks, and wait until they have stopped."""
        arns = self._ecs.list_tasks(cluster="bench")["taskArns"]
        for arn in arns:
            self._ecs.stop_task(cluster="bench", task=arn)
        _until(partial(self._have_stopped, arns))

    def _have_stopped(self, arns: list[str]) -> bool:
        found = self._ecs.describe_tasks(cluster="bench", tasks=arns)["tasks"]
        return all(task["lastStatus"] == "STOPPED" for task in found)

    def serve(self, count: int) -> None:
        """Create a service, and wait until it runs so many tasks."""
        self._ecs.create_service(serviceName="bench", desiredCount=count, **self._fargate)
        _until(lambda: self._service()["runningCount"] == count)

    def _service(self) -> dict[str, Any]:
        [found] = self._ecs.describe_services(cluster="bench", services=["bench"])["services"]
        return dict(found)

    def end_service(self) -> None:
        """Delete the service, and wait until its tasks have stopped."""
        self._ecs.update_service(cluster="bench", service="bench", desiredCount=0)
        self._ecs.delete_service(cluster="bench", service="bench", force=True)
        _until(lambda: not self._ecs.list_tasks(cluster="bench")["taskArns"])
        _until(lambda: self._service()["status"] == "INACTIVE")


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE_SECONDS} s")
        time.sleep(POLL_SECONDS)


def _print(measured: list[Series]) -> None:
    table = Table("", "median", "least", "most", "n")
    for one in measured:
        figures = (one.median, min(one.values), max(one.values))
        table.add_row(one.name, *(f"{value:.2f}" for value in figures), str(len(one.values)))
    Console(width=100).print(table)
    medians = {one.name: one.median for one in measured}
    for above, below in (
        ("start: ours", "start: moto alone"),
        *((f"{count} tasks: ours", f"{count} tasks: docker-py alone") for count in (FEW, MANY)),
        (f"a service of {MANY}: ours", f"a service of {MANY}: ministack"),
    ):
        print(f"{above} ÷ {below}: {medians[above] / medians[below]:.2f}")


if __name__ == "__main__":
    typer.run(main)
