"""The operations of ECS that this machine has; what others there are is refused."""

from __future__ import annotations

from typing import Final

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

__all__ = ["OPERATIONS", "answer"]

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
    missing=lambda operation: AwsError(
        "UnsupportedFeatureException",
        f"The ECS on this machine has no operation {operation}.",
    ),
)
answer: Final = OPERATIONS.answer
