"""The operations of Elastic Load Balancing that this machine has; the others are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lab.aws.elb import attributes, listeners, load_balancers, rules, tags, target_groups, targets
from lab.aws.errors import AwsError
from lab.aws.operations import Operations

if TYPE_CHECKING:
    from lab.aws.constraints import Violation

__all__ = ["OPERATIONS", "answer"]


def _refusal(broken: Violation) -> AwsError:
    path = broken.path[:1].lower() + broken.path[1:]
    return AwsError("ValidationError", str(replace(broken, path=path)))


OPERATIONS: Final = Operations(
    "elbv2",
    [attributes, listeners, load_balancers, rules, tags, target_groups, targets],
    _refusal,
    missing=lambda operation: AwsError(
        "InvalidAction",
        f"The Elastic Load Balancing on this machine has no operation {operation}.",
    ),
)
answer: Final = OPERATIONS.answer
