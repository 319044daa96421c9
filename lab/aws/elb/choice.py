"""Chooses where a request goes: the rule, the target group of the rule, the target of the group.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html#modify-routing-algorithm
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Final

from lab.aws.elb.conditions import are_met

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lab.aws.elb.conditions import Asked
    from lab.aws.elb.records import Listener, Rule, Target, TargetGroup

__all__ = ["group_for", "rule_for", "target_for"]

UNHEALTHY: Final = "target_group_health.unhealthy_state_routing.minimum_healthy_targets"


def rule_for(listener: Listener, asked: Asked) -> Rule:
    """Find the first rule whose conditions a request meets; the default rule has none."""
    return next(rule for rule in listener.rules if are_met(rule.conditions, asked))


def group_for(rule: Rule) -> str | None:
    """Choose one of the target groups of a rule by their weights, and give its ARN.

    The requests go round by the weights, so that of ten requests just one goes to a group of the
    weight 1 beside one of the weight 9. AWS throws dice: there, that is so only on the average.

    Returns:
        Nothing if no group has a weight.
    """
    groups = rule.actions[0]["ForwardConfig"]["TargetGroups"]
    weights = {group["TargetGroupArn"]: group["Weight"] for group in groups if group["Weight"]}
    if not weights:
        return None
    for arn, weight in weights.items():
        rule.credit[arn] = rule.credit.get(arn, 0) + weight
    best: str = max(weights, key=lambda arn: rule.credit[arn])
    rule.credit[best] -= sum(weights.values())
    return best


def target_for(group: TargetGroup, turn: int, without: set[Target]) -> Target | None:
    """Choose a target: a healthy one, or any one if too few are healthy.

    Args:
        group: The target group.
        turn: A number that is higher than at the request before.
        without: The targets that were tried already.
    """
    there = [
        target
        for target in group.targets.values()
        if target.state != "draining" and target.unused_because is None
    ]
    healthy = [target for target in there if target.state == "healthy"]
    candidates = healthy if len(healthy) >= _least(group, len(there)) else there
    left = [target for target in candidates if target not in without]
    if not left:
        return None
    order = ORDERS[group.attributes["load_balancing.algorithm.type"]]
    chosen = min(left, key=order)
    chosen.turn = turn
    return chosen


def _least(group: TargetGroup, count: int) -> int:
    """Tell how many targets must be healthy, so that the others get no request."""
    share = group.attributes[f"{UNHEALTHY}.percentage"]
    by_share = 0 if share == "off" else math.ceil(count * int(share) / 100)
    return max(int(group.attributes[f"{UNHEALTHY}.count"]), by_share)


ORDERS: Final[Mapping[str, Callable[[Target], tuple[float, int]]]] = {
    "round_robin": lambda target: (0, target.turn),
    "least_outstanding_requests": lambda target: (len(target.under_way), target.turn),
    "weighted_random": lambda target: (random.random(), target.turn),  # noqa: S311  # no secret
}
