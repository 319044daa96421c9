"""The form of a task definition: how it is read, and what ECS fills in where it says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    Json = dict[str, Any]

__all__ = ["completed", "containers_of", "network_mode_of", "ports_of", "without_null"]

# What ECS fills in of a health check, in seconds.
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
HEALTH_DEFAULTS: Final = {"interval": 30, "timeout": 5, "retries": 3}
VOLUME_KINDS: Final = (
    "configuredAtLaunch",
    "dockerVolumeConfiguration",
    "efsVolumeConfiguration",
    "fsxWindowsFileServerVolumeConfiguration",
    "host",
    "s3filesVolumeConfiguration",
)


def containers_of(form: Json) -> list[Json]:
    """List the container definitions of a form.

    Example:
        >>> containers_of({"family": "web"})
        []
    """
    return form.get("containerDefinitions") or []


def network_mode_of(form: Json) -> str:
    """Tell the network mode of a form; without one it is ``bridge``."""
    return form.get("networkMode") or "bridge"


def ports_of(form: Json) -> Iterator[tuple[Json, Json]]:
    """List each port mapping of a form, with its container."""
    for container in containers_of(form):
        for port in container.get("portMappings") or []:
            yield container, port


def without_null(value: Any) -> Any:  # noqa: ANN401  # JSON
    """Leave out each member that is null, at any depth: to ECS that means that it is not given.

    Example:
        >>> without_null({"family": "web", "cpu": None, "volumes": [{"name": "v", "host": None}]})
        {'family': 'web', 'volumes': [{'name': 'v'}]}
    """
    if isinstance(value, dict):
        return {name: without_null(part) for name, part in value.items() if part is not None}
    if isinstance(value, list):
        return [without_null(part) for part in value]
    return value


def completed(form: Json) -> Json:
    """Complete a form that holds by what ECS fills in.

    Example:
        >>> form = {"containerDefinitions": [{"name": "web", "image": "web:1", "memory": 64}]}
        >>> completed(form)["containerDefinitions"][0]["essential"]
        True
    """
    mode = network_mode_of(form)
    return {
        **form,
        "containerDefinitions": [_completed(one, mode) for one in containers_of(form)],
        "volumes": [_completed_volume(one) for one in form.get("volumes") or []],
        "placementConstraints": form.get("placementConstraints") or [],
    }


def _completed(container: Json, mode: str) -> Json:
    filled: Json = {
        "cpu": 0,
        "portMappings": [],
        "essential": True,
        "environment": [],
        "mountPoints": [],
        "volumesFrom": [],
        "systemControls": [],
        **container,
    }
    filled["portMappings"] = [_completed_port(port, mode) for port in filled["portMappings"]]
    if "healthCheck" in container:
        filled["healthCheck"] = {**HEALTH_DEFAULTS, **container["healthCheck"]}
    return filled


def _completed_port(port: Json, mode: str) -> Json:
    filled = {"protocol": "tcp", **port}
    if "containerPort" in port:
        # Only behind a bridge can the port of the host be another one: 0 is a free one.
        filled.setdefault("hostPort", 0 if mode == "bridge" else port["containerPort"])
    return filled


def _completed_volume(volume: Json) -> Json:
    return volume if any(kind in volume for kind in VOLUME_KINDS) else {**volume, "host": {}}
