"""Services and their deployments: what is remembered of them, and the operations on them."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs.placement import refuse_bad_placement
from lab.aws.ecs.state import failure, now, page, without_none
from lab.aws.ecs.tasks import (
    launch_type_of,
    network_of,
    providers_for,
    refuse_exec_without_role,
)
from lab.aws.errors import AwsError
from lab.aws.place import new_id

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from lab.aws.ecs.state import Cluster, Ecs, Task, TaskDefinition

    Json = dict[str, Any]

__all__ = [
    "Deployment",
    "Service",
    "create_service",
    "delete_service",
    "describe_service_deployments",
    "describe_service_revisions",
    "describe_services",
    "list_service_deployments",
    "list_services",
    "stop_service_deployment",
    "update_service",
]

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
MOST_DESCRIBED: Final = 10
MOST_EVENTS: Final = 100
PENDING: Final = ("PROVISIONING", "PENDING", "ACTIVATING")
# The first failures of a deployment that the circuit breaker counts, at least and at most.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
LEAST_THRESHOLD: Final = 3
MOST_THRESHOLD: Final = 200


@dataclass(eq=False)
class Deployment:
    """One revision of a service on its way to its tasks, or arrived there.

    Attributes:
        id: ``ecs-svc/`` and a number; its tasks say that it started them.
        revision: The ARN of the service revision that it brings.
        settings: What its tasks are started with: launch type, providers, network, targets.
        failed: How many of its tasks have failed.
        in_a_row: How many of them since the last one that became healthy.
        hold_until: Before then it starts no task, because its last ones failed.
    """

    id: str
    arn: str
    revision: str
    definition: TaskDefinition
    settings: Json
    status: str = "PRIMARY"
    rollout: str = "IN_PROGRESS"
    reason: str = ""
    history: str = "PENDING"
    failed: int = 0
    in_a_row: int = 0
    hold_until: float = 0
    created_at: dt.datetime = field(default_factory=now)
    updated_at: dt.datetime = field(default_factory=now)
    finished_at: dt.datetime | None = None
    rollback_of: Deployment | None = None
    has_triggered: bool = False


@dataclass(eq=False)
class Service:
    """A service: how many copies of what shall run, and how it gets there.

    Attributes:
        form: The settings, in AWS's words, as they were given last.
        deployments: PRIMARY first, then the ACTIVE ones.
        history: All its deployments, the newest first.
        events: AWS's sentences, the newest first.
        tasks: Its tasks that have not stopped, whichever deployment started them.
    """

    name: str
    arn: str
    cluster: Cluster
    form: Json
    definition: TaskDefinition
    desired: int
    tags: list[Json]
    status: str = "ACTIVE"
    deployments: list[Deployment] = field(default_factory=list)
    history: list[Deployment] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    created_at: dt.datetime = field(default_factory=now)
    is_steady: bool = False
    asked_again: bool = False

    @property
    def primary(self) -> Deployment:
        """The deployment that it is on its way to, or at."""
        return self.deployments[0]

    @property
    def is_daemon(self) -> bool:
        """Whether it runs one task on each instance."""
        return self.form.get("schedulingStrategy") == "DAEMON"

    @property
    def targets(self) -> list[Json]:
        """Its target groups, each with the container and the port that are registered there."""
        return [one for one in self.form.get("loadBalancers") or [] if one.get("targetGroupArn")]

    def percent(self, name: str) -> int:
        """``maximumPercent`` or ``minimumHealthyPercent`` of its deployments."""
        return int(deployment_configuration(self.form)[name])

    @property
    def breaker(self) -> Json:
        """The settings of its circuit breaker."""
        breaker: Json = deployment_configuration(self.form)["deploymentCircuitBreaker"]
        return breaker

    @property
    def threshold(self) -> int:
        """How many failed tasks make a deployment FAILED."""
        given = self.breaker.get("thresholdConfiguration") or {}
        kind, value = given.get("type") or "BOUNDED_PERCENT", given.get("value") or 50
        if kind == "COUNT":
            return int(value)
        share = math.ceil(self.desired * value / 100)
        if kind == "UNBOUNDED_PERCENT":
            return max(1, share)
        return min(max(share, LEAST_THRESHOLD), MOST_THRESHOLD)

    def say(self, sentence: str) -> None:
        """Add an event: AWS's words after ``(service name)``."""
        event = {
            "id": _event_id(),
            "createdAt": now(),
            "message": f"(service {self.name}) {sentence}",
        }
        self.events = [event, *self.events][:MOST_EVENTS]

    def of(self, deployment: Deployment) -> list[Task]:
        """List the tasks that a deployment started and that have not stopped."""
        return [task for task in self.tasks if task.started_by == deployment.id]

    def shown(self, include: Iterable[str] = ()) -> Json:
        """Describe it in AWS's words."""
        form = self.form
        configuration = deployment_configuration(form)
        return without_none(
            {
                "serviceArn": self.arn,
                "serviceName": self.name,
                "clusterArn": self.cluster.arn,
                "status": self.status,
                "loadBalancers": form.get("loadBalancers") or [],
                "serviceRegistries": form.get("serviceRegistries") or [],
                "desiredCount": self.desired,
                **_counts(self.tasks),
                "launchType": form.get("launchType"),
                "capacityProviderStrategy": form.get("capacityProviderStrategy"),
                "platformVersion": form.get("platformVersion"),
                "platformFamily": "Linux" if form.get("platformVersion") else None,
                "taskDefinition": self.definition.arn,
                "deploymentConfiguration": configuration,
                "deployments": [self._shown(one) for one in self.deployments],
                "events": list(self.events),
                "createdAt": self.created_at,
                "currentServiceDeployment": self.history[0].arn if self.history else None,
                "currentServiceRevisions": [
                    self._revision(one) for one in self.deployments if one.status == "PRIMARY"
                ],
                "placementConstraints": form.get("placementConstraints") or [],
                "placementStrategy": form.get("placementStrategy") or [],
                "networkConfiguration": form.get("networkConfiguration"),
                "healthCheckGracePeriodSeconds": form.get("healthCheckGracePeriodSeconds"),
                "schedulingStrategy": form.get("schedulingStrategy") or "REPLICA",
                "deploymentController": form.get("deploymentController") or {"type": "ECS"},
                "enableECSManagedTags": bool(form.get("enableECSManagedTags")),
                "propagateTags": form.get("propagateTags") or "NONE",
                "enableExecuteCommand": bool(form.get("enableExecuteCommand")),
                "availabilityZoneRebalancing": form.get("availabilityZoneRebalancing") or "ENABLED",
                "tags": list(self.tags) if "TAGS" in include else [],
            }
        )

    def _shown(self, deployment: Deployment) -> Json:
        settings = deployment.settings
        wanted = self.desired if deployment.status == "PRIMARY" else 0
        return without_none(
            {
                "id": deployment.id,
                "status": deployment.status,
                "taskDefinition": deployment.definition.arn,
                "desiredCount": 0 if deployment.rollout == "FAILED" else wanted,
                **_counts(self.of(deployment)),
                "failedTasks": deployment.failed,
                "createdAt": deployment.created_at,
                "updatedAt": deployment.updated_at,
                "capacityProviderStrategy": settings.get("capacityProviderStrategy"),
                "launchType": settings.get("launchType"),
                "platformVersion": settings.get("platformVersion"),
                "platformFamily": "Linux" if settings.get("platformVersion") else None,
                "networkConfiguration": settings.get("networkConfiguration"),
                "rolloutState": deployment.rollout,
                "rolloutStateReason": deployment.reason,
            }
        )

    def _revision(self, deployment: Deployment) -> Json:
        counts = _counts(self.of(deployment))
        return {
            "arn": deployment.revision,
            "requestedTaskCount": self.desired,
            "runningTaskCount": counts["runningCount"],
            "pendingTaskCount": counts["pendingCount"],
        }

    def shown_deployment(self, deployment: Deployment) -> Json:
        """Describe an entry of its history in AWS's words."""
        before = self.history[self.history.index(deployment) + 1 :]
        state = "TRIGGERED" if deployment.has_triggered else "MONITORING_COMPLETE"
        if deployment.history in ("PENDING", "IN_PROGRESS"):
            state = "MONITORING"
        if not self.breaker.get("enable"):
            state = "DISABLED"
        return without_none(
            {
                **_brief(self, deployment),
                "updatedAt": deployment.updated_at,
                "sourceServiceRevisions": [self._revision(one) for one in before[:1]],
                "targetServiceRevision": self._revision(deployment),
                "deploymentConfiguration": deployment_configuration(self.form),
                "deploymentCircuitBreaker": {
                    "status": state,
                    "failureCount": deployment.in_a_row,
                    "threshold": self.threshold,
                },
            }
        ) | {"targetServiceRevision": self._revision(deployment)}


def _brief(service: Service, deployment: Deployment) -> Json:
    return without_none(
        {
            "serviceDeploymentArn": deployment.arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster.arn,
            "createdAt": deployment.created_at,
            "startedAt": deployment.created_at,
            "finishedAt": deployment.finished_at,
            "status": deployment.history,
            "statusReason": deployment.reason or None,
        }
    )


def deployment_configuration(form: Json) -> Json:
    """Complete the deployment configuration of a service by AWS's defaults."""
    is_daemon = form.get("schedulingStrategy") == "DAEMON"
    defaults = {
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
        "maximumPercent": 100 if is_daemon else 200,
        "minimumHealthyPercent": 0 if is_daemon else 100,
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
    }
    return defaults | without_none(form.get("deploymentConfiguration") or {})


def _counts(tasks: Iterable[Task]) -> Json:
    statuses = [(task.status, task.desired) for task in tasks]
    return {
        "runningCount": sum(status == "RUNNING" for status, _ in statuses),
        "pendingCount": sum(
            status in PENDING and desired == "RUNNING" for status, desired in statuses
        ),
    }


# --- operations ------------------------------------------------------------------------------


async def create_service(ecs: Ecs, request: Json) -> Json:
    """Create a service, which begins to start its tasks."""
    cluster = ecs.cluster(request.get("cluster"))
    name = request["serviceName"]
    if not NAME.fullmatch(name):
        raise AwsError(
            "InvalidParameterException",
            "Invalid service name. Up to 255 letters (uppercase and lowercase), numbers, hyphens, "
            "and underscores are allowed.",
        )
    found = ecs.services.get((cluster.name, name))
    if found and found.status == "ACTIVE":
        raise AwsError("InvalidParameterException", "Creation of service was not idempotent.")
    if found and found.status == "DRAINING":
        raise AwsError(
            "InvalidParameterException",
            "Unable to Start a service that is still Draining.",
        )
    is_daemon = request.get("schedulingStrategy") == "DAEMON"
    if not is_daemon and request.get("desiredCount") is None:
        raise AwsError("InvalidParameterException", "DesiredCount is required for REPLICA.")
    _refuse_negative_count(request)
    if not request.get("taskDefinition"):
        raise AwsError("InvalidParameterException", "TaskDefinition can not be blank.")
    definition = ecs.definition(request["taskDefinition"], active=True)
    form = _looked_at(ecs, cluster, definition, dict(request))
    service = Service(
        name=name,
        arn=ecs.place.arn("ecs", f"service/{cluster.name}/{name}"),
        cluster=cluster,
        form=form,
        definition=definition,
        desired=request.get("desiredCount") or 0,
        tags=list(request.get("tags") or []),
    )
    ecs.services[cluster.name, name] = service
    ecs.scheduler.deploy(service)
    return {"service": service.shown(["TAGS"])}


def _looked_at(ecs: Ecs, cluster: Cluster, definition: TaskDefinition, form: Json) -> Json:
    """Refuse what a service can't be made of, and complete the rest.

    Raises:
        AwsError: ``InvalidParameterException`` or ``ClientException``.
    """
    form["networkConfiguration"] = network_of(ecs, definition, form.get("networkConfiguration"))
    providers = providers_for(cluster, form, 1)
    if providers and not form.get("capacityProviderStrategy"):
        form["capacityProviderStrategy"] = list(cluster.default_strategy)
    launch_type = launch_type_of(definition, form, providers)
    form["launchType"] = None if providers else launch_type
    refuse_bad_placement(definition, form, launch_type)
    if launch_type == "FARGATE":
        form["platformVersion"] = form.get("platformVersion") or "LATEST"
        if form.get("schedulingStrategy") == "DAEMON":
            raise AwsError(
                "InvalidParameterException",
                "The daemon scheduling strategy is not supported for the FARGATE launch type.",
            )
    refuse_exec_without_role(definition, {}, can_exec=bool(form.get("enableExecuteCommand")))
    _refuse_other_strategies(form)
    for target in form.get("loadBalancers") or []:
        _refuse_bad_target(ecs, definition, target)
    return form


def _refuse_other_strategies(form: Json) -> None:
    """Refuse what this AWS does not do, in so many words."""
    strategy = deployment_configuration(form)["strategy"]
    controller = (form.get("deploymentController") or {}).get("type", "ECS")
    if strategy != "ROLLING" or controller != "ECS":
        raise AwsError(
            "UnsupportedFeatureException",
            "This AWS on your machine deploys by rolling updates only: "
            f"strategy {strategy} of the controller {controller} is not there.",
        )


def _refuse_bad_target(ecs: Ecs, definition: TaskDefinition, target: Json) -> None:
    container = next(
        (c for c in definition.containers if c["name"] == target.get("containerName")), None
    )
    if container is None:
        raise AwsError(
            "InvalidParameterException",
            f"The container {target.get('containerName')} does not exist in the task definition.",
        )
    ports = [one.get("containerPort") for one in container.get("portMappings") or []]
    if target.get("containerPort") not in ports:
        raise AwsError(
            "InvalidParameterException",
            f"The container {container['name']} did not have a container port "
            f"{target.get('containerPort')} defined.",
        )
    ecs.balancing.refuse_bad_group(target["targetGroupArn"], definition.network_mode)


async def describe_services(ecs: Ecs, request: Json) -> Json:
    """Describe up to ten services of a cluster."""
    cluster = ecs.cluster(request.get("cluster"))
    if len(request["services"]) > MOST_DESCRIBED:
        raise AwsError("InvalidParameterException", "Services cannot have more than 10 elements.")
    services, failures = [], []
    for reference in request["services"]:
        name = reference.rpartition("/")[2]
        found = ecs.services.get((cluster.name, name))
        if found:
            services.append(found.shown(request.get("include") or []))
        else:
            arn = ecs.place.arn("ecs", f"service/{cluster.name}/{name}")
            failures.append(failure(arn))
    return {"services": services, "failures": failures}


async def list_services(ecs: Ecs, request: Json) -> Json:
    """List the services of a cluster that were not deleted."""
    cluster = ecs.cluster(request.get("cluster"))
    found = [s for s in ecs.services.values() if s.cluster is cluster and s.status == "ACTIVE"]
    for member, default in (("launchType", None), ("schedulingStrategy", "REPLICA")):
        if wanted := request.get(member):
            found = [s for s in found if (s.form.get(member) or default) == wanted]
    arns = [service.arn for service in found]
    some, token = page({"maxResults": MOST_DESCRIBED, **without_none(request)}, arns, most=100)
    return {"serviceArns": some, "nextToken": token}


async def update_service(ecs: Ecs, request: Json) -> Json:
    """Change a service; what concerns its tasks begins a new deployment."""
    service = _service(ecs, request)
    if service.status != "ACTIVE":
        raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
    before = service.form
    form = {**before, **{k: v for k, v in without_none(request).items() if k not in _NOT_KEPT}}
    if request.get("capacityProviderStrategy"):
        form["launchType"] = None
    _refuse_negative_count(request)
    definition = service.definition
    if request.get("taskDefinition"):
        definition = ecs.definition(request["taskDefinition"], active=True)
    form = _looked_at(ecs, service.cluster, definition, form)
    is_new = definition is not service.definition or bool(request.get("forceNewDeployment"))
    is_new |= any(form.get(member) != before.get(member) for member in _DEPLOYED)
    service.form, service.definition = form, definition
    if request.get("desiredCount") is not None and not service.is_daemon:
        service.desired = request["desiredCount"]
    service.is_steady = False
    if is_new:
        ecs.scheduler.deploy(service)
    else:
        service.primary.updated_at = now()
        ecs.scheduler.look_at(service)
    return {"service": service.shown(["TAGS"])}


def _refuse_negative_count(request: Json) -> None:
    if (request.get("desiredCount") or 0) < 0:
        raise AwsError("InvalidParameterException", "DesiredCount must not be negative.")  # ours


_NOT_KEPT: Final = ("cluster", "service", "desiredCount", "taskDefinition", "forceNewDeployment")
# What tasks are started with: a change of it needs other tasks.
_DEPLOYED: Final = (
    "networkConfiguration",
    "platformVersion",
    "loadBalancers",
    "capacityProviderStrategy",
    "launchType",
    "enableExecuteCommand",
    "serviceRegistries",
    "propagateTags",
)


async def delete_service(ecs: Ecs, request: Json) -> Json:
    """Delete a service that wants no tasks, or by force any."""
    service = _service(ecs, request)
    if service.status != "ACTIVE":
        raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
    if service.desired and not service.is_daemon and not request.get("force"):
        raise AwsError(
            "InvalidParameterException",
            "The service cannot be stopped while it is scaled above 0.",
        )
    service.desired = 0
    service.status = "DRAINING"
    ecs.scheduler.end(service)
    return {"service": service.shown()}


async def list_service_deployments(ecs: Ecs, request: Json) -> Json:
    """List the history of a service's deployments, the newest first."""
    service = _service(ecs, request)
    found = service.history
    if states := request.get("status"):
        found = [one for one in found if one.history in states]
    briefs = [_brief(service, one) | {"targetServiceRevisionArn": one.revision} for one in found]
    some, token = page(request, briefs, most=100)
    return {"serviceDeployments": some, "nextToken": token}


async def describe_service_deployments(ecs: Ecs, request: Json) -> Json:
    """Describe deployments of the history by their ARNs."""
    shown, failures = [], []
    for arn in request["serviceDeploymentArns"]:
        found = _deployment(ecs, arn)
        if found:
            service, deployment = found
            shown.append(service.shown_deployment(deployment))
        else:
            failures.append(failure(arn))
    return {"serviceDeployments": shown, "failures": failures}


async def describe_service_revisions(ecs: Ecs, request: Json) -> Json:
    """Describe revisions of services by their ARNs."""
    shown, failures = [], []
    by_arn = {
        deployment.revision: (service, deployment)
        for service in ecs.services.values()
        for deployment in reversed(service.history)
    }
    for arn in request["serviceRevisionArns"]:
        if arn not in by_arn:
            failures.append(failure(arn))
            continue
        service, deployment = by_arn[arn]
        settings = deployment.settings
        shown.append(
            without_none(
                {
                    "serviceRevisionArn": arn,
                    "serviceArn": service.arn,
                    "clusterArn": service.cluster.arn,
                    "taskDefinition": deployment.definition.arn,
                    "launchType": settings.get("launchType"),
                    "capacityProviderStrategy": settings.get("capacityProviderStrategy"),
                    "platformVersion": settings.get("platformVersion"),
                    "networkConfiguration": settings.get("networkConfiguration"),
                    "loadBalancers": settings.get("loadBalancers") or [],
                    "containerImages": [
                        {"containerName": one["name"], "image": one["image"]}
                        for one in deployment.definition.containers
                    ],
                    "createdAt": deployment.created_at,
                }
            )
        )
    return {"serviceRevisions": shown, "failures": failures}


async def stop_service_deployment(ecs: Ecs, request: Json) -> Json:
    """Stop a deployment that is under way, and go back to the revision before it."""
    found = _deployment(ecs, request["serviceDeploymentArn"])
    if found is None:
        raise AwsError("ServiceDeploymentNotFoundException", "Service deployment not found.")
    service, deployment = found
    if deployment.history not in ("PENDING", "IN_PROGRESS"):
        raise AwsError(
            "ConflictException",
            "The service deployment is not in a state in which it can be stopped.",
        )
    if request.get("stopType") == "ABORT":
        ecs.scheduler.give_up(service, deployment, "STOPPED", "Service deployment was stopped.")
    else:
        before = service.history[service.history.index(deployment) + 1 :]
        why = "Service deployment rolled back on request."
        ecs.scheduler.roll_back(service, deployment, before[0] if before else None, why)
    return {"serviceDeploymentArn": deployment.arn}


def _service(ecs: Ecs, request: Json) -> Service:
    """Find the service that a request names.

    Raises:
        AwsError: ``ServiceNotFoundException``.
    """
    reference = request["service"]
    parts = reference.split("/")
    named = parts[-2] if reference.startswith("arn:") and len(parts) > 2 else None  # noqa: PLR2004
    cluster = ecs.cluster(request.get("cluster") or named)
    found = ecs.services.get((cluster.name, parts[-1]))
    if found is None:
        raise AwsError("ServiceNotFoundException", "Service not found.")
    return found


def _deployment(ecs: Ecs, arn: str) -> tuple[Service, Deployment] | None:
    for service in ecs.services.values():
        for deployment in service.history:
            if deployment.arn == arn:
                return service, deployment
    return None


def _event_id() -> str:
    digits = new_id()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def new_deployment_id() -> str:
    """Make the id of a deployment, as ``startedBy`` of its tasks has it."""
    return f"ecs-svc/{random.SystemRandom().randrange(10**18, 10**19)}"
