"""Makes records of ECS as its operations make them, for tests that need no engine."""

from __future__ import annotations

from typing import Any

from lab.aws.ecs.state import Cluster, Container, Ecs, Task, TaskDefinition
from lab.aws.place import Place, new_id

__all__ = ["PLACE", "task_in"]

PLACE = Place("123456789012", "us-east-1")
SUBNET = {"range": "172.31.16.0/20", "vpc_range": "172.31.0.0/16", "vpc": "vpc-1"}


def task_in(ecs: Ecs, *containers: dict[str, Any], **settings: Any) -> Task:  # noqa: ANN401
    """Make a task with its address that runs in the cluster ``shop``."""
    cluster = ecs.clusters.setdefault(
        "shop", Cluster("shop", PLACE.arn("ecs", "cluster/shop"), [], [], [], [])
    )
    form = {"networkMode": "awsvpc", "cpu": "256", "memory": "512", **settings.pop("form", {})}
    definitions = [{"image": "course/app:1", **one} for one in containers or [{"name": "app"}]]
    form["containerDefinitions"] = definitions
    arn = PLACE.arn("ecs", "task-definition/web:3")
    task_id = new_id()
    details = {
        "privateIPv4Address": "172.31.16.4",
        "macAddress": "0a:00:00:00:00:01",
        "privateDnsName": "ip-172-31-16-4.ec2.internal",
    }
    task = Task(
        place=PLACE,
        id=task_id,
        arn=PLACE.arn("ecs", f"task/shop/{task_id}"),
        cluster=cluster,
        definition=TaskDefinition("web", 3, arn, form, []),
        containers=[
            Container(
                one,
                PLACE.arn("ecs", f"container/shop/{new_id()}"),
                status="RUNNING",
                runtime_id=f"id-of-{one['name']}",
                image_id="sha256:1",
            )
            for one in definitions
        ],
        group="family:web",
        zone="us-east-1a",
        attachments=[
            {
                "id": "1",
                "details": [{"name": name, "value": value} for name, value in details.items()],
            }
        ],
        **{"launch_type": "FARGATE", "status": "RUNNING", **settings},
    )
    ecs.tasks[task_id] = task
    return task
