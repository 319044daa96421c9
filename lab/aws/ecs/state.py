"""What ECS remembers of one place: clusters, task definitions, tasks, services, hosts.

Each record shows itself in AWS's words by ``shown()``: the members of botocore's model, with the
times as ``datetime``. Who changes a record is the scheduler, the agent, or a request.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from lab.aws.errors import AwsError
from lab.aws.pages import page_of
from lab.aws.place import Place, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lab.aws.ecs.hosts import Host
    from lab.aws.ecs.services import Service

    Json = dict[str, Any]

__all__ = [
    "Cluster",
    "Container",
    "Ecs",
    "Status",
    "Task",
    "TaskDefinition",
    "failure",
    "now",
    "page",
    "without_none",
]

T = TypeVar("T")

Status = Literal[
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
]
FARGATE: Final = ("FARGATE", "FARGATE_SPOT")
PLATFORM_VERSION: Final = "1.4.0"
# A task that has stopped is described for at least an hour.
KEPT_SECONDS: Final = 3600


def now() -> dt.datetime:
    """Tell the time, as answers carry it."""
    return dt.datetime.now(tz=dt.UTC)


def without_none(answer: Json) -> Json:
    """Leave out what is not set: AWS leaves such members out of its answers.

    Example:
        >>> without_none({"exitCode": None, "name": "web"})
        {'name': 'web'}
    """
    return {key: value for key, value in answer.items() if value is not None}


def failure(arn: str, reason: str = "MISSING") -> Json:
    """Make an entry of the list ``failures`` of an answer."""
    return {"arn": arn, "reason": reason}


def page(
    request: Json, found: Sequence[T], *, most: int, key: Callable[[T], str] | None = None
) -> tuple[list[T], str | None]:
    """Cut a page out of a list, and give the token that leads to the next one.

    Args:
        request: The request, with its ``maxResults`` and ``nextToken``.
        found: All there is, always in the same order.
        most: How many a page has at most, and without ``maxResults``.
        key: What it is sorted by, where others may delete some of it meanwhile.

    Raises:
        AwsError: The token is none that came with an answer.
    """
    size = min(request.get("maxResults") or most, most)
    try:
        return page_of(found, request.get("nextToken"), size, key)
    except ValueError:
        raise AwsError("InvalidParameterException", "Invalid token") from None


@dataclass
class Cluster:
    """A cluster: a name under which tasks run."""

    name: str
    arn: str
    settings: list[Json]
    tags: list[Json]
    capacity_providers: list[str]
    default_strategy: list[Json]
    configuration: Json | None = None
    service_connect_defaults: Json | None = None
    status: str = "ACTIVE"


@dataclass
class TaskDefinition:
    """A revision of a family.

    Attributes:
        form: What was registered, completed by the defaults: AWS's own members.
    """

    family: str
    revision: int
    arn: str
    form: Json
    tags: list[Json]
    status: str = "ACTIVE"
    registered_at: dt.datetime = field(default_factory=now)
    deregistered_at: dt.datetime | None = None
    delete_requested_at: dt.datetime | None = None

    @property
    def containers(self) -> list[Json]:
        """The container definitions."""
        found: list[Json] = self.form["containerDefinitions"]
        return found

    @property
    def network_mode(self) -> str:
        """``awsvpc``, ``bridge``, ``host`` or ``none``."""
        return str(self.form.get("networkMode") or "bridge")


@dataclass
class Container:
    """A container of a task.

    Attributes:
        definition: Its container definition, with the task's overrides in it.
        runtime_id: The engine's id; empty before the container is made.
        image_id: The engine's id of its image, once that is there.
        exit_code: Once it has ended.
        restarts: How often its restart policy has started it again.
        stop_signal: What its image wants to be asked to end by.
        ended: Is set once it has ended for good.
    """

    definition: Json
    arn: str
    status: str = "PENDING"
    health: str = "UNKNOWN"
    runtime_id: str = ""
    exit_code: int | None = None
    reason: str | None = None
    image_digest: str | None = None
    image_id: str | None = None
    bindings: list[Json] = field(default_factory=list)
    agents: list[Json] = field(default_factory=list)
    started_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    created_at: dt.datetime | None = None
    restarts: int = 0
    stop_signal: str = "SIGTERM"
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        """Its name in the task definition."""
        return str(self.definition["name"])

    @property
    def is_essential(self) -> bool:
        """Whether the task ends with it."""
        return bool(self.definition.get("essential", True))

    @property
    def has_health_check(self) -> bool:
        """Whether the task definition has a health check for it; the image's does not count."""
        return bool(self.definition.get("healthCheck"))

    def shown(self, task: Task) -> Json:
        """Describe it in AWS's words."""
        return without_none(
            {
                "containerArn": self.arn,
                "taskArn": task.arn,
                "name": self.name,
                "image": self.definition["image"],
                "imageDigest": self.image_digest,
                "runtimeId": self.runtime_id or None,
                "lastStatus": self.status,
                "exitCode": self.exit_code,
                "reason": self.reason,
                "networkBindings": list(self.bindings),
                "networkInterfaces": task.interfaces(),
                "healthStatus": self.health,
                "managedAgents": list(self.agents) or None,
                "cpu": str(self.definition.get("cpu") or 0),
                "memory": _text(self.definition.get("memory")),
                "memoryReservation": _text(self.definition.get("memoryReservation")),
            }
        )


@dataclass(eq=False)
class Task:
    """A task: what was asked for, how far it is, and how it ended.

    Attributes:
        place: Its account and region.
        status: Its ``lastStatus``, which only goes forward.
        subnet: Where its network interface is, in ``awsvpc``.
        attachments: Its network interface, in AWS's words.
        host: The instance that it runs on; nothing on Fargate.
        service: The service that it belongs to, if one started it.
        has_been_healthy: Whether it has counted for its service at some time.
        changed: Is set by each change, for who waits in the loop.
        stop_asked: Is set once the task shall stop.
    """

    place: Place
    id: str
    arn: str
    cluster: Cluster
    definition: TaskDefinition
    containers: list[Container]
    launch_type: str
    group: str
    started_by: str | None = None
    capacity_provider: str | None = None
    platform_version: str | None = None
    network: Json | None = None
    overrides: Json = field(default_factory=dict)
    tags: list[Json] = field(default_factory=list)
    subnet: str | None = None
    zone: str | None = None
    host: Host | None = None
    service: Service | None = None
    has_been_healthy: bool = False
    can_exec: bool = False
    attachments: list[Json] = field(default_factory=list)
    status: Status = "PROVISIONING"
    desired: str = "RUNNING"
    version: int = 1
    stop_code: str | None = None
    stopped_reason: str | None = None
    times: dict[str, dt.datetime] = field(default_factory=dict)
    protected_until: dt.datetime | None = None
    stop_asked: asyncio.Event = field(default_factory=asyncio.Event)
    watchers: list[Callable[[Task], None]] = field(default_factory=list)
    _waiting: set[asyncio.Future[None]] = field(default_factory=set)

    @property
    def size(self) -> tuple[str | None, str | None]:
        """CPU units and MiB of the whole task, where the definition or an override says so."""
        form = {**self.definition.form, **without_none(self.overrides)}
        return form.get("cpu"), form.get("memory")

    @property
    def health(self) -> str:
        """``UNHEALTHY`` if a container is, ``HEALTHY`` if all that are checked are."""
        checked = [c.health for c in self.containers if c.has_health_check and c.is_essential]
        if "UNHEALTHY" in checked:
            return "UNHEALTHY"
        return "HEALTHY" if checked and set(checked) == {"HEALTHY"} else "UNKNOWN"

    @property
    def address(self) -> str | None:
        """The private address of its network interface, in ``awsvpc``."""
        found = self.interfaces()
        return found[0]["privateIpv4Address"] if found else None

    @property
    def is_protected(self) -> bool:
        """Whether its service must not stop it now, because somebody said so."""
        return self.protected_until is not None and self.protected_until > now()

    def container(self, name: str) -> Container:
        """Find a container of it by name."""
        return next(container for container in self.containers if container.name == name)

    def interfaces(self) -> list[Json]:
        """The network interfaces, as each container of the task shows them."""
        found = []
        for attachment in self.attachments:
            details = {detail["name"]: detail["value"] for detail in attachment["details"]}
            if "privateIPv4Address" in details:
                address = details["privateIPv4Address"]
                found.append({"attachmentId": attachment["id"], "privateIpv4Address": address})
        return found

    def move(self, status: Status) -> None:
        """Go on to a status, and note when."""
        self.status = status
        time = {"RUNNING": "startedAt", "STOPPING": "stoppingAt", "STOPPED": "stoppedAt"}
        if status in time:
            self.times.setdefault(time[status], now())
        self.touch()

    def touch(self) -> None:
        """Tell everybody that something about it has changed."""
        self.version += 1
        for future in [*self._waiting]:
            if not future.done():
                future.set_result(None)
        for watcher in [*self.watchers]:
            watcher(self)

    async def change(self) -> None:
        """Wait for the next change."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    def stop(self, code: str, reason: str) -> None:
        """Ask it to stop; who asked first is named in the end."""
        if self.stop_asked.is_set():
            return
        self.desired = "STOPPED"
        self.stop_code = code
        self.stopped_reason = reason
        self.times.setdefault("stoppingAt", now())
        self.stop_asked.set()
        self.touch()

    def shown(self, include: Iterable[str] = ()) -> Json:
        """Describe it in AWS's words."""
        cpu, memory = self.size
        return without_none(
            {
                "taskArn": self.arn,
                "clusterArn": self.cluster.arn,
                "taskDefinitionArn": self.definition.arn,
                "containerInstanceArn": self.host.arn if self.host else None,
                "availabilityZone": self.zone,
                "attachments": [dict(attachment) for attachment in self.attachments],
                "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
                "capacityProviderName": self.capacity_provider,
                "connectivity": "CONNECTED" if "connectivityAt" in self.times else None,
                "containers": [container.shown(self) for container in self.containers],
                "cpu": cpu,
                "memory": memory,
                "desiredStatus": self.desired,
                "lastStatus": self.status,
                "enableExecuteCommand": self.can_exec,
                "group": self.group,
                "healthStatus": self.health,
                "launchType": self.launch_type,
                "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": []}
                | self.overrides,
                "platformVersion": self.platform_version,
                "platformFamily": "Linux" if self.platform_version else None,
                "startedBy": self.started_by,
                "stopCode": self.stop_code,
                "stoppedReason": self.stopped_reason,
                "ephemeralStorage": self._storage() if self.platform_version else None,
                "tags": list(self.tags) if "TAGS" in include else [],
                "version": self.version,
                **self.times,
            }
        )

    def _storage(self) -> Json:
        return self.definition.form.get("ephemeralStorage") or {"sizeInGiB": 20}


class Ecs:
    """The state of ECS in one place.

    Attributes:
        place: The account and the region.
        clusters: By name, also the inactive ones.
        families: By name, their revisions in order; the first one has the number 1.
        tasks: By id, also those that have stopped.
        services: By cluster and name.
        hosts: The container instances, by id.
        former_hosts: Those that were deregistered, by id.
        account_settings: By name.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.clusters: dict[str, Cluster] = {}
        self.families: dict[str, list[TaskDefinition]] = {}
        self.tasks: dict[str, Task] = {}
        self.services: dict[tuple[str, str], Service] = {}
        self.hosts: dict[str, Host] = {}
        self.former_hosts: dict[str, Host] = {}
        self.account_settings: dict[str, str] = {}
        self.tokens: dict[str, tuple[Json, list[Task]]] = {}
        self.sources: Any = None
        self.balancing: Any = None
        self.scheduler: Any = None
        self.sessions: Callable[[], Any] = lambda: None
        self.run: Callable[[Task], None] = lambda _task: None

    def cluster(self, reference: str | None, *, inactive: bool = False) -> Cluster:
        """Find a cluster by its name or ARN; without one, the cluster ``default``.

        Raises:
            AwsError: ``ClusterNotFoundException``.
        """
        name = (reference or "default").rpartition("/")[2]
        found = self.clusters.get(name)
        if found is None or (found.status != "ACTIVE" and not inactive):
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        return found

    def definition(self, reference: str, *, active: bool = False) -> TaskDefinition:
        """Find a task definition: ``family``, ``family:revision``, or the ARN.

        Args:
            reference: A family alone means its latest ACTIVE revision.
            active: Refuse one that is INACTIVE.

        Raises:
            AwsError: ``ClientException``.
        """
        # What is left of another place's ARN is no family.
        own = self.place.arn("ecs", "task-definition/")
        family, _, revision = reference.removeprefix(own).partition(":")
        revisions = self.families.get(family, [])
        if not revision:
            found = next((d for d in reversed(revisions) if d.status == "ACTIVE"), None)
        elif revision.isdecimal():
            found = next((d for d in revisions if d.revision == int(revision)), None)
        else:
            found = None
        if found is None:
            raise AwsError("ClientException", "Unable to describe task definition.")
        if active and found.status != "ACTIVE":
            raise AwsError("ClientException", "TaskDefinition is inactive")
        return found

    def task(self, cluster: Cluster, reference: str) -> Task | None:
        """Find a task of a cluster by its id or ARN."""
        found = self.tasks.get(reference.rpartition("/")[2])
        return found if found and found.cluster is cluster else None

    def tasks_of(self, cluster: Cluster) -> list[Task]:
        """List the tasks of a cluster, the oldest first, and forget those that ended long ago."""
        border = now() - dt.timedelta(seconds=KEPT_SECONDS)
        for task in [*self.tasks.values()]:
            if task.status == "STOPPED" and task.times["stoppedAt"] < border:
                del self.tasks[task.id]
        return [task for task in self.tasks.values() if task.cluster is cluster]

    def next_subnet(self, network: Json | None, host: Host | None) -> str | None:
        """Choose the subnet of a new task: its tasks go round the subnets, and so the zones."""
        if network is None:
            return None
        subnets: list[str] = network["awsvpcConfiguration"]["subnets"]
        if host:
            subnets = [one for one in subnets if self.zone_of(one, None) == host.zone]
        return min(subnets, key=lambda one: (self._tasks_in(one), subnets.index(one)))

    def _tasks_in(self, subnet: str) -> int:
        return sum(t.subnet == subnet and t.status != "STOPPED" for t in self.tasks.values())

    def zone_of(self, subnet: str | None, host: Host | None) -> str | None:
        """Tell in which availability zone a task runs."""
        if host:
            return host.zone
        return str(self.sources.subnet_of(self.place, subnet)["zone"]) if subnet else None

    def hosts_of(self, cluster: Cluster) -> list[Host]:
        """List the container instances of a cluster, the oldest first."""
        return [host for host in self.hosts.values() if host.cluster is cluster]

    def host(self, cluster: Cluster, reference: str, *, former: bool = False) -> Host | None:
        """Find a container instance of a cluster by its id or ARN.

        Args:
            cluster: Whose it is.
            reference: Its id or ARN.
            former: Look for one that was deregistered.
        """
        hosts = self.former_hosts if former else self.hosts
        found = hosts.get(reference.rpartition("/")[2])
        return found if found and found.cluster is cluster else None

    def take_out(self, host: Host) -> None:
        """Take a container instance out of its cluster."""
        host.status = "INACTIVE"
        host.version += 1
        self.former_hosts[host.id] = self.hosts.pop(host.id)

    def address_of(self, target_id: str, port: int) -> tuple[str, int]:
        """Tell where a target of a load balancer is reached.

        Args:
            target_id: A task's address, or the id of an EC2 instance.
            port: The task's port, or the instance's.
        """
        for host in self.hosts.values():
            if host.instance_id == target_id:
                return host.bindings.get(("tcp", port), (host.address, port))
        return target_id, port

    def wanted_by(self, service: Service) -> int:
        """Tell how many tasks a service shall run."""
        return service.desired

    def new_container(self, cluster: Cluster, definition: Json) -> Container:
        """Make the record of a container that is to run."""
        arn = self.place.arn("ecs", f"container/{cluster.name}/{new_id()}")
        return Container(definition, arn)


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
