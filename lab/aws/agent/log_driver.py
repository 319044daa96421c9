"""The log driver ``awslogs``: what a container prints goes to CloudWatch Logs."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from typing import TYPE_CHECKING, Any, Final

from lab.aws.agent.events import LOST

if TYPE_CHECKING:
    from collections.abc import Callable

    import docker

    from lab.aws.cloud import Cloud
    from lab.aws.ecs.state import Container, Task
    from lab.aws.place import Place

    Json = dict[str, Any]
    Put = Callable[[Place, str, str, list[Json]], None]

__all__ = ["LogDriver"]

# A container that has ended prints nothing more; the engine may need a moment to say so.
END_SECONDS: Final = 10


class LogDriver:
    """Follows the output of containers, each in a thread that waits for the next line.

    Args:
        cloud: The loop, for who waits until all lines are there.
        connect: Makes a client of the engine.
        put: Writes events into a stream of CloudWatch Logs.
    """

    def __init__(self, cloud: Cloud, connect: Callable[[], docker.DockerClient], put: Put) -> None:
        self._cloud = cloud
        self._connect = connect
        self._put = put
        self._following: dict[Task, list[threading.Thread]] = {}

    def follow(self, task: Task, container: Container) -> None:
        """Follow a container that has just started, if its definition says ``awslogs``."""
        settings = container.definition.get("logConfiguration") or {}
        if settings.get("logDriver") != "awslogs":
            return
        options = settings["options"]
        stream = "/".join(
            part for part in (options.get("awslogs-stream-prefix"), container.name, task.id) if part
        )
        if "awslogs-stream-prefix" not in options:
            stream = container.runtime_id
        since = container.started_at if container.restarts else None
        thread = threading.Thread(
            target=self._copy,
            args=(task.place, container.runtime_id, options["awslogs-group"], stream, since),
            name=f"logs {stream}",
            daemon=True,
        )
        self._following.setdefault(task, []).append(thread)
        thread.start()

    async def end(self, task: Task) -> None:
        """Wait until the last lines of a task that has ended are there."""
        for thread in self._following.pop(task, []):
            await self._cloud.beside(thread.join, END_SECONDS)

    def _copy(
        self, place: Place, runtime_id: str, group: str, stream: str, since: dt.datetime | None
    ) -> None:
        with contextlib.suppress(*LOST), contextlib.closing(self._connect()) as client:
            output = client.api.logs(
                runtime_id, stream=True, follow=True, timestamps=True, since=since
            )
            rest = b""
            for chunk in output:
                *lines, rest = (rest + chunk).split(b"\n")
                events = [_event(line) for line in lines if line]
                if events:
                    self._put(place, group, stream, events)
            if rest:
                self._put(place, group, stream, [_event(rest)])


def _event(line: bytes) -> Json:
    """Take apart what the engine writes: a time in nanoseconds, a space, the line."""
    time, _, message = line.decode(errors="replace").partition(" ")
    moment = dt.datetime.fromisoformat(f"{time[:26].rstrip('Z')}+00:00")
    return {"timestamp": int(moment.timestamp() * 1000), "message": message.rstrip("\r")}
