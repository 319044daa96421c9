"""The operations on load balancers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs.state import without_none
from lab.aws.elb.attributes import OF_BALANCERS
from lab.aws.elb.names import refuse_bad_name
from lab.aws.elb.records import LoadBalancer
from lab.aws.elb.state import page
from lab.aws.elb.tags import checked_tags
from lab.aws.errors import AwsError
from lab.aws.place import new_id

if TYPE_CHECKING:
    from lab.aws.elb.state import Elb

    Json = dict[str, Any]

__all__ = [
    "create_load_balancer",
    "delete_load_balancer",
    "describe_account_limits",
    "describe_load_balancers",
    "set_ip_address_type",
    "set_security_groups",
    "set_subnets",
]

# AWS makes a name of its own for each, which a name server knows. Of the names that lead to this
# machine without one, only this one does so everywhere: "*.localhost" does in browsers and in curl,
# but not in every system's resolver. So load balancers differ by the ports of their listeners.
DNS_NAME: Final = "localhost"
LEAST_ZONES: Final = 2
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
LIMITS: Final = {
    "application-load-balancers": "50",
    "condition-values-per-alb-rule": "5",
    "listeners-per-application-load-balancer": "50",
    "rules-per-application-load-balancer": "100",
    "target-groups": "3000",
    "target-groups-per-action-on-application-load-balancer": "5",
    "target-groups-per-application-load-balancer": "100",
    "targets-per-application-load-balancer": "1000",
}


async def create_load_balancer(elb: Elb, request: Json) -> Json:
    """Create an application load balancer; the same one again is the one that is there."""
    kind = request.get("Type") or "application"
    if kind != "application":
        raise AwsError(
            "InvalidConfigurationRequest",
            f"On this machine there are load balancers of the type application only, not {kind}.",
        )
    if (request.get("IpAddressType") or "ipv4") != "ipv4":
        raise AwsError(
            "InvalidConfigurationRequest", "A load balancer on this machine has IPv4 only."
        )
    name = request["Name"]
    refuse_bad_name("The load balancer name", name)
    if name.startswith("internal-"):
        raise AwsError(
            "ValidationError", f"The load balancer name '{name}' cannot begin with 'internal-'"
        )
    vpc, zones = _zones(elb, request)
    groups = _security_groups(elb, vpc, request.get("SecurityGroups"))
    scheme = request.get("Scheme") or "internet-facing"
    found = next((one for one in elb.balancers.values() if one.name == name), None)
    if found:
        if (found.scheme, found.zones, found.groups) != (scheme, zones, groups):
            raise AwsError(
                "DuplicateLoadBalancerName",
                f"A load balancer with the same name '{name}' exists, but with different settings",
            )
        return {"LoadBalancers": [found.shown()]}
    made = LoadBalancer(
        name=name,
        arn=elb.place.arn("elasticloadbalancing", f"loadbalancer/app/{name}/{new_id(16)}"),
        dns_name=DNS_NAME,
        scheme=scheme,
        vpc=vpc,
        zones=zones,
        groups=groups,
        attributes=dict(OF_BALANCERS),
        tags=checked_tags(request.get("Tags") or []),
    )
    elb.balancers[made.arn] = made
    answer = {"LoadBalancers": [made.shown()]}
    # Nothing has to be made for it but listeners: who looks again finds it ready.
    made.state = "active"
    return answer


def _zones(elb: Elb, request: Json) -> tuple[str, list[Json]]:
    """Find the VPC and the availability zones of the subnets that a request names."""
    mapped = [one.get("SubnetId") for one in request.get("SubnetMappings") or []]
    wanted = list(dict.fromkeys(request.get("Subnets") or mapped))
    if request.get("Subnets") and mapped:
        raise AwsError(
            "ValidationError", "You must specify either subnets or subnet mappings, but not both"
        )
    subnets = {}
    for subnet_id in wanted:
        found = elb.sources.subnet_of(elb.place, subnet_id)
        if found is None:
            raise AwsError("SubnetNotFound", f"The subnet ID '{subnet_id}' does not exist")
        subnets[subnet_id] = found
    names = [subnet["zone"] for subnet in subnets.values()]
    if len(set(names)) < len(names):
        raise AwsError(
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    if len(names) < LEAST_ZONES:
        raise AwsError(
            "ValidationError",
            "At least two subnets in two different Availability Zones must be specified",
        )
    vpcs = {subnet["vpc"] for subnet in subnets.values()}
    if len(vpcs) > 1:
        raise AwsError("InvalidConfigurationRequest", "All subnets must be in the same VPC")
    zones = [
        {"ZoneName": subnet["zone"], "SubnetId": subnet_id, "LoadBalancerAddresses": []}
        for subnet_id, subnet in subnets.items()
    ]
    return str(vpcs.pop()), sorted(zones, key=lambda zone: str(zone["ZoneName"]))


def _security_groups(elb: Elb, vpc: str, wanted: list[str] | None) -> list[str]:
    known = elb.sources.security_groups_of(elb.place, vpc)
    unknown = [group for group in wanted or [] if group not in known]
    if unknown:
        raise AwsError(
            "InvalidSecurityGroup", f"The security group ID '{unknown[0]}' does not exist"
        )
    return wanted or [group for group, name in known.items() if name == "default"]


async def describe_load_balancers(elb: Elb, request: Json) -> Json:
    """Describe load balancers by their ARNs or names, or all of them."""
    found = list(elb.balancers.values())
    if arns := request.get("LoadBalancerArns"):
        found = [elb.balancer(arn) for arn in arns]
    elif names := request.get("Names"):
        by_name = {one.name: one for one in found}
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise AwsError(
                "LoadBalancerNotFound", f"Load balancers '[{', '.join(unknown)}]' not found"
            )
        found = [by_name[name] for name in names]
    some, marker = page(request, found, lambda one: one.name)
    return without_none({"LoadBalancers": [one.shown() for one in some], "NextMarker": marker})


async def delete_load_balancer(elb: Elb, request: Json) -> Json:
    """Delete a load balancer with its listeners; that it is gone already is no error."""
    found = elb.balancers.get(request["LoadBalancerArn"])
    if found is None:
        return {}
    if found.attributes["deletion_protection.enabled"] == "true":
        raise AwsError(
            "OperationNotPermitted",
            f"Load balancer '{found.arn}' cannot be deleted because deletion protection is enabled",
        )
    for listener in found.listeners.values():
        elb.shut(listener)
    del elb.balancers[found.arn]
    elb.settle()
    return {}


async def set_security_groups(elb: Elb, request: Json) -> Json:
    """Give a load balancer other security groups."""
    found = elb.balancer(request["LoadBalancerArn"])
    found.groups = _security_groups(elb, found.vpc, request["SecurityGroups"])
    return {"SecurityGroupIds": list(found.groups)}


async def set_subnets(elb: Elb, request: Json) -> Json:
    """Give a load balancer other subnets, and with them other availability zones."""
    found = elb.balancer(request["LoadBalancerArn"])
    vpc, zones = _zones(elb, request)
    if vpc != found.vpc:
        raise AwsError(
            "InvalidConfigurationRequest", "The subnets must be in the VPC of the load balancer"
        )
    found.zones = zones
    elb.settle()
    return {"AvailabilityZones": [dict(zone) for zone in zones], "IpAddressType": "ipv4"}


async def set_ip_address_type(elb: Elb, request: Json) -> Json:
    """Say that a load balancer has IPv4, which it has anyway."""
    elb.balancer(request["LoadBalancerArn"])
    if request["IpAddressType"] != "ipv4":
        raise AwsError(
            "InvalidConfigurationRequest", "A load balancer on this machine has IPv4 only."
        )
    return {"IpAddressType": "ipv4"}


async def describe_account_limits(_elb: Elb, request: Json) -> Json:
    """Tell AWS's default quotas."""
    limits = [{"Name": name, "Max": most} for name, most in LIMITS.items()]
    some, marker = page(request, limits, lambda one: one["Name"])
    return without_none({"Limits": some, "NextMarker": marker})
