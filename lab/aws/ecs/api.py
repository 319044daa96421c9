"""The operations of ECS that this machine has, and how a request finds its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs import (
    account_settings,
    clusters,
    container_instances,
    exec,  # noqa: A004  # as AWS calls it
    services,
    tags,
    task_definitions,
    tasks,
)
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lab.aws.ecs.state import Ecs

    Json = dict[str, Any]

__all__ = ["OPERATIONS", "answer"]

# The modules whose public functions are operations, each named as boto3 names it.
MODULES: Final = (
    account_settings,
    clusters,
    container_instances,
    exec,
    services,
    tags,
    task_definitions,
    tasks,
)


def _operations() -> dict[str, Callable[[Ecs, Json], Awaitable[Json]]]:
    found = {}
    for module in MODULES:
        for name in module.__all__:
            words = name.split("_")
            if words[0] in VERBS:
                found["".join(word.capitalize() for word in words)] = getattr(module, name)
    return found


VERBS: Final = {
    "create", "delete", "deregister", "describe", "discover", "execute", "get", "list", "put",
    "register", "run", "start", "stop", "submit", "tag", "untag", "update",
}  # fmt: skip
OPERATIONS: Final = _operations()


async def answer(ecs: Ecs, operation: str, request: Json) -> Json:
    """Do an operation.

    Raises:
        AwsError: ECS refuses, or this operation is not there.
    """
    if operation not in OPERATIONS:
        words = re.sub(r"(?<!^)(?=[A-Z])", " ", operation).lower()
        raise AwsError(
            "UnsupportedFeatureException",
            f"The ECS on this machine has no operation {operation} ({words}).",
        )
    return await OPERATIONS[operation](ecs, request)
