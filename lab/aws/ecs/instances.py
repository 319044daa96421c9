"""What becomes of EC2 instances, as ECS sees it: they join a cluster, and they go.

An instance of the ECS-optimised image joins the cluster that its user data names, when it has
booted. Here nothing boots: the instance is a record of EC2 and ECS, its tasks are containers of the
one engine of this machine, and booting is a wait of a stated time.

What differs from AWS: the instance needs no instance profile; its agent does not share process or
IPC namespaces, so that a task that wants that is a failure ``ATTRIBUTE``; an instance that boots
before its cluster was created does not try again; what its user data does besides is not done.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bootstrap_container_instance.html
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from typing import TYPE_CHECKING, Any, Final

from lab.aws import moto_seam
from lab.aws.ecs.clusters import create_cluster
from lab.aws.ecs.hosts import Host
from lab.aws.place import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.aws.agent.agent import Agent
    from lab.aws.agent.networks import Networks
    from lab.aws.cloud import Cloud
    from lab.aws.ecs.state import Ecs
    from lab.aws.place import Place

    Json = dict[str, Any]

__all__ = ["Instances", "agent_settings"]

log = logging.getLogger(__name__)

DEFAULT: Final = "default"
CPU_UNITS: Final = 1024
# Of an m4.large's 8,192 MiB the agent finds 7,985; the kernel has the rest.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/memory-management.html
FOUND_MEMORY: Final = 7985 / 8192
COMMENT: Final = re.compile(r"^\s*#.*$", re.MULTILINE)
SETTING: Final = re.compile(r"\b(ECS_[A-Z_]+)=(\{[^\n]*?\}|\"[^\"\n]*\"|'[^'\n]*'|[^\s\"';&|<>]*)")
# What the agent of the ECS-optimised image can do; task definitions ask for these.
CAPABILITIES: Final = (
    *(f"com.amazonaws.ecs.capability.docker-remote-api.1.{minor}" for minor in range(17, 45)),
    "com.amazonaws.ecs.capability.logging-driver.awslogs",
    "com.amazonaws.ecs.capability.logging-driver.json-file",
    "com.amazonaws.ecs.capability.logging-driver.none",
    "com.amazonaws.ecs.capability.ecr-auth",
    "com.amazonaws.ecs.capability.privileged-container",
    "com.amazonaws.ecs.capability.task-iam-role",
    "com.amazonaws.ecs.capability.task-iam-role-network-host",
    "ecs.capability.container-health-check",
    "ecs.capability.container-ordering",
    "ecs.capability.container-restart-policy",
    "ecs.capability.env-files.s3",
    "ecs.capability.execution-role-awslogs",
    "ecs.capability.execution-role-ecr-pull",
    "ecs.capability.network.container-port-range",
    "ecs.capability.secrets.asm.environment-variables",
    "ecs.capability.secrets.ssm.environment-variables",
    "ecs.capability.task-cpu-mem-limit",
    "ecs.capability.task-eni",
)


def agent_settings(user_data: str) -> dict[str, str]:
    r"""Read the settings of the agent that user data writes into ``/etc/ecs/ecs.config``.

    Example:
        >>> agent_settings("#!/bin/bash\necho ECS_CLUSTER=web >> /etc/ecs/ecs.config")
        {'ECS_CLUSTER': 'web'}
    """
    text = COMMENT.sub("", user_data).replace('\\"', '"')
    return {name: value.strip("\"'") for name, value in SETTING.findall(text)}


class Instances:
    """The EC2 instances of one local AWS.

    Args:
        cloud: The loop.
        ecs_of: Gives the ECS of a place.
        agent: Who ends the containers of an instance that goes.
        networks: Where the addresses of instances come from.
        boot_seconds: How long a launched instance takes until its agent answers.
    """

    def __init__(
        self,
        cloud: Cloud,
        ecs_of: Callable[[Place], Ecs],
        agent: Agent,
        networks: Networks,
        boot_seconds: float,
    ) -> None:
        self._cloud = cloud
        self._ecs_of = ecs_of
        self._agent = agent
        self._networks = networks
        self._boot_seconds = boot_seconds

    def told(self, place: Place, what: str, instance_id: str) -> None:
        """Hear in any thread what became of an instance."""
        react = {
            "launched": self._boot,
            "started": self._boot,
            "stopped": self._stopped,
            "terminated": self._terminated,
        }[what]
        self._cloud.tell(react, place, instance_id)

    def _boot(self, place: Place, instance_id: str) -> None:
        self._cloud.later(self._boot_seconds, self._booted, place, instance_id)

    def _booted(self, place: Place, instance_id: str) -> None:
        if not moto_seam.begin_to_run(place, instance_id):
            return
        ecs = self._ecs_of(place)
        if host := _host_of(ecs, instance_id):
            host.agent_connected = True
            host.version += 1
            ecs.scheduler.look_at_all()
        else:
            self._cloud.spawn(self._join(ecs, instance_id))

    async def _join(self, ecs: Ecs, instance_id: str) -> None:
        """Have the agent of an instance register it, if it has one and its cluster is there."""
        instance = moto_seam.instance_of(ecs.place, instance_id)
        if instance is None:
            return
        agent = await self._cloud.beside(
            moto_seam.agent_of_image, ecs.place.region, instance["image"]
        )
        if agent is None:
            return
        settings = agent_settings(instance["user_data"])
        name = settings.get("ECS_CLUSTER") or DEFAULT
        if name == DEFAULT:
            # The agent makes the default cluster where there is none.
            await create_cluster(ecs, {})
        cluster = ecs.clusters.get(name)
        if cluster is None or cluster.status != "ACTIVE":
            log.warning("instance %s: there is no cluster %s to join", instance_id, name)
            return
        subnet = ecs.sources.subnet_of(ecs.place, instance["subnet"])
        size = moto_seam.size_of(instance["type"])
        host_id = new_id()
        reserved = settings.get("ECS_RESERVED_MEMORY") or ""
        host = Host(
            id=host_id,
            arn=ecs.place.arn("ecs", f"container-instance/{name}/{host_id}"),
            cluster=cluster,
            instance_id=instance_id,
            zone=subnet["zone"],
            address=instance["address"],
            subnet_range=subnet["range"],
            vpc_range=subnet["vpc_range"],
            cpu=size["cpus"] * CPU_UNITS,
            memory=int(size["memory"] * FOUND_MEMORY)
            - (int(reserved) if reserved.isdecimal() else 0),
            # One interface is the instance's own.
            interfaces=size["interfaces"] - 1,
            attributes=_attributes(instance, subnet, size, settings),
            agent_version=agent["agent"],
            engine_version=agent["engine"],
        )
        ecs.hosts[host_id] = host
        ecs.scheduler.look_at_all()

    def _stopped(self, place: Place, instance_id: str) -> None:
        """Lose the tasks; the instance stays in its cluster, and its agent comes back with it."""
        ecs = self._ecs_of(place)
        if host := _host_of(ecs, instance_id):
            self._lose(host, "stopped")
            ecs.scheduler.look_at_all()

    def _terminated(self, place: Place, instance_id: str) -> None:
        """Lose the tasks and the instance, unless it was stopped before: then it stays listed."""
        ecs = self._ecs_of(place)
        if instance := moto_seam.instance_of(place, instance_id):
            self._networks.free_address(instance["address"])
        for host in [*ecs.hosts.values(), *ecs.former_hosts.values()]:
            if host.instance_id == instance_id and host.agent_connected:
                if host.status != "INACTIVE":
                    ecs.take_out(host)
                self._lose(host, "terminated")
        ecs.scheduler.look_at_all()

    def _lose(self, host: Host, how: str) -> None:
        """Have the tasks of an instance end with it, at once."""
        host.agent_connected = False
        host.version += 1
        for task in host.live:
            task.stop("TerminationNotice", f"Host EC2 (instance {host.instance_id}) {how}.")
            self._cloud.spawn(self._agent.cut_off(task))
        self._cloud.spawn(self._agent.leave_host(host, for_good=how == "terminated"))


def _host_of(ecs: Ecs, instance_id: str) -> Host | None:
    return next((host for host in ecs.hosts.values() if host.instance_id == instance_id), None)


def _attributes(
    instance: Json, subnet: Json, size: Json, settings: dict[str, str]
) -> dict[str, str | None]:
    own: dict[str, str] = {}
    with contextlib.suppress(ValueError):
        # As the agent does: what is no JSON is left out.
        own = json.loads(settings.get("ECS_INSTANCE_ATTRIBUTES") or "{}")
    return {
        "ecs.availability-zone": subnet["zone"],
        "ecs.instance-type": instance["type"],
        "ecs.ami-id": instance["image"],
        "ecs.os-type": "linux",
        "ecs.os-family": "LINUX",
        "ecs.cpu-architecture": size["architecture"],
        "ecs.vpc-id": subnet["vpc"],
        "ecs.subnet-id": instance["subnet"],
        **dict.fromkeys(CAPABILITIES),
        **own,
    }
