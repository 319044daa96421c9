"""The operations on rules."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs.state import without_none
from lab.aws.elb.actions import completed
from lab.aws.elb.conditions import checked
from lab.aws.elb.listeners import new_rule_arn
from lab.aws.elb.records import Rule
from lab.aws.elb.state import page
from lab.aws.elb.tags import checked_tags
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.elb.records import Listener
    from lab.aws.elb.state import Elb

    Json = dict[str, Any]

__all__ = ["create_rule", "delete_rule", "describe_rules", "modify_rule", "set_rule_priorities"]

MOST_RULES: Final = 100
# The default rule stands behind all others.
LAST: Final = 50001


async def create_rule(elb: Elb, request: Json) -> Json:
    """Create a rule of a listener."""
    listener = elb.listener(request["ListenerArn"])
    _refuse_transforms(request)
    priority = request["Priority"]
    conditions = checked(request["Conditions"])
    actions = completed(elb, request["Actions"], listener.balancer)
    if priority in _priorities(listener):
        raise AwsError("PriorityInUse", f"Priority '{priority}' is currently in use")
    if len(listener.rules) > MOST_RULES:
        raise AwsError("TooManyRules", f"A load balancer can have at most {MOST_RULES} rules")
    made = Rule(
        new_rule_arn(listener),
        listener,
        priority,
        conditions,
        actions,
        checked_tags(request.get("Tags") or []),
    )
    listener.rules.append(made)
    listener.sort()
    elb.settle()
    return {"Rules": [made.shown()]}


def _refuse_transforms(request: Json) -> None:
    if request.get("Transforms"):
        raise AwsError(
            "InvalidConfigurationRequest", "The load balancer on this machine has no transforms."
        )


def _priorities(listener: Listener) -> dict[int, Rule]:
    return {rule.priority: rule for rule in listener.rules if rule.priority is not None}


async def describe_rules(elb: Elb, request: Json) -> Json:
    """Describe rules by their ARNs, or those of a listener."""
    if arns := request.get("RuleArns"):
        found = [elb.rule(arn) for arn in arns]
    elif arn := request.get("ListenerArn"):
        found = elb.listener(arn).rules
    else:
        raise AwsError(
            "ValidationError", "You must specify either listener rule ARNs or a listener ARN"
        )
    some, marker = page(request, found, lambda one: f"{one.priority or LAST:05}{one.arn}")
    return without_none({"Rules": [one.shown() for one in some], "NextMarker": marker})


async def modify_rule(elb: Elb, request: Json) -> Json:
    """Change the conditions or the actions of a rule."""
    rule = elb.rule(request["RuleArn"])
    _refuse_default(rule, "modified")
    _refuse_transforms(request)
    if not request.get("Conditions") and not request.get("Actions"):
        raise AwsError("ValidationError", "Either conditions or actions must be specified")
    conditions, actions = rule.conditions, rule.actions
    if request.get("Conditions"):
        conditions = checked(request["Conditions"])
    if request.get("Actions"):
        actions = completed(elb, request["Actions"], rule.listener.balancer)
        rule.credit = {}
    rule.conditions, rule.actions = conditions, actions
    elb.settle()
    return {"Rules": [rule.shown()]}


async def delete_rule(elb: Elb, request: Json) -> Json:
    """Delete a rule; a listener's default rule goes with the listener only."""
    rule = elb.rule(request["RuleArn"])
    _refuse_default(rule, "deleted")
    rule.listener.rules.remove(rule)
    elb.settle()
    return {}


async def set_rule_priorities(elb: Elb, request: Json) -> Json:
    """Give rules other priorities, all at once."""
    wanted = {elb.rule(one["RuleArn"]): one["Priority"] for one in request["RulePriorities"]}
    for rule in wanted:
        _refuse_default(rule, "modified")
    pairs = [(rule.listener.arn, priority) for rule, priority in wanted.items()]
    for (_, priority), count in Counter(pairs).items():
        if count > 1:
            raise AwsError("ValidationError", f"Priority '{priority}' was provided multiple times")
    for rule, priority in wanted.items():
        holder = _priorities(rule.listener).get(priority)
        if holder is not None and holder not in wanted:
            raise AwsError("PriorityInUse", f"Priority '{priority}' is currently in use")
    for rule, priority in wanted.items():
        rule.priority = priority
        rule.listener.sort()
    return {"Rules": [rule.shown() for rule in wanted]}


def _refuse_default(rule: Rule, done: str) -> None:
    if rule.priority is None:
        raise AwsError("OperationNotPermitted", f"Default rule '{rule.arn}' cannot be {done}")
