"""The operations on container instances and on their attributes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs.query import parsed
from lab.aws.ecs.state import failure, page, without_none
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.ecs.hosts import Host
    from lab.aws.ecs.state import Cluster, Ecs

    Json = dict[str, Any]

__all__ = [
    "delete_attributes",
    "deregister_container_instance",
    "describe_container_instances",
    "list_attributes",
    "list_container_instances",
    "put_attributes",
    "update_container_instances_state",
]

MOST_DESCRIBED: Final = 100
MOST_UPDATED: Final = 10
MOST_ATTRIBUTES: Final = 10
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Attribute.html
ATTRIBUTE_NAME: Final = re.compile(r"[A-Za-z0-9_./\\-]{1,128}")
ATTRIBUTE_VALUE: Final = re.compile(r"(?! )[A-Za-z0-9_.@/\\: -]{1,128}(?<! )")
OWN_ATTRIBUTES: Final = ("ecs.", "com.amazonaws.ecs.")


async def list_container_instances(ecs: Ecs, request: Json) -> Json:
    """List the instances of a cluster: by their status, by an expression, or all."""
    cluster = ecs.cluster(request.get("cluster"))
    found = ecs.hosts_of(cluster)
    if status := request.get("status"):
        found = [host for host in found if host.status == status]
    if expression := request.get("filter"):
        condition = parsed(expression)
        found = [host for host in found if condition(host)]
    some, token = page(request, [host.arn for host in found], most=100)
    return {"containerInstanceArns": some, "nextToken": token}


async def describe_container_instances(ecs: Ecs, request: Json) -> Json:
    """Describe instances by id or ARN, also those that were deregistered."""
    cluster = ecs.cluster(request.get("cluster"))
    if len(request["containerInstances"]) > MOST_DESCRIBED:
        raise _bad("Container instances cannot have more than 100 elements.")
    include = request.get("include") or []
    hosts, failures = [], []
    for reference in request["containerInstances"]:
        host = ecs.host(cluster, reference) or ecs.host(cluster, reference, former=True)
        if host:
            hosts.append(host.shown(include))
        else:
            failures.append(_missing(ecs, cluster, reference))
    return {"containerInstances": hosts, "failures": failures}


async def update_container_instances_state(ecs: Ecs, request: Json) -> Json:
    """Have instances take no more tasks and lose those of services, or take tasks again."""
    cluster = ecs.cluster(request.get("cluster"))
    status = request["status"]
    if status not in ("ACTIVE", "DRAINING"):
        raise _bad("The only valid values for status are ACTIVE and DRAINING.")
    if len(request["containerInstances"]) > MOST_UPDATED:
        raise _bad("Container instances cannot have more than 10 elements.")
    hosts, failures = [], []
    for reference in request["containerInstances"]:
        if host := ecs.host(cluster, reference):
            host.status = status
            host.version += 1
            hosts.append(host.shown())
        elif gone := ecs.host(cluster, reference, former=True):
            failures.append(failure(gone.arn, "INACTIVE"))
        else:
            failures.append(_missing(ecs, cluster, reference))
    ecs.scheduler.look_at_all()
    return {"containerInstances": hosts, "failures": failures}


async def deregister_container_instance(ecs: Ecs, request: Json) -> Json:
    """Take an instance out of its cluster; the instance itself goes on running.

    By force, the tasks on it run on as orphans, of which ECS knows no more: a service starts
    others in their place, and they end with the instance.
    """
    cluster = ecs.cluster(request.get("cluster"))
    host = ecs.host(cluster, request["containerInstance"])
    if host is None:
        raise _bad("The referenced container instance was not found.")
    if host.live and not request.get("force"):
        raise _bad("Found running tasks on the instance.")
    ecs.take_out(host)
    for task in host.live:
        ecs.tasks.pop(task.id, None)
        ecs.scheduler.disown(task)
    ecs.scheduler.look_at_all()
    return {"containerInstance": host.shown()}


async def put_attributes(ecs: Ecs, request: Json) -> Json:
    """Set attributes of instances, at most ten of one's own for each."""
    cluster = ecs.cluster(request.get("cluster"))
    wanted = [(_target(ecs, cluster, one), one) for one in _few(request)]
    for _, one in wanted:
        _refuse_bad_attribute(one)
    for host in {host for host, _ in wanted}:
        names = {one["name"] for other, one in wanted if other is host}
        own = {name for name in host.attributes if not name.startswith(OWN_ATTRIBUTES)}
        if len(own | names) > MOST_ATTRIBUTES:
            raise AwsError(
                "AttributeLimitExceededException",
                "You can apply up to 10 custom attributes for each resource.",
            )
    for host, one in wanted:
        host.attributes[one["name"]] = one.get("value")
        host.version += 1
    ecs.scheduler.look_at_all()
    return {"attributes": [_shown(host, one["name"]) for host, one in wanted]}


async def delete_attributes(ecs: Ecs, request: Json) -> Json:
    """Remove attributes from instances; the others stay."""
    cluster = ecs.cluster(request.get("cluster"))
    wanted = [(_target(ecs, cluster, one), one["name"]) for one in _few(request)]
    for _, name in wanted:
        _refuse_own(name)
    gone = []
    for host, name in wanted:
        if name in host.attributes:
            gone.append(_shown(host, name))
            del host.attributes[name]
            host.version += 1
    ecs.scheduler.look_at_all()
    return {"attributes": gone}


async def list_attributes(ecs: Ecs, request: Json) -> Json:
    """List the attributes of a cluster's instances, by name and value if these are given."""
    cluster = ecs.cluster(request.get("cluster"))
    name, value = request.get("attributeName"), request.get("attributeValue")
    if value is not None and name is None:
        raise _bad("You must specify an attribute name when you specify an attribute value.")
    found = [
        _shown(host, one)
        for host in ecs.hosts_of(cluster)
        for one, has in host.attributes.items()
        if name in (None, one) and value in (None, has)
    ]
    some, token = page(request, found, most=100)
    return {"attributes": some, "nextToken": token}


def _few(request: Json) -> list[Json]:
    attributes: list[Json] = request["attributes"]
    if not 1 <= len(attributes) <= MOST_ATTRIBUTES:
        raise _bad("You can specify between 1 and 10 attributes in a single call.")
    return attributes


def _target(ecs: Ecs, cluster: Cluster, attribute: Json) -> Host:
    reference = attribute.get("targetId")
    if not reference:
        raise _bad("The targetId of an attribute is required.")
    if not reference.startswith("arn:") and not attribute.get("targetType"):
        raise _bad("The targetType is required if the targetId is not the full ARN.")
    host = ecs.host(cluster, reference)
    if host is None:
        raise AwsError(
            "TargetNotFoundException",
            "The specified target wasn't found. You can view your available container instances "
            "with ListContainerInstances.",
        )
    return host


def _refuse_bad_attribute(attribute: Json) -> None:
    name, value = attribute["name"], attribute.get("value")
    if not ATTRIBUTE_NAME.fullmatch(name):
        raise _bad(f"The attribute name {name!r} contains invalid characters.")
    if value is not None and not ATTRIBUTE_VALUE.fullmatch(value):
        raise _bad(f"The attribute value {value!r} contains invalid characters.")
    _refuse_own(name)


def _refuse_own(name: str) -> None:
    if name.startswith(OWN_ATTRIBUTES):
        raise _bad(f"The attribute {name} is set by Amazon ECS and can't be changed.")


def _shown(host: Host, name: str) -> Json:
    return without_none({"name": name, "value": host.attributes[name], "targetId": host.arn})


def _missing(ecs: Ecs, cluster: Cluster, reference: str) -> Json:
    name = f"container-instance/{cluster.name}/{reference.rpartition('/')[2]}"
    return failure(ecs.place.arn("ecs", name))


def _bad(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)
