"""The operations of ECS that this machine has; what others there are is refused."""

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
from lab.aws.operations import Operations

if TYPE_CHECKING:
    from lab.aws.constraints import Violation
    from lab.aws.ecs.state import Ecs

    Json = dict[str, Any]

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
_ARN: Final = re.compile(r"arn:aws:ecs:([^:]*):([^:]*):")
# What a request names by an ARN, as text or as a list.
NAMING: Final = (
    "capacityProviders",
    "cluster",
    "clusters",
    "containerInstance",
    "containerInstances",
    "resourceArn",
    "service",
    "serviceDeploymentArns",
    "serviceRevisionArns",
    "services",
    "task",
    "taskDefinition",
    "taskDefinitions",
    "tasks",
)


async def answer(ecs: Ecs, operation: str, request: Json) -> Json:
    """Do an operation of ECS, as `Operations.answer`.

    Raises:
        AwsError: ECS refuses, this operation is not there, or an ARN names another place.
    """
    for member in NAMING:
        named = request.get(member) or []
        for arn in [named] if isinstance(named, str) else named:
            _refuse_foreign(ecs, operation, arn)
    return await OPERATIONS.answer(ecs, operation, request)


def _refuse_foreign(ecs: Ecs, operation: str, arn: str) -> None:
    """Refuse the ARN of another region or account; a plain name is of this place."""
    found = _ARN.match(arn)
    if found is None:
        return
    region, account = found.groups()
    if region != ecs.place.region:
        # https://github.com/aws/aws-cli/issues/3175
        raise AwsError("InvalidParameterException", "Invalid Region in ARN")
    if account != ecs.place.account:
        raise AwsError(  # ours
            "AccessDeniedException",
            f"You are not authorized to perform: ecs:{operation} on resource: {arn} "
            "because it belongs to another account.",
        )
