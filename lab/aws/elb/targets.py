"""The operations on targets: register, deregister, and tell how they are."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.elb.records import TargetGroup
    from lab.aws.elb.state import Elb

    Json = dict[str, Any]

__all__ = ["deregister_targets", "describe_target_health", "register_targets", "zone_of_instance"]

# Where a target may be: a VPC's own ranges, and what AWS can reach from there.
PRIVATE: Final = tuple(
    ipaddress.ip_network(one)
    for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)


async def register_targets(elb: Elb, request: Json) -> Json:
    """Register targets, all of them or none."""
    group = elb.group(request["TargetGroupArn"])
    found = [
        (one["Id"], one.get("Port") or group.form["Port"], _zone(elb, group, one))
        for one in request["Targets"]
    ]
    for target_id, port, zone in found:
        elb.register(group, target_id, port, zone)
    return {}


def _zone(elb: Elb, group: TargetGroup, target: Json) -> str:
    """Look at a target, and tell in which availability zone it is."""
    if group.kind == "instance":
        return zone_of_instance(elb, group, target["Id"])
    return _zone_of_address(elb, group, target["Id"], target.get("AvailabilityZone"))


def zone_of_instance(elb: Elb, group: TargetGroup, instance_id: str) -> str:
    """Tell in which availability zone an instance is.

    Raises:
        AwsError: ``InvalidTarget``: it does not run, or is in another VPC.
    """
    found = elb.sources.instance_of(elb.place, instance_id)
    if found is None or found["state"] != "running":
        raise AwsError(
            "InvalidTarget",
            "The following targets are not in a running state and cannot be registered: "
            f"'{instance_id}'",
        )
    if found["vpc"] != group.form["VpcId"]:
        raise AwsError(
            "InvalidTarget",
            "The following targets are not in the target group VPC "
            f"'{group.form['VpcId']}': '{instance_id}'",
        )
    return str(found["zone"])


def _zone_of_address(elb: Elb, group: TargetGroup, address: str, zone: str | None) -> str:
    try:
        wanted = ipaddress.IPv4Address(address)
    except ValueError:
        raise AwsError(
            "ValidationError", f"The IP address '{address}' is not a valid IPv4 address"
        ) from None
    own = elb.zone_of(group.form["VpcId"], address)
    if own is None:
        if not any(wanted in one for one in PRIVATE):
            raise AwsError(
                "ValidationError",
                f"The IP address '{address}' is not in a private range and can't be a target",
            )
        if zone is None:
            raise AwsError(
                "ValidationError",
                f"The Availability Zone is required for IP address '{address}' because it is not "
                "in the VPC",
            )
        return zone
    if zone not in (None, own):
        raise AwsError(
            "ValidationError",
            f"The IP address '{address}' is within the VPC, and cannot have its Availability Zone "
            f"overridden to '{zone}' from '{own}'",
        )
    return own


async def deregister_targets(elb: Elb, request: Json) -> Json:
    """Take targets out of a group; that one is not there is no error."""
    group = elb.group(request["TargetGroupArn"])
    for one in request["Targets"]:
        if target := group.targets.get((one["Id"], one.get("Port") or group.form["Port"])):
            elb.deregister(target)
    return {}


async def describe_target_health(elb: Elb, request: Json) -> Json:
    """Tell how the targets of a group are, or some of them."""
    group = elb.group(request["TargetGroupArn"])
    shown = [target.shown() for target in group.targets.values()]
    if wanted := request.get("Targets"):
        shown = []
        for one in wanted:
            port = one.get("Port") or group.form["Port"]
            target = group.targets.get((one["Id"], port))
            shown.append(target.shown() if target else _unknown(one["Id"], port))
    if request.get("Include"):
        shown = [
            one | {"AnomalyDetection": {"Result": "normal", "MitigationInEffect": "no"}}
            for one in shown
        ]
    return {"TargetHealthDescriptions": shown}


def _unknown(target_id: str, port: int) -> Json:
    return {
        "Target": {"Id": target_id, "Port": port},
        "HealthCheckPort": str(port),
        "TargetHealth": {
            "State": "unused",
            "Reason": "Target.NotRegistered",
            "Description": "Target is not registered to the target group",
        },
    }
