"""Turns a container definition into what the engine is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from docker.types import Healthcheck, LogConfig, Mount, Ulimit

if TYPE_CHECKING:
    from collections.abc import Mapping

    import docker

    from lab.aws.ecs.state import Container, Task
    from lab.naming import Naming

    Json = dict[str, Any]

__all__ = ["DEFAULT_STOP_SECONDS", "create_options", "overridden", "runtime_name", "stop_seconds"]

MEBIBYTE: Final = 1 << 20
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
DEFAULT_STOP_SECONDS: Final = 30
CPU_UNITS: Final = 1024
# What ECS fills in where a health check leaves it out, in seconds.
HEALTH_DEFAULTS: Final = {"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0}
SECOND: Final = 1_000_000_000
LEAST_MEMORY: Final = 6 * MEBIBYTE


def overridden(definition: Json, overrides: Json) -> Json:
    """Put a task's overrides for one container into its definition.

    Example:
        >>> overridden({"name": "web", "command": ["a"]}, {"name": "web", "command": ["b"]})
        {'name': 'web', 'command': ['b']}
    """
    merged = {**definition}
    for name, value in overrides.items():
        if name == "environment":
            kept = {one["name"]: one["value"] for one in definition.get(name) or []}
            kept |= {one["name"]: one["value"] for one in value}
            merged[name] = [{"name": key, "value": text} for key, text in kept.items()]
        elif value is not None:
            merged[name] = value
    return merged


def runtime_name(naming: Naming, task: Task, what: str) -> str:
    """Give the engine's name of what a task has there, such as one of its containers."""
    family, revision = task.definition.family, task.definition.revision
    return naming.full_name(f"{family}-{revision}-{what}-{task.id[:8]}")


def stop_seconds(container: Container) -> int:
    """Tell how long a container may take to end by itself."""
    return int(container.definition.get("stopTimeout") or DEFAULT_STOP_SECONDS)


def create_options(  # noqa: PLR0913  # all that the engine has to know
    api: docker.APIClient,
    task: Task,
    container: Container,
    *,
    network: str,
    environment: Mapping[str, str],
    volumes: Mapping[str, str],
    volumes_from: list[str],
    labels: Mapping[str, str],
    published: Mapping[str, Any],
) -> Json:
    """Say how docker-py's ``create_container`` makes a container of a task.

    Args:
        api: The client, which knows the version of the engine's API.
        task: The task.
        container: The container, with its definition.
        network: The engine's network mode for it, such as ``container:<pause>``.
        environment: Its variables, secrets and all.
        volumes: For each volume of the task, the volume or the folder of the engine.
        volumes_from: Containers whose volumes it gets, as the engine writes them.
        labels: Its labels.
        published: For each port, the address on the host.
    """
    definition = container.definition
    linux = definition.get("linuxParameters") or {}
    capabilities = linux.get("capabilities") or {}
    memory = _memory(task, definition)
    swap = linux.get("maxSwap")
    host = api.create_host_config(
        network_mode=network,
        mem_limit=memory,
        # The sum of both; equal means none, as on Fargate.
        memswap_limit=memory + swap * MEBIBYTE if memory and swap else memory,
        mem_reservation=_bytes(definition.get("memoryReservation")),
        mem_swappiness=linux.get("swappiness") if swap else None,
        cpu_shares=max(2, definition.get("cpu") or 0),
        nano_cpus=_nano_cpus(task),
        mounts=[_mount(point, volumes) for point in definition.get("mountPoints") or []],
        volumes_from=volumes_from or None,
        ulimits=[_ulimit(one) for one in definition.get("ulimits") or []],
        cap_add=capabilities.get("add"),
        cap_drop=capabilities.get("drop"),
        privileged=bool(definition.get("privileged")),
        read_only=bool(definition.get("readonlyRootFilesystem")),
        init=linux.get("initProcessEnabled"),
        tmpfs={one["containerPath"]: _tmpfs(one) for one in linux.get("tmpfs") or []} or None,
        shm_size=_bytes(linux.get("sharedMemorySize")),
        devices=[_device(one) for one in linux.get("devices") or []] or None,
        extra_hosts={o["hostname"]: o["ipAddress"] for o in definition.get("extraHosts") or []},
        dns=definition.get("dnsServers") or None,
        dns_search=definition.get("dnsSearchDomains") or None,
        security_opt=definition.get("dockerSecurityOptions") or None,
        sysctls={one["namespace"]: one["value"] for one in definition.get("systemControls") or []},
        port_bindings=dict(published) or None,  # type: ignore[arg-type]
        log_config=LogConfig(type="json-file", config={"max-size": "10m", "max-file": "1"}),
    )
    return {
        "image": definition["image"],
        "command": definition.get("command") or None,
        "entrypoint": definition.get("entryPoint") or None,
        "environment": dict(environment),
        "user": definition.get("user"),
        "working_dir": definition.get("workingDirectory"),
        "hostname": definition.get("hostname"),
        "healthcheck": _health_check(definition.get("healthCheck")),
        "labels": {**(definition.get("dockerLabels") or {}), **labels},
        "ports": [_port(port) for port in published],
        "stop_timeout": stop_seconds(container),
        "tty": bool(definition.get("pseudoTerminal")),
        "stdin_open": bool(definition.get("interactive")),
        "host_config": host,
    }


def _memory(task: Task, definition: Json) -> int | None:
    """The hard limit: the container's own, and never more than the task's."""
    own = definition.get("memory")
    whole = task.size[1]
    limits = [int(limit) for limit in (own, whole) if limit]
    return max(LEAST_MEMORY, min(limits) * MEBIBYTE) if limits else None


def _nano_cpus(task: Task) -> int | None:
    """A task may use its CPU and no more; here each container may use the task's."""
    units = task.size[0]
    return int(units) * SECOND // CPU_UNITS if units else None


def _health_check(check: Json | None) -> Healthcheck:
    if check is None:
        # ECS does not look at the health check of an image.
        return Healthcheck(test=["NONE"])
    values = HEALTH_DEFAULTS | {key: value for key, value in check.items() if value is not None}
    return Healthcheck(
        test=check["command"],
        interval=values["interval"] * SECOND,
        timeout=values["timeout"] * SECOND,
        retries=values["retries"],
        start_period=values["startPeriod"] * SECOND,
    )


def _mount(point: Json, volumes: Mapping[str, str]) -> Mount:
    source = volumes[point["sourceVolume"]]
    return Mount(point["containerPath"], source, read_only=bool(point.get("readOnly")))


def _ulimit(limit: Json) -> Ulimit:
    return Ulimit(name=limit["name"], soft=limit["softLimit"], hard=limit["hardLimit"])


def _tmpfs(one: Json) -> str:
    return ",".join([f"size={one['size']}m", *(one.get("mountOptions") or [])])


def _device(one: Json) -> str:
    permissions = "".join(name[0] for name in one.get("permissions") or ["read", "write", "mknod"])
    return f"{one['hostPath']}:{one.get('containerPath') or one['hostPath']}:{permissions}"


def _port(written: str) -> tuple[int, str]:
    number, _, protocol = written.partition("/")
    return int(number), protocol or "tcp"


def _bytes(mebibytes: int | None) -> int | None:
    return mebibytes * MEBIBYTE if mebibytes else None
