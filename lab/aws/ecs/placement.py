"""Chooses the container instances for tasks: who can take a task, and who of those shall.

First come the conditions: the agent answers, the zone fits, the constraints hold, and there is
room. Of the instances that are left, each strategy keeps the best, one strategy after the other.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement.html
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lab.aws.agent.containers import overridden
from lab.aws.ecs.hosts import Need, need_of
from lab.aws.ecs.query import parsed
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lab.aws.ecs.hosts import Host
    from lab.aws.ecs.state import Cluster, Ecs, TaskDefinition

    Json = dict[str, Any]

__all__ = [
    "NO_HOST",
    "Wish",
    "fits_constraints",
    "place_on_hosts",
    "refuse_bad_placement",
    "why_no_room",
    "why_not",
    "wish_of",
]

MOST_STRATEGIES: Final = 5
MOST_CONSTRAINTS: Final = 10
NO_HOST: Final = "No Container Instances were found in your cluster."
MEMBER_OF: Final = "MemberOf placement constraint unsatisfied."
DISTINCT: Final = "DistinctInstance placement constraint unsatisfied."
# What stands in the way of a task, in the order in which it is looked at: who fails late is near.
REASONS: Final = (
    "AGENT",
    "LOCATION",
    "ATTRIBUTE",
    MEMBER_OF,
    DISTINCT,
    "RESOURCE:CPU",
    "RESOURCE:MEMORY",
    "RESOURCE:PORTS",
    "RESOURCE:ENI",
)
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
IN_EVENTS: Final = {
    "RESOURCE:CPU": "has insufficient CPU units available",
    "RESOURCE:MEMORY": "has insufficient memory available",
    "RESOURCE:PORTS": "is already using a port required by your task",
}
SPREAD_OVER_ZONES: Final = [{"type": "spread", "field": "attribute:ecs.availability-zone"}]


@dataclass
class Wish:
    """What is to be placed.

    Attributes:
        need: What one task takes.
        group: The task group: the tasks among which they spread and keep their distance.
        zones: The zones of the subnets that the tasks may be in; any if there are none.
        attributes: What an instance must have for the definition.
        strategies: AWS's ``placementStrategy``.
        constraints: AWS's ``placementConstraints``, of the request and of the definition.
        planned: The instances that were chosen already, one for each task.
    """

    need: Need
    group: str
    zones: set[str]
    attributes: set[str]
    strategies: list[Json]
    constraints: list[Json]
    planned: list[Host] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.conditions = [
            parsed(one["expression"]) for one in self.constraints if one["type"] == "memberOf"
        ]
        self.is_distinct = any(one["type"] == "distinctInstance" for one in self.constraints)

    def tasks_at(self, host: Host) -> int:
        """Count the tasks of the group on an instance, with those that are to come."""
        there = sum(t.group == self.group and t.desired == "RUNNING" for t in host.live)
        return there + self.planned.count(host)


def place_on_hosts(
    ecs: Ecs, cluster: Cluster, definition: TaskDefinition, count: int, request: Json
) -> tuple[list[Host], list[Json]]:
    """Choose an instance for each of several tasks.

    Args:
        ecs: The state.
        cluster: Whose instances.
        definition: The task definition.
        count: How many tasks.
        request: The request of RunTask, or the settings of a service.

    Returns:
        The instances, one for each task that has a place, and a failure for each that has none:
        with the instance that came nearest, and the reason why it was not taken.
    """
    wish = wish_of(ecs, definition, request)
    hosts = [host for host in ecs.hosts_of(cluster) if host.status == "ACTIVE"]
    failures: list[Json] = []
    for _ in range(count):
        reasons = {host: why_not(host, wish) for host in hosts}
        free = [host for host, reason in reasons.items() if reason is None]
        if free:
            wish.planned.append(_chosen(free, wish))
        elif hosts:
            nearest = max(hosts, key=lambda host: REASONS.index(reasons[host] or REASONS[0]))
            failures.append({"arn": nearest.arn, "reason": reasons[nearest]})
        else:
            failures.append({"reason": NO_HOST})
    return wish.planned, failures


def wish_of(ecs: Ecs, definition: TaskDefinition, request: Json) -> Wish:
    """Put together what the request and the task definition ask for."""
    overrides = request.get("overrides") or {}
    changed = {one["name"]: one for one in overrides.get("containerOverrides") or []}
    containers = [overridden(one, changed.get(one["name"], {})) for one in definition.containers]
    name = request.get("serviceName")
    group = f"service:{name}" if name else request.get("group") or f"family:{definition.family}"
    network = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    zones = {
        str(ecs.sources.subnet_of(ecs.place, subnet)["zone"])
        for subnet in network.get("subnets") or []
    }
    return Wish(
        need=need_of(definition, containers, overrides),
        group=group,
        zones=zones,
        attributes={one["name"] for one in definition.form.get("requiresAttributes") or []},
        # Where nothing is said, a service spreads over the zones, and RunTask takes any.
        strategies=request.get("placementStrategy") or (SPREAD_OVER_ZONES if name else []),
        constraints=[
            *(request.get("placementConstraints") or []),
            *(definition.form.get("placementConstraints") or []),
        ],
    )


def why_not(host: Host, wish: Wish) -> str | None:
    """Say why an instance can't take one more task; nothing if it can."""
    need, coming = wish.need, wish.planned.count(host)
    needs = list(host.needs())
    taken = {
        "RESOURCE:CPU": (sum(n.cpu for n in needs) + (coming + 1) * need.cpu, host.cpu),
        "RESOURCE:MEMORY": (sum(n.memory for n in needs) + (coming + 1) * need.memory, host.memory),
        "RESOURCE:ENI": (
            sum(n.interfaces for n in needs) + (coming + 1) * need.interfaces,
            host.interfaces if need.interfaces else 1 << 30,
        ),
    }
    ports_taken = any(number in host.ports(kind) for kind, number in need.ports)
    stands_in_the_way = {
        "AGENT": not host.agent_connected,
        "LOCATION": bool(wish.zones) and host.zone not in wish.zones,
        "ATTRIBUTE": not wish.attributes <= host.attributes.keys(),
        MEMBER_OF: not fits_constraints(host, wish),
        DISTINCT: wish.is_distinct and wish.tasks_at(host) > 0,
        "RESOURCE:PORTS": bool(need.ports) and (coming > 0 or ports_taken),
        **{reason: wanted > there for reason, (wanted, there) in taken.items()},
    }
    return next((reason for reason in REASONS if stands_in_the_way[reason]), None)


def fits_constraints(host: Host, wish: Wish) -> bool:
    """Tell whether all expressions hold for an instance."""
    return all(condition(host) for condition in wish.conditions)


def why_no_room(failure: Json) -> str:
    """Say in the words of a service's events why a task has no place."""
    if "arn" not in failure:
        return f"Reason: {failure['reason']}"
    reason = failure["reason"]
    name = failure["arn"].rpartition("/")[2]
    said = IN_EVENTS.get(reason, f'encountered error "{reason}"')
    return f"The closest matching (container-instance {name}) {said}."


def _chosen(hosts: list[Host], wish: Wish) -> Host:
    for strategy in wish.strategies:
        score = _score(strategy, hosts, wish)
        best = min(score(host) for host in hosts)
        hosts = [host for host in hosts if score(host) == best]
    return random.choice(hosts)  # noqa: S311  # no secret: one is as good as another


def _score(strategy: Json, hosts: list[Host], wish: Wish) -> Callable[[Host], float]:
    """Give what a strategy wants to be small: tasks that are there already, or what is left."""
    if strategy["type"] == "random":
        return lambda _host: 0
    if strategy["type"] == "spread":
        there: Counter[str | None] = Counter()
        for host in hosts:
            there[_value(host, strategy["field"])] += wish.tasks_at(host)
        return lambda host: there[_value(host, strategy["field"])]
    if strategy["field"].lower() == "cpu":
        return lambda host: (
            host.cpu
            - sum(need.cpu for need in host.needs())
            - wish.planned.count(host) * wish.need.cpu
        )
    return lambda host: (
        host.memory
        - sum(need.memory for need in host.needs())
        - wish.planned.count(host) * wish.need.memory
    )


def _value(host: Host, name: str) -> str | None:
    if name in ("instanceId", "host"):
        return host.instance_id
    return host.attributes.get(name.removeprefix("attribute:"))


def refuse_bad_placement(definition: TaskDefinition, request: Json, launch_type: str) -> None:
    """Refuse strategies and constraints that AWS does not accept.

    Args:
        definition: The task definition, which may have constraints, too.
        request: The request of RunTask, or the settings of a service.
        launch_type: What the tasks run on.

    Raises:
        AwsError: ``InvalidParameterException``.
    """
    strategies = request.get("placementStrategy") or []
    constraints = request.get("placementConstraints") or []
    if launch_type == "FARGATE":
        for what, given in (("strategies", strategies), ("constraints", constraints)):
            if given:
                raise _bad(f"Placement {what} are not supported with FARGATE launch type.")
    if strategies and request.get("schedulingStrategy") == "DAEMON":
        raise _bad("Placement strategies are not supported for the DAEMON scheduling strategy.")
    if len(strategies) > MOST_STRATEGIES:
        raise _bad(f"A maximum of {MOST_STRATEGIES} strategy rules is allowed.")
    if len(constraints) > MOST_CONSTRAINTS:
        raise _bad(f"A maximum of {MOST_CONSTRAINTS} constraints is allowed.")
    _refuse_bad_strategies(strategies)
    _refuse_bad_constraints([*constraints, *(definition.form.get("placementConstraints") or [])])


def _refuse_bad_strategies(strategies: Iterable[Json]) -> None:
    for one in strategies:
        kind, name = one.get("type"), one.get("field") or ""
        if kind is None:
            raise _bad("The type of a placement strategy is required.")
        if kind == "binpack" and name.lower() not in ("cpu", "memory"):
            raise _bad(f"The field {name!r} is not valid for binpack: use cpu or memory.")
        if kind == "spread" and not (
            name in ("instanceId", "host") or name.removeprefix("attribute:") not in ("", name)
        ):
            raise _bad(
                f"The field {name!r} is not valid for spread: use instanceId, host or "
                "attribute:name."
            )


def _refuse_bad_constraints(constraints: Iterable[Json]) -> None:
    for one in constraints:
        kind, expression = one.get("type"), one.get("expression")
        if kind is None:
            raise _bad("The type of a placement constraint is required.")
        if kind == "distinctInstance" and expression:
            raise _bad("An expression can't be specified for the constraint distinctInstance.")
        if kind == "memberOf" and not expression:
            raise _bad("An expression is required for the constraint memberOf.")
        if expression:
            parsed(expression)


def _bad(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)
