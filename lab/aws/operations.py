"""How a request finds its operation, in a service whose operations are functions of its modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.aws.constraints import Violation, violations
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import ModuleType

    Json = dict[str, Any]
    Operation = Callable[[Any, Json], Awaitable[Json]]

__all__ = ["Operations"]


class Operations:
    """The operations of a service: what the modules export, each named as boto3 names it.

    Args:
        service: The service, as boto3 names it.
        modules: Their ``__all__`` has operations, and nothing else.
        refusal: Says in the service's words that a value is not allowed.

    Attributes:
        by_name: Each operation, by the name that it has in AWS's API.

    Example:
        >>> from lab.aws.logs import groups
        >>> operations = Operations("logs", [groups], lambda broken: AwsError("", broken.must))
        >>> "CreateLogGroup" in operations.by_name
        True
    """

    def __init__(
        self, service: str, modules: list[ModuleType], refusal: Callable[[Violation], AwsError]
    ) -> None:
        self._service = service
        self._refusal = refusal
        self.by_name: dict[str, Operation] = {
            "".join(word.capitalize() for word in name.split("_")): getattr(module, name)
            for module in modules
            for name in module.__all__
        }

    async def answer(self, state: object, operation: str, request: Json) -> Json:
        """Do an operation on the state of a place.

        Raises:
            AwsError: The service refuses, or this operation is not there.
        """
        if operation not in self.by_name:
            raise AwsError(
                "UnknownOperationException",
                f"{self._service} on this machine does not have this operation: {operation}",
            )
        for broken in violations(self._service, operation, request):
            raise self._refusal(broken)
        return await self.by_name[operation](state, request)
