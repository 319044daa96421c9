"""The instances of the EC2 launch type, as ECS sees them: container instances with a capacity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs.container_rules import numbers_of
from lab.aws.ecs.state import now, without_none

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from lab.aws.ecs.state import Cluster, Container, Task, TaskDefinition

    Json = dict[str, Any]

__all__ = ["Host", "Need", "need_of"]

# What the agent keeps for SSH, the engine and itself.
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html
AGENT_PORTS: Final = (22, 2375, 2376, 51678, 51679)
# Where the engine takes the host's port for a container port that has none, on Linux.
FIRST_FREE_PORT: Final = 32768
LAST_PORT: Final = 65535
PENDING: Final = ("PROVISIONING", "PENDING", "ACTIVATING")


@dataclass(frozen=True)
class Need:
    """What a task takes of an instance.

    Attributes:
        cpu: CPU units.
        memory: MiB.
        ports: Protocol and number of each port that it must have on the host.
        interfaces: How many network interfaces it is given.
    """

    cpu: int
    memory: int
    ports: frozenset[tuple[str, int]]
    interfaces: int


def need_of(
    definition: TaskDefinition, containers: Iterable[Json], overrides: Mapping[str, Any]
) -> Need:
    """Tell what a task takes: what is said for the task, else the sum of its containers.

    Args:
        definition: The task definition.
        containers: Its container definitions, with the overrides in them.
        overrides: The task's overrides.
    """
    containers = list(containers)
    cpu = overrides.get("cpu") or definition.form.get("cpu")
    memory = overrides.get("memory") or definition.form.get("memory")
    ports = {
        (mapping.get("protocol") or "tcp", number)
        for container in containers
        for mapping in container.get("portMappings") or []
        if (number := _fixed_port(definition.network_mode, mapping))
    }
    return Need(
        cpu=int(cpu) if cpu else sum(one.get("cpu") or 0 for one in containers),
        memory=int(memory)
        if memory
        else sum(one.get("memoryReservation") or one.get("memory") or 0 for one in containers),
        ports=frozenset(ports),
        interfaces=int(definition.network_mode == "awsvpc"),
    )


def _fixed_port(network_mode: str, mapping: Json) -> int | None:
    if network_mode == "bridge":
        return mapping.get("hostPort")
    return mapping.get("containerPort") if network_mode == "host" else None


@dataclass(eq=False)
class Host:
    """A container instance.

    Attributes:
        instance_id: The id of the EC2 instance.
        zone: Its availability zone.
        address: The private address of the instance.
        subnet_range: The addresses of its subnet, of which its tasks get theirs.
        vpc_range: The addresses of the VPC that it is in.
        cpu: The CPU units that it registered, 1,024 for each vCPU.
        memory: The MiB that it registered.
        interfaces: How many network interfaces its tasks may have.
        attributes: By name; ``None`` where an attribute has no value.
        agent_connected: Whether its agent answers: not while the instance is stopped.
        tasks: The tasks on it that have not stopped.
        bindings: For protocol and port of the host, the container's address and port behind it.
    """

    id: str
    arn: str
    cluster: Cluster
    instance_id: str
    zone: str
    address: str
    subnet_range: str
    vpc_range: str
    cpu: int
    memory: int
    interfaces: int
    attributes: dict[str, str | None]
    agent_version: str
    engine_version: str
    status: str = "ACTIVE"
    agent_connected: bool = True
    version: int = 1
    tags: list[Json] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    registered_at: dt.datetime = field(default_factory=now)
    bindings: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    _bound: dict[Task, list[tuple[str, int]]] = field(default_factory=dict)

    @property
    def live(self) -> list[Task]:
        """The tasks on it that have not stopped."""
        return [task for task in self.tasks if task.status != "STOPPED"]

    def count(self, *statuses: str) -> int:
        """Count its tasks by their status."""
        return sum(task.status in statuses for task in self.live)

    def take(self, task: Task) -> None:
        """Have a task on it, until it has stopped."""
        self.tasks.append(task)
        self.version += 1

        def look(changed: Task) -> None:
            if changed.status == "STOPPED" and changed in self.tasks:
                self.give_up(changed)

        task.watchers.append(look)

    def give_up(self, task: Task) -> None:
        """Have what a task took free again."""
        self.tasks.remove(task)
        self.version += 1
        for binding in self._bound.pop(task, []):
            self.bindings.pop(binding, None)

    def bind(self, task: Task, container: Container, address: str) -> list[Json]:
        """Give a container its ports of the host, and tell which in AWS's words.

        Args:
            task: The task that it belongs to.
            container: A container in ``bridge`` or ``host``.
            address: Where the container answers.
        """
        found = []
        for mapping in container.definition.get("portMappings") or []:
            protocol = mapping.get("protocol") or "tcp"
            inside = numbers_of(mapping)
            first = _fixed_port(task.definition.network_mode, mapping)
            first = first or self._free_ports(protocol, len(inside))
            for number, port in enumerate(inside, first):
                self.bindings[protocol, number] = (address, port)
                self._bound.setdefault(task, []).append((protocol, number))
            ports: Json = {"containerPort": inside[0], "hostPort": first}
            if "containerPortRange" in mapping:
                ports = {
                    "containerPortRange": mapping["containerPortRange"],
                    "hostPortRange": f"{first}-{first + len(inside) - 1}",
                }
            # What AWS answers; nothing listens there.
            found.append({"bindIP": "0.0.0.0", "protocol": protocol, **ports})  # noqa: S104
        return found

    def _free_ports(self, protocol: str, count: int) -> int:
        """Find so many ports in a row that nobody has, and give the first."""
        taken = self.ports(protocol)
        return next(
            first
            for first in range(FIRST_FREE_PORT, LAST_PORT + 2 - count)
            if taken.isdisjoint(range(first, first + count))
        )

    def ports(self, protocol: str) -> set[int]:
        """List the ports of one protocol that are taken."""
        own = set(AGENT_PORTS) if protocol == "tcp" else set()
        fixed = (port for need in self.needs() for port in need.ports)
        wanted = {number for kind, number in fixed if kind == protocol}
        return own | wanted | {number for kind, number in self.bindings if kind == protocol}

    def needs(self) -> Iterator[Need]:
        """Tell what each of its tasks takes."""
        for task in self.live:
            yield need_of(task.definition, [c.definition for c in task.containers], task.overrides)

    def shown(self, include: Sequence[str] = ()) -> Json:
        """Describe it in AWS's words."""
        needs = list(self.needs())
        cpu = self.cpu - sum(need.cpu for need in needs)
        memory = self.memory - sum(need.memory for need in needs)
        health: Json = {
            "overallStatus": "OK" if self.agent_connected else "IMPAIRED",
            "details": [],
        }
        return without_none(
            {
                "containerInstanceArn": self.arn,
                "ec2InstanceId": self.instance_id,
                "version": self.version,
                "versionInfo": {
                    "agentVersion": self.agent_version,
                    "dockerVersion": f"DockerVersion: {self.engine_version}",
                },
                "registeredResources": [
                    _integer("CPU", self.cpu),
                    _integer("MEMORY", self.memory),
                    _ports("PORTS", AGENT_PORTS),
                    _ports("PORTS_UDP", ()),
                ],
                "remainingResources": [
                    _integer("CPU", cpu),
                    _integer("MEMORY", memory),
                    _ports("PORTS", self.ports("tcp")),
                    _ports("PORTS_UDP", self.ports("udp")),
                ],
                "status": self.status,
                "agentConnected": self.agent_connected,
                "runningTasksCount": self.count("RUNNING"),
                "pendingTasksCount": self.count(*PENDING),
                "attributes": [
                    without_none({"name": name, "value": value})
                    for name, value in self.attributes.items()
                ],
                "registeredAt": self.registered_at,
                "attachments": [],
                "tags": list(self.tags) if "TAGS" in include else [],
                "healthStatus": health if "CONTAINER_INSTANCE_HEALTH" in include else None,
            }
        )


def _integer(name: str, value: int) -> Json:
    return {
        "name": name,
        "type": "INTEGER",
        "doubleValue": 0.0,
        "longValue": 0,
        "integerValue": value,
    }


def _ports(name: str, numbers: Iterable[int]) -> Json:
    return {
        "name": name,
        "type": "STRINGSET",
        "doubleValue": 0.0,
        "longValue": 0,
        "integerValue": 0,
        "stringSetValue": [str(number) for number in sorted(numbers)],
    }
