"""How services leave instances: by the scheduler alone, with an agent whose tasks run at once."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lab.aws.cloud import Cloud
from lab.aws.ecs import api
from lab.aws.ecs.scheduler import Scheduler
from lab.aws.ecs.state import Cluster, Ecs
from lab.aws.errors import AwsError

from .records import PLACE, definition, host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.aws.ecs.hosts import Host
    from lab.aws.ecs.state import Task

Json = dict[str, Any]
STEADY_SECONDS = 0.3
SLOW_SECONDS = 4
PATIENCE = 10


class World:
    """A cluster with two instances, and what ran there in the course of time."""

    def __init__(self) -> None:
        self.cloud = Cloud()
        self.ecs = Ecs(PLACE)
        self.ecs.scheduler = Scheduler(self.ecs, self.cloud, STEADY_SECONDS)
        self.ecs.run = lambda task: self.cloud.spawn(self._live(task))
        cluster = Cluster("web", PLACE.arn("ecs", "cluster/web"), [], [], [], [])
        self.ecs.clusters["web"] = cluster
        self.ecs.families["app"] = [definition(cpu=128, memory=128)]
        self.hosts = [host(self.ecs, cluster) for _ in range(2)]
        self.counts: list[int] = []
        self.bad = ""
        self.delays = itertools.chain([SLOW_SECONDS], itertools.repeat(0))

    async def _live(self, task: Task) -> None:
        task.move("PENDING")
        if task.definition.arn == self.bad:
            # One is still on its way when the others have failed, and the deployment is given up.
            await asyncio.sleep(next(self.delays))
            task.stop("TaskFailedToStart", "no such program")
            task.move("STOPPED")
            return
        task.move("RUNNING")
        self._count()
        await task.stop_asked.wait()
        self._count()
        task.move("STOPPED")

    def _count(self) -> None:
        self.counts.append(len([one for one in self.live() if one.status == "RUNNING"]))

    def live(self) -> list[Task]:
        return [task for task in self.ecs.tasks.values() if task.desired == "RUNNING"]

    def ask(self, operation: str, **request: Any) -> Json:  # noqa: ANN401  # any request
        return self.cloud.call(api.answer(self.ecs, operation, {"cluster": "web", **request}))

    def service(self, count: int, least: int, most: int) -> None:
        self.ask(
            "CreateService",
            serviceName="app",
            taskDefinition="app",
            launchType="EC2",
            desiredCount=count,
            placementStrategy=[{"type": "spread", "field": "instanceId"}],
            deploymentConfiguration={"minimumHealthyPercent": least, "maximumPercent": most},
        )
        self.until(lambda: "steady state" in self.events()[0])
        self.counts.clear()

    def events(self) -> list[str]:
        [service] = self.ask("DescribeServices", services=["app"])["services"]
        return [event["message"] for event in service["events"]] or [""]

    def drain(self, one: Host, status: str = "DRAINING") -> None:
        self.ask("UpdateContainerInstancesState", containerInstances=[one.arn], status=status)

    def at(self) -> list[int]:
        return [sum(task.host is one for task in self.live()) for one in self.hosts]

    def until(self, question: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not question():
            assert time.monotonic() < end, (self.at(), self.events())
            time.sleep(0.02)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.cloud.close()


@pytest.mark.parametrize(
    ("least", "most", "fewest", "largest"),
    [
        (100, 200, 4, 6),  # others first
        (50, 100, 2, 4),  # two go first, and then two come
        (0, 100, 2, 4),
    ],
)
def test_tasks_move_within_the_percents(
    world: World, least: int, most: int, fewest: int, largest: int
) -> None:
    world.service(4, least, most)
    assert world.at() == [2, 2]
    world.drain(world.hosts[0])
    world.until(lambda: world.at() == [0, 4] and "steady state" in world.events()[0])
    assert min(world.counts) == fewest
    assert max(world.counts) == largest


def test_tasks_stay_where_no_others_can_start(world: World) -> None:
    world.service(2, 100, 200)
    world.hosts[1].cpu = 128
    world.drain(world.hosts[0])
    world.until(lambda: "unable to place a task" in world.events()[0])
    assert world.at() == [1, 1]
    world.drain(world.hosts[0], "ACTIVE")
    world.until(lambda: "steady state" in world.events()[0])
    assert world.at() == [1, 1]


def test_scaling_in_takes_the_tasks_that_leave(world: World) -> None:
    world.service(4, 100, 200)
    world.drain(world.hosts[0])
    world.ask("UpdateService", service="app", desiredCount=2)
    world.until(lambda: world.at() == [0, 2])


def test_version_that_is_given_up_takes_no_old_task_with_it(world: World) -> None:
    world.service(2, 100, 200)
    second = replace(definition(cpu=128, memory=128), revision=2)
    second.arn = world.bad = second.arn.replace(":1", ":2")
    world.ecs.families["app"].append(second)
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
    world.ask(
        "UpdateService", service="app", taskDefinition="app:2", deploymentConfiguration=breaker
    )
    world.until(lambda: any("deployment failed" in event for event in world.events()))
    world.until(lambda: world.at() == [1, 1])
    world.until(lambda: all(task.definition.arn != world.bad for task in world.live()))
    assert min(world.counts, default=2) == 2
    assert world.at() == [1, 1]


@pytest.mark.parametrize("operation", ["CreateService", "UpdateService"])
def test_negative_count_is_refused(world: World, operation: str) -> None:
    world.service(2, 100, 200)
    name = "serviceName" if operation == "CreateService" else "service"
    with pytest.raises(AwsError, match="must not be negative"):
        world.ask(operation, **{name: "other" if name == "serviceName" else "app"}, desiredCount=-1)


def test_an_ill_task_is_replaced_before_it_goes(world: World) -> None:
    world.service(2, 100, 200)
    ill = world.live()[0]
    ill.containers[0].definition["healthCheck"] = {"command": ["CMD", "true"]}
    ill.containers[0].health = "UNHEALTHY"
    world.cloud.tell(ill.touch)
    world.until(lambda: ill.desired == "STOPPED" and "steady state" in world.events()[0])
    assert min(world.counts) == 2
    # One came, and only the ill one went.
    assert len(world.ecs.tasks) == 3


def test_daemon_task_is_replaced_by_a_new_one_on_each_instance(world: World) -> None:
    world.ask(
        "CreateService",
        serviceName="app",
        taskDefinition="app",
        launchType="EC2",
        schedulingStrategy="DAEMON",
    )
    world.until(lambda: "steady state" in world.events()[0])
    assert world.at() == [1, 1]
    before = set(world.ecs.tasks)
    world.ask("UpdateService", service="app", forceNewDeployment=True)
    world.until(lambda: not before & {task.id for task in world.live()} and world.at() == [1, 1])
    [service] = world.ask("DescribeServices", services=["app"])["services"]
    assert service["desiredCount"] == 2
