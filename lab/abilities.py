"""What some chapters need an engine to be able to do, and what of it an engine says it can't."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Ability", "missing_in"]


class Ability(enum.Enum):
    """Something that most engines do and some can't, with what is so where they can't."""

    ROOT = "It runs without root: root in a container is an ordinary user of the host."
    MEMORY_LIMIT = "It ignores memory limits: a container is not stopped for using too much."
    CPU_LIMIT = "It ignores CPU limits: a container takes as much time as it gets."
    PIDS_LIMIT = "It ignores limits on the number of processes."
    SECCOMP = "It does not filter system calls (no seccomp)."


def missing_in(info: Mapping[str, Any]) -> list[Ability]:
    """Read what an engine can't do out of its ``info``.

    Only what the engine says of itself counts; what it does not mention is taken as usual.

    Args:
        info: The answer of ``docker_client.info()``.

    Returns:
        What is missing, in the order of ``Ability``.

    Example:
        >>> [ability.name for ability in missing_in({"MemoryLimit": False})]
        ['MEMORY_LIMIT']
    """
    security = [str(option) for option in info.get("SecurityOptions") or ()]
    seccomp = [option for option in security if option.startswith("name=seccomp")]
    lacks = {
        Ability.ROOT: "name=rootless" in security or info.get("Rootless") is True,
        Ability.MEMORY_LIMIT: info.get("MemoryLimit") is False,
        Ability.CPU_LIMIT: info.get("CpuCfsQuota") is False,
        Ability.PIDS_LIMIT: info.get("PidsLimit") is False,
        Ability.SECCOMP: "SecurityOptions" in info
        and (not seccomp or any("unconfined" in option for option in seccomp)),
    }
    return [ability for ability, is_lacking in lacks.items() if is_lacking]
