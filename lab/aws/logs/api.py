"""The operations of CloudWatch Logs that this machine has; what others there are is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lab.aws.logs import events, groups, streams
from lab.aws.logs.state import invalid
from lab.aws.operations import Operations

if TYPE_CHECKING:
    from lab.aws.constraints import Violation
    from lab.aws.errors import AwsError

__all__ = ["OPERATIONS", "answer"]


def _refusal(broken: Violation) -> AwsError:
    return invalid(str(broken))


OPERATIONS: Final = Operations("logs", [groups, streams, events], _refusal)
answer: Final = OPERATIONS.answer
