"""What each capacity refuses: instances of EC2, Fargate, managed instances, machines elsewhere.

A task definition is compatible with each capacity whose rules it keeps. A rule gets the form of a
task definition and yields a sentence for each thing that the capacity refuses; how the sentences
came about stands in `validation`.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs.forms import containers_of, network_mode_of
from lab.aws.ecs.task_sizes import is_fargate_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Json = dict[str, Any]
    Rule = Callable[[Json], Iterator[str]]

__all__ = ["CAPACITIES", "ECR_IMAGE"]

ECR_IMAGE: Final = re.compile(r"\d{12}\.dkr[.-]ecr\..+")
FARGATE_LOG_DRIVERS: Final = ("awslogs", "splunk", "awsfirelens")
MANAGED_LOG_DRIVERS: Final = (*FARGATE_LOG_DRIVERS, "json-file")
MANAGED_NETWORK_MODES: Final = ("awsvpc", "host", "none")
FARGATE_START_SECONDS: Final = (2, 120)
FARGATE_STOP_SECONDS: Final = (0, 120)
# From 0.125 to 192 vCPUs.
EC2_CPU: Final = (128, 196608)


# --- Fargate ---------------------------------------------------------------------------------


def fargate_network(form: Json) -> Iterator[str]:
    """Each task of Fargate has a network interface of its own."""
    if network_mode_of(form) != "awsvpc":
        yield "Fargate only supports network mode ‘awsvpc’."  # noqa: RUF001  # AWS's own quotes


def fargate_size(form: Json) -> Iterator[str]:
    """A task of Fargate has one of its sizes."""
    for member in ("cpu", "memory"):
        if member not in form:
            yield f"Fargate requires that '{member}' be defined at the task level."
            return
    platform = form.get("runtimePlatform") or {}
    windows = platform.get("operatingSystemFamily", "LINUX").startswith("WINDOWS")
    if not is_fargate_size(int(form["cpu"]), int(form["memory"]), windows=windows):
        yield (
            f"No Fargate configuration exists for given values: {form['cpu']} CPU, "
            f"{form['memory']} memory. See the Amazon ECS documentation for the valid values."
        )


def fargate_has_no_host(form: Json) -> Iterator[str]:
    """What belongs to a host is not there: its processes, its folders, its place in a cluster."""
    if form.get("pidMode", "task") != "task":
        yield (
            f"Tasks using the Fargate launch type do not support pidMode '{form['pidMode']}'. "
            "The supported value for pidMode is 'task'."
        )
    if "ipcMode" in form:
        yield _not_on_fargate("ipcMode")
    if form.get("placementConstraints"):
        yield _not_on_fargate("constraints")
    for volume in form.get("volumes") or []:
        if (volume.get("host") or {}).get("sourcePath"):
            yield _not_on_fargate("sourcePath")
        for kind in ("dockerVolumeConfiguration", "fsxWindowsFileServerVolumeConfiguration"):
            if kind in volume:
                yield _not_on_fargate(kind)


def fargate_has_no_devices(form: Json) -> Iterator[str]:
    """A container on Fargate gets no privileges, no devices, and no share of a host's memory."""
    for container in containers_of(form):
        if container.get("privileged"):
            yield (
                "Fargate requires that the ‘privileged’ setting be ‘false’ at the "  # noqa: RUF001
                "container level."
            )
        if container.get("dockerSecurityOptions"):
            yield _not_on_fargate("dockerSecurityOptions")
        linux = container.get("linuxParameters") or {}
        for member in ("devices", "sharedMemorySize", "maxSwap", "swappiness"):
            if linux.get(member) not in (None, []):
                yield _not_on_fargate(member)
        for capability in (linux.get("capabilities") or {}).get("add") or []:
            if capability != "SYS_PTRACE":
                yield f"{capability} is not allowed on Fargate."
        if any(one.get("type") == "GPU" for one in container.get("resourceRequirements") or []):
            yield ("Tasks using the Fargate launch type do not support GPU resource requirements.")


def fargate_logs(form: Json) -> Iterator[str]:
    """Logs leave Fargate by few ways, and under a name that says whose they are."""
    yield from _log_drivers(form, FARGATE_LOG_DRIVERS)
    for container in containers_of(form):
        log = container.get("logConfiguration") or {}
        if log.get("logDriver") == "awslogs" and "awslogs-stream-prefix" not in log["options"]:
            yield (
                "Fargate requires log configuration options to include awslogs-stream-prefix to "
                "support log driver awslogs."
            )
        router = (container.get("firelensConfiguration") or {}).get("options") or {}
        if router.get("config-file-type") == "s3":
            yield (
                "Fargate launch type does not support FirelensConfiguration config file from 's3'"
            )


def fargate_execution_role(form: Json) -> Iterator[str]:
    """Who pulls the image and writes the log needs a role, because there is no host's."""
    if form.get("executionRoleArn"):
        return
    for container in containers_of(form):
        needs = "Fargate requires task definition to have execution role ARN to support"
        if (container.get("logConfiguration") or {}).get("logDriver") == "awslogs":
            yield f"{needs} log driver awslogs."
        if ECR_IMAGE.match(container["image"]):
            yield f"{needs} ECR images."


def fargate_times(form: Json) -> Iterator[str]:
    """A container on Fargate starts and stops within two minutes."""
    bounds = {"startTimeout": FARGATE_START_SECONDS, "stopTimeout": FARGATE_STOP_SECONDS}
    for container in containers_of(form):
        for member, (least, most) in bounds.items():
            if not least <= container.get(member, least) <= most:
                yield (  # ours
                    f"The '{member}' setting for container '{container['name']}' must be between "
                    f"{least} and {most}."
                )


# --- the others ------------------------------------------------------------------------------


def instance_size(form: Json) -> Iterator[str]:
    """On an instance a task has at least an eighth of a vCPU, and no more than there are."""
    least, most = EC2_CPU
    if not least <= int(form.get("cpu", least)) <= most:
        yield "Invalid 'cpu' setting for task."


def instance_storage(form: Json) -> Iterator[str]:
    """The storage of a task is for Fargate: on an instance it is the instance's."""
    if "ephemeralStorage" in form:
        yield "Tasks using the EC2 launch type do not support EphemeralStorage."


def no_trusted_execution(form: Json) -> Iterator[str]:
    """A sandbox for each task is for managed instances."""
    if (form.get("trustedExecutionConfiguration") or {}).get("isolationMode", "SHARED") != "SHARED":
        yield "Trusted execution is supported only for Amazon ECS Managed Instances."  # ours


def managed_network(form: Json) -> Iterator[str]:
    """On managed instances the network mode must be given, and is no bridge."""
    if form.get("networkMode") not in MANAGED_NETWORK_MODES:
        yield "Managed Instances only support network modes 'awsvpc', 'host' and 'none'."  # ours


def managed_logs(form: Json) -> Iterator[str]:
    """Logs leave managed instances by few ways."""
    yield from _log_drivers(form, MANAGED_LOG_DRIVERS)


def external_network(form: Json) -> Iterator[str]:
    """A machine elsewhere has no network interfaces of AWS to give."""
    if network_mode_of(form) == "awsvpc":
        yield "Tasks using the EXTERNAL launch type do not support network mode 'awsvpc'."  # ours


def _not_on_fargate(member: str) -> str:
    return f"Fargate compatible task definitions do not support {member}"


def _log_drivers(form: Json, drivers: tuple[str, ...]) -> Iterator[str]:
    for container in containers_of(form):
        driver = (container.get("logConfiguration") or {}).get("logDriver", drivers[0])
        if driver not in drivers:
            yield f"{driver} is not a valid log driver. Must be one of [{','.join(drivers)}]"


CAPACITIES: Final[Mapping[str, Iterable[Rule]]] = {
    "EXTERNAL": (external_network, instance_size, instance_storage, no_trusted_execution),
    "EC2": (instance_size, instance_storage, no_trusted_execution),
    "MANAGED_INSTANCES": (managed_network, managed_logs, instance_size, instance_storage),
    "FARGATE": (
        fargate_network,
        fargate_size,
        fargate_has_no_host,
        fargate_has_no_devices,
        fargate_execution_role,
        fargate_logs,
        fargate_times,
        no_trusted_execution,
    ),
}
