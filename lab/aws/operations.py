"""How a request finds its operation, in a service whose operations are functions of its modules."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from lab.aws.constraints import Violation, violations
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import ModuleType

    Json = dict[str, Any]
    Operation = Callable[[Any, Json], Awaitable[Json]]

__all__ = ["Operations"]


class Operations:
    """The operations of a service: the coroutines that its modules export, named as in boto3.

    Args:
        service: The service, as boto3 names it.
        modules: Where its operations are.
        refusal: Says in the service's words that its model does not allow something; nothing where
            that is the operations' own matter.
        missing: Says in the service's words that an operation is not there.

    Attributes:
        by_name: Each operation, by the name that it has in AWS's API.

    Example:
        >>> from lab.aws.logs import groups
        >>> operations = Operations("logs", [groups], lambda broken: AwsError("", broken.must))
        >>> "CreateLogGroup" in operations.by_name
        True
    """

    def __init__(
        self,
        service: str,
        modules: Sequence[ModuleType],
        refusal: Callable[[Violation], AwsError | None],
        missing: Callable[[str], AwsError] | None = None,
    ) -> None:
        self._service = service
        self._refusal = refusal
        self._missing = missing or self._unknown
        self.by_name: dict[str, Operation] = {
            "".join(word.capitalize() for word in name.split("_")): getattr(module, name)
            for module in modules
            for name in module.__all__
            if inspect.iscoroutinefunction(getattr(module, name))
        }

    def _unknown(self, operation: str) -> AwsError:
        return AwsError(
            "UnknownOperationException",
            f"{self._service} on this machine does not have this operation: {operation}",
        )

    async def answer(self, state: object, operation: str, request: Json) -> Json:
        """Do an operation on the state of a place.

        Raises:
            AwsError: The service refuses, or this operation is not there.
        """
        if operation not in self.by_name:
            raise self._missing(operation)
        for broken in violations(self._service, operation, request):
            if refusal := self._refusal(broken):
                raise refusal
        return await self.by_name[operation](state, request)
