"""The operations on tasks: run, stop, describe, list, protect."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING, Any, Final

from lab.aws.agent.containers import overridden
from lab.aws.ecs.clusters import refuse_bad_strategy, refuse_unknown_providers
from lab.aws.ecs.exec import waiting_agent
from lab.aws.ecs.placement import (
    NO_HOST,
    place_on_hosts,
    refuse_bad_placement,
    why_not,
    wish_of,
)
from lab.aws.ecs.state import PLATFORM_VERSION, Task, failure, now, page, without_none
from lab.aws.errors import AwsError
from lab.aws.place import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.aws.ecs.hosts import Host
    from lab.aws.ecs.state import Cluster, Ecs, TaskDefinition

    Json = dict[str, Any]

__all__ = [
    "describe_tasks",
    "get_task_protection",
    "list_tasks",
    "make_task",
    "network_of",
    "run_task",
    "share_out",
    "start_task",
    "stop_task",
    "update_task_protection",
]

MOST_AT_ONCE: Final = 10
MOST_DESCRIBED: Final = 100
DEFAULT_PROTECTION_MINUTES: Final = 120


async def run_task(ecs: Ecs, request: Json) -> Json:
    """Run up to ten tasks of a definition."""
    token = request.get("clientToken")
    if token and token in ecs.tokens:
        before, tasks = ecs.tokens[token]
        if before != request:
            raise AwsError(
                "ConflictException",
                "The request could not be processed because of conflict in the client token.",
            )
        return {"tasks": [task.shown() for task in tasks], "failures": []}
    cluster = ecs.cluster(request.get("cluster"))
    definition = ecs.definition(request["taskDefinition"], active=True)
    count = request.get("count") or 1
    if not 1 <= count <= MOST_AT_ONCE:
        raise AwsError(
            "InvalidParameterException", "count must be an integer in the range of 1 to 10."
        )
    settings = _settings_of(ecs, definition, request)
    providers = providers_for(cluster, request, count)
    launch_type = launch_type_of(definition, request, providers)
    refuse_bad_placement(definition, request, launch_type)
    hosts: Sequence[Host | None] = [None] * count
    failures: list[Json] = []
    if launch_type == "EC2":
        hosts, failures = place_on_hosts(ecs, cluster, definition, count, request)
        if failures and "arn" not in failures[0]:
            raise AwsError("InvalidParameterException", NO_HOST)
    tasks = [
        make_task(
            ecs,
            cluster,
            definition,
            launch_type=launch_type,
            capacity_provider=provider,
            host=host,
            **settings,
        )
        for host, provider in zip(hosts, providers or itertools.repeat(None), strict=False)
    ]
    if token:
        ecs.tokens[token] = (request, tasks)
    return _begun(ecs, tasks, failures)


async def start_task(ecs: Ecs, request: Json) -> Json:
    """Run a task of a definition on each of the instances that the request names."""
    cluster = ecs.cluster(request.get("cluster"))
    definition = ecs.definition(request["taskDefinition"], active=True)
    references = request["containerInstances"]
    if not 1 <= len(references) <= MOST_AT_ONCE:
        raise AwsError(
            "InvalidParameterException",
            "Container instances must have between 1 and 10 elements.",
        )
    settings = _settings_of(ecs, definition, request)
    launch_type = launch_type_of(definition, {"launchType": "EC2"}, None)
    tasks, failures = [], []
    for reference in references:
        host, why = _named_host(ecs, cluster, definition, reference, request)
        if host is None:
            failures.append(why)
            continue
        task = make_task(
            ecs,
            cluster,
            definition,
            launch_type=launch_type,
            host=host,
            **settings,
        )
        tasks.append(task)
    return _begun(ecs, tasks, failures)


def _named_host(
    ecs: Ecs, cluster: Cluster, definition: TaskDefinition, reference: str, request: Json
) -> tuple[Host | None, Json]:
    """Find an instance that StartTask names, or say why it can't take the task."""
    host = ecs.host(cluster, reference)
    if host is None:
        name = f"container-instance/{cluster.name}/{reference.rpartition('/')[2]}"
        was_there = ecs.host(cluster, reference, former=True) is not None
        reason = "INACTIVE" if was_there else "MISSING"
        return None, failure(ecs.place.arn("ecs", name), reason)
    reason_against = why_not(host, wish_of(ecs, definition, request))
    return (None, failure(host.arn, reason_against)) if reason_against else (host, {})


def _settings_of(ecs: Ecs, definition: TaskDefinition, request: Json) -> Json:
    """Look at what RunTask and StartTask say alike of their tasks, and give it to `make_task`."""
    overrides = request.get("overrides") or {}
    refuse_unknown_containers(definition, overrides)
    network = network_of(ecs, definition, request.get("networkConfiguration"))
    can_exec = bool(request.get("enableExecuteCommand"))
    refuse_exec_without_role(definition, overrides, can_exec=can_exec)
    return {
        "group": request.get("group") or f"family:{definition.family}",
        "started_by": request.get("startedBy"),
        "network": network,
        "overrides": overrides,
        "tags": _tags(definition, request),
        "can_exec": can_exec,
    }


def _begun(ecs: Ecs, tasks: list[Task], failures: list[Json]) -> Json:
    """Bring tasks to life, and answer with them as they are before that."""
    answer = {"tasks": [task.shown(["TAGS"]) for task in tasks], "failures": failures}
    for task in tasks:
        ecs.run(task)
    return answer


def _tags(definition: TaskDefinition, request: Json) -> list[Json]:
    """Give the tags of a new task: the request's, and if it says so those of the definition."""
    tags = list(request.get("tags") or [])
    if request.get("propagateTags") == "TASK_DEFINITION":
        own = {tag["key"] for tag in tags}
        tags += [tag for tag in definition.tags if tag["key"] not in own]
    return tags


def make_task(  # noqa: PLR0913  # all that a task is made of
    ecs: Ecs,
    cluster: Cluster,
    definition: TaskDefinition,
    *,
    launch_type: str,
    group: str,
    started_by: str | None = None,
    capacity_provider: str | None = None,
    network: Json | None = None,
    overrides: Json | None = None,
    tags: list[Json] | None = None,
    can_exec: bool = False,
    host: Host | None = None,
    platform_version: str | None = None,
) -> Task:
    """Make the record of a task; ``ecs.run`` brings it to life."""
    changed = {one["name"]: one for one in (overrides or {}).get("containerOverrides") or []}
    containers = [
        ecs.new_container(cluster, overridden(one, changed.get(one["name"], {})))
        for one in definition.containers
    ]
    if can_exec:
        for container in containers:
            container.agents = [waiting_agent()]
    task_id = new_id()
    on_fargate = launch_type == "FARGATE"
    subnet = ecs.next_subnet(network, host)
    version = platform_version if platform_version not in (None, "LATEST") else PLATFORM_VERSION
    task = Task(
        place=ecs.place,
        id=task_id,
        arn=ecs.place.arn("ecs", f"task/{cluster.name}/{task_id}"),
        cluster=cluster,
        definition=definition,
        containers=containers,
        launch_type=launch_type,
        group=group,
        started_by=started_by,
        capacity_provider=capacity_provider,
        platform_version=version if on_fargate else None,
        network=network,
        overrides=dict(overrides or {}),
        tags=list(tags or []),
        subnet=subnet,
        zone=ecs.zone_of(subnet, host),
        host=host,
        can_exec=can_exec,
    )
    task.times["createdAt"] = now()
    ecs.tasks[task_id] = task
    if host is not None:
        host.take(task)
        task.watchers.append(lambda one: _look_for_room(ecs, one))
    return task


def _look_for_room(ecs: Ecs, task: Task) -> None:
    """Have the services look whether one of theirs fits where a task has stopped."""
    if task.status == "STOPPED":
        ecs.scheduler.look_at_all()


def network_of(ecs: Ecs, definition: TaskDefinition, given: Json | None) -> Json | None:
    """Look at the network configuration of a task, and complete it by the default group.

    Raises:
        AwsError: ``InvalidParameterException``: it is missing, not wanted, or names what is not
            there.
    """
    if definition.network_mode != "awsvpc":
        if given:
            raise AwsError(
                "InvalidParameterException",
                "Network Configuration is not valid for the given networkMode of this task "
                "definition.",
            )
        return None
    if not given or "awsvpcConfiguration" not in given:
        raise AwsError(
            "InvalidParameterException",
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )
    settings = given["awsvpcConfiguration"]
    if not settings.get("subnets"):
        raise AwsError("InvalidParameterException", "subnets can not be empty.")
    for subnet_id in settings["subnets"]:
        if ecs.sources.subnet_of(ecs.place, subnet_id) is None:
            raise AwsError(
                "InvalidParameterException",
                f"Error retrieving subnet information for [{subnet_id}]: The subnet ID "
                f"'{subnet_id}' does not exist",
            )
    vpc = ecs.sources.subnet_of(ecs.place, settings["subnets"][0])["vpc"]
    groups = ecs.sources.security_groups_of(ecs.place, vpc)
    wanted = settings.get("securityGroups") or [
        group for group, name in groups.items() if name == "default"
    ]
    for group in wanted:
        if group not in groups:
            raise AwsError(
                "InvalidParameterException",
                f"Error retrieving security group information for [{group}]: The security group "
                f"'{group}' does not exist",
            )
    public = settings.get("assignPublicIp") or "DISABLED"
    return {
        "awsvpcConfiguration": {
            "subnets": list(settings["subnets"]),
            "securityGroups": wanted,
            "assignPublicIp": public,
        }
    }


def refuse_unknown_containers(definition: TaskDefinition, overrides: Json) -> None:
    """Refuse overrides for containers that the definition does not have."""
    names = {one["name"] for one in definition.containers}
    for one in overrides.get("containerOverrides") or []:
        if one.get("name") not in names:
            raise AwsError(
                "InvalidParameterException",
                f"Override for container named {one.get('name')} is not a container in the "
                "TaskDefinition.",
            )


def refuse_exec_without_role(
    definition: TaskDefinition, overrides: Json, *, can_exec: bool
) -> None:
    """Refuse ECS Exec for a task that has no role: the agent of the session needs one."""
    if can_exec and not (overrides.get("taskRoleArn") or definition.form.get("taskRoleArn")):
        raise AwsError(
            "InvalidParameterException",
            "The service couldn't be created because a valid taskRoleArn is not being used. "
            "Specify a valid task role in your task definition and try again.",
        )


def providers_for(cluster: Cluster, request: Json, count: int) -> list[str] | None:
    """Choose the capacity provider of each task; nothing where a launch type decides.

    Raises:
        AwsError: ``InvalidParameterException``.
    """
    strategy = request.get("capacityProviderStrategy")
    if strategy and request.get("launchType"):
        raise AwsError(
            "InvalidParameterException",
            "Specifying both a launch type and capacity provider strategy is not supported. "
            "Remove one and try again.",
        )
    if request.get("launchType"):
        return None
    strategy = strategy or cluster.default_strategy
    if not strategy:
        return None
    refuse_unknown_providers(item["capacityProvider"] for item in strategy)
    refuse_bad_strategy(strategy, cluster.capacity_providers)
    return share_out(strategy, count)


def share_out(strategy: list[Json], count: int) -> list[str]:
    """Choose a capacity provider for each task: the base first, then by the weights.

    Args:
        strategy: The items of a strategy.
        count: How many tasks there are.

    Example:
        >>> one = {"capacityProvider": "FARGATE", "base": 1, "weight": 1}
        >>> share_out([one, {"capacityProvider": "FARGATE_SPOT", "weight": 2}], 4)
        ['FARGATE', 'FARGATE_SPOT', 'FARGATE', 'FARGATE_SPOT']
    """
    names = [item["capacityProvider"].rpartition("/")[2] for item in strategy]
    weights = [item.get("weight") or 0 for item in strategy]
    chosen: list[str] = []
    for name, item in zip(names, strategy, strict=True):
        chosen += [name] * (item.get("base") or 0)
    chosen = chosen[:count]
    if len(strategy) == 1:
        return names * count
    given = [0] * len(names)
    while len(chosen) < count:
        # Whoever is furthest behind its share is next.
        behind = [
            (given[n] + 1) / weight if weight else float("inf") for n, weight in enumerate(weights)
        ]
        best = behind.index(min(behind))
        given[best] += 1
        chosen.append(names[best])
    return chosen


def launch_type_of(definition: TaskDefinition, request: Json, providers: list[str] | None) -> str:
    """Tell on what a task runs; without any word it is EC2.

    Raises:
        AwsError: ``InvalidParameterException``: the definition is not made for it.
    """
    launch_type = "FARGATE" if providers else request.get("launchType") or "EC2"
    if launch_type not in definition.form["compatibilities"]:
        raise AwsError(
            "InvalidParameterException",
            f"Task definition does not support launch_type {launch_type}.",
        )
    return str(launch_type)


async def stop_task(ecs: Ecs, request: Json) -> Json:
    """Ask a task to stop."""
    task = ecs.task(ecs.cluster(request.get("cluster")), request["task"])
    if task is None:
        raise AwsError("InvalidParameterException", "The referenced task was not found.")
    task.stop("UserInitiated", request.get("reason") or "Task stopped by user")
    return {"task": task.shown()}


async def describe_tasks(ecs: Ecs, request: Json) -> Json:
    """Describe tasks by id or ARN."""
    cluster = ecs.cluster(request.get("cluster"))
    if len(request["tasks"]) > MOST_DESCRIBED:
        raise AwsError("InvalidParameterException", "Tasks cannot have more than 100 elements.")
    tasks, failures = [], []
    for reference in request["tasks"]:
        task = ecs.task(cluster, reference)
        if task:
            tasks.append(task.shown(request.get("include") or []))
        else:
            name = f"task/{cluster.name}/{reference.rpartition('/')[2]}"
            failures.append(failure(ecs.place.arn("ecs", name)))
    return {"tasks": tasks, "failures": failures}


async def list_tasks(ecs: Ecs, request: Json) -> Json:
    """List the tasks of a cluster that shall run, or those that shall not."""
    cluster = ecs.cluster(request.get("cluster"))
    wanted = request.get("desiredStatus") or "RUNNING"
    found = [task for task in ecs.tasks_of(cluster) if task.desired == wanted]
    if family := request.get("family"):
        found = [task for task in found if task.definition.family == family]
    if who := request.get("startedBy"):
        found = [task for task in found if task.started_by == who]
    if service := request.get("serviceName"):
        name = service.rpartition("/")[2]
        if (cluster.name, name) not in ecs.services:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        found = [task for task in found if task.group == f"service:{name}"]
    if launch_type := request.get("launchType"):
        found = [task for task in found if task.launch_type == launch_type]
    if host := request.get("containerInstance"):
        host_id = host.rpartition("/")[2]
        found = [task for task in found if task.host and task.host.id == host_id]
    some, token = page(request, [task.arn for task in found], most=100)
    return {"taskArns": some, "nextToken": token}


async def update_task_protection(ecs: Ecs, request: Json) -> Json:
    """Protect tasks of services from being stopped when the service scales in or deploys."""
    cluster = ecs.cluster(request["cluster"])
    minutes = request.get("expiresInMinutes") or DEFAULT_PROTECTION_MINUTES
    until = now() + dt.timedelta(minutes=minutes) if request["protectionEnabled"] else None
    found, failures = _tasks_of_services(ecs, cluster, request["tasks"])
    for task in found:
        task.protected_until = until
        task.touch()
    return {"protectedTasks": [_protection(task) for task in found], "failures": failures}


async def get_task_protection(ecs: Ecs, request: Json) -> Json:
    """Tell which tasks are protected."""
    cluster = ecs.cluster(request["cluster"])
    arns = request.get("tasks") or [t.arn for t in ecs.tasks_of(cluster) if t.service]
    found, failures = _tasks_of_services(ecs, cluster, arns)
    return {"protectedTasks": [_protection(task) for task in found], "failures": failures}


def _tasks_of_services(
    ecs: Ecs, cluster: Cluster, references: list[str]
) -> tuple[list[Task], list[Json]]:
    found, failures = [], []
    for reference in references:
        task = ecs.task(cluster, reference)
        if task is None:
            failures.append(failure(reference))
        elif task.service is None:
            failures.append(failure(task.arn, "TASK_NOT_VALID"))
        else:
            found.append(task)
    return found, failures


def _protection(task: Task) -> Json:
    return without_none(
        {
            "taskArn": task.arn,
            "protectionEnabled": task.is_protected,
            "expirationDate": task.protected_until if task.is_protected else None,
        }
    )
