"""The operations on listeners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.aws.ecs.state import without_none
from lab.aws.elb.actions import completed
from lab.aws.elb.records import Listener, Rule
from lab.aws.elb.state import page
from lab.aws.elb.tags import checked_tags
from lab.aws.errors import AwsError
from lab.aws.place import new_id

if TYPE_CHECKING:
    from lab.aws.elb.records import LoadBalancer
    from lab.aws.elb.state import Elb

    Json = dict[str, Any]

__all__ = ["create_listener", "delete_listener", "describe_listeners", "modify_listener"]


async def create_listener(elb: Elb, request: Json) -> Json:
    """Create a listener, which answers from then on; the same one again is no second one."""
    balancer = elb.balancer(request["LoadBalancerArn"])
    if not request.get("Port"):
        raise AwsError("ValidationError", "A listener port must be specified")
    if not request.get("Protocol"):
        raise AwsError("ValidationError", "A listener protocol must be specified")
    _refuse_protocol(request)
    port = request["Port"]
    actions = completed(elb, request["DefaultActions"], balancer)
    found = next((one for one in balancer.listeners.values() if one.port == port), None)
    if found:
        if found.default.actions != actions:
            raise AwsError(
                "DuplicateListener",
                f"A listener already exists on port {port} for this load balancer '{balancer.arn}'",
            )
        return {"Listeners": [found.shown()]}
    path = balancer.arn.rpartition(":loadbalancer/")[2]
    made = Listener(
        arn=elb.place.arn("elasticloadbalancing", f"listener/{path}/{new_id(16)}"),
        balancer=balancer,
        port=port,
        tags=checked_tags(request.get("Tags") or []),
    )
    default = Rule(new_rule_arn(made), made, None, [], actions)
    made.rules.append(default)
    await elb.open(made, port)
    balancer.listeners[made.arn] = made
    elb.settle()
    return {"Listeners": [made.shown()]}


def new_rule_arn(listener: Listener) -> str:
    """Name a new rule of a listener."""
    return f"{listener.arn.replace(':listener/', ':listener-rule/')}/{new_id(16)}"


def _refuse_protocol(request: Json) -> None:
    protocol = request.get("Protocol") or "HTTP"
    if protocol not in ("HTTP", "HTTPS"):
        raise AwsError(
            "ValidationError", f"Listener protocol '{protocol}' must be one of 'HTTPS, HTTP'"
        )
    if protocol == "HTTPS" or request.get("Certificates"):
        raise AwsError(
            "UnsupportedProtocol",
            "The load balancer on this machine has no HTTPS listeners, for it has no certificates.",
        )


async def describe_listeners(elb: Elb, request: Json) -> Json:
    """Describe listeners by their ARNs, or those of a load balancer."""
    if arns := request.get("ListenerArns"):
        found = [elb.listener(arn) for arn in arns]
    elif arn := request.get("LoadBalancerArn"):
        found = list(elb.balancer(arn).listeners.values())
    else:
        raise AwsError(
            "ValidationError", "You must specify either listener ARNs or a load balancer ARN"
        )
    some, marker = page(request, found, lambda one: f"{one.port:05}")
    return without_none({"Listeners": [one.shown() for one in some], "NextMarker": marker})


async def modify_listener(elb: Elb, request: Json) -> Json:
    """Change the port or the default action of a listener."""
    listener = elb.listener(request["ListenerArn"])
    _refuse_protocol(request)
    port = request.get("Port") or listener.port
    actions = listener.default.actions
    if request.get("DefaultActions"):
        actions = completed(elb, request["DefaultActions"], listener.balancer)
    if port != listener.port:
        _refuse_taken(listener.balancer, port)
        await elb.open(listener, port)
    listener.default.actions, listener.default.credit = actions, {}
    elb.settle()
    return {"Listeners": [listener.shown()]}


def _refuse_taken(balancer: LoadBalancer, port: int) -> None:
    if any(one.port == port for one in balancer.listeners.values()):
        raise AwsError(
            "DuplicateListener",
            f"A listener already exists on port {port} for this load balancer '{balancer.arn}'",
        )


async def delete_listener(elb: Elb, request: Json) -> Json:
    """Delete a listener with its rules."""
    listener = elb.listener(request["ListenerArn"])
    elb.shut(listener)
    del listener.balancer.listeners[listener.arn]
    elb.settle()
    return {}
