"""ECS Exec: a command in a container that runs already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.ecs.state import Container, Ecs, Task

    Json = dict[str, Any]

__all__ = ["execute_command", "waiting_agent"]

AGENT: Final = "ExecuteCommandAgent"
# Without and with hyphens, as ids once were.
ID_LENGTHS: Final = (32, 36)
NOT_READY: Final = (
    "The execute command failed because execute command was not enabled when the task was run or "
    "the execute command agent isn’t running. Wait and try again or run a new task with execute "  # noqa: RUF001  # AWS's own apostrophe
    "command enabled and try again."
)


def waiting_agent() -> Json:
    """Make the record of the agent in a container that has not started."""
    return {"name": AGENT, "lastStatus": "PENDING"}


async def execute_command(ecs: Ecs, request: Json) -> Json:
    """Open a session in which a command runs in a container of a task."""
    cluster = ecs.cluster(request.get("cluster"))
    if not request.get("interactive"):
        raise AwsError(
            "InvalidParameterException", "Interactive is the only mode supported currently."
        )
    reference = request["task"]
    if ":" not in reference and len(reference) not in ID_LENGTHS:
        raise AwsError("InvalidParameterException", "task length should be one of [32,36]")
    task = ecs.task(cluster, reference)
    if task is None:
        raise AwsError("InvalidParameterException", "The referenced task was not found.")
    container = _container(task, request.get("container"))
    if task.status != "RUNNING" or not _has_running_agent(container):
        raise AwsError("InvalidParameterException", NOT_READY)
    session = await ecs.sessions().open(container.runtime_id, request["command"])
    return {
        "clusterArn": cluster.arn,
        "taskArn": task.arn,
        "containerArn": container.arn,
        "containerName": container.name,
        "interactive": True,
        "session": session,
    }


def _container(task: Task, name: str | None) -> Container:
    """Find the container; it need not be named where there is just one.

    Raises:
        AwsError: ``InvalidParameterException``.
    """
    if not name and len(task.containers) > 1:
        raise AwsError(
            "InvalidParameterException",
            "A container name must be specified for a task with multiple containers.",
        )
    found = next((one for one in task.containers if one.name == name or not name), None)
    if found is None:
        raise AwsError("InvalidParameterException", f"The container {name} was not found.")
    return found


def _has_running_agent(container: Container) -> bool:
    is_running = any(agent["lastStatus"] == "RUNNING" for agent in container.agents)
    return is_running and container.status == "RUNNING"
