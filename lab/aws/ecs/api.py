"""The operations of ECS that this machine has; what others there are is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
from lab.aws.operations import Operations

if TYPE_CHECKING:
    from lab.aws.constraints import Violation

__all__ = ["OPERATIONS", "answer"]


def _refusal(broken: Violation) -> AwsError | None:
    """Lengths, sizes and patterns are the operations' own matter: ECS has words for each."""
    if broken.rule not in ("null", "enum"):
        return None
    return AwsError("InvalidParameterException", str(broken))


OPERATIONS: Final = Operations(
    "ecs",
    [
        account_settings,
        clusters,
        container_instances,
        exec,
        services,
        tags,
        task_definitions,
        tasks,
    ],
    _refusal,
    missing=lambda operation: AwsError(
        "UnsupportedFeatureException",
        f"The ECS on this machine has no operation {operation}.",
    ),
)
answer: Final = OPERATIONS.answer
