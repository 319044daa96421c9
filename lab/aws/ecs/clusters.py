"""The operations on clusters, their capacity providers and their settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lab.aws.ecs.state import FARGATE, Cluster, failure, page, without_none
from lab.aws.ecs.tags import refuse_bad_tags
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.aws.ecs.services import Service
    from lab.aws.ecs.state import Ecs, Task

    Json = dict[str, Any]

__all__ = [
    "create_cluster",
    "delete_cluster",
    "describe_capacity_providers",
    "describe_clusters",
    "list_clusters",
    "put_cluster_capacity_providers",
    "update_cluster",
    "update_cluster_settings",
]

NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
MOST_DESCRIBED = 100
INSIGHTS = "containerInsights"
PENDING = ("PROVISIONING", "PENDING", "ACTIVATING")


async def create_cluster(ecs: Ecs, request: Json) -> Json:
    """Create a cluster, or give the one of that name."""
    name = request.get("clusterName") or "default"
    if not NAME.fullmatch(name):
        raise AwsError(
            "InvalidParameterException", r"ClusterName must match ^[a-zA-Z0-9\-_]{1,255}$"
        )
    providers = request.get("capacityProviders") or []
    refuse_unknown_providers(providers)
    strategy = request.get("defaultCapacityProviderStrategy") or []
    refuse_bad_strategy(strategy, providers)
    refuse_bad_tags(request.get("tags") or [])
    found = ecs.clusters.get(name)
    if found is None or found.status != "ACTIVE":
        ecs.clusters[name] = found = Cluster(
            name=name,
            arn=ecs.place.arn("ecs", f"cluster/{name}"),
            settings=request.get("settings")
            or [{"name": INSIGHTS, "value": ecs.account_settings.get(INSIGHTS, "disabled")}],
            tags=list(request.get("tags") or []),
            capacity_providers=list(providers),
            default_strategy=list(strategy),
            configuration=request.get("configuration"),
            service_connect_defaults=request.get("serviceConnectDefaults"),
        )
    return {"cluster": shown(ecs, found, ["SETTINGS", "TAGS", "CONFIGURATIONS"])}


async def describe_clusters(ecs: Ecs, request: Json) -> Json:
    """Describe clusters by name or ARN."""
    wanted = request.get("clusters") or ["default"]
    if len(wanted) > MOST_DESCRIBED:
        raise AwsError("InvalidParameterException", "Clusters cannot have more than 100 elements.")
    clusters, failures = [], []
    for reference in wanted:
        found = ecs.clusters.get(reference.rpartition("/")[2])
        if found:
            clusters.append(shown(ecs, found, request.get("include") or []))
        else:
            name = reference.rpartition("/")[2]
            failures.append(failure(ecs.place.arn("ecs", f"cluster/{name}")))
    return {"clusters": clusters, "failures": failures}


async def list_clusters(ecs: Ecs, request: Json) -> Json:
    """List the active clusters."""
    arns = [cluster.arn for cluster in ecs.clusters.values() if cluster.status == "ACTIVE"]
    some, token = page(request, arns, most=100, key=str)
    return {"clusterArns": some, "nextToken": token}


async def delete_cluster(ecs: Ecs, request: Json) -> Json:
    """Delete a cluster in which nothing is any more."""
    cluster = ecs.cluster(request.get("cluster"))
    if any(host.cluster is cluster for host in ecs.hosts.values()):
        raise AwsError(
            "ClusterContainsContainerInstancesException",
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        )
    if any(s.cluster is cluster and s.status == "ACTIVE" for s in ecs.services.values()):
        raise AwsError(
            "ClusterContainsServicesException",
            "The Cluster cannot be deleted while Services are active.",
        )
    if any(task.status != "STOPPED" for task in ecs.tasks_of(cluster)):
        raise AwsError(
            "ClusterContainsTasksException",
            "The Cluster cannot be deleted while Tasks are active.",
        )
    cluster.status = "INACTIVE"
    return {"cluster": shown(ecs, cluster)}


async def update_cluster(ecs: Ecs, request: Json) -> Json:
    """Change settings, configuration and the defaults of Service Connect."""
    cluster = ecs.cluster(request.get("cluster"))
    cluster.settings = request.get("settings") or cluster.settings
    cluster.configuration = request.get("configuration") or cluster.configuration
    defaults = request.get("serviceConnectDefaults")
    cluster.service_connect_defaults = defaults or cluster.service_connect_defaults
    return {"cluster": shown(ecs, cluster, ["SETTINGS", "CONFIGURATIONS"])}


async def update_cluster_settings(ecs: Ecs, request: Json) -> Json:
    """Change the settings."""
    cluster = ecs.cluster(request.get("cluster"))
    cluster.settings = list(request["settings"])
    return {"cluster": shown(ecs, cluster, ["SETTINGS"])}


async def put_cluster_capacity_providers(ecs: Ecs, request: Json) -> Json:
    """Say which capacity providers a cluster has, and which strategy holds without another."""
    cluster = ecs.cluster(request.get("cluster"))
    providers = request["capacityProviders"]
    refuse_unknown_providers(providers)
    refuse_bad_strategy(request["defaultCapacityProviderStrategy"], providers)
    cluster.capacity_providers = list(providers)
    cluster.default_strategy = list(request["defaultCapacityProviderStrategy"])
    return {"cluster": shown(ecs, cluster)}


async def describe_capacity_providers(ecs: Ecs, request: Json) -> Json:
    """Describe the two capacity providers of Fargate, which every account has."""
    wanted = request.get("capacityProviders") or FARGATE
    arns = {name: ecs.place.arn("ecs", f"capacity-provider/{name}") for name in FARGATE}
    names = [reference.rpartition("/")[2] for reference in wanted]
    found = [
        {"capacityProviderArn": arns[name], "name": name, "status": "ACTIVE"}
        for name in names
        if name in arns
    ]
    return {
        "capacityProviders": found,
        "failures": [failure(name) for name in names if name not in arns],
    }


def refuse_unknown_providers(names: Iterable[str]) -> None:
    """Refuse capacity providers that are not there.

    Raises:
        AwsError: ``InvalidParameterException``.
    """
    if unknown := [name for name in names if name.rpartition("/")[2] not in FARGATE]:
        raise AwsError(
            "InvalidParameterException",
            f"The specified capacity provider {unknown[0]} was not found.",
        )


def refuse_bad_strategy(strategy: list[Json], providers: Iterable[str]) -> None:
    """Refuse a capacity provider strategy that can't be followed.

    Args:
        strategy: Its items.
        providers: The capacity providers of the cluster.

    Raises:
        AwsError: ``InvalidParameterException``.
    """
    if not strategy:
        return
    if sum(bool(item.get("base")) for item in strategy) > 1:
        raise AwsError(
            "InvalidParameterException",
            "The specified capacity provider strategy contains multiple capacity providers with a "
            "base value defined. Only one capacity provider per strategy can have a base value "
            "defined.",
        )
    if len(strategy) > 1 and not any(item.get("weight") for item in strategy):
        raise AwsError(
            "InvalidParameterException",
            "There are no capacity providers in the capacity provider strategy with a weight "
            "value greater than zero. Specify a weight value greater than zero for at least one "
            "capacity provider and try again.",
        )
    there = {name.rpartition("/")[2] for name in providers}
    for item in strategy:
        if item["capacityProvider"].rpartition("/")[2] not in there:
            raise AwsError(
                "InvalidParameterException",
                "The specified capacity provider strategy cannot contain a capacity provider that "
                "is not associated with the cluster. Associate the capacity provider with the "
                "cluster or specify a valid capacity provider and try again.",
            )


def shown(ecs: Ecs, cluster: Cluster, include: Iterable[str] = ()) -> Json:
    """Describe a cluster in AWS's words."""
    tasks = ecs.tasks_of(cluster)
    services = [s for s in ecs.services.values() if s.cluster is cluster and s.status == "ACTIVE"]
    return without_none(
        {
            "clusterArn": cluster.arn,
            "clusterName": cluster.name,
            "configuration": cluster.configuration if "CONFIGURATIONS" in include else None,
            "status": cluster.status,
            "registeredContainerInstancesCount": sum(
                host.cluster is cluster for host in ecs.hosts.values()
            ),
            "runningTasksCount": sum(task.status == "RUNNING" for task in tasks),
            "pendingTasksCount": sum(task.status in PENDING for task in tasks),
            "activeServicesCount": len(services),
            "capacityProviders": list(cluster.capacity_providers),
            "defaultCapacityProviderStrategy": [
                {"weight": 0, "base": 0} | item for item in cluster.default_strategy
            ],
            "serviceConnectDefaults": cluster.service_connect_defaults,
            "settings": list(cluster.settings) if "SETTINGS" in include else [],
            "tags": list(cluster.tags) if "TAGS" in include else [],
            "statistics": _statistics(tasks, services) if "STATISTICS" in include else [],
        }
    )


def _statistics(tasks: list[Task], services: list[Service]) -> list[Json]:
    """Count tasks and services by what they run on."""
    found = {}
    for name, launch_type in (("EC2", "EC2"), ("Fargate", "FARGATE")):
        there = [task.status for task in tasks if task.launch_type == launch_type]
        found[f"running{name}TasksCount"] = there.count("RUNNING")
        found[f"pending{name}TasksCount"] = sum(status in PENDING for status in there)
        found[f"active{name}ServiceCount"] = sum(
            (service.form.get("launchType") or "FARGATE") == launch_type for service in services
        )
    return [{"name": name, "value": str(count)} for name, count in found.items()]
