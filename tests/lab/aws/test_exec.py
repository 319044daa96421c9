from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from lab.aws.ecs.exec import execute_command, waiting_agent
from lab.aws.ecs.state import Ecs
from lab.aws.errors import AwsError

from .records import PLACE, task_in

if TYPE_CHECKING:
    from lab.aws.ecs.state import Task

NOT_READY = "execute command agent isn’t running"  # noqa: RUF001  # AWS's own apostrophe


class Sessions:
    """Stands where the sessions are, which need an engine."""

    async def open(self, runtime_id: str, command: str) -> dict[str, str]:
        return {"sessionId": f"{command} in {runtime_id}", "streamUrl": "ws:", "tokenValue": "t"}


@pytest.fixture
def ecs() -> Ecs:
    made = Ecs(PLACE)
    sessions = Sessions()
    made.sessions = lambda: sessions
    return made


def run(ecs: Ecs, task: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401
    form = {"cluster": "shop", "task": task, "command": "ls", "interactive": True, **request}
    return asyncio.run(execute_command(ecs, form))


def enabled(ecs: Ecs, *names: str) -> Task:
    task = task_in(ecs, *({"name": name} for name in names), can_exec=True)
    for container in task.containers:
        container.agents = [waiting_agent() | {"lastStatus": "RUNNING"}]
    return task


def refused(ecs: Ecs, task: str, words: str, **request: Any) -> None:  # noqa: ANN401
    with pytest.raises(AwsError, match=words) as refusal:
        run(ecs, task, **request)
    assert refusal.value.code == "InvalidParameterException"


def test_a_task_that_is_not_there_is_refused(ecs: Ecs) -> None:
    enabled(ecs, "app")
    refused(ecs, "f" * 32, "was not found")
    refused(ecs, "arn:aws:ecs:us-east-1:123456789012:task/shop/nobody", "was not found")


def test_a_task_of_another_cluster_is_not_found(ecs: Ecs) -> None:
    task = enabled(ecs, "app")
    with pytest.raises(AwsError) as refusal:
        run(ecs, task.id, cluster="other")
    assert refusal.value.code == "ClusterNotFoundException"


def test_an_id_of_another_length_is_refused(ecs: Ecs) -> None:
    enabled(ecs, "app")
    refused(ecs, "app", "length should be one of")


def test_only_interactive_commands_can_be_run(ecs: Ecs) -> None:
    refused(ecs, enabled(ecs, "app").id, "Interactive is the only mode", interactive=False)


def test_a_task_that_was_run_without_it_is_refused(ecs: Ecs) -> None:
    refused(ecs, task_in(ecs).id, NOT_READY)


@pytest.mark.parametrize("status", ["PENDING", "STOPPED"])
def test_an_agent_that_does_not_run_is_refused(ecs: Ecs, status: str) -> None:
    task = enabled(ecs, "app")
    task.containers[0].agents[0]["lastStatus"] = status
    refused(ecs, task.id, NOT_READY)


def test_a_task_that_stops_is_refused(ecs: Ecs) -> None:
    task = enabled(ecs, "app")
    task.status = "DEACTIVATING"
    refused(ecs, task.id, NOT_READY)


def test_a_container_that_has_ended_is_refused(ecs: Ecs) -> None:
    task = enabled(ecs, "app", "side")
    task.containers[1].status = "STOPPED"
    refused(ecs, task.id, NOT_READY, container="side")


def test_a_container_that_is_not_there_is_refused(ecs: Ecs) -> None:
    refused(ecs, enabled(ecs, "app").id, "nobody", container="nobody")


def test_one_of_several_containers_has_to_be_named(ecs: Ecs) -> None:
    task = enabled(ecs, "app", "side")
    refused(ecs, task.id, "container name must be specified")
    assert run(ecs, task.id, container="side")["containerName"] == "side"


def test_the_answer_has_the_session(ecs: Ecs) -> None:
    task = enabled(ecs, "app")
    assert run(ecs, task.arn) == {
        "clusterArn": task.cluster.arn,
        "taskArn": task.arn,
        "containerArn": task.containers[0].arn,
        "containerName": "app",
        "interactive": True,
        "session": {"sessionId": "ls in id-of-app", "streamUrl": "ws:", "tokenValue": "t"},
    }
