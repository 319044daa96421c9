from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from lab.aws.agent.metadata import container_document, interface_of, task_document
from lab.aws.ecs.state import Ecs

from .records import PLACE, SUBNET, task_in

if TYPE_CHECKING:
    from lab.aws.ecs.state import Task


@pytest.fixture
def ecs() -> Ecs:
    return Ecs(PLACE)


def described(task: Task, **of: Any) -> dict[str, Any]:  # noqa: ANN401
    """Describe the task's first container."""
    form = {"docker_name": "app", "networks": [], **of}
    return container_document(task, task.containers[0], **form)


def test_what_is_not_known_is_left_out(ecs: Ecs) -> None:
    task = task_in(ecs, form={"cpu": None, "memory": None})
    found = {**task_document(task, []), **described(task)}
    absent = ["PullStartedAt", "StartedAt", "ExitCode", "Health", "LogDriver", "Ports"]
    assert [name for name in absent if name in found] == []
    assert "Limits" not in task_document(task, [])
    assert described(task)["Limits"] == {"CPU": 2}


def test_a_task_on_fargate_is_described(ecs: Ecs) -> None:
    task = task_in(ecs)
    task.times["pullStartedAt"] = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)
    found = task_document(task, [{"Name": "app"}])
    assert found == {
        "Cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/shop",
        "TaskARN": task.arn,
        "Family": "web",
        "Revision": "3",
        "DesiredStatus": "RUNNING",
        "KnownStatus": "RUNNING",
        "Limits": {"CPU": 0.25, "Memory": 512},
        "PullStartedAt": "2026-11-01T12:00:00Z",
        "AvailabilityZone": "us-east-1a",
        "LaunchType": "FARGATE",
        "Containers": [{"Name": "app"}],
        "FaultInjectionEnabled": False,
    }


def test_a_task_is_known_to_run_when_all_its_containers_do(ecs: Ecs) -> None:
    task = task_in(ecs, {"name": "app"}, {"name": "side"})
    task.containers[1].status = "PENDING"
    assert task_document(task, [])["KnownStatus"] == "NONE"
    task.containers[1].status = "RUNNING"
    assert task_document(task, [])["KnownStatus"] == "RUNNING"


@pytest.mark.parametrize(
    ("status", "runtime_id", "known"),
    [
        ("PENDING", "", "PULLED"),
        ("PENDING", "1", "CREATED"),
        ("RUNNING", "1", "RUNNING"),
        ("STOPPED", "1", "STOPPED"),
    ],
)
def test_a_container_has_the_agents_words_for_its_status(
    ecs: Ecs, status: str, runtime_id: str, known: str
) -> None:
    task = task_in(ecs)
    task.containers[0].status = status
    task.containers[0].runtime_id = runtime_id
    assert described(task)["KnownStatus"] == known


def test_a_container_is_described(ecs: Ecs) -> None:
    definition = {
        "name": "app",
        "cpu": 64,
        "memory": 128,
        "dockerLabels": {"team": "blue"},
        "portMappings": [{"containerPort": 8080}],
        "healthCheck": {"command": ["CMD", "true"]},
        "restartPolicy": {"enabled": True},
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/shop"}},
    }
    task = task_in(ecs, definition)
    task.containers[0].health = "HEALTHY"
    task.containers[0].restarts = 2
    found = described(task, networks=[interface_of(task, SUBNET)])
    labels = found.pop("Labels")
    assert labels["team"] == "blue"
    assert labels["com.amazonaws.ecs.task-definition-version"] == "3"
    assert found == {
        "DockerId": "id-of-app",
        "Name": "app",
        "DockerName": "app",
        "Image": "course/app:1",
        "ImageID": "sha256:1",
        "Ports": [{"ContainerPort": 8080, "Protocol": "tcp", "HostPort": 8080}],
        "DesiredStatus": "RUNNING",
        "KnownStatus": "RUNNING",
        "Limits": {"CPU": 64, "Memory": 128},
        "Type": "NORMAL",
        "Health": {"status": "HEALTHY"},
        "LogDriver": "awslogs",
        "LogOptions": {"awslogs-group": "/shop"},
        "ContainerARN": task.containers[0].arn,
        "Networks": [
            {
                "NetworkMode": "awsvpc",
                "IPv4Addresses": ["172.31.16.4"],
                "AttachmentIndex": 0,
                "MACAddress": "0a:00:00:00:00:01",
                "IPv4SubnetCIDRBlock": "172.31.16.0/20",
                "PrivateDNSName": "ip-172-31-16-4.ec2.internal",
                "SubnetGatewayIpv4Address": "172.31.0.1/16",
            }
        ],
        "RestartCount": 2,
    }


def test_a_port_of_a_host_is_the_one_that_it_is_bound_to(ecs: Ecs) -> None:
    task = task_in(ecs, form={"networkMode": "bridge"})
    task.containers[0].bindings = [
        {"containerPort": 80, "hostPort": 32768, "protocol": "tcp", "bindIP": "127.0.0.1"}
    ]
    assert described(task)["Ports"] == [
        {"ContainerPort": 80, "Protocol": "tcp", "HostPort": 32768, "HostIp": "127.0.0.1"}
    ]
