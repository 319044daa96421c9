"""What checks look at: the state of containers and images, read in one place for all chapters."""

from __future__ import annotations

import gzip
import io
import operator
import tarfile
import time
from typing import TYPE_CHECKING, Any, ParamSpec

import docker.errors
import requests
import tenacity

from lab.abilities import Ability, missing_in
from lab.checks.exercise import NotYet
from lab.cleaning import images_of
from lab.naming import by_seed, short_tag
from lab.swarm import labels_of_swarm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from docker.models.containers import Container
    from docker.models.images import Image
    from docker.models.services import Service

    from lab.session import Lab

__all__ = [
    "answer_of",
    "answers_inside",
    "capabilities",
    "capability_names",
    "choose_fault",
    "container",
    "do_a_job",
    "engine_can",
    "file_in",
    "health",
    "image",
    "in_words",
    "inside",
    "is_published",
    "is_settled",
    "last_line",
    "layers_of",
    "listed",
    "logs_of",
    "names_on",
    "published_url",
    "ran_out_of_memory",
    "running",
    "service",
    "settle",
    "shared_networks",
    "short",
    "text_at",
    "variable",
    "was_sent_nothing",
    "where",
    "within",
]

P = ParamSpec("P")

ANSWER_SECONDS = 3
ASKED_EACH_SECOND = 5  # by `within`; an idle machine asks nearly twice as often
JOB_SECONDS = 15
KILLED = 137
TERMINATED = 143
# What Docker gives a container's root when nothing else is said.
DEFAULT_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)


def container(lab: Lab, short: str) -> Container:
    """Find a container of the learner by its short name.

    Raises:
        NotYet: There is none; the hint names what is there instead.
    """
    try:
        return lab.docker.containers.get(lab.name(short))
    except docker.errors.NotFound:
        pass
    found = lab.docker.containers.list(all=True, filters=lab.filters)
    prefix = lab.naming.prefix
    names = sorted(
        name.removeprefix(prefix) if name.startswith(prefix) else f"{name} (not from lab.name)"
        for name in (str(other.name) for other in found)
    )
    there = f"There is: {', '.join(names)}." if names else "You have no containers here yet."
    raise NotYet(
        f"No container has the name {lab.name(short)}, which is lab.name({short!r}). {there}"
    )


def service(lab: Lab, short: str) -> Service:
    """Find a service of the learner by its short name, in the lab's own swarm.

    Raises:
        NotYet: There is none; the hint names what is there instead.
    """
    # Another lab may have the engine's swarm meanwhile.
    if not labels_of_swarm(lab.docker.info()).items() >= lab.naming.labels.items():
        raise NotYet("You have no swarm here yet, so there can be no service.")
    found = {str(each.name): each for each in lab.docker.services.list()}
    if lab.name(short) not in found:
        names = sorted(name.removeprefix(lab.naming.prefix) for name in found)
        there = f"There is: {', '.join(names)}." if names else "There is none at all."
        raise NotYet(
            f"No service has the name {lab.name(short)}, which is lab.name({short!r}). {there}"
        )
    return found[lab.name(short)]


def image(lab: Lab, short: str) -> Image:
    """Find an image of the learner by its short name and tag, such as ``menu:1``.

    Raises:
        NotYet: There is none; the hint names what is there instead.
    """
    name, _, tag = short.partition(":")
    try:
        return lab.docker.images.get(f"{lab.name(name)}:{tag}")
    except docker.errors.ImageNotFound:
        pass
    found = images_of(lab.docker, lab.filters)
    names = sorted(short_tag(other, lab.naming.labels) for one in found for other in one.tags)
    there = f"There is: {', '.join(names)}." if names else "You have built no image here yet."
    raise NotYet(
        f"No image has the name {lab.name(name)}:{tag}, which is "
        f"lab.name({name!r}) + ':{tag}'. {there}"
    )


def file_in(lab: Lab, found: Image, path: str) -> bytes | None:
    """Read a file of an image, without starting anything; ``None`` where there is no such file."""
    # The engine wants a command even for a container that is never started.
    container = lab.docker.containers.create(found, "none")
    try:
        chunks, _ = container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            file = archive.extractfile(archive.next() or path)
            return file.read() if file else None
    except docker.errors.NotFound:
        return None
    finally:
        container.remove(force=True)


def layers_of(found: Image) -> Iterator[bytes]:
    """Give the parts of an image as ``docker save`` writes it: unpacked layers, and settings."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(found.save()))) as saved:
        for part in saved:
            file = saved.extractfile(part) if part.isfile() else None
            content = file.read() if file else b""
            # How a layer is kept is up to the engine.
            yield gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


def running(lab: Lab, short: str, *, then: str = "") -> Container:
    """Find a container of the learner that runs.

    Args:
        lab: The learner's lab.
        short: The container's short name.
        then: What to do where it does not run, as a sentence.

    Raises:
        NotYet: There is none, or it does not run.
    """
    found = container(lab, short)
    if found.status != "running":
        raise NotYet(f"{short} should run, but {in_words(found)}. {then}".rstrip())
    return found


def choose_fault(lab: Lab, faults: Iterable[str]) -> str:
    """Choose by the learner's seed which fault an exercise has, out of those that are one here.

    Where the engine ignores limits, a fault named ``memory`` would be none.

    Args:
        lab: The learner's lab.
        faults: Their names; the order must not change within a course.
    """
    names = list(faults)
    if "memory" in names and not engine_can(lab, Ability.MEMORY_LIMIT):
        names.remove("memory")
    return by_seed(names)


def ran_out_of_memory(lab: Lab, found: Container) -> bool:
    """Tell whether the kernel ended a container's program for its memory.

    ``OOMKilled`` says so, but Docker 20.10 was seen to lose it about once in a hundred times,
    where the end is told before its reason. A program under a limit that ended with 137, without
    a request to kill it, has run out of memory, too.

    Args:
        lab: The learner's lab.
        found: The container, ended.
    """
    state = found.attrs["State"]
    if state["OOMKilled"]:
        return True
    if state["ExitCode"] != KILLED or not found.attrs["HostConfig"]["Memory"]:
        return False
    return was_sent_nothing(lab, found)


def was_sent_nothing(lab: Lab, found: Container) -> bool:
    """Tell whether a container ended without a signal that somebody asked the engine for.

    The engine's diary is short: where it no longer has the end, nothing can be told, and the
    answer is no.

    Args:
        lab: The learner's lab.
        found: The container, ended.
    """
    diary = lab.docker.events(
        since=0, until=int(time.time()) + 1, filters={"container": found.id}, decode=True
    )
    told = {event["Action"] for event in diary}
    return "die" in told and "kill" not in told


def engine_can(lab: Lab, ability: Ability) -> bool:
    """Tell whether the engine can do something, as far as it says of itself."""
    return ability not in missing_in(lab.docker.info())


def in_words(found: Container) -> str:
    """Say a container's state as a hint does, with what usually explains its exit code.

    Example:
        >>> in_words(web)  # doctest: +SKIP
        'it has exited with 137: it was killed'
    """
    state = found.attrs["State"]
    if state["Status"] != "exited":
        return f"it is {state['Status']}"
    code = state["ExitCode"]
    said = f"it has exited with {code}"
    if state["OOMKilled"]:
        return f"{said}: it reached its memory limit"
    if code == KILLED:
        return f"{said}: it was killed"
    if code == TERMINATED:
        return f"{said}: SIGTERM ended it"
    return said


def capability_names(listed: Iterable[str] | None) -> set[str]:
    """Bring a list of capabilities of an engine to one form: newer ones put ``CAP_`` before each.

    Example:
        >>> capability_names(["CAP_CHOWN"]) == capability_names(["chown"])
        True
    """
    return {name.upper().removeprefix("CAP_") for name in listed or ()}


def capabilities(found: Container) -> set[str]:
    """Work out from a container's settings which capabilities its root has.

    ``ALL`` stands in the result where all were given.
    """
    host = found.attrs["HostConfig"]
    added, dropped = capability_names(host["CapAdd"]), capability_names(host["CapDrop"])
    if host["Privileged"]:
        return {"ALL"}
    usual = set() if "ALL" in dropped else DEFAULT_CAPABILITIES - dropped
    return set(usual | added)


def within(seconds: float) -> Callable[[Callable[P, bool]], Callable[P, bool]]:
    """Ask again and again until the answer is yes; after so many seconds it is no.

    On a busy machine, where asking itself takes long, it goes on until it has asked often enough.

    Args:
        seconds: How long to go on asking.

    Example:
        >>> within(1)(lambda: True)()
        True
    """
    return tenacity.retry(
        retry=tenacity.retry_if_result(operator.not_),
        wait=tenacity.wait_fixed(0.1),
        stop=tenacity.stop_all(
            tenacity.stop_after_delay(seconds),
            tenacity.stop_after_attempt(round(seconds * ASKED_EACH_SECOND)),
        ),
        retry_error_callback=lambda _state: False,
    )


def is_settled(found: Container) -> bool:
    """Tell whether a start has failed, or the health check has spoken."""
    found.reload()
    return not (found.status == "running" and health(found) == "starting")


def health(found: Container) -> str:
    """What a container's health check says; empty if it has none."""
    return str(found.attrs["State"].get("Health", {}).get("Status", ""))


settle = within(5)(is_settled)
"""Gives a start the time to fail, and the health check the time to speak."""


def do_a_job(url: str, worker: Container) -> None:
    """Hand a job in at the store, and wait until the worker has done it.

    Args:
        url: The store's address.
        worker: Whose log tells why it was not done.

    Raises:
        NotYet: It was not done in time; the hint has the last line of the worker's log.
    """
    text_at(f"{url}/keys/job-check", put="works")
    if not _is_done(url):
        raise NotYet(
            f"A job was handed in and not done within {JOB_SECONDS} s. "
            f"The last line in the worker's log: {last_line(worker)!r}."
        )


@within(JOB_SECONDS)
def _is_done(url: str) -> bool:
    return text_at(f"{url}/keys/done-check") == "WORKS"


def logs_of(found: Container) -> str:
    """Read a container's log as text."""
    return str(found.logs().decode(errors="replace"))


def last_line(found: Container) -> str:
    """Read the last line of a container's log; empty if it has logged nothing."""
    return logs_of(found).strip().rpartition("\n")[2]


def inside(found: Container, *command: str) -> str | None:
    """Run a command in a running container, and read what it writes.

    Args:
        found: The container.
        command: The program and its arguments.

    Returns:
        What it wrote; ``None`` if it failed.

    Example:
        >>> inside(web, "hostname", "-i")  # doctest: +SKIP
        '172.17.0.2 '
    """
    code, output = found.exec_run(list(command))
    # Without stream=True it is bytes, which the types of docker-py do not know.
    return bytes(output).decode(errors="replace") if code == 0 else None  # type: ignore[arg-type]


def published_url(found: Container) -> str:
    """Find the address on this machine where a container's port is published.

    Raises:
        NotYet: It publishes none, or it publishes to other machines too.
    """
    for bindings in found.ports.values():
        for binding in bindings or ():
            if binding["HostIp"] != "127.0.0.1":
                raise NotYet(
                    f"Its port is published on {binding['HostIp']}, for the whole network to "
                    "reach: publish it on 127.0.0.1 only."
                )
            return f"http://127.0.0.1:{binding['HostPort']}"
    raise NotYet("It publishes no port on this machine, so nobody here can ask it.")


def is_published(found: Container) -> bool:
    """Tell whether any port of a container can be reached from outside of its networks."""
    return any(found.ports.values())


def answer_of(url: str) -> dict[str, Any]:
    """Ask the application for its answer on ``/``.

    Raises:
        NotYet: There is no answer, or not the application's.
    """
    try:
        answer = requests.get(url, timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        body = answer.json()
    except requests.RequestException as failure:
        raise NotYet(
            "It runs, but its published port gives no answer: which port does the "
            "application listen on inside?"
        ) from failure
    return dict(body)


def text_at(url: str, *, put: str | None = None) -> str | None:
    """Ask the store at a published port.

    Args:
        url: The address with its path.
        put: A value to put there first.

    Returns:
        The text of the answer; nothing where there is no such key.

    Raises:
        NotYet: There is no answer.
    """
    try:
        if put is not None:
            requests.put(url, data=put, timeout=ANSWER_SECONDS)
        answer = requests.get(url, timeout=ANSWER_SECONDS)
    except requests.RequestException as failure:
        raise NotYet(
            "It runs, but its published port gives no answer: which port does the "
            "store listen on inside?"
        ) from failure
    return answer.text if answer.ok else None


def variable(found: Container, name: str) -> str | None:
    """Read a variable that a container was given."""
    given = dict(item.split("=", 1) for item in found.attrs["Config"]["Env"])
    return given.get(name)


def answers_inside(found: Container, url: str) -> bool:
    """Tell whether a container gets an answer at an address, asking from its inside."""
    return bool(found.exec_run(["wget", "-q", "-O", "-", url]).exit_code == 0)


def shared_networks(one: Container, other: Container) -> set[str]:
    """Name the networks that two containers are both on."""
    one.reload()
    other.reload()
    return set(_endpoints(one)) & set(_endpoints(other))


def names_on(found: Container, network: str) -> set[str]:
    """Name all that a container is called on a network."""
    endpoint = _endpoints(found)[network]
    # Newer versions of Docker tell the names that it answers to apart from the aliases asked for.
    told = (endpoint.get("Aliases") or []) + (endpoint.get("DNSNames") or [])
    return {str(found.name), *told}


def short(lab: Lab, found: Container) -> str:
    """Give a container's name as the learner knows it."""
    return str(found.name).removeprefix(lab.naming.prefix)


def listed(lab: Lab, networks: set[str]) -> str:
    """Name networks as the learner knows them."""
    return " and ".join(sorted(name.removeprefix(lab.naming.prefix) for name in networks))


def where(lab: Lab, *containers: Container) -> str:
    """Say which networks containers are on.

    Example:
        >>> where(lab, web, store)  # doctest: +SKIP
        'web is on front, store is on back'
    """
    return ", ".join(
        f"{short(lab, found)} is on {listed(lab, set(_endpoints(found))) or 'no network'}"
        for found in containers
    )


def _endpoints(found: Container) -> dict[str, dict[str, Any]]:
    return dict(found.attrs["NetworkSettings"]["Networks"])
