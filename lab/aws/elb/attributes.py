"""The operations on the attributes of load balancers and target groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.aws.elb.state import Elb

    Json = dict[str, Any]

__all__ = [
    "OF_BALANCERS",
    "OF_GROUPS",
    "describe_load_balancer_attributes",
    "describe_target_group_attributes",
    "modify_load_balancer_attributes",
    "modify_target_group_attributes",
]

# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
OF_BALANCERS: Final[Mapping[str, str]] = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "client_keep_alive.seconds": "3600",
    "connection_logs.s3.enabled": "false",
    "connection_logs.s3.bucket": "",
    "connection_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "health_check_logs.s3.enabled": "false",
    "health_check_logs.s3.bucket": "",
    "health_check_logs.s3.prefix": "",
    "idle_timeout.timeout_seconds": "60",
    "ipv6.deny_all_igw_traffic": "false",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
OF_GROUPS: Final[Mapping[str, str]] = {
    "deregistration_delay.timeout_seconds": "300",
    "load_balancing.algorithm.anomaly_mitigation": "off",
    "load_balancing.algorithm.type": "round_robin",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "slow_start.duration_seconds": "0",
    "stickiness.app_cookie.cookie_name": "",
    "stickiness.app_cookie.duration_seconds": "86400",
    "stickiness.enabled": "false",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "stickiness.type": "lb_cookie",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}
# What can be changed, for it makes a difference here: the least and the most, or the choices.
CHANGEABLE: Final[Mapping[str, tuple[int, int] | tuple[str, ...]]] = {
    "deletion_protection.enabled": ("true", "false"),
    "idle_timeout.timeout_seconds": (1, 4000),
    "routing.http.xff_header_processing.mode": ("append", "preserve", "remove"),
    "deregistration_delay.timeout_seconds": (0, 3600),
    "load_balancing.algorithm.type": (
        "round_robin",
        "least_outstanding_requests",
        "weighted_random",
    ),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": (1, 1000),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": (1, 100),
}
MAY_BE_OFF: Final = (
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
)


async def describe_load_balancer_attributes(elb: Elb, request: Json) -> Json:
    """Tell the attributes of a load balancer."""
    return {"Attributes": _listed(elb.balancer(request["LoadBalancerArn"]).attributes)}


async def modify_load_balancer_attributes(elb: Elb, request: Json) -> Json:
    """Change attributes of a load balancer."""
    attributes = elb.balancer(request["LoadBalancerArn"]).attributes
    _change(attributes, request["Attributes"], "Load balancer", OF_BALANCERS)
    return {"Attributes": _listed(attributes)}


async def describe_target_group_attributes(elb: Elb, request: Json) -> Json:
    """Tell the attributes of a target group."""
    return {"Attributes": _listed(elb.group(request["TargetGroupArn"]).attributes)}


async def modify_target_group_attributes(elb: Elb, request: Json) -> Json:
    """Change attributes of a target group."""
    attributes = elb.group(request["TargetGroupArn"]).attributes
    _change(attributes, request["Attributes"], "Target group", OF_GROUPS)
    return {"Attributes": _listed(attributes)}


def _listed(attributes: Mapping[str, str]) -> list[Json]:
    return [{"Key": key, "Value": value} for key, value in attributes.items()]


def _change(
    attributes: dict[str, str], changes: list[Json], what: str, defaults: Mapping[str, str]
) -> None:
    given = {one.get("Key") or "": one.get("Value") or "" for one in changes}
    for key, value in given.items():
        if key not in defaults:
            raise AwsError("ValidationError", f"{what} attribute key '{key}' is not recognized")
        if value != defaults[key]:
            _refuse_bad_value(key, value)
    attributes.update(given)


def _refuse_bad_value(key: str, value: str) -> None:
    if key not in CHANGEABLE:
        raise AwsError(
            "InvalidConfigurationRequest",
            f"The load balancer on this machine can't change '{key}' to '{value}'.",
        )
    allowed = CHANGEABLE[key]
    least, most = allowed[0], allowed[-1]
    if isinstance(least, int) and isinstance(most, int):
        is_number = re.fullmatch(r"\d{1,9}", value) is not None
        if (not is_number or not least <= int(value) <= most) and (
            key not in MAY_BE_OFF or value != "off"
        ):
            raise AwsError(
                "ValidationError",
                f"'{key}' value '{value}' must be between '{least}-{most}' inclusive",
            )
    elif value not in allowed:
        choices = ", ".join(str(one) for one in allowed)
        raise AwsError("ValidationError", f"'{key}' value '{value}' must be one of [{choices}]")
