"""What ECS refuses of a task definition, one rule after the other, and for what it is good.

A rule gets the form of a task definition, as it was sent, and yields a sentence for each thing
that it refuses; ECS answers with the first one of all, as a ``ClientException``. The rules for each
container are in `container_rules`, those of Fargate and of the other capacities in `capacities`.

The sentences are AWS's own, as its documents and its users report them. Where AWS's sentence is
not public, the rule stands on the document, and the sentence is in words of ours: such a line is
marked ``# ours``.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
"""

from __future__ import annotations

import graphlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs import container_rules
from lab.aws.ecs.capacities import CAPACITIES
from lab.aws.ecs.forms import containers_of, network_mode_of, ports_of
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Json = dict[str, Any]
    Rule = Callable[[Json], Iterator[str]]

__all__ = ["compatible_with", "refuse_bad_form"]

MOST_BYTES: Final = 65536
MOST_CONTAINERS: Final = 10
MOST_CONSTRAINTS: Final = 10
STORAGE_GIB: Final = (21, 200)
ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+|[A-Za-z0-9_+=,.@-]{1,64}")
VOLUME_KINDS: Final = (
    "dockerVolumeConfiguration",
    "efsVolumeConfiguration",
    "fsxWindowsFileServerVolumeConfiguration",
    "host",
    "s3filesVolumeConfiguration",
)
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ProxyConfiguration.html
PROXY_PROPERTIES: Final = {
    "ProxyIngressPort": "Ingress port",
    "ProxyEgressPort": "Egress port",  # ours
    "AppPorts": "App ports",  # ours
}


def refuse_bad_form(form: Json) -> None:
    """Refuse a form that holds nowhere.

    Args:
        form: As it was sent, without nulls, and with task sizes as plain numbers.

    Raises:
        AwsError: ``ClientException``, with the first sentence that a rule has for it.
    """
    if fault := _first(RULES, form):
        raise AwsError("ClientException", fault)


def compatible_with(form: Json) -> list[str]:
    """Tell with which capacities a sound form is compatible.

    Args:
        form: With ``requiresCompatibilities``, if it shall be good for some.

    Raises:
        AwsError: ``ClientException``: one of those that it requires refuses it, or all do.
    """
    found = [name for name, rules in CAPACITIES.items() if not _first(rules, form)]
    for name in form.get("requiresCompatibilities") or ([] if found else ["EC2"]):
        if fault := _first(CAPACITIES[name], form):
            raise AwsError("ClientException", fault)
    return found


def _first(rules: Iterable[Rule], form: Json) -> str | None:
    return next((fault for rule in rules for fault in rule(form)), None)


# --- the whole -------------------------------------------------------------------------------


def is_short(form: Json) -> Iterator[str]:
    """A task definition has at most 64 KiB."""
    length = len(json.dumps(form, separators=(",", ":")).encode())
    if length > MOST_BYTES:
        yield f"Actual length: '{length}'. Max allowed length is '{MOST_BYTES}' bytes."


def has_a_family(form: Json) -> Iterator[str]:
    """A task definition belongs to a family, whose name is up to 255 letters and the like."""
    if form.get("family"):
        yield from container_rules.faults_of_name("Family", form["family"])
    else:
        yield "Family can not be blank."


def has_containers(form: Json) -> Iterator[str]:
    """There is a container, and there are at most ten."""
    found = containers_of(form)
    if not found:
        yield "Container list cannot be empty."
    if len(found) > MOST_CONTAINERS:
        yield "Too many containers."


def has_sound_containers(form: Json) -> Iterator[str]:
    """Each container keeps the rules for containers."""
    for container in containers_of(form):
        for rule in container_rules.RULES:
            yield from rule(form, container)


def has_names_of_their_own(form: Json) -> Iterator[str]:
    """No two containers have one name."""
    names = [container["name"] for container in containers_of(form)]
    if len(set(names)) < len(names):
        yield "Container names must be unique within a task definition."


def has_an_essential_container(form: Json) -> Iterator[str]:
    """A task runs for some container: when that one ends, it ends."""
    if not any(container.get("essential", True) for container in containers_of(form)):
        yield "Task definition doesn't have any essential container."


def has_room_for_all(form: Json) -> Iterator[str]:
    """The containers together reserve no more than their task has."""
    cpu = sum(container.get("cpu", 0) for container in containers_of(form))
    memory = sum(
        int(container.get("memoryReservation") or container.get("memory") or 0)
        for container in containers_of(form)
    )
    if "cpu" in form and cpu > int(form["cpu"]):
        yield (
            "The sum of all container 'cpu' values cannot be greater than the value of the task "
            "'cpu'."
        )
    if "memory" in form and memory > int(form["memory"]):
        yield (  # ours
            "The sum of all container 'memory' values cannot be greater than the value of the "
            "task 'memory'."
        )


def has_no_circles(form: Json) -> Iterator[str]:
    """No container waits for itself, on whatever way around."""
    links = {
        one["name"]: [link.partition(":")[0] for link in one.get("links") or []]
        for one in containers_of(form)
    }
    waits = {
        one["name"]: [other["containerName"] for other in one.get("dependsOn") or []]
        for one in containers_of(form)
    }
    if _has_circle(links):
        yield "Container links should not have a cycle"
    if _has_circle(waits):
        yield "Container dependencies should not have a cycle"  # ours


def _has_circle(edges: dict[str, list[str]]) -> bool:
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError:
        return True
    return False


# --- ports -----------------------------------------------------------------------------------


def has_each_port_once(form: Json) -> Iterator[str]:
    """A port of a host, or of a network interface that all containers share, leads to one only."""
    mode = network_mode_of(form)
    of_host: set[tuple[str, int]] = set()
    of_task: set[tuple[str, int]] = set()
    for _, port in ports_of(form):
        protocol, host_port = port.get("protocol", "tcp"), port.get("hostPort", 0)
        if host_port:
            if (protocol, host_port) in of_host:
                yield (
                    f"{protocol.upper()} host port '{host_port}' is mapped multiple times in task."
                )
            of_host.add((protocol, host_port))
        for number in () if mode == "bridge" else container_rules.numbers_of(port):
            if (protocol, number) in of_task:
                yield (
                    f"{protocol.upper()} container port '{number}' is used multiple times in task "
                    f"when networkMode={mode}."
                )
            of_task.add((protocol, number))


def has_each_port_name_once(form: Json) -> Iterator[str]:
    """A port mapping's name is its own: Service Connect finds it by that."""
    names = [port["name"] for _, port in ports_of(form) if "name" in port]
    if len(set(names)) < len(names):
        yield f"When networkMode={network_mode_of(form)}, port mapping name is already used"


# --- volumes and storage ---------------------------------------------------------------------


def has_sound_volumes(form: Json) -> Iterator[str]:
    """A volume has a name of its own, and is of one kind."""
    names = set()
    for volume in form.get("volumes") or []:
        yield from container_rules.faults_of_name("Volume.name", volume.get("name"))  # ours
        if volume["name"] in names:
            yield "Volume names must be unique within a task definition."  # ours
        names.add(volume["name"])
        kinds = [kind for kind in VOLUME_KINDS if kind in volume]
        if len(kinds) + bool(volume.get("configuredAtLaunch")) > 1:
            yield f"Volume '{volume['name']}' must have one configuration only."  # ours


def has_one_volume_of_the_launch(form: Json) -> Iterator[str]:
    """At most one volume is configured at launch, and a container mounts it."""
    late = [one["name"] for one in form.get("volumes") or [] if one.get("configuredAtLaunch")]
    mounted = {
        point["sourceVolume"]
        for container in containers_of(form)
        for point in container.get("mountPoints") or []
    }
    if len(late) > 1:
        yield "Only one volume can be configured at launch."  # ours
    if lost := [name for name in late if name not in mounted]:
        yield f"Volumes [{', '.join(lost)}] are not referenced by any of the containers"


def has_sound_file_systems(form: Json) -> Iterator[str]:
    """What is mounted over the network is so with encryption where a role or a point says who."""
    for volume in form.get("volumes") or []:
        settings = volume.get("efsVolumeConfiguration") or {}
        access = settings.get("authorizationConfig") or {}
        is_encrypted = settings.get("transitEncryption") == "ENABLED"
        if "accessPointId" in access and settings.get("rootDirectory", "/") != "/":
            yield (
                'When using an EFS access point, the root directory must either be set to "/" or '
                "be omitted."
            )
        if "accessPointId" in access and not is_encrypted:
            yield "EFS access points require TransitEncryption to be enabled."  # ours
        if access.get("iam") == "ENABLED" and not is_encrypted:
            yield "EFS IAM authorization requires TransitEncryption to be enabled."
        if "transitEncryptionPort" in settings and not is_encrypted:
            yield "TransitEncryptionPort requires that TransitEncryption is enabled."
        if "s3filesVolumeConfiguration" in volume and not form.get("taskRoleArn"):
            yield "S3 Files volumes require a value for 'taskRoleArn'."  # ours


def has_sound_storage(form: Json) -> Iterator[str]:
    """The storage of a task is from 21 to 200 GiB."""
    least, most = STORAGE_GIB
    size = (form.get("ephemeralStorage") or {}).get("sizeInGiB", least)
    if size < least:
        yield f"EphemeralStorage size should be at least {least}"
    if size > most:
        yield f"EphemeralStorage size should be at most {most}"


# --- what else there is ----------------------------------------------------------------------


def has_sound_roles(form: Json) -> Iterator[str]:
    """A role is named by its ARN, or by its name."""
    for member in ("taskRoleArn", "executionRoleArn"):
        if member in form and not ROLE.fullmatch(form[member]):
            yield "Role is not valid"


def has_sound_constraints(form: Json) -> Iterator[str]:
    """There are at most ten constraints, and each says what it wants."""
    constraints = form.get("placementConstraints") or []
    if len(constraints) > MOST_CONSTRAINTS:
        yield f"Maximum number of constraints is {MOST_CONSTRAINTS}"  # ours
    if any(not constraint.get("expression") for constraint in constraints):
        yield "constraint.expression should not be null or empty."  # ours


def has_a_sound_proxy(form: Json) -> Iterator[str]:
    """A proxy is a container of the task, and knows its ports."""
    proxy = form.get("proxyConfiguration")
    if proxy is None:
        return
    if network_mode_of(form) != "awsvpc":
        yield "APPMESH proxy configuration is only supported in networkMode=awsvpc"
    if proxy.get("containerName") not in {one["name"] for one in containers_of(form)}:
        yield f"Proxy container [{proxy.get('containerName')}] does not exist."
    given = {one.get("name") for one in proxy.get("properties") or [] if one.get("value")}
    for name, what in PROXY_PROPERTIES.items():
        if name not in given:
            yield f"{what} not found"
    if not given & {"IgnoredUID", "IgnoredGID"}:
        yield "Ignored UID or GID not found"  # ours


def has_logs_for_its_router(form: Json) -> Iterator[str]:
    """A log router is there for some container's log."""
    drivers = [(one.get("logConfiguration") or {}).get("logDriver") for one in containers_of(form)]
    routers = [one for one in containers_of(form) if "firelensConfiguration" in one]
    if len(routers) > 1:
        yield "Only one container can have a firelens configuration object."  # ours
    if routers and "awsfirelens" not in drivers:
        yield (
            "When a firelensConfiguration object is specified, at least one container has to be "
            "configured with the awsfirelens log driver"
        )


def has_nothing_retired(form: Json) -> Iterator[str]:
    """Elastic Inference is no more."""
    if form.get("inferenceAccelerators"):
        yield "Unsupported field 'inferenceAccelerators'."


# The order is the one in which they are looked at: later ones take for granted what earlier ones
# have seen, such as that each container has a name.
RULES: Final[Iterable[Rule]] = (
    has_a_family,
    has_containers,
    has_sound_containers,
    has_names_of_their_own,
    has_an_essential_container,
    has_room_for_all,
    has_no_circles,
    has_each_port_once,
    has_each_port_name_once,
    has_sound_volumes,
    has_one_volume_of_the_launch,
    has_sound_file_systems,
    has_sound_storage,
    has_sound_roles,
    has_sound_constraints,
    has_a_sound_proxy,
    has_logs_for_its_router,
    has_nothing_retired,
    is_short,
)
