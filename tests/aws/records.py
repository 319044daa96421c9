"""Records of ECS for tests without an engine: a cluster, its instances, tasks on them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from lab.aws.cloud import Cloud
from lab.aws.ecs import api
from lab.aws.ecs.hosts import Host
from lab.aws.ecs.scheduler import Scheduler
from lab.aws.ecs.state import Cluster, Ecs, TaskDefinition
from lab.aws.ecs.tasks import make_task
from lab.aws.place import Place, new_id

from .suite.answers import faults
from .suite.documented import model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.aws.ecs.state import Task

Json = dict[str, Any]

PLACE = Place("123456789012", "us-east-1")


@contextlib.contextmanager
def ecs_with_cluster() -> Iterator[tuple[Ecs, Cluster]]:
    cloud = Cloud()
    ecs = Ecs(PLACE)
    ecs.scheduler = Scheduler(ecs, cloud)
    cluster = Cluster("web", PLACE.arn("ecs", "cluster/web"), [], [], [], [])
    ecs.clusters["web"] = cluster
    yield ecs, cluster
    cloud.close()


def host(ecs: Ecs, cluster: Cluster, **settings: Any) -> Host:  # noqa: ANN401  # any of its fields
    host_id = new_id()
    form: Json = {
        "id": host_id,
        "arn": PLACE.arn("ecs", f"container-instance/{cluster.name}/{host_id}"),
        "cluster": cluster,
        "instance_id": f"i-{new_id(16)}",
        "zone": "us-east-1a",
        "address": "172.31.0.10",
        "subnet_range": "172.31.0.0/20",
        "vpc_range": "172.31.0.0/16",
        "cpu": 2048,
        "memory": 1996,
        "interfaces": 2,
        "attributes": {},
        "agent_version": "1.107.0",
        "engine_version": "25.0.16",
    } | settings
    form["attributes"] = {
        "ecs.instance-type": "t3.small",
        "ecs.availability-zone": form["zone"],
    } | form["attributes"]
    made = Host(**form)
    ecs.hosts[made.id] = made
    return made


def definition(family: str = "app", mode: str = "bridge", **settings: Any) -> TaskDefinition:  # noqa: ANN401
    container = {"name": "app", "image": "course/app:1", "cpu": 512, "memory": 256} | settings
    form = {
        "containerDefinitions": [container],
        "networkMode": mode,
        "compatibilities": ["EC2"],
    }
    return TaskDefinition(family, 1, PLACE.arn("ecs", f"task-definition/{family}:1"), form, [])


def task_on(ecs: Ecs, where: Host, one: TaskDefinition, group: str = "family:app") -> Task:
    made = make_task(ecs, where.cluster, one, launch_type="EC2", group=group, host=where)
    made.move("RUNNING")
    return made


def ask(ecs: Ecs, operation: str, **request: Any) -> Json:  # noqa: ANN401  # any request
    return asyncio.run(api.answer(ecs, operation, {"cluster": "web", **request}))


def judged(ecs: Ecs, operation: str, **request: Any) -> Json:  # noqa: ANN401  # any request
    """Do an operation, and hold its answer against botocore's model."""
    answer = asyncio.run(api.answer(ecs, operation, request))
    given = {name: value for name, value in answer.items() if value is not None}
    assert faults(model("ecs").operation_model(operation), given) == []
    return answer
