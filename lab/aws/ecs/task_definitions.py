"""The operations on task definitions, and what AWS refuses in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.aws.ecs.state import TaskDefinition, now

if TYPE_CHECKING:
    from lab.aws.ecs.state import Ecs

    Json = dict[str, Any]

__all__ = ["deregister_task_definition", "describe_task_definition", "register_task_definition"]


async def register_task_definition(ecs: Ecs, request: Json) -> Json:
    """Register a revision of a family."""
    family = request["family"]
    revisions = ecs.families.setdefault(family, [])
    number = len(revisions) + 1
    form = {key: value for key, value in request.items() if key not in ("family", "tags")}
    form["compatibilities"] = ["EC2", "FARGATE"]
    made = TaskDefinition(
        family, number, ecs.place.arn("ecs", f"task-definition/{family}:{number}"), form,
        list(request.get("tags") or []),
    )  # fmt: skip
    revisions.append(made)
    return {"taskDefinition": shown(made), "tags": list(made.tags)}


async def describe_task_definition(ecs: Ecs, request: Json) -> Json:
    """Describe a revision."""
    return {"taskDefinition": shown(ecs.definition(request["taskDefinition"]))}


async def deregister_task_definition(ecs: Ecs, request: Json) -> Json:
    """Have a revision be INACTIVE."""
    found = ecs.definition(request["taskDefinition"])
    found.status = "INACTIVE"
    return {"taskDefinition": shown(found)}


def shown(definition: TaskDefinition) -> Json:
    """Describe it in AWS's words."""
    return {
        **definition.form,
        "family": definition.family,
        "revision": definition.revision,
        "taskDefinitionArn": definition.arn,
        "status": definition.status,
        "registeredAt": now(),
    }
