"""What checks look at: the present state of containers, read in one place for all chapters."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import docker.errors
import requests
import tenacity

from lab.abilities import missing_in
from lab.checks.exercise import NotYet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from docker.models.containers import Container

    from lab.abilities import Ability
    from lab.session import Lab

__all__ = [
    "answer_of",
    "capabilities",
    "capability_names",
    "container",
    "engine_can",
    "in_words",
    "logs_of",
    "published_url",
    "settle",
]

ANSWER_SECONDS = 3
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
    names = sorted(str(other.name).removeprefix(lab.naming.prefix) for other in found)
    there = f"There is: {', '.join(names)}." if names else "You have no containers here yet."
    raise NotYet(
        f"No container has the name {lab.name(short)}, which is lab.name({short!r}). {there}"
    )


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


@tenacity.retry(
    retry=tenacity.retry_if_result(operator.not_),
    wait=tenacity.wait_fixed(0.1),
    stop=tenacity.stop_after_delay(5),
    retry_error_callback=lambda _state: False,
)
def settle(found: Container) -> bool:
    """Give a start the time to fail, and the health check the time to speak."""
    found.reload()
    health = found.attrs["State"].get("Health", {}).get("Status")
    return not (found.status == "running" and health == "starting")


def logs_of(found: Container) -> str:
    """Read a container's log as text."""
    return str(found.logs().decode(errors="replace"))


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
