"""The operations of Elastic Load Balancing that this machine has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lab.aws.constraints import violations
from lab.aws.elb import attributes, listeners, load_balancers, rules, tags, target_groups, targets
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lab.aws.elb.state import Elb

    Json = dict[str, Any]

__all__ = ["OPERATIONS", "answer"]

# The modules whose public functions are operations, each named as boto3 names it.
MODULES: Final = (attributes, listeners, load_balancers, rules, tags, target_groups, targets)
VERBS: Final = {
    "add", "create", "delete", "deregister", "describe", "modify", "register", "remove", "set",
}  # fmt: skip


def _operations() -> dict[str, Callable[[Elb, Json], Awaitable[Json]]]:
    found = {}
    for module in MODULES:
        for name in module.__all__:
            words = name.split("_")
            if words[0] in VERBS:
                found["".join(word.capitalize() for word in words)] = getattr(module, name)
    return found


OPERATIONS: Final = _operations()


async def answer(elb: Elb, operation: str, request: Json) -> Json:
    """Do an operation.

    Raises:
        AwsError: Elastic Load Balancing refuses, or this operation is not there.
    """
    if operation not in OPERATIONS:
        raise AwsError(
            "InvalidAction",
            f"The Elastic Load Balancing on this machine has no operation {operation}.",
        )
    for broken in violations("elbv2", operation, request):
        path = broken.path[:1].lower() + broken.path[1:]
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{broken.value}' at '{path}' failed to satisfy "
            f"constraint: Member must {broken.must}",
        )
    return await OPERATIONS[operation](elb, request)
