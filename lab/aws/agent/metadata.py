"""The documents of the task metadata endpoint, version 4, made of ECS's own records.

A member is there only where its value is true here: what this machine does not have, such as the
name servers of a VPC, is left out, as the real agent leaves out what it does not know.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate-response.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-response.html
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs.state import without_none

if TYPE_CHECKING:
    import datetime as dt

    from lab.aws.ecs.state import Container, Task

    Json = dict[str, Any]

__all__ = ["container_document", "ecs_labels", "interface_of", "task_document"]

CPU_UNITS: Final = 1024
# The least that the engine can be told.
LEAST_CPU: Final = 2


def ecs_labels(task: Task, container_name: str) -> dict[str, str]:
    """Give the labels that the agent of ECS writes on a container."""
    return {
        "com.amazonaws.ecs.cluster": task.cluster.name,
        "com.amazonaws.ecs.container-name": container_name,
        "com.amazonaws.ecs.task-arn": task.arn,
        "com.amazonaws.ecs.task-definition-family": task.definition.family,
        "com.amazonaws.ecs.task-definition-version": str(task.definition.revision),
    }


def task_document(task: Task, containers: list[Json], *, vpc: str | None = None) -> Json:
    """Describe a task, as ``${ECS_CONTAINER_METADATA_URI_V4}/task`` does.

    Args:
        task: The task.
        containers: The documents of its containers.
        vpc: The VPC of its instance; nothing on Fargate.
    """
    cpu, memory = task.size
    limits = without_none(
        {
            "CPU": int(cpu) / CPU_UNITS if cpu else None,
            "Memory": int(memory) if memory else None,
        }
    )
    return without_none(
        {
            "Cluster": task.cluster.name if task.host else task.cluster.arn,
            "TaskARN": task.arn,
            "Family": task.definition.family,
            "Revision": str(task.definition.revision),
            "DesiredStatus": task.desired,
            "KnownStatus": _known_status_of_task(task),
            "Limits": limits or None,
            "PullStartedAt": _text(task.times.get("pullStartedAt")),
            "PullStoppedAt": _text(task.times.get("pullStoppedAt")),
            "ExecutionStoppedAt": _text(task.times.get("executionStoppedAt")),
            "AvailabilityZone": task.zone,
            "LaunchType": task.launch_type,
            "Containers": containers,
            "VPCID": vpc,
            "ServiceName": task.group.removeprefix("service:") if task.service else None,
            "FaultInjectionEnabled": bool(task.definition.form.get("enableFaultInjection")),
        }
    )


def container_document(
    task: Task, container: Container, *, docker_name: str, networks: list[Json]
) -> Json:
    """Describe a container, as ``${ECS_CONTAINER_METADATA_URI_V4}`` does.

    Args:
        task: The task that it belongs to.
        container: The container.
        docker_name: Its name on the engine.
        networks: Its networks, such as `interface_of` makes them.
    """
    definition = container.definition
    log = definition.get("logConfiguration") or {}
    is_restarted = (definition.get("restartPolicy") or {}).get("enabled")
    limits = {"CPU": max(LEAST_CPU, definition.get("cpu") or 0), "Memory": definition.get("memory")}
    return without_none(
        {
            "DockerId": container.runtime_id,
            "Name": container.name,
            "DockerName": docker_name,
            "Image": definition["image"],
            "ImageID": container.image_id,
            "Ports": _ports(task, container) or None,
            "Labels": {
                **(definition.get("dockerLabels") or {}),
                **ecs_labels(task, container.name),
            },
            "DesiredStatus": task.desired,
            "KnownStatus": _known_status(container),
            "ExitCode": container.exit_code,
            "Limits": without_none(limits),
            "CreatedAt": _text(container.created_at),
            "StartedAt": _text(container.started_at),
            "FinishedAt": _text(container.finished_at),
            "Type": "NORMAL",
            "Health": _health(container),
            "LogDriver": log.get("logDriver"),
            "LogOptions": log.get("options"),
            "ContainerARN": container.arn,
            "Networks": networks or None,
            "RestartCount": container.restarts if is_restarted else None,
        }
    )


def interface_of(task: Task, subnet: Json) -> Json:
    """Describe the network interface of a task, as its containers show it.

    Args:
        task: A task in ``awsvpc``, which has its interface.
        subnet: The subnet's ``range``, and the ``vpc_range`` of its VPC.
    """
    values = {one["name"]: one["value"] for one in task.attachments[0]["details"]}
    vpc = ipaddress.ip_network(subnet["vpc_range"])
    return {
        "NetworkMode": "awsvpc",
        "IPv4Addresses": [values["privateIPv4Address"]],
        "AttachmentIndex": 0,
        "MACAddress": values["macAddress"],
        "IPv4SubnetCIDRBlock": subnet["range"],
        "PrivateDNSName": values["privateDnsName"],
        # One network plays the whole VPC, so all its subnets have the same way out.
        "SubnetGatewayIpv4Address": f"{vpc[1]}/{vpc.prefixlen}",
    }


def _known_status(container: Container) -> str:
    """Say in the words of the agent how far a container is."""
    if container.status == "PENDING":
        return "CREATED" if container.runtime_id else "PULLED"
    return container.status


def _known_status_of_task(task: Task) -> str:
    """Say in the words of the agent how far a task is: its own status comes from elsewhere."""
    if task.status == "STOPPED":
        return "STOPPED"
    has_started = all(container.status != "PENDING" for container in task.containers)
    return "RUNNING" if has_started else "NONE"


def _health(container: Container) -> Json | None:
    if not container.has_health_check or container.health == "UNKNOWN":
        return None
    return {"status": container.health}


def _ports(task: Task, container: Container) -> list[Json]:
    """List the ports: in ``awsvpc`` they are the container's own, else those of the host."""
    if task.definition.network_mode != "awsvpc":
        return [
            {
                "ContainerPort": binding["containerPort"],
                "Protocol": binding["protocol"],
                "HostPort": binding["hostPort"],
                "HostIp": binding["bindIP"],
            }
            for binding in container.bindings
        ]
    return [
        {
            "ContainerPort": port["containerPort"],
            "Protocol": port.get("protocol") or "tcp",
            "HostPort": port["containerPort"],
        }
        for port in container.definition.get("portMappings") or []
    ]


def _text(moment: dt.datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
