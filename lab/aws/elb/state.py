"""What Elastic Load Balancing knows of one place, and what follows when something changes there."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import itertools
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lab.aws.elb.actions import groups_of
from lab.aws.elb.records import Target
from lab.aws.errors import AwsError
from lab.aws.pages import page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lab.aws.cloud import Cloud
    from lab.aws.elb.forward import Forwarding
    from lab.aws.elb.front import Front
    from lab.aws.elb.health import HealthChecks
    from lab.aws.elb.records import Listener, LoadBalancer, Rule, TargetGroup
    from lab.aws.place import Place

    Json = dict[str, Any]

__all__ = ["Elb", "page"]

T = TypeVar("T")

MOST_IN_A_PAGE: Final = 400
# How long the requests of a listener may take that is deleted.
LEAVE_SECONDS: Final = 30


class Elb:
    """Elastic Load Balancing in one place. It is made and used in the loop.

    Args:
        place: The account and the region.
        cloud: The loop in which it lives.
        sources: Tells what EC2 knows: ``subnet_of``, ``subnets_of``, ``security_groups_of`` and
            ``instance_of``.

    Attributes:
        balancers: By their ARNs, the oldest first.
        target_groups: By their ARNs, the oldest first.
        changed: Is called when the health of a target is another one.
        address_of: Tells where a target is reached from this machine, by its id and port. A task
            has an address that leads there on Linux; what plays instances puts its own in here.
    """

    def __init__(self, place: Place, cloud: Cloud, sources: Any) -> None:  # noqa: ANN401  # a protocol would repeat it
        self.place = place
        self.cloud = cloud
        self.sources = sources
        self.balancers: dict[str, LoadBalancer] = {}
        self.target_groups: dict[str, TargetGroup] = {}
        self.changed: Callable[[], None] = lambda: None
        self.address_of: Callable[[str, int], tuple[str, int]] = _its_own_address
        self.turns = itertools.count(1)
        self._fronts: set[Front] = set()

    # Most places never have a load balancer, and aiohttp takes a quarter of a second to import: so
    # what stands on it is imported when it is needed first.

    @functools.cached_property
    def forwarding(self) -> Forwarding:
        """The way to the targets."""
        from lab.aws.elb.forward import Forwarding  # noqa: PLC0415

        return Forwarding(self)

    @functools.cached_property
    def _checks(self) -> HealthChecks:
        from lab.aws.elb.health import HealthChecks  # noqa: PLC0415

        return HealthChecks(self)

    # --- what is there -----------------------------------------------------------------------

    def listeners(self) -> Iterator[Listener]:
        """List all listeners."""
        for balancer in self.balancers.values():
            yield from balancer.listeners.values()

    def rules(self) -> Iterator[Rule]:
        """List all rules of all listeners."""
        for listener in self.listeners():
            yield from listener.rules

    def balancer(self, arn: str) -> LoadBalancer:
        """Find a load balancer.

        Raises:
            AwsError: ``LoadBalancerNotFound``, or ``ValidationError`` if it is no ARN of one.
        """
        _refuse_other_arn(arn, "loadbalancer", "load balancer")
        if arn not in self.balancers:
            raise AwsError("LoadBalancerNotFound", f"Load balancer '{arn}' not found")
        return self.balancers[arn]

    def listener(self, arn: str) -> Listener:
        """Find a listener.

        Raises:
            AwsError: ``ListenerNotFound``, or ``ValidationError`` if it is no ARN of one.
        """
        _refuse_other_arn(arn, "listener", "listener")
        found = next((one for one in self.listeners() if one.arn == arn), None)
        if found is None:
            raise AwsError("ListenerNotFound", "One or more listeners not found")
        return found

    def rule(self, arn: str) -> Rule:
        """Find a rule.

        Raises:
            AwsError: ``RuleNotFound``, or ``ValidationError`` if it is no ARN of one.
        """
        _refuse_other_arn(arn, "listener-rule", "listener rule")
        found = next((one for one in self.rules() if one.arn == arn), None)
        if found is None:
            raise AwsError("RuleNotFound", "One or more rules not found")
        return found

    def group(self, arn: str) -> TargetGroup:
        """Find a target group.

        Raises:
            AwsError: ``TargetGroupNotFound``, or ``ValidationError`` if it is no ARN of one.
        """
        _refuse_other_arn(arn, "targetgroup", "target group")
        if arn not in self.target_groups:
            raise AwsError("TargetGroupNotFound", "One or more target groups not found")
        return self.target_groups[arn]

    def zone_of(self, vpc: str, address: str) -> str | None:
        """Tell in which availability zone of a VPC an address is; nothing if it is outside."""
        for subnet in self.sources.subnets_of(self.place, vpc) or []:
            if ipaddress.ip_address(address) in ipaddress.ip_network(subnet["range"]):
                return str(subnet["zone"])
        return None

    # --- listeners ---------------------------------------------------------------------------

    async def open(self, listener: Listener, port: int) -> None:
        """Have a listener answer at a port of this machine, and at no other one.

        Raises:
            AwsError: ``InvalidConfigurationRequest``: the port can't be had; nothing has changed.
        """
        from lab.aws.elb.front import Front  # noqa: PLC0415

        front = Front(self, listener)
        await front.open(port)
        self.shut(listener)
        listener.front, listener.port = front, port
        self._fronts.add(front)

    def shut(self, listener: Listener) -> None:
        """Have a listener take no more requests; those under way are finished."""
        if listener.front is not None:
            listener.front.close_port()
            self.cloud.spawn(self._leave(listener.front))

    async def _leave(self, front: Front) -> None:
        await front.close(LEAVE_SECONDS)
        self._fronts.discard(front)

    async def close(self) -> None:
        """Answer nothing and check nothing any more."""
        for front in [*self._fronts]:
            await front.close()
        for made in ("_checks", "forwarding"):
            if made in vars(self):
                await getattr(self, made).close()

    # --- targets -----------------------------------------------------------------------------

    def settle(self) -> None:
        """See which target groups the rules name now, and check the targets of just those."""
        for group in self.target_groups.values():
            group.balancer = next(
                (
                    rule.listener.balancer
                    for rule in self.rules()
                    if group.arn in groups_of(rule.actions)
                ),
                None,
            )
            for target in group.targets.values():
                self._check(target)
        self.changed()

    def register(self, group: TargetGroup, target_id: str, port: int, zone: str) -> None:
        """Make something a target; a target that is just leaving comes back as a new one."""
        known = group.targets.get((target_id, port))
        if known is None or known.state == "draining":
            target = Target(group, target_id, port, zone)
            group.targets[target_id, port] = target
            self._check(target)
            self.changed()

    def _check(self, target: Target) -> None:
        """Begin or end its health checks, as its use demands."""
        if target.state == "draining":
            return
        if target.unused_because:
            self._checks.end(target)
            target.begin_again()
        else:
            self._checks.begin(target)

    def deregister(self, target: Target) -> None:
        """Give a target no more requests, and have it go when its time is up.

        A target without any request under way stays ``draining`` for as long: AWS shows it so, too.
        https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html#deregistration-delay
        """
        if target.state == "draining":
            return
        self._checks.end(target)
        was_unused = target.unused_because is not None
        target.become(
            "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
        )
        if was_unused:
            self.let_go(target)
        else:
            self.cloud.later(target.group.drain_seconds, self.let_go, target)
        self.changed()

    def let_go(self, target: Target) -> None:
        """End what is under way at a target, which is no target any more."""
        time = asyncio.get_running_loop().time()
        for limit in [*target.under_way]:
            limit.reschedule(time)
        targets = target.group.targets
        if targets.get((target.id, target.port)) is target:
            del targets[target.id, target.port]
        target.gone.set()
        self.changed()


def _its_own_address(target_id: str, port: int) -> tuple[str, int]:
    return target_id, port


def page(request: Json, found: Iterable[T], key: Callable[[T], str]) -> tuple[list[T], str | None]:
    """Cut a page out of a list, and give the marker that leads to the next one.

    Args:
        request: The request, with its ``PageSize`` and ``Marker``.
        found: All there is.
        key: What the list is sorted by, another one for each.

    Raises:
        AwsError: ``ValidationError``: the marker is none that came with an answer.
    """
    size = request.get("PageSize") or MOST_IN_A_PAGE
    try:
        return page_of([*found], request.get("Marker"), size, key)
    except ValueError:
        raise AwsError("ValidationError", "The marker is invalid") from None


def _refuse_other_arn(arn: str, kind: str, words: str) -> None:
    parts = arn.split(":")
    if parts[:3] != ["arn", "aws", "elasticloadbalancing"] or parts[-1].split("/")[0] != kind:
        raise AwsError("ValidationError", f"'{arn}' is not a valid {words} ARN")
