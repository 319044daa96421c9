"""The operations of ECR that this machine has; what others there are is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecr import images, layers, repositories
from lab.aws.ecr.front import RefusalError
from lab.aws.ecr.state import invalid
from lab.aws.errors import AwsError
from lab.aws.operations import Operations

if TYPE_CHECKING:
    from lab.aws.constraints import Violation
    from lab.aws.ecr.state import Ecr

    Json = dict[str, Any]

__all__ = ["OPERATIONS", "answer"]


def _refusal(broken: Violation) -> AwsError:
    must = f"must {broken.must}"
    if broken.rule == "pattern":
        must = f"must satisfy regular expression '{broken.pattern}'"
    elif broken.rule == "enum":
        must = f"Member {must}"
    return invalid(f"Invalid parameter at '{broken.path}' failed to satisfy constraint: '{must}'")


OPERATIONS: Final = Operations("ecr", [repositories, images, layers], _refusal)


async def answer(ecr: Ecr, operation: str, request: Json) -> Json:
    """Do an operation; the first one starts the registry.

    Raises:
        AwsError: ECR refuses, this operation is not there, or the registry is not.
    """
    await ecr.started()
    try:
        return await OPERATIONS.answer(ecr, operation, request)
    except RefusalError as refusal:
        # What an operation expects it has caught itself.
        raise AwsError("ServerException", f"{refusal.code}: {refusal}") from None
