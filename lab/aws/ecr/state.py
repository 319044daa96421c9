"""What ECR remembers of one place: repositories and their settings, uploads under way.

Which images there are it does not remember: that is what the registry holds.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lab.aws.errors import AwsError
from lab.aws.pages import page_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from lab.aws.ecr.registry import Registry
    from lab.aws.place import Place

    Json = dict[str, Any]
    Beside = Callable[..., Awaitable[Any]]

__all__ = ["Ecr", "Repository", "Upload", "invalid", "page"]

T = TypeVar("T")

MOST_ON_A_PAGE: Final = 1000
USUAL_ON_A_PAGE: Final = 100


def invalid(message: str) -> AwsError:
    """Refuse a parameter."""
    return AwsError("InvalidParameterException", message)


def page(
    request: Json, found: Sequence[T], key: Callable[[T], str] | None = None
) -> tuple[list[T], str | None]:
    """Cut a page out of a list, and give the token that leads to the next one.

    Args:
        request: The request, with its ``maxResults`` and ``nextToken``.
        found: All there is, always in the same order.
        key: What it is sorted by, where others may delete some of it meanwhile.

    Raises:
        AwsError: The token is none that came with an answer.
    """
    size = min(request.get("maxResults") or USUAL_ON_A_PAGE, MOST_ON_A_PAGE)
    try:
        return page_of(found, request.get("nextToken"), size, key)
    except ValueError:
        raise invalid(
            "Invalid parameter at 'nextToken' failed to satisfy constraint: 'must be a token of "
            "an answer'"
        ) from None


@dataclass
class Repository:
    """A repository: a name in the registry, and what may be done under it.

    Attributes:
        mutability: Whether tags can be moved, in AWS's word.
        exclusions: The tags for which it is the other way round, in AWS's words.
        policy: Who may use it, which nobody checks here.
        lifecycle: Which images shall expire, which nobody carries out here.
    """

    name: str
    arn: str
    uri: str
    account: str
    mutability: str
    exclusions: list[Json]
    scan_on_push: bool
    encryption: Json
    tags: dict[str, str]
    policy: str | None = None
    lifecycle: str | None = None
    created: dt.datetime = field(default_factory=lambda: dt.datetime.now(tz=dt.UTC))

    @property
    def named(self) -> Json:
        """The two members by which most answers begin."""
        return {"registryId": self.account, "repositoryName": self.name}

    def shown(self) -> Json:
        """Describe it in AWS's words."""
        shown: Json = {
            **self.named,
            "repositoryArn": self.arn,
            "repositoryUri": self.uri,
            "createdAt": self.created,
            "imageTagMutability": self.mutability,
            "imageScanningConfiguration": {"scanOnPush": self.scan_on_push},
            "encryptionConfiguration": dict(self.encryption),
        }
        if self.exclusions:
            shown["imageTagMutabilityExclusionFilters"] = list(self.exclusions)
        return shown


@dataclass
class Upload:
    """A layer that is being uploaded.

    Attributes:
        location: Where its next part goes.
        sizes: The bytes of its parts.
    """

    repository: str
    location: str
    sizes: list[int] = field(default_factory=list)


class Ecr:
    """The state of ECR in one place.

    Args:
        place: The account and the region.
        registry: Its registry, which is started by the first request.
        beside: Runs what blocks, and waits for it in the loop.

    Attributes:
        repositories: By name.
        uploads: Layers under way, by their id.
    """

    def __init__(self, place: Place, registry: Registry, beside: Beside) -> None:
        self.place = place
        self.registry = registry
        self.repositories: dict[str, Repository] = {}
        self.uploads: dict[str, Upload] = {}
        self._beside = beside
        self._start: asyncio.Future[None] | None = None

    async def started(self) -> None:
        """Start the registry if nobody has, and wait until it answers.

        Raises:
            AwsError: It does not start; the next request tries again.
        """
        if self._start is None:
            self._start = asyncio.ensure_future(self._beside(self.registry.start))
        start = self._start
        try:
            await asyncio.shield(start)
        except AwsError:
            if self._start is start:
                self._start = None
            raise

    async def ask(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Have the registry do something, and wait for it."""
        return await self._beside(function, *args, **options)

    def registry_of(self, request: Json) -> str:
        """Tell which registry a request means: without any word it is the account's own."""
        return str(request.get("registryId") or self.place.account)

    def repository(self, request: Json) -> Repository:
        """Find the repository that a request means.

        Raises:
            AwsError: ``RepositoryNotFoundException``.
        """
        return self.named(request["repositoryName"], self.registry_of(request))

    def named(self, name: str, registry: str | None = None) -> Repository:
        """Find a repository by its name.

        Raises:
            AwsError: ``RepositoryNotFoundException``.
        """
        registry = registry or self.place.account
        if registry != self.place.account or name not in self.repositories:
            raise AwsError(
                "RepositoryNotFoundException",
                f"The repository with name '{name}' does not exist in the registry with id "
                f"'{registry}'",
            )
        return self.repositories[name]

    def by_arn(self, arn: str) -> Repository:
        """Find a repository by its ARN.

        Raises:
            AwsError: ``RepositoryNotFoundException``, or it is no ARN of a repository.
        """
        found = re.fullmatch(r"arn:aws:ecr:([^:]+):([^:]+):repository/(.+)", arn)
        if found is None or found[1] != self.place.region:
            raise invalid(
                "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'must be the ARN "
                "of a repository'"
            )
        return self.named(found[3], found[2])
