"""The operations on target groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs.state import without_none
from lab.aws.elb.actions import groups_of
from lab.aws.elb.attributes import OF_GROUPS
from lab.aws.elb.names import refuse_bad_name
from lab.aws.elb.records import TargetGroup
from lab.aws.elb.state import page
from lab.aws.elb.tags import checked_tags
from lab.aws.errors import AwsError
from lab.aws.place import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.aws.elb.state import Elb

    Json = dict[str, Any]

__all__ = [
    "create_target_group",
    "delete_target_group",
    "describe_target_groups",
    "modify_target_group",
]

PROTOCOLS: Final = ("HTTP", "HTTPS")
KINDS: Final = ("instance", "ip")
# The timeout is 5 s in the guide and in answers of AWS, 6 s in the API's reference.
DEFAULTS: Final[Mapping[str, Any]] = {
    "HealthCheckProtocol": "HTTP",
    "HealthCheckPort": "traffic-port",
    "HealthCheckEnabled": True,
    "HealthCheckIntervalSeconds": 30,
    "HealthCheckTimeoutSeconds": 5,
    "HealthyThresholdCount": 5,
    "UnhealthyThresholdCount": 2,
    "HealthCheckPath": "/",
    "Matcher": {"HttpCode": "200"},
}
MOST_PORT: Final = 65535
LEAST_CODE, MOST_CODE = 200, 499


async def create_target_group(elb: Elb, request: Json) -> Json:
    """Create a target group; the same one again is the one that is there."""
    name = request["Name"]
    refuse_bad_name("Target group name", name)
    form = {
        "Protocol": request.get("Protocol"),
        "Port": request.get("Port"),
        "VpcId": request.get("VpcId"),
        **DEFAULTS,
        **{member: request[member] for member in DEFAULTS if request.get(member) is not None},
        "TargetType": request.get("TargetType") or "instance",
        "ProtocolVersion": request.get("ProtocolVersion") or "HTTP1",
        "IpAddressType": request.get("IpAddressType") or "ipv4",
    }
    _refuse_what_is_not_here(form)
    for member, words in (("Protocol", "protocol"), ("Port", "port"), ("VpcId", "VPC ID")):
        if not form[member]:
            raise AwsError("ValidationError", f"A {words} must be specified")
    if elb.sources.subnets_of(elb.place, form["VpcId"]) is None:
        raise AwsError("ValidationError", f"The VPC ID '{form['VpcId']}' is not found")
    _refuse_bad_checks(form)
    found = next((one for one in elb.target_groups.values() if one.name == name), None)
    if found:
        if found.form != form:
            raise AwsError(
                "DuplicateTargetGroupName",
                f"A target group with the same name '{name}' exists, but with different settings",
            )
        return {"TargetGroups": [found.shown()]}
    made = TargetGroup(
        name=name,
        arn=elb.place.arn("elasticloadbalancing", f"targetgroup/{name}/{new_id(16)}"),
        form=form,
        attributes=dict(OF_GROUPS),
        tags=checked_tags(request.get("Tags") or []),
    )
    elb.target_groups[made.arn] = made
    return {"TargetGroups": [made.shown()]}


def _refuse_what_is_not_here(form: Json) -> None:
    """Refuse what AWS has and this machine has not, in so many words."""
    here = {
        "TargetType": KINDS,
        "Protocol": (*PROTOCOLS, None),
        "HealthCheckProtocol": PROTOCOLS,
        "ProtocolVersion": ("HTTP1",),
        "IpAddressType": ("ipv4",),
        "HealthCheckEnabled": (True,),
    }
    for member, values in here.items():
        if form[member] not in values:
            choices = ", ".join(str(value) for value in values if value is not None)
            raise AwsError(
                "InvalidConfigurationRequest",
                f"On this machine {member} of a target group can be {choices} only, "
                f"not {form[member]}.",
            )


def _refuse_bad_checks(form: Json) -> None:
    timeout, interval = form["HealthCheckTimeoutSeconds"], form["HealthCheckIntervalSeconds"]
    if timeout >= interval:
        raise AwsError(
            "ValidationError",
            f"Health check timeout '{timeout}' must be smaller than the interval '{interval}'",
        )
    if not form["HealthCheckPath"].startswith("/"):
        raise AwsError(
            "ValidationError",
            f"Health check path '{form['HealthCheckPath']}' must begin with a '/' character",
        )
    port = form["HealthCheckPort"]
    is_number = re.fullmatch(r"\d{1,5}", port) is not None
    if port != "traffic-port" and not (is_number and 1 <= int(port) <= MOST_PORT):
        raise AwsError(
            "ValidationError",
            f"Health check port '{port}' must be 'traffic-port' or in the range 1-65535",
        )
    _refuse_bad_matcher(form["Matcher"].get("HttpCode") or "")


def _refuse_bad_matcher(matcher: str) -> None:
    for part in matcher.split(","):
        if not re.fullmatch(r"\d{3}(-\d{3})?", part):
            raise AwsError("ValidationError", f"Health check matcher '{matcher}' is not valid")
        codes = [int(code) for code in part.split("-")]
        for code in codes:
            if not LEAST_CODE <= code <= MOST_CODE:
                raise AwsError(
                    "ValidationError",
                    f"Health check matcher HTTP code '{code}' must be within "
                    f"'{LEAST_CODE}-{MOST_CODE}' inclusive",
                )
        if codes != sorted(codes):
            raise AwsError("ValidationError", f"Health check matcher '{matcher}' is not valid")


async def describe_target_groups(elb: Elb, request: Json) -> Json:
    """Describe target groups by ARNs, by names, or by their load balancer, or all of them."""
    found = list(elb.target_groups.values())
    if arns := request.get("TargetGroupArns"):
        found = [elb.group(arn) for arn in arns]
    elif names := request.get("Names"):
        by_name = {one.name: one for one in found}
        if any(name not in by_name for name in names):
            raise AwsError("TargetGroupNotFound", "One or more target groups not found")
        found = [by_name[name] for name in names]
    elif arn := request.get("LoadBalancerArn"):
        balancer = elb.balancer(arn)
        found = [one for one in found if one.balancer is balancer]
    some, marker = page(request, found, lambda one: one.name)
    return without_none({"TargetGroups": [one.shown() for one in some], "NextMarker": marker})


async def modify_target_group(elb: Elb, request: Json) -> Json:
    """Change the health checks of a target group."""
    group = elb.group(request["TargetGroupArn"])
    given = {member: request[member] for member in DEFAULTS if request.get(member) is not None}
    form = group.form | given
    _refuse_what_is_not_here(form)
    _refuse_bad_checks(form)
    group.form = form
    return {"TargetGroups": [group.shown()]}


async def delete_target_group(elb: Elb, request: Json) -> Json:
    """Delete a target group that no rule names; that it is gone already is no error."""
    group = elb.target_groups.get(request["TargetGroupArn"])
    if group is None:
        return {}
    if any(group.arn in groups_of(rule.actions) for rule in elb.rules()):
        raise AwsError(
            "ResourceInUse",
            f"Target group '{group.arn}' is currently in use by a listener or a rule",
        )
    del elb.target_groups[group.arn]
    for target in [*group.targets.values()]:
        elb.let_go(target)
    return {}
