"""Checks whether targets answer, and keeps count until they are healthy or not.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp
from yarl import URL

if TYPE_CHECKING:
    from lab.aws.elb.records import Target
    from lab.aws.elb.state import Elb

__all__ = ["HealthChecks", "is_expected"]

# A load balancer has a node in each zone, and each checks for itself: a new target is asked much
# more often than each interval says. Only what it answers well counts in between.
EAGER_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Failure:
    """Why a check has failed: AWS's code and words."""

    reason: str
    description: str


class HealthChecks:
    """The health checks of one place.

    Args:
        elb: The state of that place.
    """

    def __init__(self, elb: Elb) -> None:
        self._elb = elb
        self._running: dict[Target, asyncio.Task[None]] = {}
        # A connection for each check, as on AWS: a kept one says nothing of who listens now.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True, ssl=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "ELB-HealthChecker/2.0"},
        )

    def begin(self, target: Target) -> None:
        """Check a target from now on; that it is checked already is no error."""
        if target not in self._running:
            self._running[target] = self._elb.cloud.spawn(self._watch(target))

    def end(self, target: Target) -> None:
        """Check a target no more."""
        if running := self._running.pop(target, None):
            running.cancel()

    async def close(self) -> None:
        """Check nothing any more."""
        for target in [*self._running]:
            self.end(target)
        await self._session.close()

    async def _watch(self, target: Target) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            begun = loop.time()
            failure = await self._check(target)
            interval = target.group.form["HealthCheckIntervalSeconds"]
            counts = begun >= due
            if counts:
                due = begun + interval
            before = target.state
            if failure is None or counts:
                judge(target, failure)
            if target.state != before:
                self._elb.changed()
            next_one = loop.time() + EAGER_SECONDS if target.state == "initial" else due
            await asyncio.sleep(max(0, min(next_one, due) - loop.time()))

    async def _check(self, target: Target) -> Failure | None:
        form = target.group.form
        host, port = self._elb.address_of(target.id, target.group.check_port(target))
        scheme, path = form["HealthCheckProtocol"].lower(), form["HealthCheckPath"]
        limit = aiohttp.ClientTimeout(total=form["HealthCheckTimeoutSeconds"])
        try:
            async with self._session.get(
                URL(f"{scheme}://{host}:{port}{path}", encoded=True),
                timeout=limit,
                allow_redirects=False,
            ) as answer:
                await answer.read()
        except TimeoutError:
            return Failure("Target.Timeout", "Request timed out")
        except (aiohttp.ClientError, OSError, ValueError):
            return Failure("Target.FailedHealthChecks", "Health checks failed")
        if is_expected(answer.status, form["Matcher"]["HttpCode"]):
            return None
        return Failure(
            "Target.ResponseCodeMismatch",
            f"Health checks failed with these codes: [{answer.status}]",
        )


def judge(target: Target, failure: Failure | None) -> None:
    """Count a check; when enough of them agree, the target is healthy or unhealthy.

    A new target is healthy after its first good check.
    """
    form = target.group.form
    if failure is None and target.state == "initial":
        target.become("healthy")
    elif failure is None and target.state == "unhealthy":
        target.in_a_row += 1
        if target.in_a_row >= form["HealthyThresholdCount"]:
            target.become("healthy")
    elif failure is not None and target.state in ("initial", "healthy"):
        target.in_a_row += 1
        if target.in_a_row >= form["UnhealthyThresholdCount"]:
            target.become("unhealthy", failure.reason, failure.description)
    elif failure is not None:
        target.become("unhealthy", failure.reason, failure.description)
    else:
        target.in_a_row = 0


def is_expected(status: int, matcher: str) -> bool:
    """Tell whether a status is one of those that a matcher lists.

    Example:
        >>> is_expected(302, "200,300-399")
        True
    """
    for part in matcher.split(","):
        least, _, most = part.partition("-")
        if int(least) <= status <= int(most or least):
            return True
    return False
