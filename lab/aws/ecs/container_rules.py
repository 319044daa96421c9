"""What ECS refuses of one container definition, one rule after the other.

A rule gets the form of the task definition, the container definition in it, and yields a sentence
for each thing that it refuses. How the sentences came about stands in `validation`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs.forms import containers_of, network_mode_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Json = dict[str, Any]
    Rule = Callable[[Json, Json], Iterator[str]]

__all__ = ["RULES", "faults_of_name", "numbers_of"]

NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
IMAGE: Final = re.compile(r"[A-Za-z0-9_.:/#-]+")
DIGEST: Final = re.compile(r"sha256:[A-Fa-f0-9]{64}")
LONGEST_NAME: Final = 255
MOST_PORT: Final = 65535
PORT_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")
HEALTH_RANGES: Final = {
    "interval": (5, 300),
    "timeout": (2, 60),
    "retries": (1, 10),
    "startPeriod": (0, 300),
}
RESTART_SECONDS: Final = (60, 1800)
MOST_IGNORED_CODES: Final = 50
MOST_SWAPPINESS: Final = 100
MOST_ENVIRONMENT_FILES: Final = 10
UNLIMITED: Final = -1
S3_OBJECT: Final = re.compile(r"arn:aws[a-z-]*:s3:::[^/]+/.+")
LOG_GROUP: Final = re.compile(r"[A-Za-z0-9._/#-]{1,512}")
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LogConfiguration.html
NEEDED_OPTIONS: Final = {
    "awslogs": ("awslogs-region", "awslogs-group"),
    "splunk": ("splunk-token", "splunk-url"),
}
AWSLOGS_OPTIONS: Final = {
    "awslogs-create-group",
    "awslogs-datetime-format",
    "awslogs-group",
    "awslogs-multiline-pattern",
    "awslogs-region",
    "awslogs-stream-prefix",
    "max-buffer-size",
    "mode",
}
# What a container can't have that shares a network interface with the others of its task.
NOT_IN_AWSVPC: Final = {
    "hostname": "hostname is",
    "extraHosts": "Extra hosts are",
    "dnsServers": "DNS servers are",
    "dnsSearchDomains": "DNS search domains are",  # ours
    "disableNetworking": "Disable Networking is",
}
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_KernelCapabilities.html
CAPABILITIES: Final = {
    "ALL", "AUDIT_CONTROL", "AUDIT_WRITE", "BLOCK_SUSPEND", "CHOWN", "DAC_OVERRIDE",
    "DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE",
    "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE",
    "NET_BROADCAST", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_ADMIN",
    "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "SYSLOG", "WAKE_ALARM",
}  # fmt: skip


# --- what it is ------------------------------------------------------------------------------


def has_a_name(_form: Json, container: Json) -> Iterator[str]:
    """Each container has a name."""
    yield from faults_of_name("Container.name", container.get("name"))


def has_an_image(_form: Json, container: Json) -> Iterator[str]:
    """Each container has an image: a name with a tag, or one with a digest."""
    name, at, digest = (container.get("image") or "").partition("@")
    yield from faults_of_name("Container.image", name, IMAGE)
    if at and not DIGEST.fullmatch(digest):
        yield "Container.image contains invalid characters."


def faults_of_name(what: str, text: str | None, pattern: re.Pattern[str] = NAME) -> Iterator[str]:
    """Say what is wrong with a name.

    Args:
        what: Whose name it is, such as ``Container.name``.
        text: The name, if there is one.
        pattern: What the whole of it must match.
    """
    if not text:
        yield f"{what} should not be null or empty."
    elif len(text) > LONGEST_NAME:
        yield f"{what} should be {LONGEST_NAME} characters or less"
    elif not pattern.fullmatch(text):
        yield f"{what} contains invalid characters."


# --- how large it is -------------------------------------------------------------------------


def has_no_negative_size(_form: Json, container: Json) -> Iterator[str]:
    """CPU, memory and times are not below zero."""
    for member in ("cpu", "memory", "memoryReservation", "startTimeout", "stopTimeout"):
        if container.get(member, 0) < 0:
            yield f"Invalid '{member}' setting for container '{container['name']}'."  # ours


def has_a_memory(form: Json, container: Json) -> Iterator[str]:
    """There is a memory for the task, or one for the container; its limit is above its share."""
    memory, reserved = container.get("memory"), container.get("memoryReservation")
    which = f"Invalid setting for container '{container['name']}'."
    if not (memory or reserved or form.get("memory")):
        yield f"{which} At least one of 'memory' or 'memoryReservation' must be specified."
    if memory and reserved and memory < reserved:
        yield f"{which} 'memory' must be greater than or equal to 'memoryReservation'."


def fits_into_the_task(form: Json, container: Json) -> Iterator[str]:
    """No container may take more memory than its task."""
    if "memory" not in form:
        return
    for member in ("memory", "memoryReservation"):
        if container.get(member, 0) > int(form["memory"]):
            yield (
                f"The '{member}' setting for container '{container['name']}' is greater than for "
                "the task."
            )


# --- its network -----------------------------------------------------------------------------


def has_sound_ports(_form: Json, container: Json) -> Iterator[str]:
    """A port mapping has one port or a range of them, from 1 to 65535."""
    name = container["name"]
    for port in container.get("portMappings") or []:
        if "containerPortRange" in port:
            if "containerPort" in port or "hostPort" in port:
                yield (
                    f"Invalid port mapping for container '{name}', cannot specify both single port "
                    "and port range."
                )
            if not numbers_of(port):
                yield f"Invalid 'containerPortRange' setting for container '{name}'."
        elif not 1 <= port.get("containerPort", 0) <= MOST_PORT:
            yield f"Invalid 'containerPort' setting for container '{name}'."
        elif not 0 <= port.get("hostPort", 0) <= MOST_PORT:
            yield f"Invalid 'hostPort' setting for container '{name}'."
        if "name" in port and not PORT_NAME.fullmatch(port["name"]):
            yield f"Invalid 'name' setting for a port mapping of container '{name}'."  # ours


def numbers_of(port: Json) -> range:
    """List the ports of a container that a port mapping is about; none if it can't be read.

    Example:
        >>> numbers_of({"containerPort": 80}), numbers_of({"containerPortRange": "80-82"})
        (range(80, 81), range(80, 83))
    """
    if "containerPort" in port:
        return range(port["containerPort"], port["containerPort"] + 1)
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", port.get("containerPortRange", ""))
    if found is None:
        return range(0)
    first, last = int(found[1]), int(found[2])
    return range(first, last + 1) if 0 < first < last <= MOST_PORT else range(0)


def has_ports_of_its_network(form: Json, container: Json) -> Iterator[str]:
    """Only behind a bridge can a port of the host lead to another port of the container."""
    mode = network_mode_of(form)
    ports = container.get("portMappings") or []
    if ports and mode == "none":
        yield "Port mappings are not supported when networkMode=none."  # ours
    if mode == "host" and any("containerPortRange" in port for port in ports):
        yield "Port ranges are not supported when networkMode=host."  # ours
    if mode in ("awsvpc", "host"):
        for port in ports:
            if "hostPort" in port and port["hostPort"] != port["containerPort"]:
                yield (
                    f"When networkMode={mode}, the host ports and container ports in port mappings "
                    "must match."
                )


def has_links_of_its_network(form: Json, container: Json) -> Iterator[str]:
    """Links lead to another container of the task, behind a bridge."""
    mode = network_mode_of(form)
    links = container.get("links") or []
    if links and mode != "bridge":
        yield f"Links are not supported when networkMode={mode}."
    for link in links:
        if link.partition(":")[0] not in _names(form):
            yield f"Invalid 'links' setting. Unknown container: '{link.partition(':')[0]}'."  # ours


def has_no_network_of_its_own(form: Json, container: Json) -> Iterator[str]:
    """In ``awsvpc`` the task has a network, and its containers share it."""
    if network_mode_of(form) == "awsvpc":
        for member, what in NOT_IN_AWSVPC.items():
            if container.get(member):
                yield f"{what} not supported on container when networkMode=awsvpc."


# --- its life --------------------------------------------------------------------------------


def has_a_sound_health_check(_form: Json, container: Json) -> Iterator[str]:
    """A health check has a command, and its times are within bounds."""
    check, name = container.get("healthCheck"), container["name"]
    if check is None:
        return
    if (check.get("command") or [""])[0] not in ("CMD", "CMD-SHELL"):  # ours
        yield f"Health check command must start with CMD or CMD-SHELL for container '{name}'"
    for member, (least, most) in HEALTH_RANGES.items():
        if check.get(member, least) < least:
            yield (  # ours
                f"Health check {member} must be greater than or equal to the minimum allowed value "
                f"{least} for container '{name}'"
            )
        if check.get(member, most) > most:
            yield (
                f"Health check {member} must be less than or equal to the maximum allowed value "
                f"{most} for container '{name}'"
            )


def waits_for_what_can_come(form: Json, container: Json) -> Iterator[str]:
    """A dependency is another container, that can get as far as the condition says."""
    others = {one.get("name"): one for one in containers_of(form)}
    for dependency in container.get("dependsOn") or []:
        name, condition = dependency.get("containerName"), dependency.get("condition")
        if name not in others:
            yield f"Cannot depend on container + '{name}' because it does not exist"
            continue
        if condition in ("SUCCESS", "COMPLETE") and others[name].get("essential", True):
            yield (
                "A dependency container with SUCCESS or COMPLETE condition cannot be an essential "
                "container"
            )
        if condition == "HEALTHY" and "healthCheck" not in others[name]:
            yield "A dependency container with HEALTHY condition must have health check configured"


def restarts_within_bounds(_form: Json, container: Json) -> Iterator[str]:
    """A restart policy waits for 60 to 1800 seconds, and ignores at most 50 exit codes."""
    policy, name = container.get("restartPolicy") or {}, container["name"]
    least, most = RESTART_SECONDS
    if not least <= policy.get("restartAttemptPeriod", least) <= most:
        yield (
            f"The 'restartAttemptPeriod' setting for container '{name}' must be between {least} "
            f"and {most}."
        )
    if len(policy.get("ignoredExitCodes") or []) > MOST_IGNORED_CODES:
        yield (  # ours
            f"The 'ignoredExitCodes' setting for container '{name}' can have at most "
            f"{MOST_IGNORED_CODES} exit codes."
        )


# --- its files and its settings --------------------------------------------------------------


def mounts_what_is_there(form: Json, container: Json) -> Iterator[str]:
    """A mount point names a volume of the task, and a folder that no other one names."""
    volumes = {volume.get("name") for volume in form.get("volumes") or []}
    folders = set()
    for point in container.get("mountPoints") or []:
        if point.get("sourceVolume") not in volumes:
            yield f"Unknown volume '{point.get('sourceVolume', 'null')}'."
        if not point.get("containerPath"):
            yield f"Invalid 'containerPath' setting for container '{container['name']}'."  # ours
        if point.get("containerPath") in folders:
            yield (  # ours
                f"Duplicate mount point '{point['containerPath']}' for container "
                f"'{container['name']}'."
            )
        folders.add(point.get("containerPath"))
    for other in container.get("volumesFrom") or []:
        source = other.get("sourceContainer", "null")
        if source not in _names(form) - {container["name"]}:
            yield f"Invalid 'volumesFrom' setting. Unknown container: '{source}'."


def has_sound_variables(form: Json, container: Json) -> Iterator[str]:
    """A secret needs a role that may read it, and a name that no variable has."""
    variables = {one.get("name") for one in container.get("environment") or []}
    if variables & {None, ""}:
        yield "Environment variable name should not be null or empty."  # ours
    secrets = container.get("secrets") or []
    if secrets and not form.get("executionRoleArn"):
        yield (
            "When you are specifying container secrets, you must also specify a value for "
            "'executionRoleArn'."
        )
    for secret in secrets:
        if secret.get("name") in variables:
            yield (
                "The secret name must be unique and not shared with any new or existing "
                f"environment variables set on the container, such as '{secret['name']}'."
            )
        if not (secret.get("name") and secret.get("valueFrom")):
            yield "Secret.name and Secret.valueFrom should not be null or empty."  # ours
        variables.add(secret.get("name"))
    if "repositoryCredentials" in container and not form.get("executionRoleArn"):
        yield (  # ours
            "When you are specifying repository credentials, you must also specify a value for "
            "'executionRoleArn'."
        )


def has_sound_environment_files(_form: Json, container: Json) -> Iterator[str]:
    """An environment file is an object of S3 whose name ends with ``.env``; ten at most."""
    files = container.get("environmentFiles") or []
    if len(files) > MOST_ENVIRONMENT_FILES:
        yield (
            "The maximum number of environment files was exceeded. Specify ten or less and try "
            "again."
        )
    for file in files:
        if not S3_OBJECT.fullmatch(file.get("value", "")):
            yield "Invalid arn syntax."
        elif not file["value"].endswith(".env"):
            yield f"The environment file '{file['value']}' must end with .env."  # ours


def has_a_sound_log(form: Json, container: Json) -> Iterator[str]:
    """A log driver has the options that it needs, and a log router where it needs one."""
    log = container.get("logConfiguration")
    if log is None:
        return
    driver, options = log.get("logDriver"), log.get("options") or {}
    given = {*options, *(secret.get("name") for secret in log.get("secretOptions") or [])}
    needed = [option for option in NEEDED_OPTIONS.get(driver, ()) if option not in given]
    if needed:
        yield f"Log driver {driver} requires options: {', '.join(needed)}"
    if driver == "awslogs":
        if unknown := sorted(given - AWSLOGS_OPTIONS):
            yield f"Log driver {driver} disallows options: {', '.join(unknown)}"
        if not LOG_GROUP.fullmatch(options.get("awslogs-group", "")):
            yield f"Log driver {driver} option 'awslogs-group' contains invalid characters."
    routers = [one for one in containers_of(form) if "firelensConfiguration" in one]
    if driver == "awsfirelens" and not routers:
        yield (
            "When awsfirelens log driver is specified in log configuration, a firelens "
            "configuration object must be configured in one of the containers."
        )


def has_sound_limits(_form: Json, container: Json) -> Iterator[str]:
    """A soft limit is not above the hard one, and no limit is set twice."""
    names = set()
    for limit in container.get("ulimits") or []:
        soft, hard, name = limit.get("softLimit", 0), limit.get("hardLimit", 0), limit.get("name")
        if hard != UNLIMITED and (soft > hard or soft == UNLIMITED):
            yield f"Soft limit exceeds hard limit for ulimit {name}"
        if name in names:
            yield f"Duplicate ulimit {name} for container '{container['name']}'"  # ours
        names.add(name)


def has_sound_linux_parameters(_form: Json, container: Json) -> Iterator[str]:
    """Swap is within bounds, and capabilities are those of Linux."""
    linux, name = container.get("linuxParameters") or {}, container["name"]
    if not 0 <= linux.get("swappiness", 0) <= MOST_SWAPPINESS:
        yield (  # ours
            f"The 'swappiness' setting for container '{name}' must be between 0 and "
            f"{MOST_SWAPPINESS}."
        )
    for member in ("maxSwap", "sharedMemorySize"):
        if linux.get(member, 0) < 0:
            yield f"Invalid '{member}' setting for container '{name}'."  # ours
    for one in linux.get("tmpfs") or []:
        if not one.get("containerPath") or one.get("size", 0) <= 0:
            yield f"Invalid 'tmpfs' setting for container '{name}'."  # ours
    wanted = linux.get("capabilities") or {}
    for capability in [*(wanted.get("add") or []), *(wanted.get("drop") or [])]:
        if capability not in CAPABILITIES:
            yield f"{capability} is not a valid capability."  # ours


def _names(form: Json) -> set[Any]:
    return {one.get("name") for one in containers_of(form)}


# The order is the one in which they are looked at: later ones take for granted what earlier ones
# have seen, such as that there is a name.
RULES: Final[Iterable[Rule]] = (
    has_a_name,
    has_an_image,
    has_no_negative_size,
    has_a_memory,
    fits_into_the_task,
    has_sound_ports,
    has_ports_of_its_network,
    has_links_of_its_network,
    has_no_network_of_its_own,
    has_a_sound_health_check,
    waits_for_what_can_come,
    restarts_within_bounds,
    mounts_what_is_there,
    has_sound_variables,
    has_sound_environment_files,
    has_a_sound_log,
    has_sound_limits,
    has_sound_linux_parameters,
)
