"""The records of Elastic Load Balancing: load balancers, listeners, rules, groups, targets.

Each record shows itself in AWS's words by ``shown()``: the members of botocore's model.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs.state import now, without_none

if TYPE_CHECKING:
    import datetime as dt

    from lab.aws.elb.front import Front

    Json = dict[str, Any]

__all__ = ["EVERY_ZONE", "Listener", "LoadBalancer", "Rule", "Target", "TargetGroup"]

EVERY_ZONE: Final = "all"


@dataclass(eq=False)
class LoadBalancer:
    """A load balancer: its name, its zones, and the listeners that answer for it.

    Attributes:
        zones: For each availability zone, its name and the subnet in it.
        groups: The ids of its security groups.
        listeners: By their ARNs, the oldest first.
    """

    name: str
    arn: str
    dns_name: str
    scheme: str
    vpc: str
    zones: list[Json]
    groups: list[str]
    attributes: dict[str, str]
    tags: list[Json]
    state: str = "provisioning"
    created_at: dt.datetime = field(default_factory=now)
    listeners: dict[str, Listener] = field(default_factory=dict)

    @property
    def zone_names(self) -> set[str]:
        """The names of its availability zones."""
        return {zone["ZoneName"] for zone in self.zones}

    def shown(self) -> Json:
        """Describe it in AWS's words."""
        return {
            "LoadBalancerArn": self.arn,
            "DNSName": self.dns_name,
            "CreatedTime": self.created_at,
            "LoadBalancerName": self.name,
            "Scheme": self.scheme,
            "VpcId": self.vpc,
            "State": {"Code": self.state},
            "Type": "application",
            "AvailabilityZones": [dict(zone) for zone in self.zones],
            "SecurityGroups": list(self.groups),
            "IpAddressType": "ipv4",
        }


@dataclass(eq=False)
class Rule:
    """A rule of a listener.

    Attributes:
        priority: From 1 on; nothing for the default rule, which comes last.
        credit: For each target group of a forward action, how much it is owed by its weight.
    """

    arn: str
    listener: Listener
    priority: int | None
    conditions: list[Json]
    actions: list[Json]
    tags: list[Json] = field(default_factory=list)
    credit: dict[str, int] = field(default_factory=dict)

    def shown(self) -> Json:
        """Describe it in AWS's words."""
        return {
            "RuleArn": self.arn,
            "Priority": "default" if self.priority is None else str(self.priority),
            "Conditions": list(self.conditions),
            "Actions": list(self.actions),
            "IsDefault": self.priority is None,
        }


@dataclass(eq=False)
class Listener:
    """A listener of a load balancer.

    Attributes:
        rules: In the order of their priorities, the default rule last.
        front: What answers at its port.
    """

    arn: str
    balancer: LoadBalancer
    port: int
    tags: list[Json]
    rules: list[Rule] = field(default_factory=list)
    front: Front | None = None

    @property
    def default(self) -> Rule:
        """The rule that is followed if no other one is met."""
        return self.rules[-1]

    def sort(self) -> None:
        """Put the rules into their order, after a priority has changed."""
        self.rules.sort(key=lambda rule: (rule.priority is None, rule.priority))

    def shown(self) -> Json:
        """Describe it in AWS's words."""
        return {
            "ListenerArn": self.arn,
            "LoadBalancerArn": self.balancer.arn,
            "Port": self.port,
            "Protocol": "HTTP",
            "DefaultActions": list(self.default.actions),
        }


@dataclass(eq=False)
class Target:
    """A target of a group, from its registration until it is drained.

    Attributes:
        zone: Its availability zone, or ``all``.
        state: ``initial``, ``healthy``, ``unhealthy`` or ``draining``.
        in_a_row: How many checks in a row have had another result than its state says.
        turn: When it had its last request; the one that waits longest is next.
        under_way: The time limits of its requests; who shortens one of them ends its request.
        gone: Is set once it is no target any more.
    """

    group: TargetGroup
    id: str
    port: int
    zone: str
    state: str = "initial"
    reason: str = "Elb.InitialHealthChecking"
    description: str = "Initial health checks in progress"
    in_a_row: int = 0
    turn: int = 0
    under_way: set[asyncio.Timeout] = field(default_factory=set)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def unused_because(self) -> str | None:
        """Why it gets neither requests nor checks, in AWS's words; nothing if it does."""
        balancer = self.group.balancer
        if balancer is None:
            return "Target group is not configured to receive traffic from the load balancer"
        if self.zone != EVERY_ZONE and self.zone not in balancer.zone_names:
            return "Target is in an Availability Zone that is not enabled for the load balancer"
        return None

    def become(self, state: str, reason: str = "", description: str = "") -> None:
        """Go over to another state of health, and say why."""
        self.state, self.reason, self.description = state, reason, description
        self.in_a_row = 0

    def begin_again(self) -> None:
        """Know nothing of its health: it was not checked for a while."""
        self.become("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")

    def health(self) -> Json:
        """Describe its health in AWS's words."""
        if self.state != "draining" and (why := self.unused_because):
            return {"State": "unused", "Reason": "Target.NotInUse", "Description": why}
        found = {"State": self.state, "Reason": self.reason, "Description": self.description}
        return {name: value for name, value in found.items() if value}

    def shown(self) -> Json:
        """Describe it with its health in AWS's words."""
        own = {"Id": self.id, "Port": self.port, "AvailabilityZone": self.zone}
        if self.group.kind == "instance":
            del own["AvailabilityZone"]
        return {
            "Target": own,
            "HealthCheckPort": str(self.group.check_port(self)),
            "TargetHealth": self.health(),
        }


@dataclass(eq=False)
class TargetGroup:
    """A target group: where requests may go, and how it is found out who can take them.

    Attributes:
        form: Its settings, in AWS's words, completed by the defaults.
        balancer: The load balancer whose rules name it, if there is one.
        targets: By id and port, the oldest first.
    """

    name: str
    arn: str
    form: Json
    attributes: dict[str, str]
    tags: list[Json]
    balancer: LoadBalancer | None = None
    targets: dict[tuple[str, int], Target] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """``instance`` or ``ip``."""
        return str(self.form["TargetType"])

    @property
    def drain_seconds(self) -> int:
        """How long a target that leaves may finish its requests."""
        return int(self.attributes["deregistration_delay.timeout_seconds"])

    def check_port(self, target: Target) -> int:
        """Tell at which port a target is checked."""
        port = self.form["HealthCheckPort"]
        return target.port if port == "traffic-port" else int(port)

    def shown(self) -> Json:
        """Describe it in AWS's words."""
        return without_none(
            {
                "TargetGroupArn": self.arn,
                "TargetGroupName": self.name,
                **self.form,
                "LoadBalancerArns": [self.balancer.arn] if self.balancer else [],
            }
        )
