"""The actions of rules: whether they are well formed, and what AWS fills in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.elb.records import LoadBalancer
    from lab.aws.elb.state import Elb

    Json = dict[str, Any]

__all__ = ["completed", "groups_of"]

MOST_GROUPS: Final = 5
MOST_WEIGHT: Final = 999
MOST_PORT: Final = 65535
CONTENT_TYPES: Final = (
    "text/plain",
    "text/css",
    "text/html",
    "application/javascript",
    "application/json",
)
# What a redirect keeps of the address where nothing else is said.
KEPT: Final = {
    "Protocol": "#{protocol}",
    "Port": "#{port}",
    "Host": "#{host}",
    "Path": "/#{path}",
    "Query": "#{query}",
}


def groups_of(actions: list[Json]) -> list[str]:
    """Name the target groups that actions forward to.

    Example:
        >>> groups_of([{"ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "arn:a"}]}}])
        ['arn:a']
    """
    return [
        group["TargetGroupArn"]
        for action in actions
        for group in action.get("ForwardConfig", {}).get("TargetGroups", [])
    ]


def completed(elb: Elb, actions: list[Json], balancer: LoadBalancer) -> list[Json]:
    """Refuse actions that a rule of a load balancer can't have, and complete the others.

    Raises:
        AwsError: ``ValidationError``, ``InvalidLoadBalancerAction``, ``TargetGroupNotFound`` or
            another one of AWS's refusals.
    """
    for action in actions:
        if action["Type"] in ("authenticate-oidc", "authenticate-cognito", "jwt-validation"):
            raise AwsError(
                "InvalidLoadBalancerAction",
                f"Actions of type '{action['Type']}' are supported only on HTTPS listeners",
            )
    if len(actions) != 1:
        raise AwsError(
            "InvalidLoadBalancerAction",
            "A rule must have exactly one action of the following types: "
            "[forward, redirect, fixed-response]",
        )
    complete = {"forward": _forward, "redirect": _redirect, "fixed-response": _fixed}
    [action] = actions
    return [complete[action["Type"]](elb, action, balancer)]


def _forward(elb: Elb, action: Json, balancer: LoadBalancer) -> Json:
    config, single = action.get("ForwardConfig") or {}, action.get("TargetGroupArn")
    groups = config.get("TargetGroups") or ([{"TargetGroupArn": single}] if single else [])
    if not groups:
        raise AwsError(
            "ValidationError", "A target group ARN must be specified for an action of type forward"
        )
    if single and [group["TargetGroupArn"] for group in groups] != [single]:
        raise AwsError(
            "InvalidLoadBalancerAction",
            "You can specify only one target group in ForwardConfig if you specify TargetGroupArn, "
            "and it must be the same one",
        )
    if len(groups) > MOST_GROUPS:
        raise AwsError(
            "TooManyUniqueTargetGroupsPerLoadBalancer",
            f"An action can forward to at most {MOST_GROUPS} target groups",
        )
    if (config.get("TargetGroupStickinessConfig") or {}).get("Enabled"):
        raise AwsError(
            "InvalidConfigurationRequest",
            "The load balancer on this machine has no stickiness of target groups.",
        )
    for group in groups:
        _refuse_group(elb, group["TargetGroupArn"], balancer)
        if not 0 <= group.get("Weight", 1) <= MOST_WEIGHT:
            raise AwsError(
                "ValidationError",
                f"Target group weight '{group['Weight']}' must be between 0 and {MOST_WEIGHT}",
            )
    whole = {
        "TargetGroups": [{"Weight": 1} | group for group in groups],
        "TargetGroupStickinessConfig": {"Enabled": False},
    }
    action = {**action, "ForwardConfig": whole}
    if len(groups) == 1:
        action["TargetGroupArn"] = groups[0]["TargetGroupArn"]
    return action


def _refuse_group(elb: Elb, arn: str, balancer: LoadBalancer) -> None:
    found = elb.target_groups.get(arn)
    if found is None:
        raise AwsError("TargetGroupNotFound", f"Target group '{arn}' not found")
    if found.balancer not in (None, balancer):
        raise AwsError(
            "TargetGroupAssociationLimit",
            "The following target groups cannot be associated with more than one load balancer: "
            f"{arn}",
        )
    if found.form["VpcId"] != balancer.vpc:
        raise AwsError(
            "InvalidConfigurationRequest",
            f"The following target groups are in a different VPC than load balancer "
            f"'{balancer.arn}': {arn}",
        )


def _redirect(_elb: Elb, action: Json, _balancer: LoadBalancer) -> Json:
    given = action.get("RedirectConfig")
    if not given:
        raise AwsError(
            "ValidationError", "A redirect config must be specified for an action of type redirect"
        )
    config = KEPT | given
    port = config["Port"]
    is_number = port.isdecimal() and 1 <= int(port) <= MOST_PORT
    if not is_number and port != "#{port}":
        raise AwsError("ValidationError", f"The redirect port '{port}' is not valid")
    if not config["Path"].startswith("/"):
        raise AwsError("ValidationError", "The redirect path must begin with a '/' character")
    if all(config[name] == KEPT[name] for name in ("Protocol", "Port", "Host", "Path")):
        raise AwsError(
            "InvalidLoadBalancerAction",
            "The redirect configuration is not valid because it creates a loop.",
        )
    return {**action, "RedirectConfig": config}


def _fixed(_elb: Elb, action: Json, _balancer: LoadBalancer) -> Json:
    config = action.get("FixedResponseConfig")
    if not config:
        raise AwsError(
            "ValidationError",
            "A fixed response config must be specified for an action of type fixed-response",
        )
    kind = config.get("ContentType")
    if kind and kind not in CONTENT_TYPES:
        raise AwsError(
            "ValidationError",
            f"The content type '{kind}' must be one of [{', '.join(CONTENT_TYPES)}]",
        )
    return dict(action)
